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
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

const plan = `Nothing has been changed. This is what would be done:

Switchover foo-mysql-0 → foo-mysql-1 of %[1]s/foo
  by admin: new kernel

Transactions that would be given up:
  none: it ends well only when nothing is lost, and is given up otherwise

Candidates:
  taken foo-mysql-1 is Healthy, is 0 s behind, has all transactions that were reported
  yes   foo-mysql-2 is Healthy, is 1 s behind, is missing 12 transactions: 3e11fa47-71ca-11e1-9e33-c80aa9429562:40206-40217
  no    foo-mysql-0 is the primary

Steps:
   1. foo-mysql-1 is recorded as the primary of term 8
   2. foo-mysql-0 becomes read-only, closes its clients' connections and follows foo-mysql-1
   3. foo-mysql-1 applies all that foo-mysql-0 has executed
   4. foo-mysql-1 is opened for writes, and the Service of the primary leads to it
   5. if this can not be done in time, foo-mysql-0 becomes the primary again, in term 9, and nothing is lost
`

func TestSwitchoverShowsItsPlan(t *testing.T) {
	p := newPlace()
	before := p.serve(t, "healthy")
	p.expect(t, 0, fmt.Sprintf(plan, p.namespace), "", "switchover", "foo", "--dry-run", "--reason", "new kernel")
	if after := p.get(t); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the plan has changed the cluster: %+v", after.Status.Operation)
	}
}

func TestSwitchoverIsRecorded(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	code, out, complaints := p.run(t, "switchover", "foo", "--to", "foo-mysql-2", "--reason", "new kernel")
	o := p.get(t).Status.Operation
	if o == nil || o.Type != v1alpha1.OperationSwitchover || o.Mode != v1alpha1.FailoverGraceful || o.To != "foo-mysql-2" || o.Reason != "new kernel" {
		t.Fatalf("recorded is %+v; code %d, %s", o, code, complaints)
	}
	differ(t, "the output", fmt.Sprintf("Switchover foo-mysql-0 → foo-mysql-2 of %[1]s/foo is recorded as operation %[2]s\n"+
		"See how it goes on: kubectl mysql status foo -n %[1]s --watch\n", p.namespace, o.UID), out)
	differ(t, "the complaints", "", complaints)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// awaited runs a switchover with --wait while a controller takes the steps, and returns what the screen shows in the end.
func (p *place) awaited(t *testing.T, steps []step, args ...string) (code int, screen, complaints string) {
	t.Helper()
	p.serve(t, "healthy")
	done := p.control(t, steps)
	code, out, complaints := p.run(t, append([]string{"switchover", "foo", "--wait"}, args...)...)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	cluster := p.get(t)
	o := cluster.Status.Operation
	if o == nil {
		o = &cluster.Status.LastFailovers[0]
	}
	return code, strings.ReplaceAll(shown(out), string(o.UID), "UID"), complaints
}

// shown is what a terminal shows of an output that goes back to the beginning of lines and erases them.
func shown(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		line = line[strings.LastIndex(line, "\r")+1:]
		lines[i] = strings.TrimPrefix(line, "\x1b[K")
	}
	return strings.Join(lines, "\n")
}

func TestSwitchoverIsAwaited(t *testing.T) {
	const head = "Switchover foo-mysql-0 → foo-mysql-1 of %s/foo is recorded as operation UID\n    +0.000s  Requested\n"
	for name, c := range map[string]struct {
		steps []step
		code  int
		want  string
	}{
		"succeeded": {succeeding, 0, "    +0.012s  SteppingDown\n" +
			"             Switching over from foo-mysql-0 to foo-mysql-1: waiting for foo-mysql-1 to apply what it has received\n" +
			"    +0.180s  Promoting\n" +
			"             Switching over from foo-mysql-0 to foo-mysql-1\n" +
			"    +0.310s  Completed\n" +
			"Succeeded: foo-mysql-1 is the primary of term 8 (after 0.310s)\n"},
		"given up": {[]step{{phase: v1alpha1.OperationCompleted, after: 30100 * time.Millisecond, line: "Ready", outcome: v1alpha1.OperationGivenUp,
			message: "nothing was changed: foo-mysql-1 lags by 12 s"}}, 1,
			"     +30.1s  Completed\nGiven up: nothing was changed: foo-mysql-1 lags by 12 s (after 30.1s)\n"},
	} {
		for place, width := range map[string]int{"file": 0, "terminal": 120} {
			t.Run(name+" on a "+place, func(t *testing.T) {
				p := newPlace()
				p.width = width
				code, screen, complaints := p.awaited(t, c.steps)
				// How many of the steps were seen one by one depends on who was faster; the phases with their times are all told.
				differ(t, "the screen", fmt.Sprintf(head, p.namespace)+withoutNotes(c.want), withoutNotes(screen))
				differ(t, "the complaints", "", complaints)
				if code != c.code {
					t.Errorf("exit code %d, want %d", code, c.code)
				}
			})
		}
	}
}

// withoutNotes leaves out what was waited for in between.
func withoutNotes(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, strings.Repeat(" ", 13)) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func TestSwitchoverIsNotAwaitedForEver(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	code, out, complaints := p.run(t, "switchover", "foo", "--wait", "--timeout", "50ms")
	if code != 1 || !strings.HasSuffix(out, "    +0.000s  Requested\n") {
		t.Errorf("exit code %d, output %q", code, out)
	}
	differ(t, "the complaints", "Not seen to its end within --timeout=50ms: it goes on. See: kubectl mysql status foo -n "+p.namespace+" --watch\n", complaints)
	if p.get(t).Status.Operation == nil {
		t.Error("the operation does not go on")
	}
}

func TestInterruptedWaitLeavesTheOperation(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	ctx, cancel := context.WithCancel(t.Context())
	k := p.start(ctx, "switchover", "foo", "--wait")
	k.out.waitFor(t, "Requested\n")
	cancel()
	if code := <-k.code; code != 1 {
		t.Errorf("exit code %d", code)
	}
	differ(t, "the complaints", "No longer waited for: it goes on. See: kubectl mysql status foo -n "+p.namespace+" --watch\n", k.complaints.String())
	if p.get(t).Status.Operation == nil {
		t.Error("the operation does not go on")
	}
}

// Whoever waits has to be told when the record is gone that tells how it ended.
func TestLostOperationIsNotAwaited(t *testing.T) {
	p := newPlace()
	p.serve(t, "healthy")
	k := p.start(t.Context(), "switchover", "foo", "--wait")
	k.out.waitFor(t, "Requested\n")
	cluster := p.get(t)
	uid := cluster.Status.Operation.UID
	cluster.Status.Operation = nil
	if _, err := p.clusters(t).UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := <-k.code; code != 1 {
		t.Errorf("exit code %d", code)
	}
	differ(t, "the complaints", fmt.Sprintf("error: the operation %s is not recorded any more: how it ended is not known\n", uid), k.complaints.String())
}
