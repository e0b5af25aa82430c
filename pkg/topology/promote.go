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
	if !n.running() || n.Terminating {
		return nil
	}
	acks := v.demand()
	s := n.State

	readOnly := v.Spec.ReadOnly
	if other := v.otherWritable(); other != nil && s.SuperReadOnly {
		// Never two: the other one is told to stop in the same decision, and this one is opened once it has.
		v.waiting = fmt.Sprintf("%s to stop taking writes", other.Name)
		readOnly = true
	}

	mayOpen := acks == 0 || s.SemiSync.Clients >= acks
	switch {
	case !v.obeys(n, api.RolePrimary):
	case demanded(s) != acks:
	case readOnly && !s.SuperReadOnly:
	case !readOnly && s.SuperReadOnly && mayOpen:
	default:
		if !readOnly && s.SuperReadOnly {
			v.waiting = fmt.Sprintf("%d of %d replicas to connect before %s takes writes", acks-s.SemiSync.Clients, acks, n.Name)
		}
		return nil
	}
	return []NodeOrder{{Node: n.Name, Order: api.Order{
		ClusterUID: v.ClusterUID, Term: v.Record.Term, Kind: api.OrderPromote, RequiredAcks: acks, ReadOnly: readOnly,
	}}}
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
