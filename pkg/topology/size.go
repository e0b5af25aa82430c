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

import "fmt"

// The number of nodes.
//
// It changes only while the primary runs: should the primary have lost its data, then how many nodes hold data matters, and a new
// node could not be told from one that has lost them. (Nodes that have a volume already may come back any time.) Growing is done at
// once then. Shrinking waits until enough of the nodes that stay have caught up to confirm the commits of the smaller cluster, and until
// the primary demands no more acknowledgements than that; it never removes the primary, which hands over first if its ordinal is one of those. (Nodes without data may be removed any time.)
//
// The volume of a removed node is deleted only when the cluster is healthy without it and the record says again that enough other nodes
// hold each acknowledged commit; the volume of ordinal 0 never is, nor is any when all nodes are stopped (safety rule 7).

// size is the number of replicas that the StatefulSet is to have.
func (v *view) size() int {
	wanted := v.wantedSize()
	switch {
	case !v.Record.Initialized || v.Size == 0 || wanted == v.Size:
		return wanted
	case wanted > v.Size:
		if v.primary == nil || !v.primary.running() {
			return min(wanted, v.sizeOfVolumes())
		}
		return wanted
	case v.pending() != nil:
		// Any node may be needed to bring it to its end.
		return v.Size
	case v.emptyFrom(wanted):
		return wanted
	case v.shrinks() && v.Record.RequiredAcks == 0:
		return wanted
	default:
		v.waiting = "the primary, and for the nodes that stay to have caught up, before nodes are removed"
		return v.Size
	}
}

// wantedSize is the size that the spec asks for, or a larger one that keeps the primary.
func (v *view) wantedSize() int {
	if !v.Record.Initialized {
		return v.Spec.Replicas
	}
	return max(v.Spec.Replicas, v.leastSize())
}

// shrinks is true when nodes with data are to be removed, enough of the others have caught up, and the primary already demands no more
// acknowledgements than these can give.
func (v *view) shrinks() bool {
	wanted, acks := v.wantedSize(), requiredAcks(v.Spec.Replicas)
	return wanted < v.Size && !v.emptyFrom(wanted) && v.serving() && demanded(v.primary.State) <= acks &&
		v.count(func(n *node) bool { return n.Ordinal < wanted && v.caughtUp(n) }) >= acks
}

// emptyFrom is true when all nodes from that ordinal on are known to hold no data, and never held any that were counted on.
func (v *view) emptyFrom(ordinal int) bool {
	for _, n := range v.nodes {
		if n.Ordinal >= ordinal && n.Ordinal < v.Size && (!n.empty() || v.isMember(n)) {
			return false
		}
	}
	return true
}

// sizeOfVolumes is the size that brings back all nodes that have volumes, or the present one if that is larger.
func (v *view) sizeOfVolumes() int {
	size := max(v.Size, v.leastSize())
	for _, n := range v.nodes {
		if n.VolumeExists {
			size = max(size, n.Ordinal+1)
		}
	}
	return size
}

// leastSize is the size below which the primary would be removed.
func (v *view) leastSize() int {
	if v.primary == nil {
		return 0
	}
	return v.primary.Ordinal + 1
}

// releaseVolumes names the removed nodes whose volumes are not needed any more.
func (v *view) releaseVolumes(size int) []string {
	if size != v.Size || !v.healthy(size) || v.Record.RequiredAcks < requiredAcks(v.Spec.Replicas) {
		return nil
	}
	var names []string
	for _, n := range v.nodes {
		if n.Ordinal >= size && n.Ordinal > 0 && n.VolumeExists && !n.VolumeKept && !n.Exists {
			names = append(names, n.Name)
		}
	}
	return names
}

// adoptVolumes names the nodes that work with a volume which was kept from an earlier cluster: it is this cluster's from now on.
func (v *view) adoptVolumes() []string {
	var names []string
	for _, n := range v.nodes {
		if n.VolumeKept && n.hasData() && n.State.ClusterUID == v.ClusterUID {
			names = append(names, n.Name)
		}
	}
	return names
}

// healthy is true when the primary does what the spec asks for and all nodes below the size are healthy.
func (v *view) healthy(size int) bool {
	if !v.open() {
		return false
	}
	seen := 0
	for _, n := range v.nodes {
		if n.Ordinal >= size {
			continue
		}
		if health, _ := v.health(n); health != Healthy || n.Terminating {
			return false
		}
		seen++
	}
	return seen == size
}

// open is true when the primary does what the spec asks for: it takes writes that will be acknowledged, or none if the cluster is to be
// read-only.
func (v *view) open() bool {
	if !v.serving() || v.primary.State.SuperReadOnly != v.Spec.ReadOnly {
		return false
	}
	return v.primary.State.SemiSync.Clients >= demanded(v.primary.State)
}

// sizeNote says why the cluster has more nodes than were asked for, if it does.
func (v *view) sizeNote() string {
	if v.Spec.Replicas == 0 || !v.Record.Initialized || v.leastSize() <= v.Spec.Replicas {
		return ""
	}
	note := fmt.Sprintf("the cluster keeps %d nodes instead of %d, because %s is the primary", v.leastSize(), v.Spec.Replicas, v.primary.Name)
	if _, problem := v.successor(""); problem != "" {
		note += ", and none can take over: " + problem
	}
	return note
}
