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

// Rollout: pods whose configuration is not the wanted one are deleted, one at a time, and come back with it.
//
//   - First a pod that does not work anyway: with the old configuration it may never work, so that waiting for its health would
//     make a mistake in the spec impossible to mend. Both its agent (or silence) and the kubelet have to say that it does not. The
//     primary counts as working as soon as its MySQL answers: it may just be waiting for its orders.
//   - Otherwise only while the whole cluster is healthy, and the kubelet too calls all pods ready, so that clients can reach them: replicas,
//     the highest ordinal first, and the primary last: it hands over first (switchover.go), so that its pod is a replica's when it is replaced.
//
// A pod that is making its data is left alone. The versions of our own parts are not part of the hash, so that changing them replaces
// no pod (safety rule 8).

// replace is the pod to delete now, empty if there is none.
func (v *view) replace(size int) string {
	if !v.TemplateApplied || v.Spec.PauseRollout || v.pending() != nil {
		return ""
	}
	for _, n := range v.nodes {
		if n.Exists && n.Terminating {
			return ""
		}
	}
	old := v.outdated(size)
	for _, n := range old {
		if v.broken(n) {
			return n.Name
		}
	}
	if len(old) == 0 || !v.steady(size) || old[0] == v.primary && v.handsOver() {
		return ""
	}
	return old[0].Name
}

// steady is true when nothing but the configuration of pods is left to be done.
func (v *view) steady(size int) bool {
	return size == v.Size && v.healthy(size) && v.ready(size)
}

// primaryIsNext is true when the primary's pod is the next to be replaced, and another node is to take over before.
func (v *view) primaryIsNext() bool {
	if !v.TemplateApplied || v.Spec.PauseRollout || !v.handsOver() {
		return false
	}
	size := v.size()
	old := v.outdated(size)
	return len(old) > 0 && old[0] == v.primary && v.steady(size)
}

// handsOver is true when there is a node that the primary could hand over to.
func (v *view) handsOver() bool {
	return v.Record.Initialized && v.Spec.Replicas > 1 && len(v.Record.Members) > 1
}

// ready is true when the kubelet calls all pods below the size ready.
func (v *view) ready(size int) bool {
	for _, n := range v.nodes {
		if n.Ordinal < size && !n.Ready {
			return false
		}
	}
	return true
}

// broken is true when a pod does not work, as far as both its agent and the kubelet know.
func (v *view) broken(n *node) bool {
	if n.Ready || n.busy() || (n == v.primary && n.running()) {
		return false
	}
	health, _ := v.health(n)
	return health != Healthy
}

// outdated are the pods that do not have the wanted configuration, in the order of their replacement.
func (v *view) outdated(size int) []*node {
	var old []*node
	for i := len(v.nodes) - 1; i >= 0; i-- {
		n := v.nodes[i]
		if n != v.primary && v.isOutdated(n, size) {
			old = append(old, n)
		}
	}
	if v.primary != nil && v.isOutdated(v.primary, size) {
		old = append(old, v.primary)
	}
	return old
}

func (v *view) isOutdated(n *node, size int) bool {
	return n.Exists && n.Ordinal < size && n.ConfigHash != v.Spec.ConfigHash
}
