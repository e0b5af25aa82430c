/*
Copyright The MySQL API Server Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package kubectlmysql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Exit codes.
const (
	// exitDone: what was asked for is done, or shown, or recorded.
	exitDone = 0
	// exitFailed: it was refused or given up, or its end was not seen.
	exitFailed = 1
	// exitUsage: the command line can not be meant.
	exitUsage = 2
)

var (
	// errTold is the error of what has been told to the user already.
	errTold = errors.New("told already")
	// errTimeout ends a wait that has taken too long.
	errTimeout = errors.New("timed out")
)

// usageError is an error of the command line.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// missingRight is the error of a wait that the user may not see the end of.
type missingRight struct {
	verb string
	err  error
}

func (e *missingRight) Error() string {
	return fmt.Sprintf("--wait needs the right to %s mysqlclusters; without --wait, the right to create mysqlclusters/failover is enough", e.verb)
}

func (e *missingRight) Unwrap() error { return e.err }

// explain tells an error to people: the words of the server as they are, without those of the program's own layers.
func explain(err error) string {
	var status apierrors.APIStatus
	var failed *url.Error
	var missing *missingRight
	switch {
	case errors.As(err, &missing):
		return "error: " + missing.Error() + "\n" + explain(missing.err)
	case errors.As(err, &status):
		s := status.Status()
		if unknownResource(&s) {
			return "Error from server (NotFound): the server does not know MysqlClusters: is the API server for MySQL installed?\n" +
				"See: kubectl get apiservice v1alpha1.mysql.presslabs.io"
		}
		if s.Reason == metav1.StatusReasonUnknown {
			return "Error from server: " + s.Message
		}
		return fmt.Sprintf("Error from server (%s): %s", s.Reason, s.Message)
	case errors.Is(err, context.Canceled):
		return "Interrupted"
	case errors.As(err, &failed):
		return "Unable to connect to the server: " + failed.Err.Error()
	default:
		return "error: " + err.Error()
	}
}

// unknownResource is true when the answer means that nothing is served at the path, not that there is no such object.
func unknownResource(s *metav1.Status) bool {
	return s.Reason == metav1.StatusReasonNotFound && s.Details != nil &&
		slices.ContainsFunc(s.Details.Causes, func(c metav1.StatusCause) bool { return c.Type == metav1.CauseTypeUnexpectedServerResponse })
}

// lasting is true for errors that do not go away by trying again.
func lasting(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsMethodNotSupported(err) || apierrors.IsInvalid(err)
}
