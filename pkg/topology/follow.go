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

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// follow orders the nodes that hold data, the primary apart, to follow it, if their state differs from that; whether or not the
// primary takes writes yet, because it may be waiting for them.
//
// A node is not made to follow before its data have been compared with the primary's. If it holds transactions that the primary
// lacks, it is left alone, read-only, its data untouched (safety rule 6).
func (v *view) follow() []NodeOrder {
	if v.primary == nil {
		return nil
	}
	var orders []NodeOrder
	for _, n := range v.others() {
		if order, ok := v.followOrder(n); ok {
			orders = append(orders, v.order(n, order))
		}
	}
	return orders
}

// followOrder is the order that makes a node follow the primary, if there is one to give.
func (v *view) followOrder(n *node) (order api.Order, ok bool) {
	demote, follow := api.Order{Kind: api.OrderDemote}, api.Order{Kind: api.OrderFollow, Source: v.source()}
	if n.hasData() && n.State.Phase == api.PhaseHung && n.State.Term < v.Record.Term {
		// The old primary: should it wake up, it would still take itself for the primary.
		return demote, true
	}
	if !n.running() || n.Terminating && !n.writable() {
		return order, false
	}
	op := v.pending()
	handsOver := op != nil && op.Kind == KindSwitchover && n.Name == op.From
	switch {
	case v.following(n) && !n.writable():
		if n.State.Joining && op == nil && v.serving() && v.connected(n) && n.received.Contains(v.primary.executed) {
			follow.Joined = true
			return follow, true
		}
		return order, false
	case handsOver:
		// What it has beyond the new primary's, that one is about to receive from it.
		return follow, true
	case v.errant(n) != "":
		// Left alone, but out of the way of a change of the primary.
		return demote, n.writable() || op != nil && n.State.Term < v.Record.Term
	case !v.comparable():
		// Whatever it may be compared with, it has to stop taking writes now.
		return demote, n.writable()
	default:
		return follow, true
	}
}

// regressed says which transactions of its own the primary lacks that a member has received; empty if there are none. It has lost them: it
// would number others the same. To be asked only while it is not open, because its report may be older than the others' otherwise.
func (v *view) regressed() string {
	p := v.primary
	own, err := parseSet(p.State.ServerUUID + allNumbers)
	if err != nil {
		return ""
	}
	others := own.Subtract(own)
	for _, n := range v.voters() {
		if n.running() {
			others = others.Union(n.received)
		}
	}
	// What both sets have in common: the members' transactions that carry the primary's UUID.
	theirs := others.Subtract(others.Subtract(own))
	return theirs.Subtract(p.received).String()
}

// comparable is true when the primary's transactions are known, or it is known to have none.
func (v *view) comparable() bool { return v.primary.running() || v.primary.empty() || v.primary.busy() }

// errant are the transactions that the node holds and the primary lacks and will never have, empty if there are none or if it
// can not be told. The primary's own transactions do not count: its last report may simply be older than the node's.
func (v *view) errant(n *node) string {
	if n == v.primary || v.primary == nil || !v.primary.running() || !n.running() {
		return ""
	}
	extra := n.received.Subtract(v.primary.received)
	if extra.IsEmpty() {
		return ""
	}
	own, err := parseSet(v.primary.State.ServerUUID + allNumbers)
	if err != nil {
		return extra.String()
	}
	return extra.Subtract(own).String()
}

// allNumbers, after the UUID of a server, makes the set of all transactions that it will ever number.
const allNumbers = ":1-9223372036854775806"

// source is where the replicas replicate from: where clients can not use up the connections.
func (v *view) source() *api.Endpoint {
	return &api.Endpoint{Host: v.primary.Host, Port: api.AdminPort}
}

// order completes an order to a node.
func (v *view) order(n *node, o api.Order) NodeOrder {
	o.ClusterUID, o.Term, o.Basis = v.ClusterUID, v.Record.Term, n.State.Basis
	return NodeOrder{Node: n.Name, Order: o}
}

func parseSet(s string) (gtid.Set, error) {
	set, err := gtid.Parse(s)
	if err != nil {
		return set, fmt.Errorf("parse a set of transactions: %w", err)
	}
	return set, nil
}
