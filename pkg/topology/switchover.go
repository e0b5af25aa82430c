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
)

// Switchover: another node becomes the primary although the present one works: because somebody asks for it, or because the primary has
// to go: its pod is being deleted, its volume is full, its machine is being drained, it is the last one to be updated, its ordinal is to be removed.
//
// It begins when a replica is ready to take over: connected, hardly behind, and going to stay. Then the replica is recorded as the primary,
// and the change is carried out (transition.go). Until then nothing happens to anybody: a request waits for a bounded time.
//
// A forced request is for the case when nothing else works: the named node becomes the primary whatever it lacks.

const (
	// requestTimeout is how long a request waits for its target to be ready.
	requestTimeout = 30 * time.Second
	// handOverLag is the lag, in seconds, up to which a replica is ready to take over: clients wait while it applies the rest.
	handOverLag = 2
	// retryPause is the time after a switchover was given up in which none is begun without being asked for.
	retryPause = 5 * time.Minute
)

// switchover returns the record of another primary if one is asked for or needed.
func (v *view) switchover() *Record {
	if !v.Record.Initialized || v.pending() != nil {
		return nil
	}
	if op := v.requested(); op != nil {
		return v.carryOut(op)
	}
	why := v.wish()
	if why == "" {
		return nil
	}
	stopping := v.primary.Terminating || v.primary.State.Stopping
	if !stopping && !v.GaveUpAt.IsZero() && !v.over(v.GaveUpAt, retryPause) {
		return nil
	}
	if to, _ := v.successor(""); to != nil && !v.leaving(to) && (stopping || !v.alone()) {
		return v.handOver(to, Operation{Kind: KindSwitchover, Reason: why}, PhaseSteppingDown)
	}
	return nil
}

// carryOut begins the switchover that was asked for, or gives it up.
func (v *view) carryOut(op *Operation) *Record {
	if op.To == v.Record.Primary {
		return v.end(OutcomeSucceeded, op.To+" is the primary already")
	}
	to, problem := v.successor(op.To)
	switch {
	case to == nil:
	case !v.serving():
		problem = v.Record.Primary + " is not serving"
	case v.alone():
		problem = v.Record.Primary + " takes writes alone, until a replica has been made sure of"
	default:
		return v.handOver(to, *op, PhaseSteppingDown)
	}
	if v.over(op.StartedAt, requestTimeout) {
		return v.end(OutcomeGivenUp, "nothing was changed: "+problem)
	}
	return nil
}

// forced carries out a forced request as soon as the target answers, or gives it up. It comes before everything that a person may want to
// overrule.
func (v *view) forced() *Record {
	op := v.requested()
	if op == nil || !op.Forced || !v.Record.Initialized {
		return nil
	}
	if op.To == v.Record.Primary && v.pending() == nil {
		return v.end(OutcomeSucceeded, op.To+" is the primary already")
	}
	var answering []*node
	for _, n := range v.nodes {
		if (n != v.primary || v.pending() != nil) && n.running() && (op.To == "" || n.Name == op.To) {
			answering = append(answering, n)
		}
	}
	if len(answering) == 0 {
		if !v.over(op.StartedAt, requestTimeout) {
			return nil
		}
		next := v.end(OutcomeGivenUp, "nothing was changed: the target does not answer")
		if op.Term != 0 {
			// The change that was pending before is pending again.
			again := op.in(PhasePromoting, v.Now)
			again.Forced, again.GivenUp = false, ""
			next.Operation = again
		}
		return next
	}
	slices.SortStableFunc(answering, func(a, b *node) int { return cmp.Compare(b.received.Count(), a.received.Count()) })
	to := answering[0]
	var known []*node
	for _, n := range v.nodes {
		if n.State != nil && n.State.HasData && n.gtidErr == nil {
			known = append(known, n)
		}
	}
	next := v.handOver(to, *op, PhasePromoting)
	next.Operation.GivenUp = union(known).Subtract(to.received).String()
	// What is given up may be on other nodes; what the new primary has may be nowhere else.
	next.RequiredAcks = 0
	return next
}

// alone is true when no commit is sure to be on another node, though it should be. If the primary were lost in the middle, nobody could go on.
func (v *view) alone() bool { return v.Record.RequiredAcks == 0 && requiredAcks(v.Spec.Replicas) > 0 }

// successor is the replica that is ready to take over, the named one or the best one; or it says why there is none.
func (v *view) successor(name string) (to *node, problem string) {
	var ready []*node
	var problems []string
	for _, n := range v.others() {
		if name != "" && n.Name != name || n.Ordinal >= v.Size {
			continue
		}
		if problem := v.unready(n); problem != "" {
			problems = append(problems, fmt.Sprintf("%s %s", n.Name, problem))
			continue
		}
		ready = append(ready, n)
	}
	if len(ready) == 0 {
		if len(problems) == 0 {
			return nil, "there is no such replica"
		}
		return nil, strings.Join(problems, "; ")
	}
	slices.SortStableFunc(ready, v.preference)
	return ready[0], ""
}

// unready says why a replica is not ready to take over; empty if it is.
func (v *view) unready(n *node) string {
	switch {
	case !n.running():
		_, message := v.health(n)
		return message
	case n.Terminating || n.State.Stopping:
		return "is being stopped"
	case n.State.VolumeFull:
		return "has a full volume"
	case v.errant(n) != "":
		return "holds transactions that the primary does not have: " + v.errant(n)
	case !v.connected(n):
		return "is not connected to the primary"
	case n.State.Joining:
		return "has not caught up since it was cloned"
	case n.State.Replication.LagSeconds == nil:
		return "has an unknown lag"
	case *n.State.Replication.LagSeconds > handOverLag:
		return fmt.Sprintf("lags by %d s", *n.State.Replication.LagSeconds)
	}
	return ""
}

// wish says why the primary should hand over without being asked to; empty if it need not.
func (v *view) wish() string {
	p := v.primary
	if !v.serving() {
		return ""
	}
	switch {
	case p.Terminating || p.State.Stopping:
		return "its pod is being stopped"
	case p.State.VolumeFull:
		return "its volume is full"
	case p.Drained:
		return "its machine is being drained"
	case p.Ordinal >= v.Spec.Replicas:
		return "its node is to be removed"
	case v.primaryIsNext():
		return "its pod is the last one to be updated"
	}
	return ""
}
