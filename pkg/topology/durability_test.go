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
	"slices"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func TestEffectiveDurabilityFollowsTheSizeUnlessAskedFor(t *testing.T) {
	for _, test := range []struct {
		replicas    int
		asked, want Durability
	}{
		{0, DurabilityStrict, DurabilityNone},
		{1, DurabilityNone, DurabilityNone},
		{1, DurabilityStrict, DurabilityNone},
		{2, DurabilityNone, DurabilityPreferred},
		{2, DurabilityStrict, DurabilityStrict},
		{3, DurabilityNone, DurabilityStrict},
		{5, DurabilityPreferred, DurabilityPreferred},
	} {
		if got := EffectiveDurability(test.replicas, test.asked); got != test.want {
			t.Errorf("%d replicas, asked for %q: %q instead of %q", test.replicas, test.asked, got, test.want)
		}
	}
}

func TestRequiredAcksAreHalfOfTheNodes(t *testing.T) {
	var got []int
	for replicas := range 8 {
		got = append(got, requiredAcks(replicas))
	}
	if want := []int{0, 0, 1, 1, 2, 2, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
}

// Safety rule 3: with Strict, commits wait for replicas, however long.
func TestStrictIsNeverLoweredForWantOfReplicas(t *testing.T) {
	o := healthy(3)
	o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].State.SemiSync.WaitSessions = 0, 4
	o.Nodes[0].Memory.ClientsSince, o.Nodes[0].Memory.StuckSince = noon.Add(-time.Hour), noon.Add(-time.Hour)
	o.Nodes[1].Exists, o.Nodes[2].Connected = false, false
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	if d.Status.Ready.Reason != "WritesWait" {
		t.Errorf("the verdict is %+v", d.Status.Ready)
	}
}

func TestPreferredGoesOnAlone(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		lower  bool
		wake   time.Duration
	}{
		"while the replica is connected":    {func(*Observed) {}, false, 0},
		"at once, when the replica is gone": {func(o *Observed) { o.Nodes[0].State.SemiSync.Clients, o.Nodes[1].Exists = 0, false }, true, 0},
		"not yet, when the replica just connects again": {func(o *Observed) {
			o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].Memory.ClientsSince = 0, noon.Add(-time.Second)
		}, false, stuckGrace - time.Second},
		"when the replica does not connect for long": {func(o *Observed) {
			o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].Memory.ClientsSince = 0, noon.Add(-stuckGrace)
		}, true, 0},
		"not on the word of the controller alone": {func(o *Observed) { o.Nodes[1].Connected = false }, false, 0},
		"when commits wait for a replica that vanished": {func(o *Observed) {
			o.Nodes[1].Connected, o.Nodes[0].Memory.StuckSince = false, noon.Add(-stuckGrace)
		}, true, 0},
		"not when commits wait for a replica that is there": {func(o *Observed) { o.Nodes[0].Memory.StuckSince = noon.Add(-stuckGrace) }, false, 0},
		"not before the primary serves": {func(o *Observed) {
			o.Nodes[0].State, o.Nodes[1].Exists = started(theTx), false
			o.Nodes[0].State.ServerUUID = uuidA
		}, false, 0},
		"when the replica has transactions of its own": {func(o *Observed) {
			o.Nodes[0].State.SemiSync.Clients = 0
			o.Nodes[1].holds(theTx + "," + uuidC + ":1")
		}, true, 0},
		"not when the primary itself is silent": {func(o *Observed) {
			o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].Connected, o.Nodes[1].Exists = 0, false, false
		}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(2)
			test.change(o)
			d := Decide(*o)
			if !test.lower {
				wantNoRecord(t, d)
				if d.Wake != test.wake {
					t.Errorf("looks again after %s instead of %s", d.Wake, test.wake)
				}
				return
			}
			wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, Initialized: true, Members: members(0, 1)})
			o.Record = *d.Record
			if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderPromote || got.RequiredAcks != 0 {
				t.Errorf("the order is %+v", got)
			}
		})
	}
}

// The record is never more than what is true: the demand is raised first.
func TestAcknowledgementsAreDemandedBeforeTheyAreRecorded(t *testing.T) {
	for _, replicas := range []int{2, 3} {
		o := healthy(replicas)
		o.Record.RequiredAcks = 0
		o.Nodes[0].State.SemiSync.SourceEnabled = false
		d := Decide(*o)
		wantNoRecord(t, d)
		wantOrders(t, d, nodeName(0)+" Promote")
		if got := orderTo(t, d, 0).RequiredAcks; got != 1 {
			t.Errorf("%d acknowledgements are demanded", got)
		}

		o.Nodes[0].State.SemiSync.SourceEnabled = true
		o.Nodes[0].Memory.Settled = false
		wantNoRecord(t, Decide(*o))

		o.Nodes[0].Memory.Settled = true
		for i := 1; i < replicas; i++ {
			o.Nodes[i].State.GTIDExecuted, o.Nodes[i].State.Replication.GTIDRetrieved = uuidA+":1-9", uuidA+":1-9"
		}
		wantNoRecord(t, Decide(*o))

		o.Nodes[1].State.Replication.GTIDRetrieved = theTx
		wantRecord(t, Decide(*o), Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: o.Record.Members})
	}
}

func TestPreferredKeepsWaitingForReplicasThatAreThere(t *testing.T) {
	o := healthy(3)
	o.Spec.Durability = DurabilityPreferred
	o.Nodes[0].Memory.StuckSince = noon.Add(-stuckGrace)
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
}

// What is recorded is what the primary itself, in its present run, has confirmed, with replicas that are connected to it.
func TestRecordIsRaisedOnlyOnTheWordOfThePrimary(t *testing.T) {
	for name, change := range map[string]func(o *Observed){
		"it demands fewer":           func(o *Observed) { o.Nodes[0].State.SemiSync.RequiredAcks = 0 },
		"it has an order underway":   func(o *Observed) { o.Nodes[0].Memory.Settled = false },
		"it does not serve":          func(o *Observed) { o.Nodes[0].State.Role = api.RoleNone },
		"it is of an older term":     func(o *Observed) { o.Nodes[0].State.Term = 2 },
		"its replicas are not there": func(o *Observed) { o.Nodes[1].Connected, o.Nodes[2].Connected = false, false },
		"they are not connected": func(o *Observed) {
			o.Nodes[1].State.Replication.ReceiverState, o.Nodes[2].State.Replication.ReceiverState = "", ""
		},
		"they lack something": func(o *Observed) { o.Nodes[1].holds(uuidA + ":1-9"); o.Nodes[2].holds(uuidA + ":1-9") },
		"they have something else": func(o *Observed) {
			o.Nodes[1].holds(theTx + "," + uuidC + ":1")
			o.Nodes[2].holds(theTx + "," + uuidC + ":1")
		},
		"a node that is to go is there": func(o *Observed) {
			n := emptyNode(3)
			n.State = replica()
			o.Nodes = append(o.Nodes, n)
			o.Record.Members = members(0, 1, 2, 3)
		},
	} {
		o := healthy(3)
		o.Record.RequiredAcks = 0
		change(o)
		if d := Decide(*o); d.Record != nil && d.Record.RequiredAcks > 0 {
			t.Errorf("%s: the record is %+v", name, d.Record)
		}
	}
	o := healthy(3)
	o.Record.RequiredAcks = 0
	wantRecord(t, Decide(*o), Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2)})
}

// A primary with Strict demands all acknowledgements before it is opened; and once demanded, they stay demanded, though replicas go.
func TestStrictPrimaryDemandsAcknowledgementsFromTheStart(t *testing.T) {
	o := healthy(3)
	o.Record.RequiredAcks, o.Nodes[1].Connected, o.Nodes[2].Connected = 0, false, false
	o.Nodes[0].State = started(theTx)
	o.Nodes[0].State.ServerUUID = uuidA
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderPromote || got.RequiredAcks != 1 {
		t.Errorf("the order is %+v", got)
	}

	o = healthy(3)
	o.Record.RequiredAcks = 0
	o.Nodes[1].lags(maxCaughtUpLag + 1)
	o.Nodes[2].lags(maxCaughtUpLag + 1)
	for i := 1; i < 3; i++ {
		o.Nodes[i].State.Replication.GTIDRetrieved, o.Nodes[i].State.GTIDExecuted = uuidA+":1-9", uuidA+":1-9"
	}
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
}

// With Preferred, a primary that takes writes alone is told to wait for a replica when that is connected to acknowledge, not before.
func TestPreferredWaitsForNobodyWhoCanNotAcknowledge(t *testing.T) {
	o := healthy(2)
	o.Record.RequiredAcks = 0
	o.Nodes[0].State.SemiSync.SourceEnabled, o.Nodes[0].State.SemiSync.Clients = false, 0
	o.Nodes[0].Memory.ClientsSince = noon.Add(-time.Second)
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	o.Nodes[0].State.SemiSync.Clients = 1
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderPromote || got.RequiredAcks != 1 {
		t.Errorf("the order is %+v", got)
	}
}

func TestLaggingReplicaDoesNotRaiseTheDemand(t *testing.T) {
	o := healthy(2)
	o.Record.RequiredAcks = 0
	o.Nodes[0].State.SemiSync.SourceEnabled = false
	lag := int64(maxCaughtUpLag + 1)
	o.Nodes[1].State.Replication.LagSeconds = &lag
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	if got := d.Status.Durable; got == nil || got.True || got.Reason != "PrimaryAlone" {
		t.Errorf("the verdict is %+v", got)
	}
}

func TestStoppedClusterKeepsItsRecord(t *testing.T) {
	o := healthy(3)
	o.Spec.Replicas = 0
	o.Spec.Durability = EffectiveDurability(0, DurabilityNone)
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	if d.Size != 0 || len(d.ReleaseVolumes) > 0 {
		t.Errorf("size %d, volumes %v", d.Size, d.ReleaseVolumes)
	}
}
