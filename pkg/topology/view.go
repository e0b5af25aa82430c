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
	"cmp"
	"slices"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// view is an observation, prepared for the questions that the steps ask of it, and what they have found on their way.
type view struct {
	Observed
	nodes []*node
	// primary is the node that the record names, nil if it names none or there is no such node.
	primary *node

	// blocked says why no decision on roles can be made, and what a person should do, if so.
	blocked *Verdict
	// waiting says what the decision waits for.
	waiting string
	// noFailover says why the primary is lost and no other node takes its place, if so.
	noFailover string
	// ended is the operation that ends with the next record.
	ended *Operation
	// wake is when to decide again without being asked to.
	wake time.Duration
}

// node is a Node with its sets of transactions parsed.
type node struct {
	Node
	// executed is what the node has executed; received is executed and what it has received but not yet executed.
	executed, received gtid.Set
	// gtidErr is set when the node reported something that is not a set of transactions. Nothing may be decided from it.
	gtidErr error
}

func newView(o Observed) *view {
	v := &view{Observed: o}
	for _, n := range o.Nodes {
		v.nodes = append(v.nodes, newNode(n, o.ClusterUID))
	}
	slices.SortFunc(v.nodes, func(a, b *node) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	if o.Record.Primary != "" {
		v.primary = v.node(o.Record.Primary)
	}
	return v
}

func newNode(n Node, clusterUID string) *node {
	r := &node{Node: n}
	if n.State == nil {
		return r
	}
	if uid := n.State.ClusterUID; uid != "" && uid != clusterUID {
		// Its data were made by another cluster; that one's terms mean nothing here.
		state := *n.State
		state.Term = 0
		r.State = &state
	}
	r.executed, r.gtidErr = gtid.Parse(n.State.GTIDExecuted)
	r.received = r.executed
	if r.gtidErr == nil && n.State.Replication != nil {
		var retrieved gtid.Set
		retrieved, r.gtidErr = gtid.Parse(n.State.Replication.GTIDRetrieved)
		r.received = r.executed.Union(retrieved)
	}
	return r
}

// node is the node of that name, or nil.
func (v *view) node(name string) *node {
	for _, n := range v.nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// others are the nodes besides the recorded primary.
func (v *view) others() []*node {
	return slices.DeleteFunc(slices.Clone(v.nodes), func(n *node) bool { return n == v.primary })
}

// known is true when the node's state is known and up to date.
func (n *node) known() bool { return n != nil && n.Exists && n.Connected && n.State != nil }

// empty is true when the node is known to hold no data.
func (n *node) empty() bool { return n.known() && !n.State.HasData && n.State.Phase == api.PhaseEmpty }

// hasData is true when the node is known to hold data.
func (n *node) hasData() bool { return n.known() && n.State.HasData }

// running is true when the node holds data and its MySQL answers, so that its transactions are known.
func (n *node) running() bool {
	return n.hasData() && n.State.Phase == api.PhaseRunning && n.gtidErr == nil
}

// busy is true while data come into being on the node.
func (n *node) busy() bool {
	return n.known() && (n.State.Phase == api.PhaseInitializing || n.State.Phase == api.PhaseCloning)
}

// writable is true when the node is known to take writes.
func (n *node) writable() bool { return n.running() && !n.State.SuperReadOnly }

// obeys is true when the node holds the role in the recorded term.
func (v *view) obeys(n *node, role api.Role) bool {
	return n.running() && n.State.Role == role && n.State.Term == v.Record.Term
}

// serving is true when the recorded primary is the primary, open for writes or not.
func (v *view) serving() bool { return v.primary != nil && v.obeys(v.primary, api.RolePrimary) }

// following is true when the node replicates from the recorded primary, or tries to.
func (v *view) following(n *node) bool {
	if v.primary == nil || n == v.primary || !v.obeys(n, api.RoleReplica) {
		return false
	}
	r := n.State.Replication
	return r != nil && r.SourceHost == v.primary.Host && r.ReceiverState != api.ReceiverOff && r.ApplierRunning
}

// connected is true when the node replicates from the recorded primary and is connected to it.
func (v *view) connected(n *node) bool {
	return v.following(n) && n.State.Replication.ReceiverState == api.ReceiverOn
}

// caughtUp is true when the node replicates from the recorded primary and is hardly behind it.
func (v *view) caughtUp(n *node) bool {
	if !v.connected(n) || n.Terminating {
		return false
	}
	lag := n.State.Replication.LagSeconds
	return lag != nil && *lag <= maxCaughtUpLag
}

// maxCaughtUpLag is the lag, in seconds, up to which a replica counts as caught up: good enough to be cloned from and to
// acknowledge commits. (Acknowledging needs the transactions received only, not applied.)
const maxCaughtUpLag = 10

// wakeIn asks for another decision after d.
func (v *view) wakeIn(d time.Duration) {
	if v.wake == 0 || d < v.wake {
		v.wake = d
	}
}

// block stops all decisions on roles.
func (v *view) block(reason, message string) {
	v.blocked = &Verdict{Reason: reason, Message: message}
}
