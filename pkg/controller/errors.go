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

package controller

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// allErrors is true when there is an error, and each one of those that it joins is such a one. errors.As, and with it apierrors, is
// content with the first that fits, so that a harmless one would hide the others.
func allErrors(err error, is func(error) bool) bool {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		joined, ok := inner.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		for _, one := range joined.Unwrap() {
			if !allErrors(one, is) {
				return false
			}
		}
		return true
	}
	return err != nil && is(err)
}

// isConflict is true when nothing but the cache's being behind made requests fail.
func isConflict(err error) bool { return allErrors(err, apierrors.IsConflict) }

// isTerminating is true when requests failed because the namespace is being deleted; that others met what had just changed goes with it.
func isTerminating(err error) bool {
	return !isConflict(err) && allErrors(err, func(one error) bool {
		return apierrors.IsConflict(one) || apierrors.HasStatusCause(one, corev1.NamespaceTerminatingCause)
	})
}
