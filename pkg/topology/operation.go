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
	"slices"
	"time"
)

// Operation is a change of the primary: asked for, under way, or ended.
type Operation struct {
	// UID tells operations apart.
	UID  string
	Kind OperationKind
	// Forced is set when a person has asked for a change that may give up transactions.
	Forced bool
	// RequestedBy is who asked for it; empty when it was decided on without being asked for.
	RequestedBy string
	// Reason says why, for people.
	Reason string
	// From and To are the old and the new primary. To may be empty in a request.
	// From is the last node that is known to have taken writes.
	From, To string
	// Via are nodes that were the recorded primary in between. They may have been opened for a moment.
	Via []string
	// Term is the term in which To is the primary; 0 as long as nothing has been decided.
	Term int64
	// Acks is the number of replicas that hold each commit which was acknowledged before the operation: the record's at that time.
	Acks int
	// GivenUp are transactions that are given up, as far as known. Only a forced operation gives up any.
	GivenUp string
	Phase   OperationPhase
	// Steps are the times at which the phases began.
	Steps     []OperationStep
	StartedAt time.Time
	// EndedAt and Outcome are set when it has ended.
	EndedAt time.Time
	Outcome OperationOutcome
	// Message says what it waits for, or how it ended.
	Message string
}

// OperationKind tells what made the change necessary.
type OperationKind string

// The kinds, as in the API.
const (
	// KindFailover: the old primary is lost.
	KindFailover OperationKind = "Failover"
	// KindSwitchover: the old primary works, and hands over.
	KindSwitchover OperationKind = "Switchover"
)

// OperationPhase tells how far an operation is.
type OperationPhase string

// The phases, as in the API.
const (
	// PhaseRequested: somebody asked for it.
	PhaseRequested OperationPhase = "Requested"
	// PhaseSteppingDown: the new primary is recorded, the old one hands over.
	PhaseSteppingDown OperationPhase = "SteppingDown"
	// PhasePromoting: the new primary is recorded, the old one is not asked.
	PhasePromoting OperationPhase = "Promoting"
	// PhaseReturning: the switchover did not work out, the old primary is the recorded one again.
	PhaseReturning OperationPhase = "Returning"
	// PhaseCompleted: it has ended.
	PhaseCompleted OperationPhase = "Completed"
)

// OperationOutcome tells how an operation ended.
type OperationOutcome string

// The outcomes, as in the API.
const (
	OutcomeSucceeded OperationOutcome = "Succeeded"
	OutcomeGivenUp   OperationOutcome = "GivenUp"
)

// OperationStep is the beginning of a phase.
type OperationStep struct {
	Phase OperationPhase
	At    time.Time
}

// in returns the operation in another phase.
func (o Operation) in(phase OperationPhase, now time.Time) *Operation {
	o.Steps = append(slices.Clone(o.Steps), OperationStep{phase, now})
	o.Phase = phase
	return &o
}

// ended returns the operation with its outcome.
func (o Operation) ended(outcome OperationOutcome, message string, now time.Time) *Operation {
	r := o.in(PhaseCompleted, now)
	r.Outcome, r.Message, r.EndedAt = outcome, message, now
	return r
}

// since is when its present phase began.
func (o *Operation) since() time.Time {
	if len(o.Steps) == 0 {
		return o.StartedAt
	}
	return o.Steps[len(o.Steps)-1].At
}

// pending is the change of the primary that has been recorded and is not done; nil if there is none.
func (v *view) pending() *Operation {
	if op := v.Record.Operation; op != nil && op.Term != 0 {
		return op
	}
	return nil
}

// requested is the change of the primary that was asked for and not decided on; nil if there is none. A forced one may have taken the
// place of a change that is still pending: its term is that of the latter then.
func (v *view) requested() *Operation {
	if op := v.Record.Operation; op != nil && op.Phase == PhaseRequested {
		return op
	}
	return nil
}

// handOver is the record in which the node is the primary, by an operation that has just begun, was asked for, or is under way.
func (v *view) handOver(to *node, op Operation, phase OperationPhase) *Record {
	next := v.Record
	next.Primary = to.Name
	next.Term++
	op.From = v.Record.Primary
	if before := v.pending(); before != nil {
		op.From = before.From
		op.Via = append(slices.Clone(before.Via), v.Record.Primary)
	}
	op.To, op.Term, op.Acks = to.Name, next.Term, v.Record.RequiredAcks
	if op.StartedAt.IsZero() {
		op.StartedAt = v.Now
	}
	if op.UID == "" {
		op.UID = fmt.Sprintf("term-%d", next.Term)
	}
	op.Message = ""
	next.Operation = op.in(phase, v.Now)
	return &next
}

// end is the record without the operation, which is kept as ended.
func (v *view) end(outcome OperationOutcome, message string) *Record {
	next := v.Record
	v.ended = next.Operation.ended(outcome, message, v.Now)
	next.Operation = nil
	return &next
}
