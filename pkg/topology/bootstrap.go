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

// Bootstrap: how a cluster comes by its data.
//
// As long as the record says that the cluster is not initialised, nothing has ever been promoted, so no client has written
// anything. Two things may be found on the volumes:
//
//   - Nothing. Then one node is to make an empty server: ordinal 0. It is recorded as the primary of term 1, then ordered to
//     initialise. When it reports data, the record says "initialised", and only then may it be promoted. Killed at any point, the
//     controller finds the record and the node's report, and goes on: at worst, the same node is told a second time.
//   - Data: of volumes that were kept when an earlier cluster was deleted, or because the record was lost. Then nothing is
//     ever initialised. All nodes that may hold data have to report what they have, and the one that has all that any of them has
//     becomes the primary. If there is no such node, a person has to decide.
//
// From the moment when the record says "initialised", no order to initialise is ever given again (safety rule 7).

// bootstrap returns the next record of a cluster that is not initialised.
func (v *view) bootstrap() *Record {
	if v.Record.Initialized {
		return nil
	}
	var holders []*node
	for _, n := range v.nodes {
		if n.hasData() {
			holders = append(holders, n)
		}
	}

	// The node that was chosen to initialise has done so, and nobody else has data.
	if len(holders) == 1 && holders[0] == v.primary && !v.anyKept() {
		next := v.initialized(v.primary)
		if v.Spec.Durability == DurabilityStrict {
			// Nothing has been committed yet, so this is true of all of it.
			next.RequiredAcks = requiredAcks(v.Spec.Replicas)
		}
		return next
	}
	if len(holders) > 0 || v.anyKept() {
		if !v.allDataSeen() {
			return nil
		}
		if len(holders) > 0 {
			best, problem := mostAdvanced(holders)
			if best == nil {
				v.block(reasonIncomparable, problem)
				return nil
			}
			return v.initialized(best)
		}
		// The kept volumes turned out to be empty.
	}

	if v.primary != nil {
		return nil
	}
	if v.Record.Primary != "" {
		v.block(reasonPrimaryGone, fmt.Sprintf("%s was chosen to be initialised, but is not among the nodes", v.Record.Primary))
		return nil
	}
	if len(v.nodes) == 0 {
		return nil
	}
	first := v.nodes[0]
	if first.Ordinal != 0 || !first.empty() {
		v.waiting = fmt.Sprintf("%s to be ready for initialisation", first.Name)
		return nil
	}
	next := v.Record
	next.Primary = first.Name
	next.Term = max(v.Record.Term, v.highestTerm()) + 1
	return &next
}

// initialized is the record of a cluster whose data are those of node n. How many other nodes hold them is found out later.
func (v *view) initialized(n *node) *Record {
	next := v.Record
	if highest := v.highestTerm(); next.Primary != n.Name || next.Term == 0 || highest > next.Term {
		next.Primary = n.Name
		next.Term = max(next.Term, highest) + 1
	}
	next.Initialized = true
	next.RequiredAcks = 0
	next.Members = []string{n.Name}
	return &next
}

// initialize orders the chosen node to make an empty server.
func (v *view) initialize() []NodeOrder {
	n := v.primary
	if n == nil || n.Terminating {
		return nil
	}
	if !n.empty() {
		v.waiting = n.Name + " to be initialised"
		return nil
	}
	for _, other := range v.nodes {
		if other.hasData() || other.busy() {
			return nil
		}
	}
	return []NodeOrder{v.order(n, api.Order{Kind: api.OrderInitialize})}
}

func (v *view) anyKept() bool {
	for _, n := range v.nodes {
		if n.VolumeKept {
			return true
		}
	}
	return false
}

// allDataSeen is true when all nodes that may hold data have reported what they have. Otherwise it says whom it waits for.
func (v *view) allDataSeen() bool {
	var wait, unused, claims []string
	enough := 0
	for _, n := range v.nodes {
		switch {
		case n.empty() || n.running():
		case n.Ordinal >= v.Spec.Replicas && n.VolumeKept && !n.Exists:
			unused, claims = append(unused, n.Name), append(claims, claimName(n))
			enough = max(enough, n.Ordinal+1)
		case n.VolumeExists || n.Exists:
			wait = append(wait, n.Name)
		}
	}
	if len(unused) > 0 {
		v.block(reasonVolumesUnused, fmt.Sprintf("volumes of an earlier cluster of this name exist for %s, which are more nodes than "+
			"spec.replicas asks for; they may hold the newest data. Set spec.replicas to %d so that they are all looked at, or delete the "+
			"PersistentVolumeClaims that are not needed: %s", strings.Join(unused, ", "), enough, strings.Join(claims, ", ")))
		return false
	}
	if len(wait) > 0 {
		v.waiting = fmt.Sprintf("%s to report the data on their volumes", strings.Join(wait, ", "))
		return false
	}
	return true
}

// highestTerm is the highest term that any node has accepted.
func (v *view) highestTerm() int64 {
	var highest int64
	for _, n := range v.nodes {
		if n.known() {
			highest = max(highest, n.State.Term)
		}
	}
	return highest
}

// mostAdvanced is the node that has executed everything that any of the nodes has received; of several, the one with the
// lowest ordinal. All of them have to be running. If there is none, it says why.
func mostAdvanced(nodes []*node) (best *node, problem string) {
	all := nodes[0].received
	for _, n := range nodes[1:] {
		all = all.Union(n.received)
	}
	var lacks, remedies []string
	for _, n := range nodes {
		missing := all.Subtract(n.executed)
		if missing.IsEmpty() {
			return n, ""
		}
		lacks = append(lacks, fmt.Sprintf("%s lacks %s", n.Name, missing))
		remedies = append(remedies, discardData(n))
	}
	return nil, "no node has all transactions: " + strings.Join(lacks, "; ") + ". Decide which data to keep. For each node whose transactions " +
		"are to be given up, " + strings.Join(remedies, "; or ") + ": it is then cloned"
}

// Reasons of what blocks a decision.
const (
	reasonIncomparable  = "IncomparableData"
	reasonVolumesUnused = "VolumesUnused"
	reasonPrimaryGone   = "PrimaryGone"
	reasonNoData        = "NoDataLeft"
	reasonPrimaryLost   = "PrimaryVolumeLost"
)
