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
)

// A new primary that can not be opened gives way to a node that turns out to have received more.
func TestBetterNodeReplacesTheOneThatWasChosen(t *testing.T) {
	const ahead = uuidA + ":1-11"
	for name, test := range map[string]struct {
		change func(o *Observed)
		to     int
	}{
		"another one has more": {func(o *Observed) { o.Nodes[2].holds(ahead) }, 2},
		"the old one has more": {func(o *Observed) {
			o.Nodes[0].Connected, o.Nodes[0].State = true, started(ahead)
			o.Nodes[0].State.ServerUUID, o.Nodes[0].State.Term = uuidA, 4
			o.Nodes[2].Connected = false
		}, 0},
		"it has the same":              {func(o *Observed) { o.Nodes[2].Connected = false }, -1},
		"it has not obeyed":            {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[2].State.Term = 3 }, -1},
		"it is about to obey":          {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[2].State.Obeying = true }, -1},
		"it still hears the old one":   {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[2].follows(0, 4) }, -1},
		"it takes writes":              {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[2].State.SuperReadOnly = false }, -1},
		"it has lost its data once":    {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[2].State.Joining = true }, -1},
		"it is not known to have more": {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[1].State.GTIDExecuted = "?" }, -1},
		"it has the new one's first commits, which that one has not told of yet": {func(o *Observed) {
			o.Nodes[2].holds(theTx + "," + uuidB + ":1")
		}, -1},
		"the chosen one was forced":        {func(o *Observed) { o.Nodes[2].holds(ahead); o.Record.Operation.Forced = true }, -2},
		"it lacks what the chosen one has": {func(o *Observed) { o.Nodes[2].holds(ahead); o.Nodes[1].holds(theTx + "," + uuidB + ":1") }, -1},
		"the chosen one is away": {func(o *Observed) {
			o.Nodes[2].holds(ahead)
			o.Nodes[1].Connected = false
			o.Nodes[1].Memory.HeardSince = noon
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			o := failedOver(3)
			test.change(o)
			d := Decide(*o)
			if test.to == -2 {
				wantOpened(t, o)
				return
			}
			if test.to < 0 {
				if d.Record != nil && d.Record.Primary != nodeName(1) || opens(d) {
					t.Errorf("record %+v, orders %+v", d.Record, d.Orders)
				}
				return
			}
			op := wantOperation(t, d, KindFailover, PhasePromoting, 0, test.to)
			if d.Record.Term != 5 || op.Acks != 1 || len(op.Via) != 1 || op.Via[0] != nodeName(1) || op.UID != "op" || len(op.Steps) != 2 {
				t.Errorf("the operation is %+v", op)
			}
		})
	}
	t.Run("even if it could be opened, but for replicas", func(t *testing.T) {
		o := failedOver(5)
		o.Nodes[4].holds(ahead)
		o.Nodes[1].State.SemiSync.Clients = 1
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 4)
		o.Nodes[1].State.SemiSync.Clients = 2
		wantOpened(t, o)
	})
	t.Run("not for the first commits of the chosen one, which it has not told of yet", func(t *testing.T) {
		o := failedOver(4)
		for i := 2; i < 4; i++ {
			o.Nodes[i].holds(theTx + "," + uuidB + ":1")
		}
		wantNoRecord(t, Decide(*o))
	})
	t.Run("the best of several", func(t *testing.T) {
		o := failedOver(4)
		o.Nodes[2].holds(ahead)
		o.Nodes[3].holds(uuidA + ":1-12")
		wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 3)
		o.Nodes[3].holds(theTx + "," + uuidC + ":1") // neither has all that the other one has
		if d := Decide(*o); d.Record != nil || opens(d) {
			t.Errorf("record %+v, orders %+v", d.Record, d.Orders)
		}
	})
	t.Run("not one that lacks what the chosen one has, which has not obeyed yet", func(t *testing.T) {
		o := failedOver(3)
		o.Nodes[1].State.Term = 3
		o.Nodes[1].holds(ahead)
		o.Nodes[2].holds(theTx + "," + uuidC + ":1")
		if d := Decide(*o); d.Record != nil || opens(d) {
			t.Errorf("record %+v, orders %+v", d.Record, d.Orders)
		}
	})
	t.Run("all that may have been opened in between are remembered", func(t *testing.T) {
		o := failedOver(4)
		o.Record.Operation.Via, o.Nodes[1].State.SemiSync.Clients = members(3), 1
		o.Nodes[2].holds(ahead)
		op := wantOperation(t, Decide(*o), KindFailover, PhasePromoting, 0, 2)
		if !slices.Equal(op.Via, members(3, 1)) {
			t.Errorf("in between there were %v", op.Via)
		}
	})
	t.Run("an old primary that has never stepped down, if another one has taken writes in between", func(t *testing.T) {
		o := steppingDown()
		o.Now = noon.Add(switchoverTimeout)
		o.Record = *Decide(*o).Record
		for i := 1; i < 3; i++ {
			o.Nodes[i].follows(0, 5)
			o.Nodes[i].holds(theTx + "," + uuidC + ":1")
		}
		op := wantOperation(t, Decide(*o), KindSwitchover, PhasePromoting, 0, 1)
		if !slices.Equal(op.Via, members(1, 0)) {
			t.Errorf("in between there were %v", op.Via)
		}
	})
	t.Run("the target of a switchover, when the old primary is gone", func(t *testing.T) {
		o := steppedDown()
		o.Nodes[2].holds(ahead)
		if d := Decide(*o); d.Record != nil {
			t.Errorf("the record is %+v", d.Record)
		}
		o.Nodes[0].Connected = false
		op := wantOperation(t, Decide(*o), KindSwitchover, PhasePromoting, 0, 2)
		if op.UID != "asked" || op.Term != 5 {
			t.Errorf("the operation is %+v", op)
		}
	})
}
