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

package kubectlmysql_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// mayOnly is the connection of somebody who may do nothing but what is allowed: all else is asked for in the name of one without rights, so
// that the refusals are the server's own.
func mayOnly(allowed func(*http.Request) bool) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if !allowed(r) {
				r = r.Clone(r.Context())
				r.Header.Set("Impersonate-User", "oncall")
			}
			return next.RoundTrip(r)
		})
	}
}

func isFailover(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/failover")
}

const forbidden = `Error from server (Forbidden): mysqlclusters.mysql.presslabs.io "foo" is forbidden: User "oncall" cannot %s resource "mysqlclusters" ` +
	`in API group "mysql.presslabs.io" in the namespace "%s"`

const waitNeeds = "error: --wait needs the right to %s mysqlclusters; without --wait, the right to create mysqlclusters/failover is enough\n"

// The one on call needs no other right than the one to create mysqlclusters/failover.
func TestRightToFailOverSufficesWithoutWait(t *testing.T) {
	p := newPlace()
	p.wrap = mayOnly(isFailover)
	p.serve(t, "healthy")
	refusal := fmt.Sprintf(forbidden, "get", p.namespace) + "\n"

	p.expect(t, 1, "", refusal, "status", "foo")
	p.expect(t, 1, "", fmt.Sprintf(waitNeeds, "get")+refusal, "switchover", "foo", "--wait")
	p.expect(t, 1, "", "The term can not be read from the cluster: name it with --term\n"+refusal, "failover", "foo", "--force", "--yes")
	p.recordedNothing(t)

	if code, out, complaints := p.run(t, "failover", "foo", "--force", "--dry-run", "--term", "7"); code != 0 || !strings.Contains(out, "Steps:") {
		t.Errorf("exit code %d, output %s, complaints %s", code, out, complaints)
	}
	if code, _, complaints := p.run(t, "switchover", "foo"); code != 0 || complaints != "" {
		t.Errorf("exit code %d, complaints %s", code, complaints)
	}
	if p.get(t).Status.Operation == nil {
		t.Error("nothing was recorded")
	}
}

// A switchover whose end can not be seen is not begun.
func TestWaitWithoutTheRightToWatchIsRefusedFirst(t *testing.T) {
	p := newPlace()
	p.wrap = mayOnly(func(r *http.Request) bool { return r.URL.Query().Get("watch") == "" })
	p.serve(t, "healthy")
	p.expect(t, 1, "", fmt.Sprintf(waitNeeds, "watch")+fmt.Sprintf(forbidden, "watch", p.namespace)+"\n", "switchover", "foo", "--wait")
	p.recordedNothing(t)
}

func TestUsageErrorsAreToldApart(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	for want, args := range map[string][]string{
		"error: name a cluster\nSee 'kubectl mysql status --help'.\n":                                    {"status"},
		"error: name one cluster, not 2\nSee 'kubectl mysql switchover --help'.\n":                       {"switchover", "foo", "bar"},
		"error: unknown flag: --force\nSee 'kubectl mysql switchover --help'.\n":                         {"switchover", "foo", "--force"},
		"error: --output \"xml\" is unknown: there are json, yaml\nSee 'kubectl mysql status --help'.\n": {"status", "foo", "-o", "xml"},
		"error: --dry-run does nothing that --wait could wait for\nSee 'kubectl mysql switchover --help'.\n": {
			"switchover", "foo", "--dry-run", "--wait"},
		"error: --timeout can not be negative\nSee 'kubectl mysql switchover --help'.\n": {"switchover", "foo", "--wait", "--timeout", "-1s"},
		"error: unknown command \"fail\" for \"kubectl mysql\"\n\nDid you mean this?\n\tfailover\n\nSee 'kubectl mysql --help'.\n": {
			"fail", "foo"},
	} {
		p.expect(t, 2, "", want, args...)
	}
	p.recordedNothing(t)
}

func TestServersThatCanNotHelpAreExplained(t *testing.T) {
	bare := httptest.NewServer(http.NotFoundHandler())
	gone := bare.URL
	p := newPlace()
	p.expect(t, 1, "", "Error from server (NotFound): the server does not know MysqlClusters: is the API server for MySQL installed?\n"+
		"See: kubectl get apiservice v1alpha1.mysql.presslabs.io\n", "status", "foo", "--server", bare.URL)
	bare.Close()
	_, _, complaints := p.run(t, "status", "foo", "--server", gone, "--watch")
	if !strings.HasPrefix(complaints, "Unable to connect to the server: dial tcp ") {
		t.Errorf("the complaints are %q", complaints)
	}
}
