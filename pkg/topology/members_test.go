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

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Whoever may acknowledge commits is counted before it can: an election that overlooks one could lose what only that one holds.
func TestMembersAreRecordedBeforeTheyFollow(t *testing.T) {
	grown := func() *Observed {
		o := healthy(2)
		o.Spec.Replicas, o.Size = 3, 3
		o.Nodes = append(o.Nodes, emptyNode(2))
		return o
	}
	o := grown()
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d, nodeName(2)+" Clone")

	o.Nodes[2].State = started(theTx)
	o.Nodes[2].State.Joining = true
	d = Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2)})
	o.Record = *d.Record
	wantOrders(t, Decide(*o), nodeName(2)+" Follow")

	t.Run("also when MySQL does not answer yet, or the primary is lost", func(t *testing.T) {
		o := grown()
		o.Nodes[2].State = started(theTx)
		o.Nodes[2].State.Phase, o.Nodes[2].State.HasData = api.PhaseStarting, true
		o.Nodes[0].State.Phase, o.Nodes[0].State.LastExit = api.PhaseStopped, "signal: killed"
		wantRecord(t, Decide(*o), Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2)})
	})
	t.Run("also with a change of the primary under way", func(t *testing.T) {
		o := failedOver(3)
		o.Record.Members = members(0, 1)
		d := Decide(*o)
		if d.Record == nil || !slices.Equal(d.Record.Members, members(0, 1, 2)) || d.Record.Primary != nodeName(1) || d.Record.Operation != o.Record.Operation {
			t.Errorf("the record is %+v", d.Record)
		}
	})
	t.Run("all that are there, if none were recorded", func(t *testing.T) {
		o := healthy(3)
		o.Record.Members = nil
		o.Nodes[1].State = emptyNode(1).State
		o.Nodes[2].Exists, o.Nodes[2].Connected, o.Nodes[2].State = false, false, nil
		wantRecord(t, Decide(*o), Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2)})
		o.Nodes[2].VolumeExists = false
		wantRecord(t, Decide(*o), Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1)})
	})
	t.Run("the primary in any case", func(t *testing.T) {
		o := healthy(3)
		o.Record.Members = members(1, 2)
		o.Nodes[0] = Node{Name: nodeName(0), Ordinal: 0}
		d := Decide(*o)
		if d.Record == nil || !slices.Equal(d.Record.Members, members(0, 1, 2)) {
			t.Errorf("the record is %+v", d.Record)
		}
	})
}

// A member is forgotten when it has been removed and nothing is counted on; never because it is away, or has lost its data.
func TestMembersStayUntilNothingIsCountedOn(t *testing.T) {
	removed := func() *Observed {
		o := healthy(2)
		o.Record.Members, o.Record.RequiredAcks = members(0, 1, 2), 0
		o.Nodes[0].Memory.Settled = false
		o.Nodes = append(o.Nodes, Node{Name: nodeName(2), Ordinal: 2, VolumeExists: true})
		return o
	}
	forgotten := Record{Primary: nodeName(0), Term: 3, Initialized: true, Members: members(0, 1)}
	wantRecord(t, Decide(*removed()), forgotten)
	o := removed()
	o.Nodes = o.Nodes[:2]
	wantRecord(t, Decide(*o), forgotten)

	for name, change := range map[string]func(o *Observed){
		"something is counted on": func(o *Observed) { o.Record.RequiredAcks = 1 },
		"it still has a pod":      func(o *Observed) { o.Nodes[2].Exists = true },
		"it was not removed":      func(o *Observed) { o.Size = 3 },
		"it has lost its data":    func(o *Observed) { o.Size = 3; o.Nodes[2] = emptyNode(2) },
		"the primary is changing": func(o *Observed) {
			o.Record.Operation = &Operation{UID: "op", Kind: KindFailover, From: nodeName(1), To: nodeName(0), Term: 3, Phase: PhasePromoting}
			o.Nodes[0].State.SuperReadOnly = true
		},
	} {
		o := removed()
		change(o)
		if d := Decide(*o); d.Record != nil && !slices.Contains(d.Record.Members, nodeName(2)) {
			t.Errorf("%s: it is forgotten: %+v", name, d.Record)
		}
	}

	t.Run("the primary never", func(t *testing.T) {
		o := removed()
		o.Record.Primary = nodeName(2)
		o.Nodes = o.Nodes[:2]
		if d := Decide(*o); d.Record != nil && !slices.Contains(d.Record.Members, nodeName(2)) {
			t.Errorf("it is forgotten: %+v", d.Record)
		}
	})
}
