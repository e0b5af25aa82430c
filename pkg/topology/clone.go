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
	"strings"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// clone orders a node without data to copy those of another one.
//
// A cluster that has been initialised never makes an empty server again (safety rule 7). The donor is a healthy replica that has caught up; the
// primary only if there is none. MySQL lets a donor serve one clone at a time; a report does not say whom a node is cloning from, so
// one clone runs at a time in the cluster.
//
// If the primary itself has lost its data, it is cloned back from the replica that has all that any replica has received. Enough replicas
// have to be heard of to be sure that each acknowledged commit is on at least one of them.
func (v *view) clone(size int) []NodeOrder {
	var receiver *node
	for _, n := range v.nodes {
		if n.busy() {
			v.waiting = n.Name + " to copy its data"
			return nil
		}
		if receiver == nil && n.Ordinal < size && n.empty() && !n.Terminating {
			receiver = n
		}
	}
	if v.primary != nil && v.primary.empty() {
		receiver = v.primary
	}
	if receiver == nil || receiver.Terminating {
		return nil
	}
	if v.nothingLeft() {
		v.block(reasonNoData, "the cluster was initialised, but no node holds data any more: all volumes were lost. Nothing is done, so that a "+
			"volume that is found again can still be attached. To start anew with an empty database, delete the MysqlCluster and create it again")
		return nil
	}
	var donor *node
	if receiver == v.primary {
		donor = v.primaryDonor()
	} else {
		donor = v.replicaDonor()
	}
	if donor == nil {
		return nil
	}
	return []NodeOrder{{Node: receiver.Name, Order: api.Order{
		ClusterUID: v.ClusterUID, Term: v.Record.Term, Kind: api.OrderClone, Source: endpoint(donor),
	}}}
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

// replicaDonor is the node that a replica is cloned from.
func (v *view) replicaDonor() *node {
	for _, n := range v.others() {
		if v.caughtUp(n) && v.errant(n) == "" {
			return n
		}
	}
	if v.serving() && !v.primary.Terminating {
		return v.primary
	}
	v.waiting = "a node that data can be copied from"
	return nil
}

// primaryDonor is the node that a primary which has lost its data is cloned from.
func (v *view) primaryDonor() *node {
	var heard []*node
	var silent []string
	replicas := 0
	for _, n := range v.others() {
		if n.Ordinal >= v.Size && !n.Exists {
			// Removed: nothing has been counted on it since.
			continue
		}
		replicas++
		if n.known() && (v.connected(n) || !n.Memory.HeardAt.After(v.primary.Memory.HeardSince)) {
			// Its report is older than the loss: it may have received more since.
			v.waiting = n.Name + " to report since the primary has come back without data"
			v.wakeIn(api.HeartbeatInterval)
			return nil
		}
		if n.running() && !n.Terminating {
			heard = append(heard, n)
		} else {
			silent = append(silent, n.Name)
		}
	}
	// Each acknowledged commit is on RequiredAcks of the replicas, so only fewer than that many may be missing.
	if v.Record.RequiredAcks == 0 || len(heard) == 0 || len(heard) < replicas-v.Record.RequiredAcks+1 {
		problem := "it took writes alone, so the replicas may lack some of them. Bring its volume back"
		if v.Record.RequiredAcks > 0 {
			problem = "not enough replicas report to be sure that nothing is missing (silent: " + strings.Join(silent, ", ") +
				"). Bring its volume or these replicas back"
		}
		v.block(reasonPrimaryLost, fmt.Sprintf("the primary %s has lost its volume, and %s", v.primary.Name, problem))
		return nil
	}
	best, problem := mostAdvanced(heard)
	if best == nil {
		if v.stillApplying(heard) {
			v.waiting = "the replicas to apply what they have received"
			return nil
		}
		v.block(reasonPrimaryLost, fmt.Sprintf("the primary %s has lost its volume, and %s", v.primary.Name, problem))
		return nil
	}
	return best
}

// stillApplying is true when one of the nodes has received all that any of them has, so that it only has to apply it.
func (v *view) stillApplying(nodes []*node) bool {
	for _, n := range nodes {
		ahead := true
		for _, other := range nodes {
			ahead = ahead && n.received.Contains(other.received)
		}
		if ahead {
			return true
		}
	}
	return false
}
