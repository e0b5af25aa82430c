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

package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func TestStatusTellsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		reason string
		phase  string
		node   NodeStatus
	}{
		"a pod can not run": {
			func(o *Observed) {
				o.Nodes[1] = Node{Name: nodeName(1), Ordinal: 1, Exists: true, Problem: "its pod can not be scheduled"}
			}, "ReplicaNotReady", "Serving, 2 of 3 nodes ready: replica db-mysql-1: its pod can not be scheduled",
			NodeStatus{Name: nodeName(1), Role: RoleUnassigned, Health: Unreachable, Message: "its pod can not be scheduled"},
		},
		"the primary is silent": {
			func(o *Observed) { o.Nodes[0].Connected = false }, "PrimaryNotReady", "Not serving: primary db-mysql-0: its agent does not report",
			NodeStatus{Name: nodeName(0), Role: RolePrimary, Health: Unreachable, Message: "its agent does not report"},
		},
		"a replica serves reads while the primary is away": {
			func(o *Observed) {
				o.Nodes[0].Connected = false
				o.Nodes[1].State.Replication.ReceiverState = "CONNECTING"
			}, "PrimaryNotReady", "Not serving",
			NodeStatus{Name: nodeName(1), Role: RoleReplica, Health: Healthy, Message: ""},
		},
		"a replica does not connect": {
			func(o *Observed) {
				o.Nodes[1].State.Replication.ReceiverState, o.Nodes[1].State.Replication.LastError = "CONNECTING", "1045 denied"
			}, "ReplicaNotReady", "Serving", NodeStatus{Name: nodeName(1), Role: RoleReplica, Health: Unhealthy, Message: "does not replicate: 1045 denied"},
		},
		"writes wait": {
			func(o *Observed) { o.Nodes[0].State.SemiSync.Clients = 0 }, "WritesWait", "Not serving: commits wait for replicas, connected: 0 of 1",
			NodeStatus{Name: nodeName(0), Role: RolePrimary, Health: Healthy, Message: ""},
		},
		"the primary waits for replicas": {
			func(o *Observed) { o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].State.SuperReadOnly = 0, true }, "PrimaryNotReady",
			"Waiting for 1 of 1 replicas to connect", NodeStatus{Name: nodeName(0), Role: RolePrimary, Health: Unhealthy, Message: "read-only until enough replicas are connected"},
		},
		"MySQL of a replica hangs": {
			func(o *Observed) { o.Nodes[2].State.Phase = api.PhaseHung }, "ReplicaNotReady", "Serving",
			NodeStatus{Name: nodeName(2), Role: RoleUnassigned, Health: Unhealthy, Message: "MySQL hangs"},
		},
		"MySQL has ended": {
			func(o *Observed) {
				o.Nodes[2].State.Phase, o.Nodes[2].State.Message = api.PhaseStopped, "exit status 1"
			}, "ReplicaNotReady", "Serving",
			NodeStatus{Name: nodeName(2), Role: RoleUnassigned, Health: Unhealthy, Message: "MySQL is stopped: exit status 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			test.change(o)
			d := Decide(*o)
			if d.Status.Ready.True || d.Status.Ready.Reason != test.reason || !strings.HasPrefix(d.Status.Phase, test.phase) {
				t.Errorf("ready: %+v; phase: %s", d.Status.Ready, d.Status.Phase)
			}
			if !slices.Contains(d.Status.Nodes, test.node) {
				t.Errorf("the nodes are %+v", d.Status.Nodes)
			}
		})
	}
}

func TestReadOnlyClusterIsReady(t *testing.T) {
	o := healthy(3)
	o.Spec.ReadOnly = true
	o.Nodes[0].State.SuperReadOnly = true
	d := Decide(*o)
	wantOrders(t, d)
	if !d.Status.Ready.True || !d.Status.ReadOnly.True || d.Status.Phase != "Ready (read-only)" {
		t.Errorf("%+v", d.Status)
	}
}

func TestReadOnlyIsUnknownWhileThePrimaryMayTakeWritesUnseen(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		want   Verdict
	}{
		"open":   {func(*Observed) {}, Verdict{Reason: "TakesWrites"}},
		"silent": {func(o *Observed) { o.Nodes[0].Connected = false }, Verdict{Unknown: true, Reason: "PrimaryUnknown"}},
		"silent, and read-only is asked for": {
			func(o *Observed) { o.Nodes[0].Connected, o.Spec.ReadOnly = false, true }, Verdict{Unknown: true, Reason: "PrimaryUnknown"},
		},
		"hung":           {func(o *Observed) { o.Nodes[0].State.Phase = api.PhaseHung }, Verdict{Unknown: true, Reason: "PrimaryUnknown"}},
		"not open":       {func(o *Observed) { o.Nodes[0].State.SuperReadOnly = true }, Verdict{True: true, Reason: "NotOpen"}},
		"stopped":        {func(o *Observed) { o.Nodes[0].Exists, o.Spec.Replicas = false, 0 }, Verdict{True: true, Reason: "NoPrimary"}},
		"not yet closed": {func(o *Observed) { o.Spec.ReadOnly = true }, Verdict{Reason: "TakesWrites"}},
		"another one": {
			func(o *Observed) { o.Nodes[0].Connected, o.Nodes[1].State.SuperReadOnly = false, false }, Verdict{Reason: "TakesWrites"},
		},
	} {
		o := healthy(3)
		test.change(o)
		got := Decide(*o).Status.ReadOnly
		if got.True != test.want.True || got.Unknown != test.want.Unknown || got.Reason != test.want.Reason {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A replica that is too far behind serves nobody. It serves again when it has come down to half of the limit, so that it does not come and go.
func TestLagTakesReplicasOutOfServiceWithHysteresis(t *testing.T) {
	for _, test := range []struct {
		limit, lag int64
		served     bool
		want       Health
	}{
		{30, 30, true, Healthy},
		{30, 31, true, Unhealthy},
		{30, 31, false, Unhealthy},
		{30, 16, true, Healthy},
		{30, 16, false, Unhealthy},
		{30, 15, false, Healthy},
		{1, 0, false, Healthy},
		{0, 4000, true, Healthy},
		{0, 4000, false, Healthy},
	} {
		o := healthy(3)
		o.Spec.MaxLag = test.limit
		o.Nodes[2].Served = test.served
		o.Nodes[2].lags(test.lag)
		d := Decide(*o)
		got := d.Status.Nodes[2]
		if got.Health != test.want || got.Role != RoleReplica {
			t.Errorf("limit %d s, lag %d s, served %t: %+v", test.limit, test.lag, test.served, got)
		}
		if test.want == Unhealthy && (got.Message != fmt.Sprintf("lags by %d s, spec.maxSlaveLatency is %d", test.lag, test.limit) || d.Status.Ready.True) {
			t.Errorf("%+v; %+v", got, d.Status.Ready)
		}
	}
	o := healthy(3)
	o.Spec.MaxLag = 30
	o.Nodes[2].State.Replication.LagSeconds = nil
	if got := Decide(*o).Status.Nodes[2]; got.Health != Healthy {
		t.Errorf("unknown lag: %+v", got)
	}
}
