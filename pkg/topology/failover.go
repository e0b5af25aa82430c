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
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// Failover: another node becomes the primary because the primary is lost.
//
// When is it lost? (Safety rule 5.)
//
//   - Its own agent says so: mysqld has ended, or hangs, or the volume has lost its data. That is enough.
//   - Nothing is heard of it, and the replicas say so too: at least one of them was following it, and none of them is connected to it.
//     An outage of the control plane alone moves nothing: the replicas stay connected.
//   - Commits wait in vain, though it is heard of: it is cut off from its replicas, and enough of these are heard of to go on without it.
//
// A node that has only just been started is given some time to come back first, because it is the one that surely has everything.
//
// Who takes its place? (Safety rule 4.) Let a be the number of acknowledgements in the record. Each acknowledged commit is on a+1 members,
// at least. So of n members besides the primary, n-a+1 have to be heard of: then each such commit is on one of them.
// The candidate is one that has received everything that any of those has. If there is none, their data are incomparable, and a person
// has to decide. With a = 0 the primary took writes alone: it is waited for.
//
// The decision is recorded, then carried out (transition.go).

const (
	// startGrace is how long a primary that has just been started may take until it counts as lost, and a replica that has just been
	// started until its silence about the primary counts.
	startGrace = 20 * time.Second
	// isolationGrace is how long commits may wait in vain before the primary counts as cut off from its replicas.
	isolationGrace = 3 * time.Second
	// hungGrace is how long MySQL may hang on a primary that can not be replaced before it is started again.
	hungGrace = 30 * time.Second
)

// failover returns the record of another primary if the present one is lost and can be replaced.
func (v *view) failover() *Record {
	if !v.Record.Initialized {
		return nil
	}
	why := v.lost()
	if why == "" {
		return nil
	}
	next, problem := v.elect(why)
	if next == nil {
		v.noFailover = fmt.Sprintf("the primary %s is lost (%s), and no other node takes its place: %s", v.Record.Primary, why, problem)
		if v.primary.empty() && !v.nothingLeft() {
			v.block(reasonPrimaryLost, v.noFailover+". Bring its volume or the missing replicas back, or order a forced failover, which says "+
				"what would be lost")
		}
	}
	return next
}

// lost says why the primary counts as lost; empty if it does not.
func (v *view) lost() string {
	p := v.primary
	if !p.known() {
		return v.unheardLost()
	}
	switch p.State.Phase {
	case api.PhaseRunning:
		// Not if an order may have opened it since it reported.
		if gone := v.lostOwn(); gone != "" && !p.State.Obeying && !p.Memory.Doubtful() {
			return "it came back without " + gone + ", which others have received from it"
		}
		return v.isolated()
	case api.PhaseHung:
		return "MySQL hangs"
	case api.PhaseStopped, api.PhaseStarting:
		// A start that is no restart: of the pod, or of everything.
		if p.State.HasData && p.State.LastExit == "" && !v.over(p.Memory.HeardSince, startGrace) {
			return ""
		}
		if p.State.LastExit != "" {
			return "mysqld has ended: " + p.State.LastExit
		}
		return phaseMessage(p.State)
	default:
		return phaseMessage(p.State)
	}
}

// unheardLost is lost for a primary that is not heard of.
func (v *view) unheardLost() string {
	witnesses := 0
	for _, n := range v.voters() {
		if !n.running() {
			continue
		}
		switch r := n.State.Replication; {
		case r != nil && r.SourceHost == v.host() && r.ReceiverState == api.ReceiverOn:
			return ""
		case v.obeys(n, api.RoleReplica), v.over(n.Memory.HeardSince, startGrace):
			witnesses++
		}
	}
	if witnesses == 0 {
		return ""
	}
	problem := "it does not exist"
	if v.primary != nil {
		problem = unheard(v.primary)
	}
	return fmt.Sprintf("%s, and the replicas have lost it too", problem)
}

// host is the name under which the recorded primary is reached.
func (v *view) host() string {
	if v.primary == nil {
		return ""
	}
	return v.primary.Host
}

// isolated is lost for a primary whose MySQL answers: commits wait, because replicas are not connected to it that are heard of. Another
// one would have to find enough of them.
func (v *view) isolated() string {
	p := v.primary
	if !v.serving() || p.State.SuperReadOnly || v.Spec.Durability != DurabilityStrict {
		return ""
	}
	acks := demanded(p.State)
	away := 0
	for _, n := range v.voters() {
		if v.electable(n) && n.State.Replication != nil && n.State.Replication.ReceiverState != api.ReceiverOn {
			away++
		}
	}
	if p.State.SemiSync.Clients >= acks || away < acks+1 || p.Memory.StuckSince.IsZero() || !v.over(p.Memory.StuckSince, isolationGrace) {
		return ""
	}
	return fmt.Sprintf("commits wait: %d of %d replicas are connected to it, and %d are there", p.State.SemiSync.Clients, acks, away)
}

// over is true when that much time has passed since then. Otherwise it asks to be woken when it will have.
func (v *view) over(since time.Time, grace time.Duration) bool {
	left := since.Add(grace).Sub(v.Now)
	if left > 0 {
		v.wakeIn(left)
	}
	return left <= 0
}

// voters are the members besides the recorded primary: the nodes that may have acknowledged its commits.
func (v *view) voters() []*node {
	var voters []*node
	for _, name := range v.Record.Members {
		if name == v.Record.Primary {
			continue
		}
		n := v.node(name)
		if n == nil {
			// Neither a pod nor a volume, but it may have been counted on.
			n = &node{Node: Node{Name: name}}
		}
		voters = append(voters, n)
	}
	return voters
}

// electable is true when the node's word on what was received counts: it has not lost data that it once confirmed.
func (v *view) electable(n *node) bool { return n.running() && !n.State.Joining }

// elect returns the record in which the best of the other nodes is the primary, or says why there is none.
func (v *view) elect(why string) (next *Record, problem string) {
	acks := v.Record.RequiredAcks
	voters := v.voters()
	if len(voters) == 0 {
		return nil, "there is no other node"
	}
	if acks == 0 {
		return nil, "it took writes alone, so that the other nodes may lack some of them"
	}
	var heard []*node
	var silent []string
	for _, n := range voters {
		if v.electable(n) {
			heard = append(heard, n)
		} else {
			silent = append(silent, n.Name)
		}
	}
	if need := len(voters) - acks + 1; len(heard) < need {
		return nil, fmt.Sprintf("%d of %d other nodes are needed to be sure that nothing is missing; without a word on their data: %s", need, len(voters),
			strings.Join(silent, ", "))
	}
	best := complete(heard)
	if len(best) == 0 {
		// Enough is one that has all of so many that each acknowledged commit is on one of them; the others have something of their own.
		best = slices.DeleteFunc(slices.Clone(heard), func(c *node) bool {
			covered := 0
			for _, n := range heard {
				if c.received.Contains(n.received) {
					covered++
				}
			}
			return covered < len(voters)-acks+1
		})
	}
	if len(best) == 0 {
		return nil, "none of the others has all that they have received: " + lacks(heard)
	}
	slices.SortStableFunc(best, v.preference)
	if op := v.Record.Operation; op != nil {
		v.ended = op.ended(OutcomeGivenUp, fmt.Sprintf("overtaken: the primary %s was lost (%s)", v.Record.Primary, why), v.Now)
	}
	return v.handOver(best[0], Operation{Kind: KindFailover, Reason: why}, PhasePromoting), ""
}

// complete are those of the nodes that have received all that any of them has.
func complete(nodes []*node) []*node {
	all := union(nodes)
	return slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return !n.received.Contains(all) })
}

func union(nodes []*node) gtid.Set {
	var all gtid.Set
	for _, n := range nodes {
		all = all.Union(n.received)
	}
	return all
}

// lacks says of each node what it lacks of all.
func lacks(nodes []*node) string {
	all := union(nodes)
	var parts []string
	for _, n := range nodes {
		if missing := all.Subtract(n.received); !missing.IsEmpty() {
			parts = append(parts, fmt.Sprintf("%s lacks %s", n.Name, missing))
		}
	}
	return strings.Join(parts, "; ")
}

// preference sorts candidates that are equal in what they have received: those that stay, with the least to apply, first.
func (v *view) preference(a, b *node) int {
	return cmp.Or(
		compareBool(stalled(a), stalled(b)),
		compareBool(v.leaving(a), v.leaving(b)),
		cmp.Compare(lagOf(a), lagOf(b)),
		cmp.Compare(a.Ordinal, b.Ordinal),
	)
}

// stalled is true when the node can not apply what it has received.
func stalled(n *node) bool {
	r := n.State.Replication
	return r != nil && !r.ApplierRunning && r.LastError != ""
}

// leaving is true when the node will have to go soon.
func (v *view) leaving(n *node) bool {
	return n.Terminating || n.Drained || n.known() && (n.State.Stopping || n.State.VolumeFull) || n.Ordinal >= v.Spec.Replicas
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// lagOf is the lag of a node in steps, so that small differences do not decide; unknown is more than any.
func lagOf(n *node) int64 {
	if n.State.Replication == nil {
		return 0
	}
	lag := n.State.Replication.LagSeconds
	if lag == nil {
		return 1 << 40
	}
	return *lag / 5
}
