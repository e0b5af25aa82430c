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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Transition: from the record of another primary to its first commit.
//
// Recording a new primary makes nothing happen by itself; it may be that the old one still takes writes. Before the new one may be
// opened, two things have to be so, seen from reports:
//
//  1. No commit of the old primary can be acknowledged any more.
//  2. The new primary holds all that have been.
//
// Either of two observations shows both:
//
//   - The old primary, and whoever may have been one since, has obeyed the new term: it is read-only. What it has executed is all there ever
//     will be, and the new one has it.
//   - All members but at most as many as acknowledgements are needed have obeyed the new term, and the new primary has all that they have
//     received. Who of the rest might still take writes lacks one acknowledgement at least; and each acknowledged commit is on one more
//     member than the rest has. The new primary counts as one that has obeyed: what it received is kept when it is promoted.
//
// A switchover, in which the old primary is alive, waits for the first one: nothing of the old primary's is left behind. If that takes too
// long, the old primary is recorded again; it returns by the same rules.
//
// As long as the new primary can not be opened, for want of either or of replicas that confirm commits, another node that turns out to have
// received more is recorded instead.

// switchoverTimeout bounds the time in which the new primary of a switchover has to have everything.
const switchoverTimeout = 15 * time.Second

// transition carries a change of the primary on: it returns the record in which it has ended, goes back, or goes to a better node.
func (v *view) transition() *Record {
	op := v.pending()
	if op == nil || op == v.requested() {
		return nil
	}
	if op.Term != v.Record.Term {
		return v.end(OutcomeGivenUp, fmt.Sprintf("overtaken: %s is the primary of term %d", v.Record.Primary, v.Record.Term))
	}
	ok, why := v.safe()
	switch {
	// Open means that it was safe when it was opened; what its own commits have added since is no question of this operation.
	case v.serving() && (!v.primary.State.SuperReadOnly || ok && v.Spec.ReadOnly):
		if op.Phase == PhaseReturning {
			return v.end(OutcomeGivenUp, op.Message)
		}
		return v.end(OutcomeSucceeded, fmt.Sprintf("%s is the primary of term %d", v.Record.Primary, v.Record.Term))
	case ok && v.mayOpen():
		return nil
	}
	v.waiting = why
	if better := v.better(op); better != nil {
		return better
	}
	if ok {
		return nil
	}
	return v.turnBack(op, why)
}

// turnBack records the old primary of a switchover again that does not come to an end.
func (v *view) turnBack(op *Operation, why string) *Record {
	if op.Kind != KindSwitchover || op.Phase != PhaseSteppingDown {
		return nil
	}
	if old := v.node(op.From); !old.running() || old.Terminating || old.State.Stopping || !v.over(op.since(), switchoverTimeout) {
		return nil
	}
	return v.goBack(op, "gave up waiting for "+why)
}

// goBack is the record in which the old primary of a switchover is the primary again.
func (v *view) goBack(op *Operation, message string) *Record {
	next := v.handOver(v.node(op.From), *op, PhaseReturning)
	next.Operation.To, next.Operation.Message = op.To, message
	return next
}

// better is the record of a node that has received more than the new primary, which has not been opened. The nodes that are compared have
// obeyed the new term, so that nothing is added to what they have received.
func (v *view) better(op *Operation) *Record {
	p := v.primary
	if !p.running() || op.Forced || op.Kind == KindSwitchover && op.Phase == PhaseSteppingDown && v.node(op.From).running() {
		return nil
	}
	var settled []*node
	for _, name := range v.Record.Members {
		if n := v.node(name); v.settled(n) && v.electable(n) {
			settled = append(settled, n)
		}
	}
	for _, n := range complete(settled) {
		if n == p || v.errant(n) == "" || !n.received.Contains(p.received) {
			continue
		}
		return v.handOver(n, *op, PhasePromoting)
	}
	return nil
}

// settled is true when the node has obeyed the recorded term, and is done with it: it is read-only and acknowledges no commit but those of the recorded primary.
func (v *view) settled(n *node) bool {
	if !n.running() || n.State.Term != v.Record.Term || !n.State.SuperReadOnly || n.State.Obeying {
		return false
	}
	r := n.State.Replication
	return r == nil || r.ReceiverState == api.ReceiverOff || r.SourceHost == v.host()
}

// safe is true when the recorded primary may be opened. Otherwise it says what is waited for.
func (v *view) safe() (bool, string) {
	op, p := v.pending(), v.primary
	switch {
	case op == nil:
		return true, ""
	case !p.running():
		return false, v.Record.Primary + " to answer"
	case op.Forced && op != v.requested():
		return true, ""
	}
	old := v.node(op.From)
	if op.Kind == KindSwitchover && old.running() && old != p {
		return v.handedOver(op)
	}
	if ok, _ := v.handedOver(op); ok {
		return true, ""
	}
	return v.outvoted(op)
}

// handedOver is true when all that may have been the primary before have obeyed the new term, and the recorded one has all that they have.
func (v *view) handedOver(op *Operation) (bool, string) {
	p := v.primary
	for _, name := range append([]string{op.From}, op.Via...) {
		switch n := v.node(name); {
		case name == p.Name:
		case !v.settled(n) || !v.electable(n):
			// One that has lost its data says nothing about what it acknowledged, nor whether a process of its old pod still does.
			return false, name + " to become read-only"
		case !p.received.Contains(n.executed):
			return false, fmt.Sprintf("%s to receive %s from %s", p.Name, n.executed.Subtract(p.received), name)
		}
	}
	return true, ""
}

// outvoted is true when so many members have obeyed the new term and have nothing that the recorded primary lacks, that there are not more
// others than acknowledgements are needed.
func (v *view) outvoted(op *Operation) (bool, string) {
	p := v.primary
	var others []string
	for _, name := range v.Record.Members {
		switch n := v.node(name); {
		case n == p:
		case !v.settled(n) || !v.electable(n):
			others = append(others, name+" has not obeyed the new term")
		case !p.received.Contains(n.received):
			others = append(others, fmt.Sprintf("%s has %s, which %s lacks", name, n.received.Subtract(p.received), p.Name))
		}
	}
	if missing := len(others) - op.Acks; missing > 0 {
		return false, fmt.Sprintf("%d more of the nodes: %s", missing, strings.Join(others, "; "))
	}
	return true, ""
}
