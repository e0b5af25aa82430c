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
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Safety rule 4: of the nodes that are heard of, one that has received all that any of them has.
func TestFailoverPromotesOnlyWhatHasEverything(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(o *Observed)
		to      int
		problem string
	}{
		"of equals, the first": {func(*Observed) {}, 1, ""},
		"the one with more":    {func(o *Observed) { o.Nodes[1].holds(uuidA + ":1-9") }, 2, ""},
		"what was received counts, executed or not": {func(o *Observed) {
			o.Nodes[2].State.GTIDExecuted, o.Nodes[2].State.Replication.GTIDRetrieved = uuidA+":1-2", uuidA+":3-11"
		}, 2, ""},
		"nobody, if each has something that the other lacks": {func(o *Observed) {
			o.Nodes[1].holds(theTx + "," + uuidB + ":1")
			o.Nodes[2].holds(uuidA + ":1-11")
		}, 0, "none of the others has all that they have received: db-mysql-1 lacks " + uuidA + ":11; db-mysql-2 lacks " + uuidB + ":1"},
		"nobody, if what a node has can not be read": {func(o *Observed) { o.Nodes[2].State.GTIDExecuted = "?" }, 0, "without a word on their data: db-mysql-2"},
		"of equals, the one with less to apply":      {func(o *Observed) { o.Nodes[1].lags(20) }, 2, ""},
		"small differences do not matter":            {func(o *Observed) { o.Nodes[1].lags(4) }, 1, ""},
		"of equals, the one whose lag is known":      {func(o *Observed) { o.Nodes[1].State.Replication.LagSeconds = nil; o.Nodes[2].lags(900) }, 2, ""},
		"of equals, the one that stays":              {func(o *Observed) { o.Nodes[1].Terminating = true }, 2, ""},
		"of equals, the one whose machine stays":     {func(o *Observed) { o.Nodes[1].Drained = true }, 2, ""},
		"of equals, the one that is not stopping":    {func(o *Observed) { o.Nodes[1].State.Stopping = true }, 2, ""},
		"of equals, the one that can apply it": {func(o *Observed) {
			o.Nodes[1].State.Replication.ApplierRunning, o.Nodes[1].State.Replication.LastError = false, "1062 duplicate key"
			o.Nodes[2].Drained = true
		}, 2, ""},
		"staying matters more than the lag": {func(o *Observed) { o.Nodes[1].Drained = true; o.Nodes[2].lags(20) }, 2, ""},
		"data matter more than all of it":   {func(o *Observed) { o.Nodes[2].holds(uuidA + ":1-9"); o.Nodes[1].lags(900); o.Nodes[1].Drained = true }, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := orphaned(3)
			test.change(o)
			d := Decide(*o)
			if test.problem == "" {
				wantOperation(t, d, KindFailover, PhasePromoting, 0, test.to)
				return
			}
			wantRefused(t, d, test.problem)
		})
	}
	t.Run("one that has all of as many as are needed is enough", func(t *testing.T) {
		o := orphaned(4)
		o.Nodes[1].holds(uuidA + ":1-9")
		o.Nodes[3].holds(theTx + "," + uuidC + ":1") // errant
		o.Nodes[2].holds(uuidA + ":1-11")
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 2)
		o.Record.RequiredAcks = 1
		wantRefused(t, Decide(*o), "none of the others has all that they have received")
	})
	t.Run("of equals, the one that will not be removed", func(t *testing.T) {
		o := orphaned(4)
		o.Nodes[1].lags(20)
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 2)
		o.Spec.Replicas = 2
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 1)
	})
}

// wantRefused checks that the primary is left the primary, and that people are told why.
func wantRefused(t *testing.T, d Decision, problem string) {
	t.Helper()
	wantNoRecord(t, d)
	if got := d.Status.Ready; got.True || !strings.Contains(got.Message, problem) || !strings.Contains(got.Message, "db-mysql-0") {
		t.Errorf("the verdict is %+v instead of … %s", got, problem)
	}
}

// Safety rule 4: each acknowledged commit is on acks+1 members. So of the others, all but acks-1 have to be heard of.
func TestFailoverNeedsEnoughNodes(t *testing.T) {
	for _, test := range []struct{ nodes, acks, silent int }{
		{2, 1, 0}, {3, 1, 0}, {3, 2, 1}, {4, 1, 0}, {4, 2, 1}, {4, 3, 2}, {5, 1, 0}, {5, 2, 1}, {5, 3, 2},
	} {
		t.Run(fmt.Sprintf("%d nodes, %d acknowledgements", test.nodes, test.acks), func(t *testing.T) {
			o := orphaned(test.nodes)
			o.Record.RequiredAcks = test.acks
			last := test.nodes - 1 - test.silent
			for i := range test.silent {
				o.Nodes[last+1+i].Connected = false
			}
			op := wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 1)
			if op.Acks != test.acks {
				t.Errorf("%d acknowledgements are recorded", op.Acks)
			}
			o.Nodes[last].Connected = false
			if test.silent+1 < test.nodes-1 {
				wantRefused(t, Decide(*o), fmt.Sprintf("%d of %d other nodes are needed", last, test.nodes-1))
			} else {
				wantNoRecord(t, Decide(*o)) // nobody is left who could testify
			}
		})
	}
	t.Run("a member without a pod and a volume may have acknowledged", func(t *testing.T) {
		o := orphaned(3)
		o.Record.Members = members(0, 1, 2, 3)
		wantRefused(t, Decide(*o), "3 of 3 other nodes are needed to be sure that nothing is missing; without a word on their data: db-mysql-3")
	})
	t.Run("a node that is no member has not", func(t *testing.T) {
		o := orphaned(3)
		o.Nodes = append(o.Nodes, emptyNode(3))
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 1)
	})
	t.Run("there is no other node", func(t *testing.T) {
		o := healthy(1)
		o.Nodes[0].State.Phase = api.PhaseStopped
		wantRefused(t, Decide(*o), "there is no other node")
	})
}

// Safety rule 3: what was acknowledged by the primary alone may be nowhere else.
func TestFailoverIsRefusedWhenThePrimaryTookWritesAlone(t *testing.T) {
	o := orphaned(2)
	o.Record.RequiredAcks = 0
	d := Decide(*o)
	wantRefused(t, d, "it took writes alone")
	if d.Status.Blocked || d.Status.Ready.Reason != "PrimaryLost" {
		t.Errorf("a person is asked although the primary may come back: %+v", d.Status.Ready)
	}
	o.Nodes[0].Connected, o.Nodes[0].State = true, started(theTx)
	o.Nodes[0].State.ServerUUID = uuidA
	wantOrders(t, Decide(*o), nodeName(0)+" Promote")
}

// A node that has lost its volume and was cloned may lack what it once confirmed: its word does not count before it has caught up.
func TestJoiningNodesAreNotHeard(t *testing.T) {
	t.Run("for an election", func(t *testing.T) {
		o := orphaned(3)
		o.Nodes[2].State.Joining = true
		wantRefused(t, Decide(*o), "2 of 2 other nodes are needed to be sure that nothing is missing; without a word on their data: db-mysql-2")
	})
	t.Run("nor elected, whatever it has", func(t *testing.T) {
		o := orphaned(4)
		o.Nodes[1].State.Joining = true
		o.Nodes[1].holds(uuidA + ":1-11")
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 2)
	})
	t.Run("for opening the new primary", func(t *testing.T) {
		o := failedOver(3)
		o.Nodes[2].State.Joining = true
		wantClosed(t, o, "db-mysql-2 has not obeyed the new term")
	})
	t.Run("nor takes it over from a primary that works", func(t *testing.T) {
		o := asked(nodeName(1))
		o.Nodes[1].State.Joining = true
		o.Record.Operation.StartedAt = noon.Add(-requestTimeout)
		wantEnded(t, Decide(*o), OutcomeGivenUp, "db-mysql-1 has not caught up since it was cloned")
	})
	t.Run("until it has all that the primary has", func(t *testing.T) {
		o := healthy(3)
		o.Nodes[2].State.Joining = true
		o.Nodes[2].holds(uuidA + ":1-9")
		wantOrders(t, Decide(*o))
		o.Nodes[2].State.Replication.GTIDRetrieved = theTx
		d := Decide(*o)
		wantOrders(t, d, nodeName(2)+" Follow")
		if got := orderTo(t, d, 2); !got.Joined || got.Source.Host != nodeName(0) {
			t.Errorf("the order is %+v", got)
		}
	})
	t.Run("not while the primary changes", func(t *testing.T) {
		o := failedOver(3)
		o.Nodes[2].State.Joining = true
		for _, order := range Decide(*o).Orders {
			if order.Order.Joined {
				t.Errorf("the order is %+v", order)
			}
		}
	})
	t.Run("which has to be the primary by its own word", func(t *testing.T) {
		for name, change := range map[string]func(o *Observed){
			"it is not serving":       func(o *Observed) { o.Nodes[0].State.Role = api.RoleNone },
			"it is not connected":     func(o *Observed) { o.Nodes[2].State.Replication.ReceiverState = api.ReceiverConnecting },
			"nothing is heard of it":  func(o *Observed) { o.Nodes[0].Connected = false },
			"the node is not joining": func(o *Observed) { o.Nodes[2].State.Joining = false },
		} {
			o := healthy(3)
			o.Nodes[2].State.Joining = true
			change(o)
			for _, order := range Decide(*o).Orders {
				if order.Order.Joined {
					t.Errorf("%s: the order is %+v", name, order)
				}
			}
		}
	})
}
