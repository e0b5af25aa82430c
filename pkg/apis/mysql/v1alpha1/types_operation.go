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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// OperationType says what kind of change of the primary an operation is.
// +enum
// +k8s:enum
type OperationType string

const (
	// OperationFailover gives the role of the primary to another node without the help of the old one, which is lost or does not answer.
	OperationFailover OperationType = "Failover"
	// OperationSwitchover gives the role of a healthy primary to another node: the old one steps down first.
	OperationSwitchover OperationType = "Switchover"
)

// FailoverMode says what a change of the primary may cost.
// +enum
// +k8s:enum
type FailoverMode string

const (
	// FailoverGraceful loses nothing: the primary stops taking writes, the target gets all that it has, and only then takes over. What can
	// not be done in time is given up, and the primary stays.
	FailoverGraceful FailoverMode = "Graceful"
	// FailoverForced makes the target the primary whatever the others hold: transactions that the target lacks are given up.
	FailoverForced FailoverMode = "Forced"
)

// OperationPhase says how far an operation has come.
// +enum
// +k8s:enum
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
// +enum
// +k8s:enum
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
	// uid tells operations apart.
	// +required
	// +k8s:required
	UID types.UID `json:"uid" protobuf:"bytes,1,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`

	// type says what kind of change it is: Switchover when the old primary steps down first, Failover when it can not.
	// +required
	// +k8s:required
	Type OperationType `json:"type" protobuf:"bytes,2,opt,name=type,casttype=OperationType"`

	// mode is the mode that was asked for: Graceful or Forced. Empty when the controller itself began the operation.
	// +optional
	// +k8s:optional
	Mode FailoverMode `json:"mode,omitempty" protobuf:"bytes,3,opt,name=mode,casttype=FailoverMode"`

	// requestedBy is the name of the user who asked for it. Empty when the controller itself began the operation.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,4,opt,name=requestedBy"`

	// reason says why, for people: in the words of who asked, or what the controller saw.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,5,opt,name=reason"`

	// from is the name of the node that was the primary.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,6,opt,name=from"`

	// to is the name of the node that is to be the primary. Empty until it has been chosen.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,7,opt,name=to"`

	// term is the term from which on the node in to is the primary; 0 until that has been decided.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	Term int64 `json:"term,omitempty" protobuf:"varint,8,opt,name=term"`

	// requiredAcknowledgements is the number of replicas that held each commit that the old primary had acknowledged.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	RequiredAcknowledgements int32 `json:"requiredAcknowledgements,omitempty" protobuf:"varint,9,opt,name=requiredAcknowledgements"`

	// givenUpGTIDs is the set of transactions that a Forced change gives up: what the nodes had reported when it was asked for, less what
	// the target had. Reports may be some seconds old, so that there can be more of them.
	// +optional
	GivenUpGTIDs string `json:"givenUpGTIDs,omitempty" protobuf:"bytes,10,opt,name=givenUpGTIDs"`

	// phase says how far it has come: Requested, SteppingDown, Promoting, Returning or Completed.
	// +required
	// +k8s:required
	Phase OperationPhase `json:"phase" protobuf:"bytes,11,opt,name=phase,casttype=OperationPhase"`

	// phases tells when each phase began, in order.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	Phases []OperationPhaseTime `json:"phases,omitempty" protobuf:"bytes,12,rep,name=phases"`

	// startedAt is the time when it was asked for, or begun.
	// +required
	StartedAt metav1.MicroTime `json:"startedAt" protobuf:"bytes,13,opt,name=startedAt"`

	// finishedAt is the time when it ended. Not set while it is under way.
	// +optional
	FinishedAt *metav1.MicroTime `json:"finishedAt,omitempty" protobuf:"bytes,14,opt,name=finishedAt"`

	// outcome says how it ended: Succeeded or GivenUp. Empty while it is under way.
	// +optional
	// +k8s:optional
	Outcome OperationOutcome `json:"outcome,omitempty" protobuf:"bytes,15,opt,name=outcome,casttype=OperationOutcome"`

	// message tells, for people, what it waits for, or why it was given up.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,16,opt,name=message"`

	// via are the names of nodes that were to be the primary in between: they were lost too, or another node turned out to have more.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	Via []string `json:"via,omitempty" protobuf:"bytes,17,rep,name=via"`
}

// OperationPhaseTime is the time when a phase of an operation began.
type OperationPhaseTime struct {
	// phase is the phase that began.
	// +required
	// +k8s:required
	Phase OperationPhase `json:"phase" protobuf:"bytes,1,opt,name=phase,casttype=OperationPhase"`

	// at is the time when it began.
	// +required
	At metav1.MicroTime `json:"at" protobuf:"bytes,2,opt,name=at"`
}
