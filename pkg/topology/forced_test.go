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

// forced is a cluster whose primary is gone, with a replica that has less than the others, and a person who wants to go on.
func forced(to string) *Observed {
	o := orphaned(3)
	o.Record.Operation = &Operation{
		UID: "asked", Kind: KindFailover, Forced: true, RequestedBy: "alice", Reason: "fire", To: to, Phase: PhaseRequested, StartedAt: noon.Add(-time.Second),
	}
	o.Record.RequiredAcks = 0 // so nobody takes over by itself
	o.Nodes[1].holds(uuidA + ":1-8")
	o.Nodes[2].holds(uuidA + ":1-9")
	return o
}

func TestForcedFailoverNamesWhatItGivesUp(t *testing.T) {
	for name, test := range map[string]struct {
		to      string
		change  func(o *Observed)
		want    int
		givenUp string
	}{
		"the named one":                      {nodeName(1), func(*Observed) {}, 1, uuidA + ":9-10"},
		"the one with the most":              {"", func(*Observed) {}, 2, uuidA + ":10"},
		"the one with the most that answers": {"", func(o *Observed) { o.Nodes[2].Connected = false }, 1, uuidA + ":9-10"},
		"what was received counts":           {"", func(o *Observed) { o.Nodes[1].State.Replication.GTIDRetrieved = uuidA + ":1-10" }, 1, ""},
		"not the primary itself": {"", func(o *Observed) {
			o.Nodes[0].Connected = true
			o.Nodes[0].holds(uuidA + ":1-12")
		}, 2, uuidA + ":10-12"},
		"nothing more is known of the others": {nodeName(1), func(o *Observed) { o.Nodes[0].State, o.Nodes[2].State = nil, nil }, 1, ""},
		"what others have of their own":       {nodeName(1), func(o *Observed) { o.Nodes[2].holds(uuidA + ":1-8," + uuidB + ":1") }, 1, uuidA + ":9-10," + uuidB + ":1"},
		"a node that has lost its data once":  {nodeName(1), func(o *Observed) { o.Nodes[1].State.Joining = true }, 1, uuidA + ":9-10"},
	} {
		t.Run(name, func(t *testing.T) {
			o := forced(test.to)
			test.change(o)
			d := Decide(*o)
			op := wantOperation(t, d, KindFailover, PhasePromoting, 0, test.want)
			if op.GivenUp != test.givenUp || !op.Forced || op.UID != "asked" || op.RequestedBy != "alice" || op.Reason != "fire" {
				t.Errorf("the operation is %+v", op)
			}
			if d.Record.Term != 4 || d.Record.RequiredAcks != 0 {
				t.Errorf("the record is %+v", d.Record)
			}
		})
	}
	t.Run("nothing is counted on afterwards, whatever was before", func(t *testing.T) {
		o := forced(nodeName(1))
		o.Record.RequiredAcks, o.Record.Operation.To = 1, nodeName(1)
		o.Nodes[2].Connected = false // so nobody takes over by itself
		if d := Decide(*o); d.Record == nil || d.Record.RequiredAcks != 0 || !d.Record.Operation.Forced || d.Record.Operation.Acks != 1 {
			t.Errorf("the record is %+v", d.Record)
		}
	})
	t.Run("it is opened whoever has obeyed", func(t *testing.T) {
		o := failedOver(3)
		o.Record.RequiredAcks, o.Record.Operation.Acks, o.Record.Operation.Forced = 0, 0, true
		o.Nodes[2].Connected = false
		wantOpened(t, o)
		o.Record.Operation.Forced = false
		wantClosed(t, o, "has not obeyed the new term")
	})
	t.Run("it waits for its target, for a while", func(t *testing.T) {
		for target, silent := range map[string][]int{nodeName(1): {1}, "": {1, 2}, "db-mysql-7": nil} {
			o := forced(target)
			for _, i := range silent {
				o.Nodes[i].Connected = false
			}
			wantNoRecord(t, Decide(*o))
			o.Record.Operation.StartedAt = noon.Add(-requestTimeout)
			d := Decide(*o)
			wantEnded(t, d, OutcomeGivenUp, "nothing was changed: the target does not answer")
			if d.Record.Primary != nodeName(0) || d.Record.Term != 3 {
				t.Errorf("the record is %+v", d.Record)
			}
		}
	})
	t.Run("the primary has come back, and is what is wanted", func(t *testing.T) {
		wantEnded(t, Decide(*forced(nodeName(0))), OutcomeSucceeded, "db-mysql-0 is the primary already")
	})
	t.Run("what was given up is not forgotten", func(t *testing.T) {
		o := forced(nodeName(1))
		o.Record = *Decide(*o).Record
		o.Record.Operation = nil
		o.Nodes[0].Connected = true
		o.Nodes[1].holds(uuidA + ":1-8," + uuidB + ":1")
		d := Decide(*o)
		if got := d.Status.Nodes[0]; !strings.Contains(got.Message, uuidA+":9-10") || got.Health != Unhealthy {
			t.Errorf("the old primary is %+v", got)
		}
	})
}

// stuckFailover is a cluster of three whose primary is lost, and whose failover to node 1 waits for node 2; somebody has then forced one to the
// given node.
func stuckFailover(to string) *Observed {
	o := healthy(3)
	o.Record.Primary, o.Record.Term = nodeName(1), 4
	o.Record.Operation = &Operation{
		UID: "forced", Kind: KindFailover, Forced: true, RequestedBy: "bob", From: nodeName(0), To: to, Term: 4, Acks: 1, Phase: PhaseRequested, StartedAt: noon,
	}
	o.Nodes[0].Connected = false
	o.Nodes[1].State = started(theTx)
	o.Nodes[2].Connected = false
	return o
}

func TestForcedFailoverOvertakesAStuckOne(t *testing.T) {
	for _, to := range []string{nodeName(1), ""} {
		d := Decide(*stuckFailover(to))
		if d.Record == nil || d.Record.Primary != nodeName(1) || d.Record.Term != 5 || d.Record.RequiredAcks != 0 {
			t.Fatalf("forced to %q: the record is %+v", to, d.Record)
		}
		o := stuckFailover(to)
		o.Record = *d.Record
		if got := orderTo(t, Decide(*o), 1); got.Kind != api.OrderPromote || got.ReadOnly {
			t.Errorf("forced to %q: the order is %+v", to, got)
		}
	}
}

// While the target of a forced failover does not answer, the recorded primary is as little safe as before, also when the request is given up.
func TestForcedRequestDoesNotMakeThePendingPrimarySafe(t *testing.T) {
	o := stuckFailover(nodeName(2))
	d := Decide(*o)
	wantNoRecord(t, d)
	if got := orderTo(t, d, 1); got.Kind != api.OrderPromote || !got.ReadOnly {
		t.Errorf("the order is %+v", got)
	}
	o.Now = noon.Add(requestTimeout + time.Second)
	d = Decide(*o)
	if d.Record == nil || d.Ended == nil || d.Ended.Outcome != OutcomeGivenUp {
		t.Fatalf("the record is %+v, ended %+v", d.Record, d.Ended)
	}
	o.Record = *d.Record
	if got := orderTo(t, Decide(*o), 1); got.Kind != api.OrderPromote || !got.ReadOnly {
		t.Errorf("after the request was given up, the order is %+v", got)
	}
}
