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
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func resized(from, to int) *Observed {
	o := healthy(from)
	o.Spec.Replicas = to
	o.Spec.Durability = EffectiveDurability(to, DurabilityNone)
	for i := from; i < to; i++ {
		o.Nodes = append(o.Nodes, Node{Name: nodeName(i), Ordinal: i})
	}
	return o
}

func TestGrowingIsDoneAtOnce(t *testing.T) {
	if d := Decide(*resized(2, 4)); d.Size != 4 {
		t.Errorf("the size is %d", d.Size)
	}
}

func TestShrinkingLowersTheRecordFirst(t *testing.T) {
	o := resized(5, 3)
	d := Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2, 3, 4)})

	o.Record = *d.Record
	d = Decide(*o)
	wantOrders(t, d, nodeName(0)+" Promote")
	if d.Size != 5 {
		t.Errorf("nodes are removed while the primary demands more acknowledgements than the rest can give: size %d", d.Size)
	}

	// What the removed nodes hold does not count any more, while the demand stays.
	o.Nodes[0].State.SemiSync.RequiredAcks = 1
	d = Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, Initialized: true, Members: members(0, 1, 2, 3, 4)})

	o.Record = *d.Record
	d = Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	if d.Size != 3 {
		t.Errorf("the size is %d", d.Size)
	}

	o.Size = 3
	d = Decide(*o)
	wantNoRecord(t, d)
	if len(d.ReleaseVolumes) > 0 {
		t.Errorf("rule 7: volumes of nodes that still run are deleted: %v", d.ReleaseVolumes)
	}

	for i := 3; i < 5; i++ {
		o.Nodes[i] = Node{Name: nodeName(i), Ordinal: i, VolumeExists: true}
	}
	d = Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, Initialized: true, Members: members(0, 1, 2)})

	o.Record = *d.Record
	d = Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 3, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2)})

	o.Record = *d.Record
	if d = Decide(*o); !slices.Equal(d.ReleaseVolumes, []string{nodeName(3), nodeName(4)}) || !d.Status.Ready.True {
		t.Errorf("volumes %v; %s", d.ReleaseVolumes, d.Status.Phase)
	}
}

// Safety rule 3: the nodes that stay have to be able to confirm commits before others go.
func TestShrinkingWaitsForTheNodesThatStay(t *testing.T) {
	for name, change := range map[string]func(n *Node){
		"it is behind":      func(n *Node) { n.State.Replication.LagSeconds = ptr.To[int64](maxCaughtUpLag + 1) },
		"it is away":        func(n *Node) { n.Connected = false },
		"it is not running": func(n *Node) { n.State.Phase = api.PhaseStopped },
	} {
		t.Run(name, func(t *testing.T) {
			o := resized(3, 2)
			change(&o.Nodes[1])
			d := Decide(*o)
			wantNoRecord(t, d)
			if d.Size != 3 {
				t.Errorf("the only node that confirms commits is removed: size %d", d.Size)
			}
		})
	}
}

// Safety rule 7: data are not removed by accident.
func TestVolumesAreReleasedOnlyWhenTheClusterIsHealthyWithoutThem(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		want   []string
	}{
		"healthy":                  {func(*Observed) {}, []string{nodeName(2)}},
		"a replica is unwell":      {func(o *Observed) { o.Nodes[1].Connected = false }, nil},
		"the primary is unwell":    {func(o *Observed) { o.Nodes[0].State.SuperReadOnly = true }, nil},
		"a pod is being deleted":   {func(o *Observed) { o.Nodes[1].Terminating = true }, nil},
		"the volume was not ours":  {func(o *Observed) { o.Nodes[2].VolumeKept = true }, nil},
		"the node still has a pod": {func(o *Observed) { o.Nodes[2].Exists = true }, nil},
		"the set was not resized":  {func(o *Observed) { o.Size = 3 }, nil},
		"all nodes are stopped":    {func(o *Observed) { o.Spec.Replicas = 0 }, nil},
		"the others may not hold all commits yet": {func(o *Observed) {
			o.Record.RequiredAcks = 0
			o.Nodes[0].Memory.Settled = false // so the record can not be raised yet
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(2)
			o.Nodes = append(o.Nodes, Node{Name: nodeName(2), Ordinal: 2, VolumeExists: true})
			test.change(o)
			if d := Decide(*o); !slices.Equal(d.ReleaseVolumes, test.want) {
				t.Errorf("%v instead of %v", d.ReleaseVolumes, test.want)
			}
		})
	}
}

func TestPrimaryIsNeverRemovedByShrinking(t *testing.T) {
	o := healthy(3)
	o.Nodes[0].State, o.Nodes[2].State = replica(), primary(3)
	o.Nodes[2].State.ServerUUID = uuidA
	for i := range 2 {
		o.Nodes[i].State.Replication.SourceHost = nodeName(2)
	}
	o.Record.Primary, o.Record.RequiredAcks = nodeName(2), 0
	o.Nodes[2].State.SemiSync.SourceEnabled = false
	o.Spec.Replicas, o.Spec.Durability = 1, DurabilityNone
	o.Nodes[1].Connected = false
	lag := int64(handOverLag + 1)
	o.Nodes[0].State.Replication.LagSeconds = &lag
	d := Decide(*o)
	wantNoRecord(t, d)
	if d.Size != 3 {
		t.Errorf("the size is %d", d.Size)
	}
	if got := d.Status.Progressing; !strings.Contains(got.Message, nodeName(2)+" is the primary") {
		t.Errorf("it is not said why: %+v", got)
	}

	o.Nodes[0].State.Replication.LagSeconds = ptr.To[int64](0)
	d = Decide(*o)
	op := wantOperation(t, d, KindSwitchover, PhaseSteppingDown, 2, 0)
	if d.Size != 3 || op.Reason != "its node is to be removed" {
		t.Errorf("size %d, reason %s", d.Size, op.Reason)
	}
	o.Record = *d.Record
	if d = Decide(*o); d.Size != 3 {
		t.Errorf("nodes are removed while the primary changes: size %d", d.Size)
	}
}

func TestKeptVolumeIsAdoptedOnceItsNodeBelongsToTheCluster(t *testing.T) {
	o := healthy(3)
	o.Nodes[1].VolumeKept, o.Nodes[2].VolumeKept = true, true
	o.Nodes[2].State.ClusterUID = "earlier-cluster"
	if d := Decide(*o); !slices.Equal(d.AdoptVolumes, []string{nodeName(1)}) {
		t.Errorf("%v are adopted", d.AdoptVolumes)
	}
}
