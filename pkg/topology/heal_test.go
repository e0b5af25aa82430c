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
	"strings"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// rebuilt are the orders to discard data.
func rebuilt(t *testing.T, d Decision) []NodeOrder {
	t.Helper()
	var list []NodeOrder
	for _, o := range d.Orders {
		if !o.Order.Discard {
			continue
		}
		list = append(list, o)
		for _, other := range d.Orders {
			if other.Node == o.Node && !other.Order.Discard {
				t.Errorf("%s gets two orders: %+v", o.Node, d.Orders)
			}
		}
	}
	return list
}

// Safety rule 6: what the primary lacks is given up only if the cluster's policy says so; and only if the others hold all that was acknowledged.
func TestErrantNodesAreRebuiltOnlyByPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		want   bool
	}{
		"by policy":                            {func(*Observed) {}, true},
		"not without":                          {func(o *Observed) { o.Spec.RebuildErrant = false }, false},
		"not if it has nothing of its own":     {func(o *Observed) { o.Nodes[2].holds(theTx) }, false},
		"not if the primary is not heard of":   {func(o *Observed) { o.Nodes[0].Connected = false }, false},
		"not if the primary has yet to be one": {func(o *Observed) { o.Nodes[0].State.Role = api.RoleNone }, false},
		"not while it takes writes":            {func(o *Observed) { o.Nodes[2].State.SuperReadOnly = false }, false},
		"not while its pod is being deleted":   {func(o *Observed) { o.Nodes[2].Terminating = true }, false},
		"not if it is to be removed": {func(o *Observed) {
			o.Spec.Replicas, o.Spec.Durability, o.Record.RequiredAcks, o.Record.Members, o.Nodes[0].Memory.Settled = 2, DurabilityStrict, 0, members(0, 1, 2), false
		}, false},
		"not while a node is being cloned":                  {func(o *Observed) { o.Nodes[1].State = &api.State{Phase: api.PhaseCloning} }, false},
		"not if the other replica is away":                  {func(o *Observed) { o.Nodes[1].Connected = false }, false},
		"not if the other replica is not connected":         {func(o *Observed) { o.Nodes[1].State.Replication.ReceiverState = api.ReceiverConnecting }, false},
		"not if the other replica has not received all":     {func(o *Observed) { o.Nodes[1].holds(uuidA + ":1-9") }, false},
		"even if the other replica has not executed it yet": {func(o *Observed) { o.Nodes[1].State.GTIDExecuted = uuidA + ":1-9" }, true},
		"not while the primary changes": {func(o *Observed) {
			o.Record.Operation = &Operation{UID: "op", Kind: KindFailover, From: nodeName(1), To: nodeName(0), Term: 3, Acks: 1, Phase: PhasePromoting}
			o.Nodes[0].State.SuperReadOnly, o.Nodes[0].State.SemiSync.Clients, o.Nodes[2].State.Term = true, 0, 2
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			o.Spec.RebuildErrant = true
			o.Nodes[2].State = started(theTx + "," + uuidB + ":7")
			test.change(o)
			d := Decide(*o)
			wantNoRecord(t, d)
			got := rebuilt(t, d)
			if test.want != (len(got) == 1) {
				t.Fatalf("the orders are %+v; %s", d.Orders, d.Status.Phase)
			}
			if test.want && (got[0].Node != nodeName(2) || got[0].Order.Kind != api.OrderClone || !strings.HasPrefix(got[0].Order.Source.Host, "db-mysql-")) {
				t.Errorf("the order is %+v", got[0])
			}
			if message := d.Status.Nodes[2].Message; test.want && !strings.Contains(message, uuidB+":7. It is cloned again") {
				t.Errorf("the message is %s", message)
			}
		})
	}
	t.Run("not from a node that is errant itself", func(t *testing.T) {
		o := healthy(4)
		o.Record.RequiredAcks, o.Nodes[0].State.SemiSync.RequiredAcks = 1, 1
		o.Spec.RebuildErrant = true
		o.Nodes[1].holds(theTx + "," + uuidB + ":7")
		o.Nodes[2].State.Joining = true
		o.Nodes[3].State = started(theTx + "," + uuidB + ":7")
		for _, order := range rebuilt(t, Decide(*o)) {
			if order.Order.Source.Host != nodeName(0) && order.Order.Source.Host != nodeName(3) {
				t.Errorf("the order is %+v", order)
			}
		}
	})
	t.Run("if there are not enough others, nothing is counted on before", func(t *testing.T) {
		o := healthy(2)
		o.Spec.RebuildErrant = true
		o.Nodes[1].State = started(theTx + "," + uuidB + ":7")
		d := Decide(*o)
		wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, Initialized: true, Members: members(0, 1)})
		o.Record = *d.Record
		d = Decide(*o)
		wantNoRecord(t, d)
		if got := rebuilt(t, d); len(got) != 1 || got[0].Node != nodeName(1) || got[0].Order.Source.Host != nodeName(0) {
			t.Errorf("the orders are %+v", d.Orders)
		}
	})
}

// A replica that fails to replicate may mend by itself. If it does not, it is like one with transactions of its own.
func TestBrokenReplicaIsRebuiltByPolicyAfterAWhile(t *testing.T) {
	for name, test := range map[string]struct {
		since  time.Time
		policy bool
		want   int
	}{
		"for long":            {noon.Add(-brokenGrace), true, 1},
		"for a moment":        {noon.Add(time.Second - brokenGrace), true, 0},
		"not at all":          {time.Time{}, true, 0},
		"for long, by policy": {noon.Add(-brokenGrace), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			o.Spec.RebuildErrant = test.policy
			o.Nodes[2].State.Replication.ApplierRunning, o.Nodes[2].State.Replication.LastError = false, "1062 duplicate key"
			o.Nodes[2].Memory.BrokenSince = test.since
			d := Decide(*o)
			if got := rebuilt(t, d); len(got) != test.want {
				t.Errorf("the orders are %+v", d.Orders)
			}
			if got := d.Status.Nodes[2]; !strings.Contains(got.Message, "1062 duplicate key") {
				t.Errorf("the node is %+v", got)
			}
		})
	}
}

// A replica that lacks what the primary has removed from its binary logs can never follow again. All that it has, the primary has too.
func TestPurgedReplicaIsClonedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		want   int
	}{
		"it lacks what is gone":             {func(*Observed) {}, 1},
		"it has what is gone":               {func(o *Observed) { o.Nodes[0].State.GTIDPurged = uuidA + ":1-4" }, 0},
		"it has received what is gone":      {func(o *Observed) { o.Nodes[2].State.Replication.GTIDRetrieved = uuidA + ":1-6" }, 0},
		"nothing is gone":                   {func(o *Observed) { o.Nodes[0].State.GTIDPurged = "" }, 0},
		"it is not known what is gone":      {func(o *Observed) { o.Nodes[0].State.GTIDPurged = "?" }, 0},
		"it has transactions of its own":    {func(o *Observed) { o.Nodes[2].holds(uuidA + ":1-4," + uuidB + ":1") }, 0},
		"the primary is not serving":        {func(o *Observed) { o.Nodes[0].State.Role = api.RoleNone }, 0},
		"the other replica is away":         {func(o *Observed) { o.Nodes[1].Connected = false }, 0},
		"the node is not heard of":          {func(o *Observed) { o.Nodes[2].Connected = false }, 0},
		"an errant node that lacks it, too": {func(o *Observed) { o.Nodes[2].holds(uuidB + ":1"); o.Spec.RebuildErrant = true }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			o.Nodes[0].State.GTIDPurged = uuidA + ":1-6"
			o.Nodes[2].holds(uuidA + ":1-4")
			o.Nodes[2].State.Replication.ReceiverState, o.Nodes[2].State.Replication.LastError = api.ReceiverOff, "13114 purged"
			test.change(o)
			d := Decide(*o)
			if got := rebuilt(t, d); len(got) != test.want || len(got) == 1 && got[0].Node != nodeName(2) {
				t.Errorf("the orders are %+v; %s", d.Orders, d.Status.Phase)
			}
			if got := d.Status.Nodes[2]; name == "it lacks what is gone" && got.Message != "lacks transactions that the primary has removed from its binary logs already: it is cloned again" {
				t.Errorf("the node is %+v", got)
			}
		})
	}
}

// A primary that was cloned has no binary logs of before. If none of the others can follow it, they are cloned again: it waits for them before
// it takes writes.
func TestReplicasThatAPrimaryWaitsForAreClonedAgain(t *testing.T) {
	waiting := func() *Observed {
		o := failedOver(4)
		o.Nodes[1].State.GTIDPurged, o.Nodes[1].State.SemiSync.Clients = theTx, 0
		o.Nodes[1].Memory.ClientsSince = noon.Add(-stuckGrace)
		for i := 2; i < 4; i++ {
			o.Nodes[i].holds(uuidA + ":1-9")
			o.Nodes[i].State.Replication.ReceiverState, o.Nodes[i].State.Replication.LastError = api.ReceiverOff, "13114 purged"
		}
		return o
	}
	o := waiting()
	for acks := 1; acks >= 0; acks-- {
		d := Decide(*o)
		if d.Record == nil || d.Record.RequiredAcks != acks || d.Record.Primary != nodeName(1) || d.Record.Operation != o.Record.Operation {
			t.Fatalf("the record is %+v", d.Record)
		}
		o.Record = *d.Record
	}
	d := Decide(*o)
	wantNoRecord(t, d)
	if got := rebuilt(t, d); len(got) != 1 || got[0].Node != nodeName(2) || got[0].Order.Source.Host != nodeName(1) {
		t.Errorf("the orders are %+v", d.Orders)
	}

	for name, change := range map[string]func(o *Observed){
		"not before it is sure that the primary has all": func(o *Observed) { o.Nodes[2].State.Term, o.Nodes[3].State.Term = 3, 3 },
		"nor before it is sure that nobody else is one":  func(o *Observed) { o.Record.RequiredAcks, o.Record.Operation.Acks = 0, 0 },
		"not while a replica may yet connect":            func(o *Observed) { o.Nodes[1].Memory.ClientsSince = noon.Add(time.Second - stuckGrace) },
		"not if it does not wait":                        func(o *Observed) { o.Nodes[1].State.SemiSync.Clients = 2 },
		"not if they have transactions of their own":     func(o *Observed) { o.Nodes[2].holds(uuidC + ":1"); o.Nodes[3].holds(uuidC + ":1") },
		"not before they have stepped aside": func(o *Observed) {
			o.Nodes[2].State.Obeying, o.Nodes[3].State.Term = true, 3
			o.Record.Operation.Forced = true
		},
	} {
		o := waiting()
		change(o)
		if d := Decide(*o); d.Record != nil || len(rebuilt(t, d)) > 0 {
			t.Errorf("%s: record %+v, orders %+v", name, d.Record, d.Orders)
		}
	}
}

// A primary that a person has forced waits for replicas, too. By policy, these are cloned even if they have what was given up.
func TestErrantNodesAreRebuiltForAForcedPrimary(t *testing.T) {
	o := failedOver(3)
	o.Record.RequiredAcks, o.Record.Operation.Acks, o.Record.Operation.Forced = 0, 0, true
	o.Nodes[1].State.SemiSync.Clients = 0
	o.Nodes[2].State = started(theTx + "," + uuidC + ":1")
	o.Nodes[2].State.Term = 4
	if d := Decide(*o); d.Record != nil || len(rebuilt(t, d)) > 0 {
		t.Errorf("record %+v, orders %+v", d.Record, d.Orders)
	}
	o.Spec.RebuildErrant = true
	if got := rebuilt(t, Decide(*o)); len(got) != 1 || got[0].Node != nodeName(2) {
		t.Errorf("the orders are %+v", got)
	}
	o.Record.Operation.Forced = false // then it takes over
	wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 2)
}
