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

import "time"

// Durability: how many replicas hold each commit that the primary has acknowledged (safety rule 3).
//
// The number that a cluster should have follows from its size, not from what is reachable: half of the nodes, at least one.
// Between what is recorded and what the primary demands, one rule holds at every moment: the record is never more than what is
// true of each acknowledged commit. A later failover relies on it. Hence:
//
//   - Lowering the demand: record first, then tell the primary.
//   - Raising it: tell the primary first. Record it when the primary has confirmed the demand, and that many replicas have received
//     all that it has committed with the lower one.
//   - Removing nodes: what they hold may be what the record counts on. It is recorded that nothing is certain, while the demand stays; then
//     they are removed; then it is recorded again what the nodes that stay hold. The same for a node whose data are to be replaced, if
//     there are not enough others.
//
// When is the demand lowered? If the cluster becomes smaller; and with Preferred, when commits would wait for replicas that are not there. The
// primary has to say so itself: too few connected replicas, or sessions that wait while nothing is committed. If, besides, the nodes
// that could acknowledge are known to be away, it is lowered at once; otherwise after a grace period, for a connection that is just
// being made again. With Strict, commits wait.
//
// When is it raised? When more replicas have caught up than are demanded. A primary with Strict that is not open yet demands all of them from the
// start, and opens when they are there.

// stuckGrace is how long commits may wait, or replicas that run may be unconnected, before Preferred lets the primary go on
// with fewer.
const stuckGrace = 5 * time.Second

// EffectiveDurability is the durability of a cluster of that many replicas whose user asked for the given one, or for none.
func EffectiveDurability(replicas int, asked Durability) Durability {
	switch {
	case replicas < 2:
		return DurabilityNone
	case asked != DurabilityNone:
		return asked
	case replicas == 2:
		return DurabilityPreferred
	default:
		return DurabilityStrict
	}
}

// requiredAcks is the number of acknowledgements that a cluster of that size should have.
func requiredAcks(replicas int) int {
	if replicas < 2 {
		return 0
	}
	return max(1, replicas/2)
}

// durability returns a record with another number of acknowledgements, if it is time for one.
func (v *view) durability() *Record {
	if !v.Record.Initialized || v.primary == nil || !v.primary.running() {
		// What the replicas hold is all that is left to go by; it stays true until a primary can be told otherwise.
		return nil
	}
	if ok, _ := v.safe(); v.pending() != nil && (!ok || !v.serving()) {
		// Whether the new primary may be opened is judged by what was acknowledged before.
		return nil
	}
	demand, next := v.demand(), v.Record
	switch {
	case demand < v.Record.RequiredAcks:
		next.RequiredAcks = demand
	case v.shrinks():
		next.RequiredAcks = 0
	case v.rebuildsOne():
		next.RequiredAcks--
	case demand > v.Record.RequiredAcks && v.confirmed(demand):
		next.RequiredAcks = demand
	}
	if next.RequiredAcks == v.Record.RequiredAcks {
		return nil
	}
	return &next
}

// demand is the number of acknowledgements to demand of the primary, which has to be running. It is less than the record only if that has
// to be lowered first.
func (v *view) demand() int {
	full := requiredAcks(v.Spec.Replicas)
	if v.Spec.Durability == DurabilityStrict && v.primary.State.SuperReadOnly {
		return full
	}
	demand := min(full, max(v.Record.RequiredAcks, v.count(v.caughtUp), demanded(v.primary.State)))
	if v.Spec.Durability == DurabilityPreferred {
		if usable, stuck := v.stuck(demand); stuck {
			return usable
		}
	}
	return demand
}

// stuck tells whether commits that need that many acknowledgements would wait in vain, and how many acknowledgements can be had.
func (v *view) stuck(acks int) (usable int, stuck bool) {
	if acks == 0 || !v.serving() {
		return acks, false
	}
	clients := v.primary.State.SemiSync.Clients
	could := v.count(func(n *node) bool { return n != v.primary && n.running() && !n.Terminating && v.errant(n) == "" })
	usable = min(clients, could)

	if clients < acks {
		if could < acks {
			return usable, true
		}
		if demanded(v.primary.State) < acks {
			// It has not been told yet, so nothing waits. It is told when the replicas have connected.
			return usable, true
		}
		return usable, v.lasted(v.primary.Memory.ClientsSince)
	}
	// The connections of a replica that vanished without a word look alive for a long time.
	if could < acks && v.lasted(v.primary.Memory.StuckSince) {
		return usable, true
	}
	return acks, false
}

// rebuildsOne is true when a node's data are to be replaced by a copy, and there are not as many nodes besides it as the record counts on, or
// these can not be connected either, so that nothing is committed anyway.
func (v *view) rebuildsOne() bool {
	for _, n := range v.others() {
		waits := !v.mayOpen() && v.lasted(v.primary.Memory.ClientsSince)
		if v.useless(n) && v.isMember(n) && !v.spares(n) && (waits || len(v.voters())-1 < v.Record.RequiredAcks) {
			return true
		}
	}
	return false
}

// lasted is true when something has been so for longer than the grace period; zero means that it is not so at all.
func (v *view) lasted(since time.Time) bool {
	if since.IsZero() {
		return false
	}
	left := since.Add(stuckGrace).Sub(v.Now)
	if left > 0 {
		v.wakeIn(left)
		return false
	}
	return true
}

// confirmed is true when the primary demands that many acknowledgements and at least that many replicas have received all that it
// has committed. Nodes that are being removed do not count, and may not acknowledge any more.
func (v *view) confirmed(acks int) bool {
	if !v.serving() || demanded(v.primary.State) != acks || !v.primary.Memory.Settled {
		return false
	}
	for _, n := range v.nodes {
		if n.Exists && n.Ordinal >= v.wantedSize() {
			return false
		}
	}
	return v.count(func(n *node) bool {
		return v.connected(n) && v.errant(n) == "" && n.received.Contains(v.primary.executed)
	}) >= acks
}

func (v *view) count(is func(*node) bool) int {
	total := 0
	for _, n := range v.nodes {
		if is(n) {
			total++
		}
	}
	return total
}
