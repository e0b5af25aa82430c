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

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// opens is true when the recorded primary is ordered to take writes.
func opens(d Decision) bool {
	for _, o := range d.Orders {
		if o.Order.Kind == api.OrderPromote && !o.Order.ReadOnly {
			return true
		}
	}
	return false
}

// wantClosed checks that the recorded primary is not opened, and that people are told what it waits for.
func wantClosed(t *testing.T, o *Observed, waits string) {
	t.Helper()
	d := Decide(*o)
	if d.Record != nil && d.Record.Primary == o.Record.Primary || opens(d) {
		t.Errorf("%s is opened: record %+v, orders %+v", o.Record.Primary, d.Record, d.Orders)
	}
	if d.Record == nil && !strings.Contains(d.Status.Phase, waits) {
		t.Errorf("the phase is %q instead of … %s", d.Status.Phase, waits)
	}
}

func wantOpened(t *testing.T, o *Observed) {
	t.Helper()
	if d := Decide(*o); d.Record != nil || !opens(d) {
		t.Errorf("%s is not opened: record %+v, orders %+v; %s", o.Record.Primary, d.Record, d.Orders, d.Status.Phase)
	}
}

// Safety rules 3 and 4: the new primary is opened when no commit of the old one can be acknowledged any more, and it holds all that have been.
func TestNewPrimaryIsNotOpenedBeforeTheOldOneCanNotAcknowledge(t *testing.T) {
	back := func(executed string) func(o *Observed) {
		return func(o *Observed) {
			o.Nodes[0].Connected, o.Nodes[0].State = true, started(executed)
			o.Nodes[0].State.ServerUUID, o.Nodes[0].State.Term = uuidA, 4
		}
	}
	both := func(changes ...func(o *Observed)) func(o *Observed) {
		return func(o *Observed) {
			for _, change := range changes {
				change(o)
			}
		}
	}
	silent := func(ordinal int) func(o *Observed) { return func(o *Observed) { o.Nodes[ordinal].Connected = false } }
	acks := func(acks int) func(o *Observed) { return func(o *Observed) { o.Record.Operation.Acks = acks } }
	const ahead = uuidA + ":1-11"

	for name, test := range map[string]struct {
		nodes  int
		change func(o *Observed)
		// waits says what for; empty if the new primary is opened.
		waits string
	}{
		// All members but as many as acknowledgements are needed have obeyed.
		"2 nodes: the new one alone":               {2, func(o *Observed) { o.Nodes[1].State.SemiSync.Clients = 1 }, ""},
		"3 nodes: the other replica has obeyed":    {3, func(*Observed) {}, ""},
		"3 nodes: the other replica is silent":     {3, silent(2), "1 more of the nodes"},
		"4 nodes: one replica has obeyed":          {4, silent(3), ""},
		"4 nodes: no replica has obeyed":           {4, both(silent(2), silent(3)), "1 more of the nodes"},
		"5 nodes: two replicas have obeyed":        {5, silent(4), ""},
		"5 nodes: one replica has obeyed":          {5, both(silent(3), silent(4)), "1 more of the nodes"},
		"what counts is what was demanded then":    {4, both(acks(1), silent(3)), "1 more of the nodes"},
		"and not what is demanded now":             {4, both(silent(3), func(o *Observed) { o.Record.RequiredAcks = 1 }), ""},
		"nothing was demanded: the old one counts": {3, acks(0), "1 more of the nodes: db-mysql-0 has not obeyed the new term"},
		"a member that is not there counts": {3, func(o *Observed) { o.Record.Members = members(0, 1, 2, 3) },
			"db-mysql-3 has not obeyed the new term"},

		// What it is to have obeyed.
		"the other replica is of an older term":     {3, func(o *Observed) { o.Nodes[2].State.Term = 3 }, "db-mysql-2 has not obeyed the new term"},
		"the other replica takes writes":            {3, func(o *Observed) { o.Nodes[2].State.SuperReadOnly = false }, "db-mysql-2 to stop taking writes"},
		"the other replica is about to obey":        {3, func(o *Observed) { o.Nodes[2].State.Obeying = true }, "db-mysql-2 has not obeyed the new term"},
		"the other replica still hears the old one": {3, func(o *Observed) { o.Nodes[2].follows(0, 4) }, "db-mysql-2 has not obeyed the new term"},
		"the other replica connects to the old one": {3, func(o *Observed) {
			o.Nodes[2].follows(0, 4)
			o.Nodes[2].State.Replication.ReceiverState = api.ReceiverConnecting
		}, "db-mysql-2 has not obeyed the new term"},
		"the other replica does not hear the old one": {3, func(o *Observed) {
			o.Nodes[2].follows(0, 4)
			o.Nodes[2].State.Replication.ReceiverState = api.ReceiverOff
		}, ""},
		"the other replica follows nobody":             {3, func(o *Observed) { o.Nodes[2].State.Replication = nil }, ""},
		"the other replica has lost its data once":     {3, func(o *Observed) { o.Nodes[2].State.Joining = true }, "db-mysql-2 has not obeyed the new term"},
		"MySQL of the other replica hangs":             {3, func(o *Observed) { hang(o, 2) }, "db-mysql-2 has not obeyed the new term"},
		"the new one lacks what the other has":         {3, func(o *Observed) { o.Nodes[1].holds(uuidA + ":1-9") }, "better"},
		"it lacks what the other has received only":    {3, func(o *Observed) { o.Nodes[2].State.Replication.GTIDRetrieved = ahead }, "better"},
		"it lacks what one of two others has":          {5, func(o *Observed) { o.Nodes[2].holds(uuidA + ":1-9"); o.Nodes[4].holds(ahead); silent(3)(o) }, "better"},
		"the new one does not answer":                  {3, func(o *Observed) { o.Nodes[1].State.Phase = api.PhaseStarting; o.Nodes[1].Memory.HeardSince = noon }, "db-mysql-1 to answer"},
		"it is not known what the other replica holds": {3, func(o *Observed) { o.Nodes[2].State.GTIDExecuted = "?" }, "db-mysql-2 has not obeyed the new term"},

		// Or the old primary, and all that may have been one since, have obeyed.
		"the old one has obeyed":                       {3, both(silent(2), back(theTx)), ""},
		"the old one has obeyed, nothing was demanded": {3, both(acks(0), silent(2), back(theTx)), ""},
		"the old one is of the old term":               {3, both(silent(2), back(theTx), func(o *Observed) { o.Nodes[0].State.Term = 3 }), "1 more of the nodes"},
		"the old one has executed more":                {3, both(silent(2), back(ahead)), "db-mysql-0 has " + uuidA + ":11, which db-mysql-1 lacks"},
		"what the old one has executed has been received": {3, both(silent(2), back(ahead), func(o *Observed) {
			o.Nodes[1].State.Replication = &api.Replication{SourceHost: nodeName(0), GTIDRetrieved: uuidA + ":11"}
		}), ""},
		"the old one has more, and another has obeyed": {3, back(ahead), ""},
		"one that may have been opened since is silent": {3, both(acks(0), back(theTx), silent(2), func(o *Observed) { o.Record.Operation.Via = members(2) }),
			"db-mysql-2 has not obeyed the new term"},
		"one that may have been opened since has obeyed": {3, both(acks(0), back(theTx), func(o *Observed) { o.Record.Operation.Via = members(2) }), ""},
		"the old one has lost its data once": {3, both(acks(0), silent(2), back(theTx), func(o *Observed) { o.Nodes[0].State.Joining = true }),
			"db-mysql-0 has not obeyed the new term"},
		"one that may have been opened since is itself, of the old term": {3, both(acks(0), back(theTx), func(o *Observed) {
			o.Record.Operation.Via, o.Nodes[1].State.Term = members(1), 3
			o.Nodes[2].State.Term = 3
		}), ""},
		"one that may have been opened since is itself": {3, both(acks(0), back(theTx), func(o *Observed) { o.Record.Operation.Via = members(1) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := failedOver(test.nodes)
			o.Nodes[1].State.SemiSync.Clients = test.nodes - 1
			test.change(o)
			switch test.waits {
			case "":
				wantOpened(t, o)
			case "better":
				if d := Decide(*o); d.Record == nil || d.Record.Primary == nodeName(1) {
					t.Errorf("record %+v, orders %+v", d.Record, d.Orders)
				}
			default:
				wantClosed(t, o, test.waits)
			}
		})
	}
}

// Another order is given to the other nodes: the new primary gets ready, but read-only; the others follow it; the old one stops.
func TestNewPrimaryGetsReadyWhileItIsNotOpened(t *testing.T) {
	o := failedOver(3)
	for i := 1; i < 3; i++ {
		o.Nodes[i].State = replica()
		o.Nodes[i].State.Replication.ReceiverState = api.ReceiverConnecting
	}
	d := Decide(*o)
	wantOrders(t, d, nodeName(1)+" Promote", nodeName(2)+" Follow")
	if got := orderTo(t, d, 1); !got.ReadOnly || got.Term != 4 || got.RequiredAcks != 1 {
		t.Errorf("the order is %+v", got)
	}
	if got := orderTo(t, d, 2); got.Source.Host != nodeName(1) || got.Source.Port != api.AdminPort || got.Term != 4 {
		t.Errorf("the order is %+v", got)
	}
	if !strings.HasPrefix(d.Status.Phase, "Failing over from db-mysql-0 to db-mysql-1: waiting for ") {
		t.Errorf("the phase is %s", d.Status.Phase)
	}

	// The old one comes back, and takes itself for the primary.
	o.Nodes[0].Connected = true
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderFollow || got.Source.Host != nodeName(1) {
		t.Errorf("the order is %+v", got)
	}
	// It has something that the new one lacks: it is left alone, but may not take writes.
	o.Nodes[0].holds(theTx + "," + uuidA + ":11")
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderDemote {
		t.Errorf("the order is %+v", got)
	}
	o.Nodes[0].State.SuperReadOnly, o.Nodes[0].State.Role = true, api.RoleNone
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderDemote {
		t.Errorf("the order is %+v", got)
	}
	o.Nodes[0].State.Term = 4
	for _, order := range Decide(*o).Orders {
		if order.Node == nodeName(0) {
			t.Errorf("it is not left alone: %+v", order)
		}
	}
}

// A change of the primary has ended when the new one takes writes, or may not because the cluster is read-only.
func TestTransitionEndsWhenTheNewPrimaryTakesWrites(t *testing.T) {
	o := failedOver(3)
	o.Nodes[1].State.SuperReadOnly = false
	d := Decide(*o)
	wantEnded(t, d, OutcomeSucceeded, "db-mysql-1 is the primary of term 4")
	if d.Record.Primary != nodeName(1) || d.Record.Term != 4 || d.Record.RequiredAcks != 1 || d.Ended.UID != "op" {
		t.Errorf("the record is %+v, ended is %+v", d.Record, d.Ended)
	}

	o = failedOver(3)
	o.Spec.ReadOnly = true
	wantEnded(t, Decide(*o), OutcomeSucceeded, "db-mysql-1 is the primary of term 4")
	o.Nodes[2].Connected = false
	wantNoRecord(t, Decide(*o))

	for name, change := range map[string]func(n *Node){
		"in an older term":       func(n *Node) { n.State.Term = 3 },
		"as what it was before":  func(n *Node) { n.State.Role = api.RoleReplica },
		"as it was last seen":    func(n *Node) { n.Connected = false },
		"in a term that is over": nil,
	} {
		o = failedOver(3)
		o.Nodes[1].State.SuperReadOnly = false
		if change != nil {
			change(&o.Nodes[1])
			wantNoRecord(t, Decide(*o))
			continue
		}
		o.Record.Operation.Term = 3
		d := Decide(*o)
		wantEnded(t, d, OutcomeGivenUp, "overtaken: db-mysql-1 is the primary of term 4")
		if t.Failed() {
			t.Log(name)
		}
	}
}

// As long as it is not sure that the new primary may be opened, what is counted on stays: also if the cluster is to become smaller.
func TestRecordStaysWhileThePrimaryChanges(t *testing.T) {
	o := failedOver(5)
	o.Spec.Replicas = 3
	o.Nodes[1].State = replica()
	o.Nodes[1].State.Replication.ReceiverState = api.ReceiverConnecting
	d := Decide(*o)
	wantNoRecord(t, d)
	if got := orderTo(t, d, 1); got.Kind != api.OrderPromote || got.RequiredAcks != 2 {
		t.Errorf("the order is %+v", got)
	}
	for i := 2; i < 5; i++ {
		o.Nodes[i].Connected = false
	}
	d = Decide(*o)
	wantNoRecord(t, d)
	if got := orderTo(t, d, 1); got.Kind != api.OrderPromote || got.RequiredAcks != 2 || !got.ReadOnly || d.Size != 5 {
		t.Errorf("the order is %+v, the size %d", got, d.Size)
	}
	o.Nodes[1] = failedOver(5).Nodes[1]
	wantNoRecord(t, Decide(*o))
}
