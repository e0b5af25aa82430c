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

package mysqlcluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

const source = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

// gtids are the transactions of the cluster, up to the last.
func gtids(last int) string { return fmt.Sprintf("%s:1-%d", source, last) }

// serving is a cluster of three nodes that does well: node 0 is the primary in term 7, node 2 is a bit behind node 1.
func serving(t *testing.T, changes ...func(*mysql.MysqlCluster)) *mysql.MysqlCluster {
	return stored(t, append([]func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) {
		c.Status = mysql.MysqlClusterStatus{
			Phase: "Ready", Primary: "foo-mysql-0", Term: 7, InitializedAt: ptr.To(metav1.Unix(1, 0)),
			Nodes: []mysql.NodeStatus{
				{Name: "foo-mysql-0", Role: mysql.NodeRolePrimary, Health: mysql.NodeHealthy, GTIDExecuted: gtids(100)},
				{Name: "foo-mysql-1", Role: mysql.NodeRoleReplica, Health: mysql.NodeHealthy, GTIDExecuted: gtids(100), LagSeconds: ptr.To[int64](0)},
				{Name: "foo-mysql-2", Role: mysql.NodeRoleReplica, Health: mysql.NodeHealthy, GTIDExecuted: gtids(98), LagSeconds: ptr.To[int64](1)},
			},
		}
	}}, changes...)...)
}

// node changes one node of a cluster.
func node(ordinal int, change func(*mysql.NodeStatus)) func(*mysql.MysqlCluster) {
	return func(c *mysql.MysqlCluster) { change(&c.Status.Nodes[ordinal]) }
}

func lagging(ordinal int, seconds int64) func(*mysql.MysqlCluster) {
	return node(ordinal, func(n *mysql.NodeStatus) { n.LagSeconds = &seconds })
}

func silent(ordinal int) func(*mysql.MysqlCluster) {
	return node(ordinal, func(n *mysql.NodeStatus) {
		n.Health, n.Message = mysql.NodeUnreachable, "its agent does not report"
	})
}

func sick(ordinal int, message string) func(*mysql.MysqlCluster) {
	return node(ordinal, func(n *mysql.NodeStatus) { n.Health, n.Message = mysql.NodeUnhealthy, message })
}

func executed(ordinal int, set string) func(*mysql.MysqlCluster) {
	return node(ordinal, func(n *mysql.NodeStatus) { n.GTIDExecuted = set })
}

var at = metav1.NewMicroTime(time.Date(2026, 10, 3, 3, 14, 15, 926535000, time.UTC))

func TestRefusedFailovers(t *testing.T) {
	graceful := func(target string) mysql.MysqlFailoverSpec {
		return mysql.MysqlFailoverSpec{Mode: mysql.FailoverGraceful, Target: target}
	}
	forced := func(target string, term int64) mysql.MysqlFailoverSpec {
		return mysql.MysqlFailoverSpec{Mode: mysql.FailoverForced, Target: target, Term: &term}
	}
	type changes = []func(*mysql.MysqlCluster)
	const cannot = `Operation cannot be fulfilled on mysqlclusters.mysql.presslabs.io "foo": `
	for name, c := range map[string]struct {
		cluster changes
		request mysql.MysqlFailoverSpec
		want    string
	}{
		"unknown target": {nil, graceful("bar"),
			`MysqlFailover.mysql.presslabs.io "foo" is invalid: spec.target: Invalid value: "bar": the cluster has no such node; there are foo-mysql-0, foo-mysql-1, foo-mysql-2`},
		"forced without a term": {nil, mysql.MysqlFailoverSpec{Mode: mysql.FailoverForced},
			`MysqlFailover.mysql.presslabs.io "foo" is invalid: spec.term: Required value: mode Forced can give up transactions: name the term that you decide on, which status.term of the cluster tells`},
		"forced in an old term":   {nil, forced("foo-mysql-1", 6), cannot + "the request is for term 6, but the present term is 7, in which foo-mysql-0 is the primary"},
		"forced in a future term": {nil, forced("foo-mysql-1", 8), cannot + "the request is for term 8, but the present term is 7, in which foo-mysql-0 is the primary"},
		"graceful in an old term": {nil, mysql.MysqlFailoverSpec{Term: ptr.To[int64](0)},
			cannot + "the request is for term 0, but the present term is 7, in which foo-mysql-0 is the primary"},

		"another UID": {nil, mysql.MysqlFailoverSpec{Preconditions: &metav1.Preconditions{UID: ptr.To[types.UID]("x")}},
			cannot + "the request is for the cluster with the UID x, this one has some-uid"},
		"another resourceVersion": {nil, mysql.MysqlFailoverSpec{Preconditions: &metav1.Preconditions{ResourceVersion: ptr.To("6")}},
			cannot + "the request is for the resourceVersion 6, the cluster has 7 now"},

		"being deleted":   {changes{func(c *mysql.MysqlCluster) { c.DeletionTimestamp = &metav1.Time{} }}, graceful(""), cannot + "the cluster is being deleted"},
		"not initialised": {changes{func(c *mysql.MysqlCluster) { c.Status = mysql.MysqlClusterStatus{} }}, graceful("foo-mysql-1"), cannot + "the cluster has no data yet: it is Pending"},
		"being initialised": {changes{func(c *mysql.MysqlCluster) { c.Status.InitializedAt, c.Status.Phase = nil, "Initializing" }}, graceful("foo-mysql-1"),
			cannot + "the cluster has no data yet: it is Initializing"},
		"stopped": {changes{func(c *mysql.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](0) }}, graceful(""), cannot + "the cluster is stopped: spec.replicas is 0"},
		"single node": {changes{func(c *mysql.MysqlCluster) { c.Status.Nodes = c.Status.Nodes[:1] }}, forced("foo-mysql-0", 7),
			cannot + "the cluster has a single node, foo-mysql-0: there is no other that could be the primary"},
		"a request is recorded": {changes{func(c *mysql.MysqlCluster) {
			c.Status.Operation = &mysql.MysqlClusterOperation{
				Type: mysql.OperationSwitchover, RequestedBy: "alice", From: "foo-mysql-0", To: "foo-mysql-1", StartedAt: at, Phase: mysql.OperationRequested,
			}
		}}, graceful("foo-mysql-2"), cannot + "a switchover from foo-mysql-0 to foo-mysql-1 is under way, asked for by alice at 2026-10-03T03:14:15Z: it is in phase Requested"},
		"an automatic failover runs": {changes{func(c *mysql.MysqlCluster) {
			c.Status.Operation = &mysql.MysqlClusterOperation{
				Type: mysql.OperationFailover, From: "foo-mysql-0", StartedAt: at, Phase: mysql.OperationPromoting, Message: "waits for foo-mysql-2",
			}
		}}, graceful("foo-mysql-1"), cannot + "a failover from foo-mysql-0 is under way, begun by the controller at 2026-10-03T03:14:15Z: it is in phase Promoting (waits for foo-mysql-2)"},
		"somebody else forces one": {changes{func(c *mysql.MysqlCluster) {
			c.Status.Operation = &mysql.MysqlClusterOperation{
				Type: mysql.OperationFailover, Mode: mysql.FailoverForced, RequestedBy: "alice", From: "foo-mysql-0", To: "foo-mysql-1", StartedAt: at, Phase: mysql.OperationRequested,
			}
		}}, forced("foo-mysql-2", 7), cannot + "a failover from foo-mysql-0 to foo-mysql-1 is under way, asked for by alice at 2026-10-03T03:14:15Z: it is in phase Requested"},

		"is the primary":        {nil, graceful("foo-mysql-0"), cannot + "foo-mysql-0 is the primary already, in term 7"},
		"forced to the primary": {changes{silent(0)}, forced("foo-mysql-0", 7), cannot + "foo-mysql-0 is the primary already, in term 7"},
		"the primary is sick": {changes{sick(0, "MySQL hangs")}, graceful("foo-mysql-1"),
			cannot + "the primary foo-mysql-0 is not serving (MySQL hangs): automatic failover handles that, or mode Forced"},
		"the primary is not there": {changes{func(c *mysql.MysqlCluster) { c.Status.Primary = "foo-mysql-9" }}, graceful(""),
			cannot + "the primary foo-mysql-9 does not exist: automatic failover handles that, or mode Forced"},

		"lagging": {changes{lagging(2, 31)}, graceful("foo-mysql-2"),
			cannot + "foo-mysql-2 is lagging by 31 s, more than the 30 s of spec.maxSlaveLatency; it is missing GTIDs " + source + ":99-100"},
		"lagging for its cluster": {changes{lagging(2, 3), func(c *mysql.MysqlCluster) { c.Spec.MaxSlaveLatency = ptr.To[int64](2) }}, graceful("foo-mysql-2"),
			cannot + "foo-mysql-2 is lagging by 3 s, more than the 2 s of spec.maxSlaveLatency; it is missing GTIDs " + source + ":99-100"},
		"not healthy": {changes{sick(1, "does not replicate: error 1236")}, graceful("foo-mysql-1"),
			cannot + "foo-mysql-1 is not a Healthy replica (does not replicate: error 1236)"},
		"no replica":  {changes{node(1, func(n *mysql.NodeStatus) { n.Role = mysql.NodeRoleUnassigned })}, graceful("foo-mysql-1"), cannot + "foo-mysql-1 is not a Healthy replica"},
		"unreachable": {changes{silent(1)}, graceful("foo-mysql-1"), cannot + "foo-mysql-1 is Unreachable (its agent does not report)"},
		"joining": {changes{node(2, func(n *mysql.NodeStatus) { n.Joining = true })}, graceful("foo-mysql-2"),
			cannot + "foo-mysql-2 is Joining: it may lack commits that it confirmed before its data were copied from another node; it is missing GTIDs " + source + ":99-100"},
		"missing GTIDs": {changes{node(2, func(n *mysql.NodeStatus) { n.LagSeconds = nil })}, graceful("foo-mysql-2"),
			cannot + "foo-mysql-2 is missing GTIDs " + source + ":99-100, and does not tell how far it is behind"},
		"to be removed": {changes{func(c *mysql.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](2) }}, graceful("foo-mysql-2"),
			cannot + "foo-mysql-2 is about to be removed: spec.replicas is 2"},
		"no candidate": {changes{lagging(1, 60), silent(2)}, graceful(""),
			cannot + "no node can take over from foo-mysql-0: foo-mysql-1 is lagging by 60 s, more than the 30 s of spec.maxSlaveLatency; foo-mysql-2 is Unreachable (its agent does not report)"},

		"forced to one that does not answer": {changes{silent(1)}, forced("foo-mysql-1", 7), cannot + "foo-mysql-1 is Unreachable (its agent does not report)"},
		"forced to one without transactions": {changes{executed(1, ""), sick(1, "has no data yet")}, forced("foo-mysql-1", 7),
			cannot + "foo-mysql-1 has never reported any transactions (has no data yet)"},
		"forced to one with nonsense": {changes{executed(1, "nonsense")}, forced("foo-mysql-1", 7), cannot + "foo-mysql-1 has never reported any transactions"},
		"forced with no candidate": {changes{silent(1), executed(2, "")}, forced("", 7),
			cannot + "no node can take over from foo-mysql-0: foo-mysql-1 is Unreachable (its agent does not report); foo-mysql-2 has never reported any transactions"},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := planFailover(serving(t, c.cluster...), &c.request, "bob", at)
			if err == nil || err.Error() != c.want {
				t.Fatalf("got  %v\nwant %v (%+v)", err, c.want, plan)
			}
			if invalid := !strings.HasPrefix(c.want, cannot); apierrors.IsInvalid(err) != invalid || apierrors.IsConflict(err) == invalid {
				t.Errorf("the kind of the error is wrong: %#v", err)
			}
		})
	}
}

func TestChosenTargets(t *testing.T) {
	type changes = []func(*mysql.MysqlCluster)
	const other = "9e11fa47-71ca-11e1-9e33-c80aa9429562"
	for name, c := range map[string]struct {
		mode    mysql.FailoverMode
		cluster changes
		want    string // the candidates in order, then those that can not be the target
		lost    string
	}{
		"the least lag":      {mysql.FailoverGraceful, nil, "foo-mysql-1 foo-mysql-2 | foo-mysql-0", ""},
		"the least lag, too": {mysql.FailoverGraceful, changes{lagging(1, 2)}, "foo-mysql-2 foo-mysql-1 | foo-mysql-0", ""},
		"the most transactions": {mysql.FailoverGraceful, changes{lagging(2, 0), executed(1, gtids(97))},
			"foo-mysql-2 foo-mysql-1 | foo-mysql-0", ""},
		"the lowest ordinal": {mysql.FailoverGraceful, changes{lagging(2, 0), executed(2, gtids(100))}, "foo-mysql-1 foo-mysql-2 | foo-mysql-0", ""},
		"no known lag comes last": {mysql.FailoverGraceful, changes{node(1, func(n *mysql.NodeStatus) { n.LagSeconds = nil })},
			"foo-mysql-2 foo-mysql-1 | foo-mysql-0", ""},
		"joining nodes are left out":   {mysql.FailoverGraceful, changes{node(1, func(n *mysql.NodeStatus) { n.Joining = true })}, "foo-mysql-2 | foo-mysql-0 foo-mysql-1", ""},
		"no mode is graceful":          {"", nil, "foo-mysql-1 foo-mysql-2 | foo-mysql-0", ""},
		"as much lag as is allowed":    {mysql.FailoverGraceful, changes{lagging(1, 30), silent(2)}, "foo-mysql-1 | foo-mysql-0 foo-mysql-2", ""},
		"forced with nothing lost":     {mysql.FailoverForced, changes{silent(0)}, "foo-mysql-1 foo-mysql-2 | foo-mysql-0", ""},
		"forced with the fewest lost":  {mysql.FailoverForced, changes{silent(0), executed(1, gtids(90))}, "foo-mysql-2 foo-mysql-1 | foo-mysql-0", source + ":99-100"},
		"forced with the only one":     {mysql.FailoverForced, changes{silent(0), silent(1), sick(2, "connects to the primary")}, "foo-mysql-2 | foo-mysql-0 foo-mysql-1", source + ":99-100"},
		"forced to a lagging one":      {mysql.FailoverForced, changes{silent(0), silent(1), lagging(2, 4000)}, "foo-mysql-2 | foo-mysql-0 foo-mysql-1", source + ":99-100"},
		"forced rather to the healthy": {mysql.FailoverForced, changes{silent(0), sick(1, "x"), executed(2, gtids(100))}, "foo-mysql-2 foo-mysql-1 | foo-mysql-0", ""},
		"forced rather to no joining":  {mysql.FailoverForced, changes{node(1, func(n *mysql.NodeStatus) { n.Joining = true }), executed(2, gtids(100))}, "foo-mysql-2 foo-mysql-1 | foo-mysql-0", ""},
		"forced with incomparable ones": {mysql.FailoverForced, changes{silent(0), executed(0, gtids(90)), executed(1, gtids(90)+","+other+":1-3"), executed(2, gtids(91))},
			"foo-mysql-1 foo-mysql-2 | foo-mysql-0", source + ":91"},
	} {
		t.Run(name, func(t *testing.T) {
			request := &mysql.MysqlFailoverSpec{Mode: c.mode, Reason: "an exercise"}
			kind, mode := mysql.OperationSwitchover, mysql.FailoverGraceful
			if c.mode == mysql.FailoverForced {
				request.Term = ptr.To[int64](7)
				kind, mode = mysql.OperationFailover, mysql.FailoverForced
			}
			cluster := serving(t, c.cluster...)
			before := cluster.DeepCopy()
			plan, err := planFailover(cluster, request, "bob", at)
			if err != nil {
				t.Fatal(err)
			}
			var eligible, others []string
			for _, candidate := range plan.candidates {
				if candidate.Eligible {
					eligible = append(eligible, candidate.Name)
				} else {
					others = append(others, candidate.Name)
				}
			}
			if got := strings.Join(eligible, " ") + " | " + strings.Join(others, " "); got != c.want {
				t.Errorf("the order is %s, want %s", got, c.want)
			}
			want := mysql.MysqlClusterOperation{
				Type: kind, Mode: mode, RequestedBy: "bob", Reason: "an exercise", From: "foo-mysql-0", To: eligible[0], GivenUpGTIDs: c.lost,
				Phase: mysql.OperationRequested, Phases: []mysql.OperationPhaseTime{{Phase: mysql.OperationRequested, At: at}}, StartedAt: at,
			}
			if !apiequality.Semantic.DeepEqual(plan.operation, want) {
				t.Errorf("got  %+v\nwant %+v", plan.operation, want)
			}
			if !apiequality.Semantic.DeepEqual(cluster, before) {
				t.Error("planning has changed the cluster")
			}
		})
	}
}

func TestPlansTellWhatHappens(t *testing.T) {
	forced := &mysql.MysqlFailoverSpec{Mode: mysql.FailoverForced, Target: "foo-mysql-2", Term: ptr.To[int64](7)}
	rebuild := func(c *mysql.MysqlCluster) { c.Spec.Replication.ErrantNodePolicy = mysql.ErrantNodeRebuild }
	readOnly := func(c *mysql.MysqlCluster) { c.Spec.ReadOnly = true }
	for name, c := range map[string]struct {
		cluster  *mysql.MysqlCluster
		request  *mysql.MysqlFailoverSpec
		steps    []string
		warnings []string
	}{
		"graceful": {serving(t), &mysql.MysqlFailoverSpec{Target: "foo-mysql-2"}, []string{
			"foo-mysql-2 is recorded as the primary of term 8",
			"foo-mysql-0 becomes read-only, closes its clients' connections and follows foo-mysql-2",
			"foo-mysql-2 applies all that foo-mysql-0 has executed, 2 transactions by the last reports",
			"foo-mysql-2 is opened for writes, and the Service of the primary leads to it",
			"if this can not be done in time, foo-mysql-0 becomes the primary again, in term 9, and nothing is lost",
		}, nil},
		"forced": {serving(t, silent(0), sick(1, "connects to the primary")), forced, []string{
			"foo-mysql-2 is recorded as the primary of term 8",
			"2 transactions are given up: " + source + ":99-100",
			"these nodes are made to follow foo-mysql-2: foo-mysql-1",
			"these nodes do not answer, and become replicas when they come back: foo-mysql-0",
			"nodes that hold transactions which are given up are fenced, with their data untouched (errantNodePolicy Keep)",
			"foo-mysql-2 is opened for writes, and the Service of the primary leads to it",
		}, nil},
		"forced though all is well": {serving(t, rebuild, readOnly), forced, []string{
			"foo-mysql-2 is recorded as the primary of term 8",
			"2 transactions are given up: " + source + ":99-100",
			"these nodes are made to follow foo-mysql-2: foo-mysql-1, foo-mysql-0",
			"nodes that hold transactions which are given up get a copy of the new primary's data (errantNodePolicy Rebuild)",
			"foo-mysql-2 is the primary, and stays read-only because spec.readOnly is set",
		}, []string{"the primary foo-mysql-0 is healthy: mode Graceful would give up nothing"}},
		"forced with unknown losses": {serving(t, silent(0), executed(0, ""), silent(1), executed(1, "")), forced, []string{
			"foo-mysql-2 is recorded as the primary of term 8",
			"no transaction is known that would be given up",
			"what only these nodes hold is given up too, and is not known: foo-mysql-0, foo-mysql-1",
			"these nodes do not answer, and become replicas when they come back: foo-mysql-0, foo-mysql-1",
			"foo-mysql-2 is opened for writes, and the Service of the primary leads to it",
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := planFailover(c.cluster, c.request, "bob", at)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(plan.steps, c.steps) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(plan.steps, "\n"), strings.Join(c.steps, "\n"))
			}
			if !slices.Equal(plan.warnings, c.warnings) {
				t.Errorf("the warnings are %q, want %q", plan.warnings, c.warnings)
			}
		})
	}
}

func TestCandidatesAreExplained(t *testing.T) {
	cluster := serving(t, sick(2, "connects to the primary"), node(2, func(n *mysql.NodeStatus) { n.Joining = true }))
	graceful, err := planFailover(cluster, &mysql.MysqlFailoverSpec{}, "bob", at)
	if err != nil {
		t.Fatal(err)
	}
	want := []mysql.FailoverCandidate{
		{Name: "foo-mysql-1", Eligible: true, Reason: "is Healthy, is 0 s behind, has all transactions that were reported", LagSeconds: ptr.To[int64](0)},
		{Name: "foo-mysql-0", Reason: "is the primary"},
		{Name: "foo-mysql-2", Reason: "is Joining: it may lack commits that it confirmed before its data were copied from another node; it is missing GTIDs " + source + ":99-100",
			MissingGTIDs: source + ":99-100", LagSeconds: ptr.To[int64](1)},
	}
	if !apiequality.Semantic.DeepEqual(graceful.candidates, want) {
		t.Errorf("got  %+v\nwant %+v", graceful.candidates, want)
	}
	forced, err := planFailover(cluster, &mysql.MysqlFailoverSpec{Mode: mysql.FailoverForced, Term: ptr.To[int64](7)}, "bob", at)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := forced.candidates[1].Reason, "is Unhealthy (connects to the primary), is Joining, is 1 s behind, is missing 2 transactions"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What the primary lacks can not be had by following it, so a switchover does not wait for it; a forced change gives it up.
func TestErrantTransactionsOfOthersAreMissedByForceOnly(t *testing.T) {
	const errant = "9e11fa47-71ca-11e1-9e33-c80aa9429562:1"
	cluster := serving(t, executed(2, gtids(98)+","+errant))
	for mode, want := range map[mysql.FailoverMode]string{mysql.FailoverGraceful: "", mysql.FailoverForced: errant} {
		plan, err := planFailover(cluster, &mysql.MysqlFailoverSpec{Mode: mode, Target: "foo-mysql-1", Term: ptr.To[int64](7)}, "bob", at)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(plan.candidates, func(c mysql.FailoverCandidate) bool { return c.Name == "foo-mysql-1" })
		if got := plan.candidates[i].MissingGTIDs; got != want || plan.status().GivenUpGTIDs != want {
			t.Errorf("%s: missing %q, given up %q, want %q", mode, got, plan.status().GivenUpGTIDs, want)
		}
	}
}

// An operation that has ended stands in nobody's way, whether or not the controller has put it aside already.
func TestEndedOperationsDoNotBlock(t *testing.T) {
	cluster := serving(t, func(c *mysql.MysqlCluster) {
		c.Status.Operation = &mysql.MysqlClusterOperation{Phase: mysql.OperationCompleted, Outcome: mysql.OperationGivenUp}
	})
	if _, err := planFailover(cluster, &mysql.MysqlFailoverSpec{}, "bob", at); err != nil {
		t.Error(err)
	}
}

// A forced failover takes the place of an operation that is stuck. Until the controller carries it out, the recorded primary must not be
// taken for one that is known to be safe: what was pending stays so.
func TestForcedFailoverTakesThePlaceOfAStuckOperation(t *testing.T) {
	stuck := &mysql.MysqlClusterOperation{
		UID: "stuck", Type: mysql.OperationFailover, From: "foo-mysql-2", To: "foo-mysql-0", Via: []string{"foo-mysql-1"}, Term: 7, RequiredAcknowledgements: 1,
		StartedAt: at, Phase: mysql.OperationPromoting,
	}
	cluster := serving(t, func(c *mysql.MysqlCluster) { c.Status.Operation = stuck })
	for _, target := range []string{"foo-mysql-0", "foo-mysql-1"} {
		plan, err := planFailover(cluster, &mysql.MysqlFailoverSpec{Mode: mysql.FailoverForced, Target: target, Term: ptr.To[int64](7)}, "bob", at)
		if err != nil {
			t.Fatal(err)
		}
		o := plan.operation
		if o.To != target || o.Term != 7 || o.From != "foo-mysql-2" || len(o.Via) != 1 || o.RequiredAcknowledgements != 1 || o.Phase != mysql.OperationRequested {
			t.Errorf("the operation is %+v", o)
		}
		if d := plan.displaced; d == nil || d.UID != "stuck" || d.Outcome != mysql.OperationGivenUp || d.FinishedAt == nil || !strings.Contains(d.Message, "bob") {
			t.Errorf("displaced is %+v", d)
		}
	}
}

// The target of a forced failover can die before it is opened. Then another one may be forced.
func TestForcedFailoverWhoseTargetDiedCanBeForcedElsewhere(t *testing.T) {
	again := func(changes ...func(*mysql.MysqlCluster)) error {
		cluster := serving(t, append([]func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) {
			c.Status.Operation = &mysql.MysqlClusterOperation{
				UID: "first", Type: mysql.OperationFailover, Mode: mysql.FailoverForced, From: "foo-mysql-2", To: "foo-mysql-0", Term: 7, StartedAt: at, Phase: mysql.OperationPromoting,
			}
		}}, changes...)...)
		_, err := planFailover(cluster, &mysql.MysqlFailoverSpec{Mode: mysql.FailoverForced, Target: "foo-mysql-1", Term: ptr.To[int64](7)}, "bob", at)
		return err
	}
	if err := again(silent(0)); err != nil {
		t.Error(err)
	}
	if err := again(); err == nil {
		t.Error("a forced failover that is on its way is overtaken by another one")
	}
}
