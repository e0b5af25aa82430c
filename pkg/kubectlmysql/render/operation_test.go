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

package render_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

const gtids = "3e11fa47-71ca-11e1-9e33-c80aa9429562:40216-40217"

// operation is one with phases that began so long after its start.
func operation(phases ...v1alpha1.OperationPhaseTime) *v1alpha1.MysqlClusterOperation {
	return &v1alpha1.MysqlClusterOperation{
		Type: v1alpha1.OperationSwitchover, Mode: v1alpha1.FailoverGraceful, RequestedBy: "alice", Reason: "new kernel", From: "foo-0", To: "foo-1",
		Phase: phases[len(phases)-1].Phase, Phases: phases, StartedAt: metav1.NewMicroTime(now),
	}
}

func phase(name v1alpha1.OperationPhase, after time.Duration) v1alpha1.OperationPhaseTime {
	return v1alpha1.OperationPhaseTime{Phase: name, At: metav1.NewMicroTime(now.Add(after))}
}

func TestProgressTellsEachThingOnce(t *testing.T) {
	requested, steppingDown := phase(v1alpha1.OperationRequested, 0), phase(v1alpha1.OperationSteppingDown, 12*time.Millisecond)
	returning := phase(v1alpha1.OperationReturning, 15012*time.Millisecond)
	p := &render.Progress{}
	for i, c := range []struct {
		o          *v1alpha1.MysqlClusterOperation
		note, want string
	}{
		{operation(requested), "", "    +0.000s  Requested\n"},
		{operation(requested), "", ""},
		{operation(requested, steppingDown), "waiting for foo-1", "    +0.012s  SteppingDown\n             waiting for foo-1\n"},
		{operation(requested, steppingDown), "waiting for foo-1", ""},
		{operation(requested, steppingDown), "waiting for foo-2", "             waiting for foo-2\n"},
		{operation(requested, steppingDown, returning), "", "     +15.0s  Returning\n"},
		{operation(requested, steppingDown, returning), "waiting for foo-2", "             waiting for foo-2\n"},
	} {
		if got := p.News(c.o, c.note); got != c.want {
			t.Errorf("%d: got %q, want %q", i, got, c.want)
		}
	}
	if got := p.Clock(operation(requested), now.Add(125*time.Second)); got != "      +2m5s  …" {
		t.Errorf("the clock shows %q", got)
	}
	// The clock of the server may be ahead.
	if got := p.Clock(operation(requested), now.Add(-time.Second)); got != "    +0.000s  …" {
		t.Errorf("the clock shows %q", got)
	}
}

func TestOutcomeIsTold(t *testing.T) {
	ended := func(outcome v1alpha1.OperationOutcome, message, givenUp string) *v1alpha1.MysqlClusterOperation {
		o := operation(phase(v1alpha1.OperationCompleted, 310*time.Millisecond))
		o.Outcome, o.Message, o.GivenUpGTIDs, o.FinishedAt = outcome, message, givenUp, ptr.To(o.Phases[0].At)
		return o
	}
	for want, o := range map[string]*v1alpha1.MysqlClusterOperation{
		"Succeeded: foo-1 is the primary of term 8 (after 0.310s)\n":                ended(v1alpha1.OperationSucceeded, "foo-1 is the primary of term 8", ""),
		"Succeeded: foo-1 is the primary (after 0.310s)\n":                          ended(v1alpha1.OperationSucceeded, "", ""),
		"Succeeded: done (after 0.310s)\n  gave up 2 transactions: " + gtids + "\n": ended(v1alpha1.OperationSucceeded, "done", gtids),
		"Given up: the target does not answer (after 0.310s)\n":                     ended(v1alpha1.OperationGivenUp, "the target does not answer", gtids),
	} {
		if got := render.Outcome(o, render.Style{}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// plan is the answer to a forced request.
func plan() *v1alpha1.MysqlFailover {
	o := operation(phase(v1alpha1.OperationRequested, 0))
	o.Type, o.Mode, o.GivenUpGTIDs = v1alpha1.OperationFailover, v1alpha1.FailoverForced, gtids
	return &v1alpha1.MysqlFailover{
		ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "shop"},
		Status: v1alpha1.MysqlFailoverStatus{
			Operation: *o, GivenUpGTIDs: gtids,
			Candidates: []v1alpha1.FailoverCandidate{
				{Name: "foo-1", Eligible: true, Reason: "is Healthy, is missing 2 transactions", MissingGTIDs: gtids},
				{Name: "foo-2", Eligible: true, Reason: "is Unhealthy"},
				{Name: "foo-0", Reason: "is the primary"},
			},
			Steps: []string{"foo-1 is recorded as the primary of term 8", "foo-1 is opened for writes, and the Service of the primary leads to it"},
		},
	}
}

func TestPlanIsGolden(t *testing.T) {
	golden(t, "plan.txt", render.Plan(plan(), render.Style{}))
	golden(t, "plan.narrow.txt", render.Plan(plan(), render.Style{Width: narrow}))
	colored := render.Plan(plan(), render.Style{Width: narrow, Color: true})
	if got := withoutColor(colored); got != render.Plan(plan(), render.Style{Width: narrow}) || got == colored {
		t.Errorf("with colours, and without:\n%s", got)
	}
}

// What one person writes must not reach the terminal of another one as a command.
func TestControlCharactersAreNotSentToTheTerminal(t *testing.T) {
	o := operation(phase(v1alpha1.OperationRequested, 0))
	o.Reason = "a\x1b[2Jb\x07c\u009bd\te\nf"
	for _, width := range []int{0, narrow} {
		r := &report.Report{Name: "foo", Namespace: "shop", Summary: o.Reason, Operation: o, LastFailovers: []v1alpha1.MysqlClusterOperation{*o}}
		got := render.Status(r, now, render.Style{Width: width})
		if strings.ContainsAny(got, "\x1b\x07\t\u009b") || strings.Count(got, "a\uFFFD[2Jb\uFFFDc\uFFFDd e f") != 3 {
			t.Errorf("printed is %q", got)
		}
	}
}
