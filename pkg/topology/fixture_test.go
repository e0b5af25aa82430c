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
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

const (
	uuidA = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuidB = "7c2f1e58-71ca-11e1-9e33-c80aa9429562"
	uuidC = "aa0d6f7c-71ca-11e1-9e33-c80aa9429562"
	myUID = "this-cluster"
	theTx = uuidA + ":1-10"
	// wantedHash is the configuration that the pods should have.
	wantedHash = "wanted"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func nodeName(ordinal int) string { return fmt.Sprintf("db-mysql-%d", ordinal) }

func members(ordinals ...int) []string {
	var names []string
	for _, i := range ordinals {
		names = append(names, nodeName(i))
	}
	return names
}

// fresh is a cluster whose pods run and wait for orders, on new volumes.
func fresh(replicas int) *Observed {
	o := &Observed{
		Now: noon, ClusterUID: myUID, Size: replicas, TemplateApplied: true,
		Spec: Spec{Replicas: replicas, Durability: EffectiveDurability(replicas, DurabilityNone), ConfigHash: wantedHash},
	}
	for i := range replicas {
		o.Nodes = append(o.Nodes, emptyNode(i))
	}
	return o
}

func emptyNode(ordinal int) Node {
	return Node{
		Name: nodeName(ordinal), Ordinal: ordinal, Host: nodeName(ordinal), Exists: true, PodUID: "pod", ConfigHash: wantedHash, VolumeExists: true,
		Connected: true, State: &api.State{Node: nodeName(ordinal), Phase: api.PhaseEmpty},
		Memory: Memory{HeardSince: noon.Add(-time.Hour), HeardAt: noon},
	}
}

// healthy is a cluster in which everything is as it should be, node 0 being the primary of term 3.
func healthy(replicas int) *Observed {
	o := fresh(replicas)
	o.Record = Record{Primary: nodeName(0), Term: 3, RequiredAcks: requiredAcks(replicas), Initialized: true}
	for i := range o.Nodes {
		o.Record.Members = append(o.Record.Members, nodeName(i))
		o.Nodes[i].Ready = true
		o.Nodes[i].State = replica()
		o.Nodes[i].Memory.Settled = true
	}
	if replicas > 0 {
		o.Nodes[0].State = primary(replicas)
	}
	return o
}

func primary(replicas int) *api.State {
	acks := requiredAcks(replicas)
	return &api.State{
		ClusterUID: myUID, Phase: api.PhaseRunning, HasData: true, Term: 3, Role: api.RolePrimary, ServerUUID: uuidA, GTIDExecuted: theTx,
		SemiSync: api.SemiSync{SourceEnabled: acks > 0, RequiredAcks: acks, Clients: replicas - 1},
	}
}

func replica() *api.State {
	lag := int64(0)
	return &api.State{
		ClusterUID: myUID, Phase: api.PhaseRunning, HasData: true, Term: 3, Role: api.RoleReplica, ServerUUID: uuidB, GTIDExecuted: theTx, SuperReadOnly: true,
		Replication: &api.Replication{
			SourceHost: nodeName(0), SourcePort: api.AdminPort, ReceiverState: api.ReceiverOn, ApplierRunning: true, LagSeconds: &lag,
			GTIDRetrieved: theTx,
		},
		SemiSync: api.SemiSync{ReplicaEnabled: true},
	}
}

// started is the state of a node with data whose MySQL has just started: nothing is known of its role.
func started(executed string) *api.State {
	return &api.State{ClusterUID: myUID, Phase: api.PhaseRunning, HasData: true, Term: 3, ServerUUID: uuidB, GTIDExecuted: executed, SuperReadOnly: true}
}

// orphaned is a healthy cluster whose primary, node 0, is silent, and whose replicas have lost it.
func orphaned(replicas int) *Observed {
	o := healthy(replicas)
	o.Nodes[0].Connected = false
	for i := range o.Nodes[1:] {
		o.Nodes[i+1].State.Replication.ReceiverState = api.ReceiverConnecting
	}
	return o
}

// failedOver is a cluster whose node 1 has been recorded as the primary of term 4, after node 0 was lost; all others have obeyed, and node 1
// can be opened.
func failedOver(replicas int) *Observed {
	o := orphaned(replicas)
	o.Record.Primary, o.Record.Term = nodeName(1), 4
	o.Record.Operation = &Operation{
		UID: "op", Kind: KindFailover, From: nodeName(0), To: nodeName(1), Term: 4, Acks: o.Record.RequiredAcks, Phase: PhasePromoting,
		StartedAt: noon.Add(-time.Second), Steps: []OperationStep{{PhasePromoting, noon.Add(-time.Second)}},
	}
	for i := range o.Nodes[1:] {
		o.Nodes[i+1].State = replica()
		o.Nodes[i+1].follows(1, 4)
	}
	o.Nodes[1].State = primary(replicas)
	o.Nodes[1].State.ServerUUID, o.Nodes[1].State.Term, o.Nodes[1].State.SuperReadOnly = uuidB, 4, true
	o.Nodes[1].State.SemiSync.Clients = replicas - 2
	return o
}

// follows makes the node a replica of another one, connected, in that term.
func (n *Node) follows(source int, term int64) {
	n.State.Replication.SourceHost, n.State.Replication.ReceiverState, n.State.Term = nodeName(source), api.ReceiverOn, term
}

// holds makes the node one that has executed these transactions, and received them if it is a replica.
func (n *Node) holds(executed string) {
	n.State.GTIDExecuted = executed
	if n.State.Replication != nil {
		n.State.Replication.GTIDRetrieved = executed
	}
}

func (n *Node) lags(seconds int64) { n.State.Replication.LagSeconds = &seconds }

// kinds are the orders of a decision, as "node kind".
func kinds(d Decision) []string {
	var list []string
	for _, o := range d.Orders {
		list = append(list, o.Node+" "+string(o.Order.Kind))
	}
	return list
}

func orderTo(t *testing.T, d Decision, ordinal int) api.Order {
	t.Helper()
	for _, o := range d.Orders {
		if o.Node == nodeName(ordinal) {
			return o.Order
		}
	}
	t.Fatalf("no order for %s among %v; %s", nodeName(ordinal), kinds(d), d.Status.Phase)
	return api.Order{}
}

func wantOrders(t *testing.T, d Decision, want ...string) {
	t.Helper()
	if got := kinds(d); !slices.Equal(got, want) {
		t.Errorf("the orders are %q instead of %q; %s", got, want, d.Status.Phase)
	}
}

func wantRecord(t *testing.T, d Decision, want Record) {
	t.Helper()
	if d.Record == nil {
		t.Fatalf("no record; %s", d.Status.Phase)
	}
	if !reflect.DeepEqual(*d.Record, want) {
		t.Errorf("the record is %+v instead of %+v", *d.Record, want)
	}
	if len(d.Orders) > 0 || d.Replace != "" || len(d.ReleaseVolumes) > 0 {
		t.Errorf("rule 2: something is done along with a record: %+v", d)
	}
}

func wantNoRecord(t *testing.T, d Decision) {
	t.Helper()
	if d.Record != nil {
		t.Errorf("a record is wanted: %+v", *d.Record)
	}
}

// wantOperation is the operation that begins, or goes on, with the record that is wanted: from one node to another in the next term.
func wantOperation(t *testing.T, d Decision, kind OperationKind, phase OperationPhase, from, to int) *Operation {
	t.Helper()
	if d.Record == nil || d.Record.Operation == nil {
		t.Fatalf("no operation begins: record %+v; %s", d.Record, d.Status.Phase)
	}
	op, r := d.Record.Operation, d.Record
	if op.Kind != kind || op.Phase != phase || op.From != nodeName(from) || op.To != nodeName(to) || op.Term != r.Term {
		t.Errorf("the operation is %+v", op)
	}
	if r.Primary != nodeName(to) && phase != PhaseReturning {
		t.Errorf("the record is %+v", r)
	}
	if len(d.Orders) > 0 || d.Replace != "" {
		t.Errorf("rule 2: something is done along with a record: %+v", d)
	}
	return op
}

// wantEnded is the operation that ends with the record that is wanted.
func wantEnded(t *testing.T, d Decision, outcome OperationOutcome, message string) {
	t.Helper()
	if d.Record == nil || d.Record.Operation != nil {
		t.Errorf("the record is %+v; %s", d.Record, d.Status.Phase)
	}
	if op := d.Ended; op == nil || op.Outcome != outcome || !strings.Contains(op.Message, message) || op.Phase != PhaseCompleted || !op.EndedAt.Equal(noon) {
		t.Errorf("ended is %+v instead of %s: … %s", op, outcome, message)
	}
}
