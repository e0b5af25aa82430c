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

	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// asked is a healthy cluster of three nodes in which somebody asks for another primary.
func asked(to string) *Observed {
	o := healthy(3)
	o.Record.Operation = &Operation{
		UID: "asked", Kind: KindSwitchover, RequestedBy: "alice", Reason: "new disks", To: to, Phase: PhaseRequested,
		StartedAt: noon.Add(-time.Second), Steps: []OperationStep{{PhaseRequested, noon.Add(-time.Second)}},
	}
	return o
}

// steppingDown is that cluster when node 1 has been recorded as the primary of term 4, and nothing has happened yet.
func steppingDown() *Observed {
	o := asked(nodeName(1))
	o.Record = *Decide(*o).Record
	return o
}

// steppedDown is that cluster when all have obeyed.
func steppedDown() *Observed {
	o := steppingDown()
	uuid := o.Nodes[0].State.ServerUUID
	o.Nodes[0].State = replica()
	o.Nodes[0].State.ServerUUID = uuid
	o.Nodes[0].follows(1, 4)
	o.Nodes[2].follows(1, 4)
	return o
}

func TestSwitchoverHandsOverAndTurnsBack(t *testing.T) {
	t.Run("to the node that was named", func(t *testing.T) {
		d := Decide(*asked(nodeName(2)))
		op := wantOperation(t, d, KindSwitchover, PhaseSteppingDown, 0, 2)
		if op.UID != "asked" || op.RequestedBy != "alice" || op.Reason != "new disks" || !op.StartedAt.Equal(noon.Add(-time.Second)) || op.Acks != 1 {
			t.Errorf("the operation is %+v", op)
		}
		if want := []OperationStep{{PhaseRequested, noon.Add(-time.Second)}, {PhaseSteppingDown, noon}}; !slices.Equal(op.Steps, want) {
			t.Errorf("the steps are %+v", op.Steps)
		}
		if d.Record.Term != 4 || d.Record.RequiredAcks != 1 {
			t.Errorf("the record is %+v", d.Record)
		}
	})
	t.Run("to the best node if none was named", func(t *testing.T) {
		o := asked("")
		wantOperation(t, Decide(*o), KindSwitchover, PhaseSteppingDown, 0, 1)
		o.Nodes[1].Drained = true
		wantOperation(t, Decide(*o), KindSwitchover, PhaseSteppingDown, 0, 2)
	})
	t.Run("the old primary is told to follow, the new one goes on receiving", func(t *testing.T) {
		o := steppingDown()
		d := Decide(*o)
		wantNoRecord(t, d)
		wantOrders(t, d, nodeName(0)+" Follow", nodeName(2)+" Follow")
		if got := orderTo(t, d, 0); got.Source.Host != nodeName(1) || got.Term != 4 {
			t.Errorf("the order is %+v", got)
		}
		if d.Status.Phase != "Switching over from db-mysql-0 to db-mysql-1: waiting for db-mysql-0 to become read-only" {
			t.Errorf("the phase is %s", d.Status.Phase)
		}
	})
	t.Run("also when it has more than the new one", func(t *testing.T) {
		o := steppingDown()
		o.Nodes[0].holds(theTx + "," + uuidC + ":1")
		if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderFollow {
			t.Errorf("the order is %+v", got)
		}
	})
	t.Run("the new one is promoted when it has all", func(t *testing.T) {
		o := steppedDown()
		o.Nodes[0].holds(uuidA + ":1-12")
		d := Decide(*o)
		wantNoRecord(t, d)
		wantOrders(t, d)
		if d.Status.Phase != "Switching over from db-mysql-0 to db-mysql-1: waiting for db-mysql-1 to receive "+uuidA+":11-12 from db-mysql-0" {
			t.Errorf("the phase is %s", d.Status.Phase)
		}
		o.Nodes[1].State.Replication.GTIDRetrieved = uuidA + ":1-12"
		wantOpened(t, o)
	})
	t.Run("while the old one is alive, nothing is left behind", func(t *testing.T) {
		o := steppedDown()
		o.Nodes[0].State = primary(3) // the other replica has obeyed, which would do for a failover
		wantClosed(t, o, "db-mysql-0 to become read-only")
		o.Nodes[0].Connected = false
		wantOpened(t, o)
	})
	t.Run("the new one is lost: the old one goes on at once", func(t *testing.T) {
		o := steppingDown()
		o.Nodes[1].State.Phase, o.Nodes[1].State.LastExit = api.PhaseStopped, "signal: killed"
		d := Decide(*o)
		op := wantOperation(t, d, KindFailover, PhasePromoting, 0, 0)
		if !slices.Equal(op.Via, members(1)) || d.Ended == nil || d.Ended.UID != "asked" || d.Ended.Outcome != OutcomeGivenUp {
			t.Errorf("the operation is %+v, ended is %+v", op, d.Ended)
		}
	})
	t.Run("it ends when the new one takes writes", func(t *testing.T) {
		o := steppedDown()
		o.Nodes[1].State = primary(3)
		o.Nodes[1].State.Term, o.Nodes[1].State.ServerUUID = 4, uuidB
		wantEnded(t, Decide(*o), OutcomeSucceeded, "db-mysql-1 is the primary of term 4")
	})
}

func TestSwitchoverThatTakesTooLongReturns(t *testing.T) {
	late := func() *Observed {
		o := steppingDown()
		o.Now = noon.Add(switchoverTimeout)
		return o
	}
	d := Decide(*late())
	if d.Record == nil || d.Record.Primary != nodeName(0) || d.Record.Term != 5 {
		t.Fatalf("the record is %+v", d.Record)
	}
	op := d.Record.Operation
	if op.Phase != PhaseReturning || op.From != nodeName(0) || op.To != nodeName(1) || op.Term != 5 || !slices.Equal(op.Via, members(1)) ||
		op.Message != "gave up waiting for db-mysql-0 to become read-only" {
		t.Errorf("the operation is %+v", op)
	}

	for name, change := range map[string]func(o *Observed){
		"not yet":                      func(o *Observed) { o.Now = noon.Add(switchoverTimeout - time.Second) },
		"the old one is gone":          func(o *Observed) { o.Nodes[0].Connected = false },
		"the old one is being deleted": func(o *Observed) { o.Nodes[0].Terminating = true },
		"the old one is stopping":      func(o *Observed) { o.Nodes[0].State.Stopping = true },
		"it is a failover":             func(o *Observed) { o.Record.Operation.Kind = KindFailover },
		"it is returning already":      func(o *Observed) { o.Record.Operation.Phase = PhaseReturning },
		"it waits for replicas only":   func(o *Observed) { now := o.Now; *o = *steppedDown(); o.Now = now },
		"the new one is open by now": func(o *Observed) {
			o.Nodes[1].State.Role, o.Nodes[1].State.Term, o.Nodes[1].State.SuperReadOnly = api.RolePrimary, 4, false
		},
		"the old one is restarting now":  func(o *Observed) { o.Nodes[0].State.Phase = api.PhaseStarting },
		"the old one can not be read":    func(o *Observed) { o.Nodes[0].State.GTIDExecuted = "?" },
		"the old one is not there, even": func(o *Observed) { o.Nodes = o.Nodes[1:] },
	} {
		o := late()
		change(o)
		if d := Decide(*o); d.Record != nil && d.Record.Primary == nodeName(0) {
			t.Errorf("%s: it returns: %+v", name, d.Record)
		}
	}
	if d := Decide(*steppingDown()); d.Wake != switchoverTimeout {
		t.Errorf("looks again after %s", d.Wake)
	}

	// The old one, which may have obeyed meanwhile, is opened by the same rules: the one in between may have been opened.
	o := late()
	o.Record = *d.Record
	d = Decide(*o)
	wantNoRecord(t, d)
	wantClosed(t, o, "1 more of the nodes: db-mysql-1 has not obeyed the new term")
	if got := orderTo(t, d, 1); got.Kind != api.OrderFollow || got.Source.Host != nodeName(0) || got.Term != 5 {
		t.Errorf("the order is %+v", got)
	}
	if d.Status.Phase[:44] != "Returning to db-mysql-0 from db-mysql-1: wai" {
		t.Errorf("the phase is %s", d.Status.Phase)
	}
	o.Nodes[0].State.SuperReadOnly = true
	wantClosed(t, o, "db-mysql-1 has not obeyed the new term")
	o.Nodes[1].follows(0, 5)
	wantOpened(t, o)
	o.Nodes[0].State.SuperReadOnly, o.Nodes[0].State.Term = false, 5
	d = Decide(*o)
	o.Now = noon
	wantEnded(t, Decide(*o), OutcomeGivenUp, "gave up waiting for db-mysql-0 to become read-only")
}

// Until somebody is ready to take over, nothing happens to anybody.
func TestSwitchoverWaitsForItsTarget(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(o *Observed)
		problem string
	}{
		"it is silent":            {func(o *Observed) { o.Nodes[1].Connected = false }, "db-mysql-1 its agent does not report"},
		"it starts":               {func(o *Observed) { o.Nodes[1].State.Phase = api.PhaseStarting }, "db-mysql-1 MySQL starts"},
		"it is being deleted":     {func(o *Observed) { o.Nodes[1].Terminating = true }, "db-mysql-1 is being stopped"},
		"it is stopping":          {func(o *Observed) { o.Nodes[1].State.Stopping = true }, "db-mysql-1 is being stopped"},
		"it has more":             {func(o *Observed) { o.Nodes[1].holds(theTx + "," + uuidB + ":1") }, "db-mysql-1 holds transactions that the primary does not have: " + uuidB + ":1"},
		"it is not connected":     {func(o *Observed) { o.Nodes[1].State.Replication.ReceiverState = api.ReceiverConnecting }, "db-mysql-1 is not connected to the primary"},
		"it follows another one":  {func(o *Observed) { o.Nodes[1].follows(2, 3) }, "db-mysql-1 is not connected to the primary"},
		"its lag is not known":    {func(o *Observed) { o.Nodes[1].State.Replication.LagSeconds = nil }, "db-mysql-1 has an unknown lag"},
		"it lags":                 {func(o *Observed) { o.Nodes[1].lags(handOverLag + 1) }, "db-mysql-1 lags by 3 s"},
		"there is no such node":   {func(o *Observed) { o.Record.Operation.To = "db-mysql-7" }, "there is no such replica"},
		"it will be removed":      {func(o *Observed) { o.Size = 1 }, "there is no such replica"},
		"the primary is not one":  {func(o *Observed) { o.Nodes[0].State.Role, o.Nodes[0].State.SuperReadOnly = api.RoleNone, true }, "db-mysql-0 is not serving"},
		"the primary is alone":    {func(o *Observed) { o.Record.RequiredAcks = 0; o.Nodes[0].Memory.Settled = false }, "db-mysql-0 takes writes alone"},
		"none is ready":           {func(o *Observed) { o.Record.Operation.To = ""; o.Nodes[1].lags(9); o.Nodes[2].lags(8) }, "db-mysql-1 lags by 9 s; db-mysql-2 lags by 8 s"},
		"the primary was renewed": {func(o *Observed) { o.Nodes[0].State.Term = 2 }, "db-mysql-0 is not serving"},
	} {
		t.Run(name, func(t *testing.T) {
			o := asked(nodeName(1))
			test.change(o)
			wantNoRecord(t, Decide(*o))
			o.Record.Operation.StartedAt = noon.Add(time.Second - requestTimeout)
			d := Decide(*o)
			wantNoRecord(t, d)
			if d.Wake != time.Second {
				t.Errorf("looks again after %s", d.Wake)
			}
			o.Record.Operation.StartedAt = noon.Add(-requestTimeout)
			d = Decide(*o)
			wantEnded(t, d, OutcomeGivenUp, "nothing was changed: "+test.problem)
			if d.Record.Primary != nodeName(0) || d.Record.Term != 3 {
				t.Errorf("the record is %+v", d.Record)
			}
		})
	}
	t.Run("a small lag does not matter", func(t *testing.T) {
		o := asked(nodeName(1))
		o.Nodes[1].lags(handOverLag)
		wantOperation(t, Decide(*o), KindSwitchover, PhaseSteppingDown, 0, 1)
	})
	t.Run("it is the primary already", func(t *testing.T) {
		wantEnded(t, Decide(*asked(nodeName(0))), OutcomeSucceeded, "db-mysql-0 is the primary already")
	})
	t.Run("the primary is lost meanwhile", func(t *testing.T) {
		o := orphaned(3)
		o.Record.Operation = asked(nodeName(2)).Record.Operation
		d := Decide(*o)
		wantOperation(t, d, KindFailover, PhasePromoting, 0, 1)
		if d.Ended == nil || d.Ended.UID != "asked" || d.Ended.Outcome != OutcomeGivenUp {
			t.Errorf("ended is %+v", d.Ended)
		}
	})
}

func TestPrimaryThatIsStoppedHandsOver(t *testing.T) {
	remove := func(o *Observed) {
		// A cluster of two whose primary is the third node, which is to go.
		o.Nodes[0].Ordinal, o.Nodes[2].Ordinal, o.Spec.Replicas = 2, 0, 2
		o.Spec.Durability = DurabilityStrict
	}
	rollOut := func(o *Observed) { o.Nodes[0].ConfigHash = "old" }
	for name, test := range map[string]struct {
		change   func(o *Observed)
		reason   string
		stopping bool
	}{
		"its pod is being deleted":        {func(o *Observed) { o.Nodes[0].Terminating = true }, "its pod is being stopped", true},
		"its agent was told to end":       {func(o *Observed) { o.Nodes[0].State.Stopping = true }, "its pod is being stopped", true},
		"its machine is drained":          {func(o *Observed) { o.Nodes[0].Drained = true }, "its machine is being drained", false},
		"its node is to be removed":       {remove, "its node is to be removed", false},
		"its pod is the last to be renew": {rollOut, "its pod is the last one to be updated", false},
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func(changes ...func(o *Observed)) Decision {
				o := healthy(3)
				test.change(o)
				for _, change := range changes {
					change(o)
				}
				return Decide(*o)
			}
			d := prepare()
			if d.Record == nil || d.Record.Operation == nil || d.Record.Primary == nodeName(0) || d.Record.Term != 4 {
				t.Fatalf("the record is %+v", d.Record)
			}
			if op := d.Record.Operation; op.Kind != KindSwitchover || op.Phase != PhaseSteppingDown || op.Reason != test.reason || op.RequestedBy != "" {
				t.Errorf("the operation is %+v", op)
			}
			wantNoRecord(t, prepare(func(o *Observed) { o.Nodes[1].lags(3); o.Nodes[2].lags(3) }))
			wantNoRecord(t, prepare(func(o *Observed) { o.Nodes[1].Drained, o.Nodes[2].Drained = true, true }))

			// One was given up a moment ago: only a primary that will be gone soon tries again at once.
			again := prepare(func(o *Observed) { o.GaveUpAt = noon.Add(time.Second - retryPause) })
			alone := prepare(func(o *Observed) { o.Record.RequiredAcks = 0; o.Nodes[0].Memory.Settled = false })
			if test.stopping {
				if again.Record == nil || alone.Record == nil {
					t.Errorf("records %+v, %+v", again.Record, alone.Record)
				}
				return
			}
			wantNoRecord(t, again)
			wantNoRecord(t, alone)
			if again.Wake != time.Second {
				t.Errorf("looks again after %s", again.Wake)
			}
			if d := prepare(func(o *Observed) { o.GaveUpAt = noon.Add(-retryPause) }); d.Record == nil {
				t.Errorf("it is not tried again: %s", d.Status.Phase)
			}
		})
	}
	t.Run("not while a rollout is paused", func(t *testing.T) {
		o := healthy(3)
		rollOut(o)
		o.Spec.PauseRollout = true
		wantNoRecord(t, Decide(*o))
	})
	t.Run("not before the replicas are renewed", func(t *testing.T) {
		o := healthy(3)
		rollOut(o)
		o.Nodes[2].ConfigHash = "old"
		wantNoRecord(t, Decide(*o))
	})
	t.Run("not while the primary changes anyway", func(t *testing.T) {
		o := failedOver(3)
		o.Nodes[1].Drained, o.Nodes[1].State.SemiSync.Clients = true, 0
		wantNoRecord(t, Decide(*o))
	})
	t.Run("not while a replica is unwell", func(t *testing.T) {
		o := healthy(3)
		rollOut(o)
		o.Nodes[2].Ready = false
		wantNoRecord(t, Decide(*o))
	})
	t.Run("and its pod is renewed as a replica's", func(t *testing.T) {
		o := steppedDown()
		o.Nodes[1].State = primary(3)
		o.Nodes[1].State.Term, o.Nodes[1].State.ServerUUID = 4, uuidB
		o.Record.Operation, o.Nodes[0].ConfigHash = nil, "old"
		if d := Decide(*o); d.Replace != nodeName(0) {
			t.Errorf("%q is replaced; %s", d.Replace, d.Status.Phase)
		}
	})
	t.Run("a replica that lags takes over from a primary that is drained only when it has caught up", func(t *testing.T) {
		o := healthy(2)
		o.Nodes[0].Drained = true
		o.Nodes[1].State.Replication.LagSeconds = ptr.To[int64](handOverLag + 1)
		wantNoRecord(t, Decide(*o))
	})
}
