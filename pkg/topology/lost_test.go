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

// Safety rule 5: a primary is lost when its own agent says so, or when nothing is heard of it and the replicas have lost it too.
func TestFailoverNeedsTwoWitnesses(t *testing.T) {
	silent := func(o *Observed) { *o = *orphaned(3) }
	phase := func(phase api.Phase, exit string, since time.Duration) func(o *Observed) {
		return func(o *Observed) {
			o.Nodes[0].State.Phase, o.Nodes[0].State.LastExit, o.Nodes[0].Memory.HeardSince = phase, exit, noon.Add(-since)
		}
	}
	restarted := func(since time.Duration) func(o *Observed) {
		return func(o *Observed) {
			silent(o)
			for i := 1; i < 3; i++ {
				o.Nodes[i].State.Role, o.Nodes[i].State.Replication.ReceiverState = api.RoleNone, api.ReceiverOff
				o.Nodes[i].Memory.HeardSince = noon.Add(-since)
			}
		}
	}
	for name, test := range map[string]struct {
		change func(o *Observed)
		reason string
		wake   time.Duration
	}{
		"it works":                                {func(*Observed) {}, "", 0},
		"its agent says that mysqld has ended":    {phase(api.PhaseStopped, "signal: killed", 0), "mysqld has ended: signal: killed", 0},
		"mysqld has ended and is started again":   {phase(api.PhaseStarting, "signal: killed", 0), "mysqld has ended: signal: killed", 0},
		"its agent says that mysqld hangs":        {phase(api.PhaseHung, "", 0), "MySQL hangs", 0},
		"its agent says that the volume is empty": {func(o *Observed) { o.Nodes[0].State = emptyNode(0).State }, "has no data yet", 0},
		"it has been started, and mysqld starts":  {phase(api.PhaseStarting, "", 5*time.Second), "", startGrace - 5*time.Second},
		"it has been started, and mysqld does not run": {
			phase(api.PhaseStopped, "", 5*time.Second), "", startGrace - 5*time.Second,
		},
		"it takes too long to start": {phase(api.PhaseStarting, "", startGrace), "MySQL starts", 0},
		"mysqld answers and waits for orders": {func(o *Observed) {
			o.Nodes[0].State = started(theTx)
			o.Nodes[0].State.ServerUUID = uuidA
		}, "", 0},
		"it is silent, and all replicas have lost it": {silent, "its agent does not report, and the replicas have lost it too", 0},
		"its pod is gone, and all replicas have lost it": {func(o *Observed) {
			silent(o)
			o.Nodes[0].Exists = false
		}, "its pod does not exist, and the replicas have lost it too", 0},
		"it is not there at all, and all replicas have lost it": {func(o *Observed) {
			silent(o)
			o.Nodes = o.Nodes[1:]
		}, "it does not exist, and the replicas have lost it too", 0},
		"it is silent, and the replicas are connected":    {func(o *Observed) { o.Nodes[0].Connected = false }, "", 0},
		"its pod is gone, and the replicas are connected": {func(o *Observed) { o.Nodes[0].Exists = false }, "", 0},
		"it is silent, and one replica is still connected": {func(o *Observed) {
			silent(o)
			o.Nodes[2].State.Replication.ReceiverState = api.ReceiverOn
		}, "", 0},
		"it is silent, and a replica of an older term is still connected": {func(o *Observed) {
			silent(o)
			o.Nodes[2].follows(0, 2)
		}, "", 0},
		"it is silent, and a replica that is connected has lost its data once": {func(o *Observed) {
			silent(o)
			o.Nodes[2].follows(0, 3)
			o.Nodes[2].State.Joining = true
		}, "", 0},
		"it is silent, and a replica is connected to another node": {func(o *Observed) {
			silent(o)
			o.Nodes[2].follows(1, 3)
		}, "the replicas have lost it too", 0},
		"the controller hears of nobody": {func(o *Observed) {
			for i := range o.Nodes {
				o.Nodes[i].Connected = false
			}
		}, "", 0},
		"replicas that were just started do not testify": {restarted(5 * time.Second), "", startGrace - 5*time.Second},
		"replicas that follow testify as soon as they are heard of": {func(o *Observed) {
			silent(o)
			o.Nodes[1].Memory.HeardSince, o.Nodes[2].Memory.HeardSince = noon, noon
		}, "the replicas have lost it too", 0},
		"its volume holds somebody else's files": {func(o *Observed) {
			phase(api.PhaseStopped, "", 0)(o)
			o.Nodes[0].State.HasData = false
		}, "MySQL is stopped", 0},
		"replicas that were started a while ago do":   {restarted(startGrace), "the replicas have lost it too", 0},
		"replicas whose MySQL does not answer do not": {func(o *Observed) { silent(o); hang(o, 1, 2) }, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			test.change(o)
			d := Decide(*o)
			if test.reason == "" {
				wantNoRecord(t, d)
				if d.Wake != test.wake {
					t.Errorf("looks again after %s instead of %s", d.Wake, test.wake)
				}
				return
			}
			op := wantOperation(t, d, KindFailover, PhasePromoting, 0, 1)
			if !strings.Contains(op.Reason, test.reason) || op.Acks != 1 || op.RequestedBy != "" || op.UID == "" || !op.StartedAt.Equal(noon) {
				t.Errorf("the operation is %+v", op)
			}
			if r := d.Record; r.Term != 4 || r.RequiredAcks != 1 || !r.Initialized {
				t.Errorf("the record is %+v", r)
			}
		})
	}
}

func hang(o *Observed, ordinals ...int) {
	for _, i := range ordinals {
		o.Nodes[i].State.Phase = api.PhaseHung
	}
}

// A primary that has lost its volume is replaced, if it is sure that one of the others has all that was acknowledged. Otherwise a
// person has to help. It is never initialised, nor cloned as long as it is the recorded primary.
func TestPrimaryThatLostItsVolume(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(o *Observed)
		to      int
		reason  string
		problem string
	}{
		"a replica takes over": {func(*Observed) {}, 1, "", ""},
		"the newest one":       {func(o *Observed) { o.Nodes[1].holds(uuidA + ":1-9") }, 2, "", ""},
		"what was received is applied before it is opened": {func(o *Observed) {
			o.Nodes[1].State.GTIDExecuted, o.Nodes[2].State.GTIDExecuted = uuidA+":1-9", uuidA+":1-9"
		}, 1, "", ""},
		"not while a replica is silent":        {func(o *Observed) { o.Nodes[2].Connected = false }, 0, reasonPrimaryLost, "data: db-mysql-2"},
		"not if it took writes alone":          {func(o *Observed) { o.Record.RequiredAcks = 0 }, 0, reasonPrimaryLost, "it took writes alone"},
		"not if a replica has lost it as well": {func(o *Observed) { o.Nodes[2].State = emptyNode(2).State }, 0, reasonPrimaryLost, "data: db-mysql-2"},
		"not if a replica is a copy of later":  {func(o *Observed) { o.Nodes[1].State.Joining = true }, 0, reasonPrimaryLost, "data: db-mysql-1"},
		"not if their data are incomparable": {func(o *Observed) { o.Nodes[1].holds(uuidB + ":1") }, 0, reasonPrimaryLost,
			"Bring its volume or the missing replicas back, or order a forced failover"},
		"not if all have lost theirs": {func(o *Observed) {
			o.Nodes[1].State, o.Nodes[2].State = emptyNode(1).State, emptyNode(2).State
		}, 0, reasonNoData, "all volumes were lost"},
	} {
		t.Run(name, func(t *testing.T) {
			o := orphaned(3)
			o.Nodes[0].Connected, o.Nodes[0].State = true, emptyNode(0).State
			test.change(o)
			d := Decide(*o)
			if test.reason == "" {
				wantOperation(t, d, KindFailover, PhasePromoting, 0, test.to)
				return
			}
			wantNoRecord(t, d)
			wantOrders(t, d)
			if got := d.Status.Ready; !d.Status.Blocked || got.Reason != test.reason || !strings.Contains(got.Message, test.problem) {
				t.Errorf("the verdict is %+v", got)
			}
		})
	}
	t.Run("it is cloned when another one is the primary", func(t *testing.T) {
		o := failedOver(3)
		o.Nodes[0].Connected, o.Nodes[0].State = true, emptyNode(0).State
		o.Nodes[1].State.SuperReadOnly, o.Record.Operation = false, nil
		d := Decide(*o)
		wantOrders(t, d, nodeName(0)+" Clone")
		if got := orderTo(t, d, 0); got.Source.Host != nodeName(2) || got.Discard {
			t.Errorf("the order is %+v", got)
		}
	})
}

// A primary that is cut off from its replicas acknowledges nothing. If enough of them are heard of, another one goes on with them.
func TestIsolatedStrictPrimaryIsReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		lost   bool
		wake   time.Duration
	}{
		"commits wait":                       {func(*Observed) {}, true, 0},
		"but not for long":                   {func(o *Observed) { o.Nodes[0].Memory.StuckSince = noon.Add(time.Second - isolationGrace) }, false, time.Second},
		"but no commit is there that waits":  {func(o *Observed) { o.Nodes[0].Memory.StuckSince = time.Time{} }, false, 0},
		"but the primary is not open":        {func(o *Observed) { o.Nodes[0].State.SuperReadOnly = true }, false, 0},
		"but enough replicas are connected":  {func(o *Observed) { o.Nodes[0].State.SemiSync.Clients = 1 }, false, 0},
		"but one replica is connected":       {func(o *Observed) { o.Nodes[2].State.Replication.ReceiverState = api.ReceiverOn }, false, 0},
		"but one replica is away":            {func(o *Observed) { o.Nodes[2].Connected = false }, false, 0},
		"but one replica is joining":         {func(o *Observed) { o.Nodes[2].State.Joining = true }, false, 0},
		"but one replica follows nobody yet": {func(o *Observed) { o.Nodes[2].State.Replication = nil }, false, 0},
		"but the primary waits for orders":   {func(o *Observed) { o.Nodes[0].State.Term = 2 }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := orphaned(3)
			o.Nodes[0].Connected = true
			o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].State.SemiSync.WaitSessions = 0, 4
			o.Nodes[0].Memory.StuckSince = noon.Add(-isolationGrace)
			test.change(o)
			d := Decide(*o)
			if !test.lost {
				wantNoRecord(t, d)
				if d.Wake != test.wake {
					t.Errorf("looks again after %s instead of %s", d.Wake, test.wake)
				}
				return
			}
			op := wantOperation(t, d, KindFailover, PhasePromoting, 0, 1)
			if op.Reason != "commits wait: 0 of 1 replicas are connected to it, and 2 are there" {
				t.Errorf("the reason is %q", op.Reason)
			}
		})
	}
	t.Run("as many have to be there as another primary needs", func(t *testing.T) {
		o := orphaned(5)
		o.Nodes[0].Connected = true
		o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].Memory.StuckSince = 1, noon.Add(-isolationGrace)
		o.Nodes[4].State.Replication.ReceiverState = api.ReceiverOn
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 1)
		o.Nodes[3].State.Replication.ReceiverState = api.ReceiverOn
		wantNoRecord(t, Decide(*o))
	})
	t.Run("nodes that are joining are not there", func(t *testing.T) {
		o := orphaned(4)
		o.Nodes[0].Connected = true
		o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].Memory.StuckSince = 0, noon.Add(-isolationGrace)
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 1)
		o.Nodes[3].State.Joining = true
		wantNoRecord(t, Decide(*o))
	})
	t.Run("Preferred goes on with fewer instead", func(t *testing.T) {
		o := orphaned(3)
		o.Spec.Durability = DurabilityPreferred
		o.Nodes[0].Connected = true
		o.Nodes[0].State.SemiSync.Clients, o.Nodes[0].State.SemiSync.WaitSessions = 0, 4
		o.Nodes[0].Memory.StuckSince, o.Nodes[0].Memory.ClientsSince = noon.Add(-stuckGrace), noon.Add(-stuckGrace)
		wantRecord(t, Decide(*o), Record{Primary: nodeName(0), Term: 3, Initialized: true, Members: members(0, 1, 2)})
	})
}

// A hung primary that nobody can replace is started again, after a while. One that has been replaced is ended at once.
func TestHungPrimaryWithoutSuccessorIsRestarted(t *testing.T) {
	hung := func(since time.Duration) *Observed {
		o := healthy(2)
		o.Record.RequiredAcks = 0
		hang(o, 0)
		o.Nodes[0].Memory.PhaseSince = noon.Add(-since)
		return o
	}
	d := Decide(*hung(hungGrace - time.Second))
	wantNoRecord(t, d)
	wantOrders(t, d)
	if d.Wake != time.Second {
		t.Errorf("looks again after %s", d.Wake)
	}
	d = Decide(*hung(hungGrace))
	wantNoRecord(t, d)
	wantOrders(t, d, nodeName(0)+" Demote")
	if got := orderTo(t, d, 0).Term; got != 3 {
		t.Errorf("the order is of term %d", got)
	}

	o := failedOver(3)
	o.Nodes[0].Connected = true
	hang(o, 0)
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderDemote || got.Term != 4 {
		t.Errorf("the order is %+v", got)
	}
	o.Nodes[0].State.Term = 4
	for _, order := range Decide(*o).Orders {
		if order.Node == nodeName(0) {
			t.Errorf("it is ended a second time: %+v", order)
		}
	}
}

// A primary that comes back without transactions that it has sent to others would number new ones the same.
func TestPrimaryThatLostTransactionsOfItsOwnIsReplaced(t *testing.T) {
	back := func() *Observed {
		o := healthy(3)
		o.Nodes[0].State = started(uuidA + ":1-9")
		o.Nodes[0].State.ServerUUID = uuidA
		return o
	}
	op := wantOperation(t, Decide(*back()), KindFailover, PhasePromoting, 0, 1)
	if op.Reason != "it came back without "+uuidA+":10, which others have received from it" {
		t.Errorf("the reason is %s", op.Reason)
	}

	o := back()
	o.Record.RequiredAcks = 0 // so nobody takes its place
	d := Decide(*o)
	wantNoRecord(t, d)
	if got := orderTo(t, d, 0); got.Kind != api.OrderPromote || !got.ReadOnly {
		t.Errorf("the order is %+v", got)
	}

	o = back()
	o.Nodes[0].State.GTIDExecuted = theTx
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderPromote || got.ReadOnly {
		t.Errorf("nothing is missing, yet the order is %+v", got)
	}
	for name, change := range map[string]func(o *Observed){
		"obeying":           func(o *Observed) { o.Nodes[0].State.Obeying = true },
		"an order underway": func(o *Observed) { o.Nodes[0].Memory = o.Nodes[0].Memory.Ordered("basis") },
	} {
		o = back() // It may have been opened since it reported: then the others have received its first commits.
		change(o)
		d := Decide(*o)
		wantNoRecord(t, d)
		if opens(d) {
			t.Errorf("%s: it is opened", name)
		}
	}
	o = back()
	o.Nodes[0].State = primary(3)
	o.Nodes[0].holds(uuidA + ":1-9") // it is open: its report is older than those of the others
	wantNoRecord(t, Decide(*o))
}
