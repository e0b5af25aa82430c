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

func TestHealthyClusterIsLeftAlone(t *testing.T) {
	for replicas := 1; replicas <= 5; replicas++ {
		d := Decide(*healthy(replicas))
		wantNoRecord(t, d)
		wantOrders(t, d)
		if !d.Status.Ready.True || d.Status.Phase != "Ready" || d.Status.ReadyNodes != replicas || d.Size != replicas || d.Replace != "" {
			t.Errorf("%d replicas: %+v", replicas, d)
		}
		if d.Status.Progressing.True || d.Status.ReadOnly.True || !d.Status.Initialized.True {
			t.Errorf("%d replicas: %+v", replicas, d.Status)
		}
	}
}

// Each deviation of a node leads to the order that mends it, and to no other.
func TestOrdersMendWhatDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		want   []string
	}{
		"primary restarted":            {func(o *Observed) { o.Nodes[0].State.Role, o.Nodes[0].State.SuperReadOnly = api.RoleNone, true }, []string{nodeName(0) + " Promote"}},
		"primary of an older term":     {func(o *Observed) { o.Nodes[0].State.Term = 2 }, []string{nodeName(0) + " Promote"}},
		"primary demands too little":   {func(o *Observed) { o.Nodes[0].State.SemiSync.RequiredAcks = 5 }, []string{nodeName(0) + " Promote"}},
		"primary without semi-sync":    {func(o *Observed) { o.Nodes[0].State.SemiSync.SourceEnabled = false }, []string{nodeName(0) + " Promote"}},
		"primary closed, replicas are": {func(o *Observed) { o.Nodes[0].State.SuperReadOnly = true }, []string{nodeName(0) + " Promote"}},
		"primary closed, no replicas": {func(o *Observed) {
			o.Nodes[0].State.SuperReadOnly, o.Nodes[0].State.SemiSync.Clients = true, 0
		}, nil},
		"primary silent": {func(o *Observed) { o.Nodes[0].Connected = false }, nil},
		"primary starting": {func(o *Observed) {
			o.Nodes[0].State.Phase, o.Nodes[0].Memory.HeardSince = api.PhaseStarting, noon.Add(-time.Second)
		}, nil},
		"primary being deleted":     {func(o *Observed) { o.Nodes[0].State.Role, o.Nodes[0].Terminating = api.RoleNone, true }, nil},
		"read-only is wanted":       {func(o *Observed) { o.Spec.ReadOnly = true }, []string{nodeName(0) + " Promote"}},
		"replica restarted":         {func(o *Observed) { o.Nodes[1].State = started(theTx) }, []string{nodeName(1) + " Follow"}},
		"replica of an older term":  {func(o *Observed) { o.Nodes[1].State.Term = 2 }, []string{nodeName(1) + " Follow"}},
		"replica of another source": {func(o *Observed) { o.Nodes[1].State.Replication.SourceHost = nodeName(2) }, []string{nodeName(1) + " Follow"}},
		"receiver stopped":          {func(o *Observed) { o.Nodes[1].State.Replication.ReceiverState = api.ReceiverOff }, []string{nodeName(1) + " Follow"}},
		"applier stopped":           {func(o *Observed) { o.Nodes[1].State.Replication.ApplierRunning = false }, []string{nodeName(1) + " Follow"}},
		"replica takes writes":      {func(o *Observed) { o.Nodes[1].State.SuperReadOnly = false }, []string{nodeName(1) + " Follow"}},
		"receiver connecting":       {func(o *Observed) { o.Nodes[1].State.Replication.ReceiverState = "CONNECTING" }, nil},
		"replica silent":            {func(o *Observed) { o.Nodes[1].State, o.Nodes[1].Connected = started(theTx), false }, nil},
		"replica restarted while the primary is silent": {func(o *Observed) {
			o.Nodes[0].Connected, o.Nodes[1].State = false, started(theTx)
		}, nil},
		"replica lost its volume": {func(o *Observed) { o.Nodes[2].State = emptyNode(2).State }, []string{nodeName(2) + " Clone"}},
		"foreign transactions":    {func(o *Observed) { o.Nodes[1].State = started(uuidB + ":1") }, nil},
		"foreign transactions, and takes writes": {func(o *Observed) {
			o.Nodes[1].State = started(uuidB + ":1")
			o.Nodes[1].State.SuperReadOnly = false
		}, []string{nodeName(1) + " Demote"}},
		"ahead of the primary's last report": {func(o *Observed) { o.Nodes[1].State = started(uuidA + ":1-11") }, []string{nodeName(1) + " Follow"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			test.change(o)
			d := Decide(*o)
			wantNoRecord(t, d)
			wantOrders(t, d, test.want...)
		})
	}
}

// Safety rule 1: the second node is not opened before the first one is closed.
func TestPrimaryIsNotOpenedWhileAnotherNodeTakesWrites(t *testing.T) {
	o := healthy(3)
	o.Nodes[0].State = started(theTx)
	o.Nodes[0].State.ServerUUID = uuidA
	o.Nodes[1].State.SuperReadOnly = false
	d := Decide(*o)
	if got := orderTo(t, d, 0); got.Kind != api.OrderPromote || !got.ReadOnly {
		t.Errorf("the order is %+v", got)
	}
	if got := orderTo(t, d, 1); got.Kind != api.OrderFollow {
		t.Errorf("the order is %+v", got)
	}
	o.Nodes[0].State = primary(3)
	o.Nodes[0].State.SuperReadOnly = true
	wantOrders(t, Decide(*o), nodeName(1)+" Follow")
}

// Safety rule 6: what the primary lacks is not thrown away.
func TestErrantTransactionsAreNamed(t *testing.T) {
	o := healthy(3)
	o.Nodes[2].State = started(theTx + "," + uuidB + ":7")
	d := Decide(*o)
	if got := d.Status.Nodes[2]; got.Health != Unhealthy || !strings.Contains(got.Message, uuidB+":7") ||
		!strings.Contains(got.Message, "`kubectl delete pvc data-db-mysql-2 --wait=false`, then `kubectl delete pod db-mysql-2`") {
		t.Errorf("the node is %+v", got)
	}
}

func TestCloneDonors(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		donor  string
	}{
		"a replica": {func(*Observed) {}, nodeName(1)},
		"another replica, which is not behind": {func(o *Observed) {
			lag := int64(60)
			o.Nodes[1].State.Replication.LagSeconds = &lag
		}, nodeName(3)},
		"another replica, which has no transactions of its own": {func(o *Observed) {
			o.Nodes[1].holds(theTx + "," + uuidC + ":1")
		}, nodeName(3)},
		"another replica, which is not joining": {func(o *Observed) { o.Nodes[1].State.Joining = true; o.Nodes[1].holds(uuidA + ":1-9") }, nodeName(3)},
		"the primary, when no replica is well":  {func(o *Observed) { o.Nodes[1].Connected, o.Nodes[3].Connected = false, false }, nodeName(0)},
		"nobody": {func(o *Observed) {
			o.Nodes[0].Connected, o.Nodes[1].Connected, o.Nodes[3].Connected = false, false, false
		}, ""},
		"nobody, while another clone runs": {func(o *Observed) { o.Nodes[3].State = &api.State{Phase: api.PhaseCloning} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(4)
			o.Nodes[2].State = emptyNode(2).State
			test.change(o)
			d := Decide(*o)
			for _, order := range d.Orders {
				if order.Order.Kind == api.OrderClone {
					if order.Node != nodeName(2) || order.Order.Source.Host != test.donor || order.Order.Discard {
						t.Errorf("the order is %+v", order)
					}
					return
				}
			}
			if test.donor != "" {
				t.Errorf("nothing is cloned: %s", d.Status.Phase)
			}
		})
	}
}

// An order is based on the report that it was decided by, so that the node can refuse it when something has happened since.
func TestOrdersCarryTheBasis(t *testing.T) {
	for name, test := range map[string]struct {
		o    *Observed
		want []string
	}{
		"Initialize": {func() *Observed {
			o := fresh(3)
			o.Record = Record{Primary: nodeName(0), Term: 3}
			return o
		}(), []string{nodeName(0) + " Initialize"}},
		"Promote, Follow, Clone": {func() *Observed {
			o := healthy(4)
			o.Nodes[0].State.SemiSync.SourceEnabled = false
			o.Nodes[1].State.Replication.ReceiverState = api.ReceiverOff
			o.Nodes[2].State = emptyNode(2).State
			return o
		}(), []string{nodeName(0) + " Promote", nodeName(1) + " Follow", nodeName(2) + " Clone"}},
		"Demote": {func() *Observed {
			o := healthy(3)
			o.Nodes[1].State = started(uuidB + ":1")
			o.Nodes[1].State.SuperReadOnly = false
			return o
		}(), []string{nodeName(1) + " Demote"}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range test.o.Nodes {
				test.o.Nodes[i].State.Basis = "basis of " + nodeName(i)
			}
			d := Decide(*test.o)
			wantOrders(t, d, test.want...)
			for _, o := range d.Orders {
				if o.Order.Basis != "basis of "+o.Node || o.Order.Term != 3 || o.Order.ClusterUID != myUID {
					t.Errorf("the order is %+v", o)
				}
			}
		})
	}
}
