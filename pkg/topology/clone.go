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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// brokenGrace is how long a replica may fail to replicate before it counts as one that does not mend by itself.
const brokenGrace = time.Minute

// clone orders a node without data, or one whose data are of no use any more, to copy those of another one.
//
// A cluster that has been initialised never makes an empty server again (safety rule 7). The donor is a healthy replica that has caught up; the
// primary only if there is none. MySQL lets a donor serve one clone at a time; a report does not say whom a node is cloning from, so
// one clone runs at a time in the cluster.
func (v *view) clone(size int) []NodeOrder {
	if v.nothingLeft() {
		v.block(reasonNoData, "the cluster was initialised, but no node holds data any more: all volumes were lost. Nothing is done, so that a "+
			"volume that is found again can still be attached. To start anew with an empty database, delete the MysqlCluster and create it again")
		return nil
	}
	var receiver *node
	for _, n := range v.others() {
		if n.busy() {
			v.waiting = n.Name + " to copy its data"
			return nil
		}
		if receiver == nil && n.Ordinal < size && !n.Terminating && (n.empty() || v.useless(n) && v.spares(n)) {
			receiver = n
		}
	}
	if receiver == nil {
		return nil
	}
	donor := v.donor(receiver)
	if donor == nil {
		return nil
	}
	return []NodeOrder{v.order(receiver, api.Order{
		Kind: api.OrderClone, Source: &api.Endpoint{Host: donor.Host, Port: api.MySQLPort}, Discard: !receiver.empty(),
	})}
}

// nothingLeft is true when all nodes report, and none of them has data or is getting some.
func (v *view) nothingLeft() bool {
	for _, n := range v.nodes {
		if !n.empty() && (n.Exists || n.VolumeExists) {
			return false
		}
	}
	return true
}

// donor is the node that another one is cloned from.
func (v *view) donor(receiver *node) *node {
	for _, n := range v.others() {
		if n != receiver && v.caughtUp(n) && v.errant(n) == "" && !n.State.Joining {
			return n
		}
	}
	if v.serving() && !v.primary.Terminating {
		return v.primary
	}
	v.waiting = "a node that data can be copied from"
	return nil
}

// useless is true when a node's data may be replaced by a copy of the others': it can never follow again. Either all that it has, the primary
// has too; or its user's policy is to give up what it has beyond that.
func (v *view) useless(n *node) bool {
	if !v.serving() || !n.running() || n.writable() {
		return false
	}
	if ok, _ := v.safe(); v.pending() != nil && !(ok && v.settled(n)) {
		// But a new primary that has all may be waiting for the very replicas that can not follow it.
		return false
	}
	if v.errant(n) != "" {
		return v.Spec.RebuildErrant
	}
	if v.missesPurged(n) {
		return true
	}
	return v.Spec.RebuildErrant && !n.Memory.BrokenSince.IsZero() && v.over(n.Memory.BrokenSince, brokenGrace)
}

// spares is true when the record stays true without the node's data: enough others hold what was acknowledged.
func (v *view) spares(n *node) bool {
	complete := 0
	for _, o := range v.voters() {
		if o.Name != n.Name && v.connected(o) && o.received.Contains(v.primary.executed) {
			complete++
		}
	}
	return complete >= v.Record.RequiredAcks
}

// missesPurged is true when the node lacks transactions that the primary has removed from its binary logs.
func (v *view) missesPurged(n *node) bool {
	if !v.serving() || n == v.primary || !n.running() {
		return false
	}
	purged, err := gtid.Parse(v.primary.State.GTIDPurged)
	return err == nil && !n.received.Contains(purged)
}
