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

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// kept makes the node one with a volume of an earlier cluster, which reports these transactions.
func kept(n *Node, executed string) {
	n.VolumeKept = true
	n.State = started(executed)
	n.State.ClusterUID, n.State.Term = "earlier-cluster", 99
}

func TestBootstrapRecordsThenInitializesThenRecordsThenPromotes(t *testing.T) {
	o := fresh(3)
	d := Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 1})

	o.Record = *d.Record
	d = Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d, nodeName(0)+" Initialize")
	if got := orderTo(t, d, 0); got.Term != 1 || got.ClusterUID != myUID {
		t.Errorf("the order is %+v", got)
	}

	o.Nodes[0].State = &api.State{Phase: api.PhaseInitializing, Term: 1, ClusterUID: myUID}
	d = Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)

	o.Nodes[0].State = started("")
	o.Nodes[0].State.Term = 1
	d = Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 1, Initialized: true, RequiredAcks: 1, Members: members(0)})

	o.Record = *d.Record
	d = Decide(*o)
	wantOrders(t, d, nodeName(0)+" Promote")
	if got := orderTo(t, d, 0); got.RequiredAcks != 1 || got.ReadOnly {
		t.Errorf("the order is %+v", got)
	}
}

func TestBootstrapWaitsForNode0(t *testing.T) {
	o := fresh(3)
	o.Nodes[0].Connected = false
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	if !strings.Contains(d.Status.Phase, nodeName(0)) {
		t.Errorf("the phase does not say what is waited for: %s", d.Status.Phase)
	}
}

func TestBootstrapWithPreferredOpensWithoutWaiting(t *testing.T) {
	o := fresh(2)
	o.Record = Record{Primary: nodeName(0), Term: 1}
	o.Nodes[0].State = started("")
	o.Nodes[0].State.Term = 1
	d := Decide(*o)
	wantRecord(t, d, Record{Primary: nodeName(0), Term: 1, Initialized: true, Members: members(0)})
	o.Record = *d.Record
	if got := orderTo(t, Decide(*o), 0); got.Kind != api.OrderPromote || got.RequiredAcks != 0 {
		t.Errorf("the order is %+v", got)
	}
}

// Safety rule 7: what may hold data is never initialised.
func TestBootstrapFromKeptVolumes(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(o *Observed)
		record  *Record
		reason  string
		message string
	}{
		"a node with a kept volume does not report": {
			change:  func(o *Observed) { o.Nodes[2].VolumeKept, o.Nodes[2].Connected = true, false },
			reason:  "Waiting",
			message: "db-mysql-2 to report",
		},
		"a kept volume turns out to be empty": {
			change: func(o *Observed) { o.Nodes[2].VolumeKept = true },
			record: &Record{Primary: nodeName(0), Term: 1},
		},
		"the node with everything becomes the primary": {
			change: func(o *Observed) { kept(&o.Nodes[0], uuidA+":1-5"); kept(&o.Nodes[2], uuidA+":1-9") },
			record: &Record{Primary: nodeName(2), Term: 1, Initialized: true, Members: members(2)},
		},
		"of equals, the first": {
			change: func(o *Observed) { kept(&o.Nodes[1], theTx); kept(&o.Nodes[2], theTx) },
			record: &Record{Primary: nodeName(1), Term: 1, Initialized: true, Members: members(1)},
		},
		"no node has everything": {
			change:  func(o *Observed) { kept(&o.Nodes[0], uuidA+":1-5"); kept(&o.Nodes[1], uuidB+":1-5") },
			reason:  reasonIncomparable,
			message: "db-mysql-0 lacks " + uuidB + ":1-5",
		},
		"what was received counts": {
			change: func(o *Observed) {
				kept(&o.Nodes[0], uuidA+":1-5")
				kept(&o.Nodes[1], uuidA+":1-4")
				o.Nodes[1].State.Replication = &api.Replication{GTIDRetrieved: uuidA + ":3-6"}
			},
			reason:  reasonIncomparable,
			message: "run `kubectl delete pvc data-db-mysql-0 --wait=false`, then `kubectl delete pod db-mysql-0`",
		},
		"MySQL of a node with data does not answer yet": {
			change: func(o *Observed) {
				kept(&o.Nodes[0], theTx)
				kept(&o.Nodes[1], "")
				o.Nodes[1].State.Phase = api.PhaseStarting
			},
			reason:  "Waiting",
			message: "db-mysql-1 to report",
		},
		"there are more kept volumes than nodes": {
			change: func(o *Observed) {
				o.Nodes = append(o.Nodes, Node{Name: nodeName(3), Ordinal: 3, VolumeExists: true, VolumeKept: true})
			},
			reason:  reasonVolumesUnused,
			message: "Set spec.replicas to 4 so that they are all looked at, or delete the PersistentVolumeClaims that are not needed: data-db-mysql-3",
		},
		"the node that was to be initialised is empty, another one has data": {
			change: func(o *Observed) {
				o.Record = Record{Primary: nodeName(0), Term: 1}
				o.Nodes[1].State = started(theTx)
				o.Nodes[1].State.Term = 0
			},
			record: &Record{Primary: nodeName(1), Term: 2, Initialized: true, Members: members(1)},
		},
		"the status was lost": {
			change: func(o *Observed) {
				for i := range o.Nodes {
					o.Nodes[i].State = started(theTx)
				}
			},
			record: &Record{Primary: nodeName(0), Term: 4, Initialized: true, Members: members(0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := fresh(3)
			test.change(o)
			d := Decide(*o)
			wantOrders(t, d)
			if test.record != nil {
				wantRecord(t, d, *test.record)
				return
			}
			wantNoRecord(t, d)
			if got := d.Status.Initialized; got.True || got.Reason != test.reason || !strings.Contains(got.Message, test.message) {
				t.Errorf("the verdict is %+v, wanted %s: … %s", got, test.reason, test.message)
			}
		})
	}
}

func TestInitializedClusterIsNeverInitializedAgain(t *testing.T) {
	o := fresh(3)
	o.Record = Record{Primary: nodeName(0), Term: 1, RequiredAcks: 1, Initialized: true, Members: members(0, 1, 2)}
	d := Decide(*o)
	wantNoRecord(t, d)
	wantOrders(t, d)
	if got := d.Status.Ready; got.Reason != reasonNoData || !strings.Contains(d.Status.Phase, "delete the MysqlCluster") {
		t.Errorf("it is not said what happened: %+v; %s", got, d.Status.Phase)
	}
}

func TestRecordThatIsBehindIsBroughtUpToDate(t *testing.T) {
	behind := func() *Observed {
		o := healthy(3)
		o.Record.Term, o.Record.Primary = 2, nodeName(2)
		return o
	}
	t.Run("the writable primary of the highest term stays, and nothing is counted on yet", func(t *testing.T) {
		wantRecord(t, Decide(*behind()), Record{Primary: nodeName(0), Term: 4, Initialized: true, Members: members(0, 1, 2)})
	})
	t.Run("what was under way is given up", func(t *testing.T) {
		o := behind()
		o.Record.Operation = &Operation{UID: "op", Kind: KindSwitchover, From: nodeName(1), To: nodeName(2), Term: 2}
		d := Decide(*o)
		wantRecord(t, d, Record{Primary: nodeName(0), Term: 4, Initialized: true, Members: members(0, 1, 2)})
		wantEnded(t, d, OutcomeGivenUp, "the nodes have accepted term 3")
	})
	t.Run("without one, the node with everything is chosen", func(t *testing.T) {
		o := behind()
		for i, executed := range []string{uuidA + ":1-5", theTx, uuidA + ":1-5"} {
			o.Nodes[i].State = started(executed)
		}
		d := Decide(*o)
		if d.Record == nil || d.Record.Operation == nil {
			t.Fatalf("the record is %+v", d.Record)
		}
		// Any of the others may take writes still.
		if op := d.Record.Operation; op.From != nodeName(0) || !slices.Equal(op.Via, []string{nodeName(2)}) || op.Term != 4 || op.To != nodeName(1) {
			t.Errorf("the operation is %+v", op)
		}
		d.Record.Operation = nil
		wantRecord(t, d, Record{Primary: nodeName(1), Term: 4, Initialized: true, Members: members(0, 1, 2)})
	})
	t.Run("but only when all report", func(t *testing.T) {
		o := behind()
		for i := range o.Nodes {
			o.Nodes[i].State = started(theTx)
		}
		o.Nodes[2].Connected = false
		d := Decide(*o)
		wantNoRecord(t, d)
		wantOrders(t, d)
		if d.Status.Ready.Reason != reasonRecordBehind {
			t.Errorf("the verdict is %+v", d.Status.Ready)
		}
	})
	t.Run("terms of another cluster mean nothing", func(t *testing.T) {
		o := healthy(3)
		o.Nodes[2].State.ClusterUID, o.Nodes[2].State.Term = "earlier-cluster", 50
		wantNoRecord(t, Decide(*o))
	})
}
