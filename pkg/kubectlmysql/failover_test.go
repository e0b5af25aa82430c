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
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// forcedPlan is what a forced failover of the cluster in primary-lost.yaml comes to.
const forcedPlan = `Forced failover foo-mysql-0 → foo-mysql-2 of %[1]s/foo
  by admin: the rack is gone

Transactions that would be given up:
  12 transactions: 3e11fa47-71ca-11e1-9e33-c80aa9429562:40206-40217
  there can be more: this is by what the nodes reported last

Candidates:
  taken foo-mysql-2 is Healthy, is 0 s behind, is missing 12 transactions: 3e11fa47-71ca-11e1-9e33-c80aa9429562:40206-40217
  no    foo-mysql-0 is the primary
  no    foo-mysql-1 is Unreachable (its pod can not be scheduled: 0/3 nodes are available): 3e11fa47-71ca-11e1-9e33-c80aa9429562:40211-40217

Steps:
   1. foo-mysql-2 is recorded as the primary of term 8
   2. 12 transactions are given up: 3e11fa47-71ca-11e1-9e33-c80aa9429562:40206-40217
   3. these nodes do not answer, and become replicas when they come back: foo-mysql-0, foo-mysql-1
   4. nodes that hold transactions which are given up are fenced, with their data untouched (errantNodePolicy Keep)
   5. foo-mysql-2 is opened for writes, and the Service of the primary leads to it
`

const unforced = `error: a failover by hand can give up transactions, so it is done with --force only.
  A primary that is lost is replaced by itself, as soon as that is possible without loss: kubectl mysql status foo tells what it waits for.
  A primary that works hands over without loss:                                        kubectl mysql switchover foo
  What would be lost by force is shown, and nothing else done, by:                     kubectl mysql failover foo --force --dry-run
See 'kubectl mysql failover --help'.
`

func TestFailoverWithoutForceIsExplained(t *testing.T) {
	p := newPlace()
	p.serve(t, "primary-lost")
	p.expect(t, 2, "", unforced, "failover", "foo")
	p.recordedNothing(t)
}

func (p *place) recordedNothing(t *testing.T) {
	t.Helper()
	if o := p.get(t).Status.Operation; o != nil {
		t.Errorf("recorded is %+v", o)
	}
}

func TestForcedFailoverShowsItsPlan(t *testing.T) {
	p := newPlace()
	p.serve(t, "primary-lost")
	p.expect(t, 0, "Nothing has been changed. This is what would be done:\n\n"+fmt.Sprintf(forcedPlan, p.namespace), "",
		"failover", "foo", "--force", "--dry-run", "--reason", "the rack is gone")
	p.recordedNothing(t)
}

func TestForcedFailoverIsConfirmed(t *testing.T) {
	args := []string{"failover", "foo", "--force", "--reason", "the rack is gone"}
	const question = "To do this, type the name of the cluster (foo): "
	refusal := question + "error: not confirmed: nothing has been changed\n"
	for typed, complaints := range map[string]string{
		"yes\n": refusal,
		"\n":    refusal,
		"fo":    question + "\nerror: not confirmed: nothing has been changed\n",
	} {
		p := newPlace()
		p.serve(t, "primary-lost")
		p.typed = typed
		p.expect(t, 1, fmt.Sprintf(forcedPlan, p.namespace)+"\n", complaints, args...)
		p.recordedNothing(t)
	}

	p := newPlace()
	p.serve(t, "primary-lost")
	p.expect(t, 2, "", "error: there is nobody to confirm this: add --yes, or look first with --dry-run\nSee 'kubectl mysql failover --help'.\n", args...)
	p.recordedNothing(t)

	p.typed = "foo\n"
	code, out, complaints := p.run(t, args...)
	p.recordedForced(t, code, out)
	differ(t, "the complaints", question, complaints)
}

// While somebody reads what would be given up, the world goes on.
func TestForcedFailoverDoesWhatWasConfirmed(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	change := func(change func(*v1alpha1.MysqlClusterStatus)) func() {
		return func() {
			cluster := p.get(t)
			change(&cluster.Status)
			if _, err := p.clusters(t).UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
	p.typed = "foo\n"
	p.beforeTyping = change(func(s *v1alpha1.MysqlClusterStatus) { s.Term, s.Primary = 8, "foo-mysql-1" })
	code, _, complaints := p.run(t, "failover", "foo", "--force")
	if code != 1 || !strings.HasSuffix(complaints, ": the request is for term 7, but the present term is 8, in which foo-mysql-1 is the primary\n") {
		t.Errorf("decided otherwise in the meantime: exit code %d, complaints %q", code, complaints)
	}
	p.recordedNothing(t)

	p.beforeTyping = change(func(s *v1alpha1.MysqlClusterStatus) { s.Nodes[0].GTIDExecuted = "" })
	code, out, complaints := p.run(t, "failover", "foo", "--force")
	if o := p.get(t).Status.Operation; code != 1 || o != nil || !strings.HasPrefix(out, "Forced failover foo-mysql-1 → foo-mysql-0 ") ||
		!strings.HasSuffix(complaints, ": foo-mysql-0 has never reported any transactions\n") {
		t.Errorf("the node is no candidate any more, though others are: exit code %d, recorded %+v, output %q, complaints %q", code, o, out, complaints)
	}
}

// recordedForced checks a forced failover that was carried out.
func (p *place) recordedForced(t *testing.T, code int, out string) {
	t.Helper()
	o := p.get(t).Status.Operation
	if code != 0 || o == nil || o.Mode != v1alpha1.FailoverForced || o.To != "foo-mysql-2" || o.Reason != "the rack is gone" {
		t.Fatalf("exit code %d, recorded is %+v, printed\n%s", code, o, out)
	}
	differ(t, "the output", fmt.Sprintf(forcedPlan, p.namespace)+fmt.Sprintf(`
Forced failover foo-mysql-0 → foo-mysql-2 of %[1]s/foo is recorded as operation %[2]s
Gives up 12 transactions: 3e11fa47-71ca-11e1-9e33-c80aa9429562:40206-40217
See how it goes on: kubectl mysql status foo -n %[1]s --watch
`, p.namespace, o.UID), out)
}

func TestForcedFailoverNeedsNoConfirmationWithYes(t *testing.T) {
	p := newPlace()
	p.serve(t, "primary-lost")
	code, out, complaints := p.run(t, "failover", "foo", "--force", "--reason", "the rack is gone", "--yes", "--term", "7")
	p.recordedForced(t, code, out)
	differ(t, "the complaints", "", complaints)
}

// The server's warning is shown once, though it is asked twice.
func TestForcedFailoverOfAHealthyPrimaryIsWarnedOf(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	code, out, complaints := p.run(t, "failover", "foo", "--force", "--yes")
	if code != 0 || !strings.Contains(out, "\n  none is known of\n  there can be more") {
		t.Errorf("exit code %d, output\n%s", code, out)
	}
	differ(t, "the complaints", "Warning: the primary foo-mysql-0 is healthy: mode Graceful would give up nothing\n", complaints)
}

func TestServerErrorsAreShownAsTheyAre(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	const conflict = `Error from server (Conflict): Operation cannot be fulfilled on mysqlclusters.mysql.presslabs.io "foo": `
	for want, args := range map[string][]string{
		`Error from server (NotFound): mysqlclusters.mysql.presslabs.io "bar" not found`:                       {"status", "bar"},
		`Error from server (NotFound): mysqlclusters.mysql.presslabs.io "bax" not found`:                       {"status", "bax", "--watch"},
		`Error from server (NotFound): mysqlclusters.mysql.presslabs.io "baz" not found`:                       {"switchover", "baz"},
		conflict + "foo-mysql-0 is the primary already, in term 7":                                             {"switchover", "foo", "--to", "foo-mysql-0"},
		conflict + "the request is for term 6, but the present term is 7, in which foo-mysql-0 is the primary": {"failover", "foo", "--force", "--yes", "--term", "6"},
		`Error from server (Invalid): MysqlFailover.mysql.presslabs.io "foo" is invalid: spec.target: Invalid value: "bar": the cluster has no such node; ` +
			"there are foo-mysql-0, foo-mysql-1, foo-mysql-2": {"switchover", "foo", "--to", "bar", "--dry-run"},
	} {
		p.expect(t, 1, "", want+"\n", args...)
	}
	p.recordedNothing(t)
}
