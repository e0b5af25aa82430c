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
	"slices"
)

// Members: the nodes that may hold acknowledged commits.
//
// Whether enough nodes are heard of for a failover depends on how many there are that may have acknowledged a commit. So a node becomes a
// member before it is told to follow for the first time. A member that loses its volume stays one: it may have been counted on, and its word
// counts again only when it has caught up (State.Joining). It stops being one when it has been removed, after the record has said that nothing is
// counted on (durability.go).

// members returns a record with other members, if there are to be others.
func (v *view) members() *Record {
	if !v.Record.Initialized {
		return nil
	}
	members := slices.DeleteFunc(slices.Clone(v.Record.Members), func(name string) bool {
		n := v.node(name)
		gone := n == nil || n.Ordinal >= v.Size && !n.Exists
		return gone && name != v.Record.Primary && v.Record.RequiredAcks == 0 && v.pending() == nil
	})
	for _, n := range v.nodes {
		// A record of before members were recorded: whoever is there may have been counted on.
		unrecorded := len(v.Record.Members) == 0 && (n.Exists || n.VolumeExists)
		if (n.hasData() || n == v.primary || unrecorded) && !slices.Contains(members, n.Name) {
			members = append(members, n.Name)
		}
	}
	slices.Sort(members)
	if slices.Equal(members, v.Record.Members) {
		return nil
	}
	next := v.Record
	next.Members = members
	return &next
}

// isMember is true when the node may hold acknowledged commits.
func (v *view) isMember(n *node) bool { return slices.Contains(v.Record.Members, n.Name) }
