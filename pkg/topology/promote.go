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
)

// promote orders the recorded primary to be it, if its state differs from that.
//
// The order says how many acknowledgements to demand. The agent keeps the server read-only until that many replicas are connected (an
// open primary without replicas would block its first commit, with locks held that the replicas' logins need). So the order is
// repeated when the state shows that they are.
func (v *view) promote() []NodeOrder {
	n := v.primary
	if n == nil {
		v.waiting = v.Record.Primary + " to exist"
		return nil
	}
	if n.known() && n.State.Phase == api.PhaseHung && v.over(n.Memory.PhaseSince, hungGrace) {
		// Nobody can take its place. Started again, it may work.
		return []NodeOrder{v.order(n, api.Order{Kind: api.OrderDemote})}
	}
	if !n.running() || n.Terminating && !v.serving() {
		return nil
	}
	// Never less than the record says: as long as a change of the primary is not safe, the record stays.
	acks := max(v.demand(), v.Record.RequiredAcks)
	s := n.State

	readOnly := v.Spec.ReadOnly
	if ok, why := v.safe(); !ok {
		if v.pending().Kind == KindSwitchover {
			// It goes on receiving what the old primary still has.
			v.waiting = why
			return nil
		}
		// It may get ready: it receives nothing more, and applies what it has.
		v.waiting = why
		readOnly = true
	}
	if gone := v.lostOwn(); gone != "" {
		v.waiting = fmt.Sprintf("%s, which has lost transactions that others have received: %s", n.Name, gone)
		readOnly = true
	}
	if other := v.otherWritable(); other != nil && s.SuperReadOnly {
		// Never two: the other one is told to stop in the same decision, and this one is opened once it has.
		v.waiting = fmt.Sprintf("%s to stop taking writes", other.Name)
		readOnly = true
	}

	switch {
	case !v.obeys(n, api.RolePrimary):
	case demanded(s) != acks:
	case readOnly && !s.SuperReadOnly:
	case !readOnly && s.SuperReadOnly && s.SemiSync.Clients >= acks:
	case acks > v.Record.RequiredAcks && n.Memory.Doubtful():
		// Before more acknowledgements are recorded, an order that demands fewer must not be able to arrive any more: this one replaces it.
	default:
		if !readOnly && s.SuperReadOnly {
			v.waiting = fmt.Sprintf("%d of %d replicas to connect before %s takes writes", acks-s.SemiSync.Clients, acks, n.Name)
		}
		return nil
	}
	return []NodeOrder{v.order(n, api.Order{Kind: api.OrderPromote, RequiredAcks: acks, ReadOnly: readOnly})}
}

// lostOwn are the transactions of its own that the primary has lost, if it has not been opened since it was started.
func (v *view) lostOwn() string {
	if v.pending() != nil || !v.primary.State.SuperReadOnly {
		return ""
	}
	return v.regressed()
}

// mayOpen is true when enough replicas are connected to the recorded primary for its commits to be acknowledged.
func (v *view) mayOpen() bool {
	return v.primary.State.SemiSync.Clients >= max(v.demand(), v.Record.RequiredAcks)
}

// otherWritable is a node that takes writes without being the recorded primary, or nil.
func (v *view) otherWritable() *node {
	for _, n := range v.others() {
		if n.writable() {
			return n
		}
	}
	return nil
}
