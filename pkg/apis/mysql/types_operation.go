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

package mysql

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// OperationType says what kind of change of the primary an operation is.
type OperationType string

const (
	// OperationFailover gives the role of the primary to another node without the help of the old one, which is lost or does not answer.
	OperationFailover OperationType = "Failover"
	// OperationSwitchover gives the role of a healthy primary to another node: the old one steps down first.
	OperationSwitchover OperationType = "Switchover"
)

// FailoverMode says what a change of the primary may cost.
type FailoverMode string

const (
	// FailoverGraceful loses nothing: the primary stops taking writes, the target gets all that it has, and only then takes over. What can
	// not be done in time is given up, and the primary stays.
	FailoverGraceful FailoverMode = "Graceful"
	// FailoverForced makes the target the primary whatever the others hold: transactions that the target lacks are given up.
	FailoverForced FailoverMode = "Forced"
)

// OperationPhase says how far an operation has come.
type OperationPhase string

const (
	// OperationRequested is the phase of an operation that somebody asked for, until the controller has decided on it.
	OperationRequested OperationPhase = "Requested"
	// OperationSteppingDown is the phase in which the old primary is made read-only, or the other nodes are made to ignore it.
	OperationSteppingDown OperationPhase = "SteppingDown"
	// OperationPromoting is the phase in which the new primary gets what it lacks and is opened for writes.
	OperationPromoting OperationPhase = "Promoting"
	// OperationReturning is the phase in which the old primary takes over again, because the change could not be done in time.
	OperationReturning OperationPhase = "Returning"
	// OperationCompleted is the phase of an operation that has ended; its outcome tells how.
	OperationCompleted OperationPhase = "Completed"
)

// OperationOutcome says how an operation has ended.
type OperationOutcome string

const (
	// OperationSucceeded is the outcome of an operation whose target is the primary and takes writes.
	OperationSucceeded OperationOutcome = "Succeeded"
	// OperationGivenUp is the outcome of an operation that was ended without a change of the primary.
	OperationGivenUp OperationOutcome = "GivenUp"
)

// MysqlClusterOperation is a change of the primary: one that is under way, or one that has ended. People ask for one with a MysqlFailover;
// the controller begins one by itself when the primary is lost, when the primary's node is drained, and when a change of spec has to restart
// the primary.
type MysqlClusterOperation struct {
	// UID tells operations apart.
	UID types.UID

	// Type says what kind of change it is: Switchover when the old primary steps down first, Failover when it can not.
	Type OperationType

	// Mode is the mode that was asked for: Graceful or Forced. Empty when the controller itself began the operation.
	Mode FailoverMode

	// RequestedBy is the name of the user who asked for it. Empty when the controller itself began the operation.
	RequestedBy string

	// Reason says why, for people: in the words of who asked, or what the controller saw.
	Reason string

	// From is the name of the node that was the primary.
	From string

	// To is the name of the node that is to be the primary. Empty until it has been chosen.
	To string

	// Term is the term from which on the node in to is the primary; 0 until that has been decided.
	Term int64

	// RequiredAcknowledgements is the number of replicas that held each commit that the old primary had acknowledged.
	RequiredAcknowledgements int32

	// GivenUpGTIDs is the set of transactions that a Forced change gives up: what the nodes had reported when it was asked for, less what
	// the target had. Reports may be some seconds old, so that there can be more of them.
	GivenUpGTIDs string

	// Phase says how far it has come: Requested, SteppingDown, Promoting, Returning or Completed.
	Phase OperationPhase

	// Phases tells when each phase began, in order.
	Phases []OperationPhaseTime

	// StartedAt is the time when it was asked for, or begun.
	StartedAt metav1.MicroTime

	// FinishedAt is the time when it ended. Not set while it is under way.
	FinishedAt *metav1.MicroTime

	// Outcome says how it ended: Succeeded or GivenUp. Empty while it is under way.
	Outcome OperationOutcome

	// Message tells, for people, what it waits for, or why it was given up.
	Message string

	// Via are the names of nodes that were to be the primary in between.
	Via []string
}

// OperationPhaseTime is the time when a phase of an operation began.
type OperationPhaseTime struct {
	// Phase is the phase that began.
	Phase OperationPhase

	// At is the time when it began.
	At metav1.MicroTime
}
