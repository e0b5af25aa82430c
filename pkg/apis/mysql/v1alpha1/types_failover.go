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
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:isSubresource="/failover"

// MysqlFailover asks for another primary of a MysqlCluster. It is created at the cluster's subresource failover, with the right to
// create mysqlclusters/failover and no other, and not stored itself: the request is recorded in the cluster's status.operation, where the
// controller tells how it goes on; what has ended moves to status.lastFailovers. With dryRun=All nothing is recorded, and the answer tells
// what would be done.
type MysqlFailover struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata. Its name is the cluster's, or left out.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec describes the change that is wanted. Without it, the best replica takes over gracefully.
	// +optional
	Spec MysqlFailoverSpec `json:"spec,omitempty,omitzero" protobuf:"bytes,2,opt,name=spec"`

	// status is the answer. It is ignored in requests.
	// +optional
	// +k8s:opaqueType
	Status MysqlFailoverStatus `json:"status,omitempty,omitzero" protobuf:"bytes,3,opt,name=status"`
}

// MysqlFailoverSpec describes a change of the primary.
type MysqlFailoverSpec struct {
	// target is the name of the node (the pod) that is to be the primary. If it is left out, the best one is chosen: of the healthy
	// replicas the one with the least lag, then the one with the most transactions; with mode Forced the node that lacks the fewest.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=253
	// +k8s:validation:maxLength=253
	Target string `json:"target,omitempty" protobuf:"bytes,1,opt,name=target"`

	// mode says what the change may cost. Graceful, the default, loses nothing, needs a healthy primary, and is given up if it can not be
	// done in time. Forced needs no primary, and gives up the transactions that the target lacks; it is for the case that automatic failover
	// refuses because it would lose some.
	// +optional
	// +default="Graceful"
	// +k8s:optional
	Mode FailoverMode `json:"mode,omitempty" protobuf:"bytes,2,opt,name=mode,casttype=FailoverMode"`

	// reason says why, in words for those who read the record later. At most 1024 characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	// +k8s:validation:maxLength=1024
	Reason string `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason"`

	// term is the cluster's status.term. It is required with mode Forced, so that nobody forces what has been decided differently
	// in the meantime. If it is given, the request is refused when the cluster has another one.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	Term *int64 `json:"term,omitempty" protobuf:"varint,4,opt,name=term"`

	// preconditions are the uid and the resourceVersion that the cluster has to have, if they are given.
	// +optional
	// +k8s:optional
	// +k8s:opaqueType
	Preconditions *metav1.Preconditions `json:"preconditions,omitempty" protobuf:"bytes,5,opt,name=preconditions"`
}

// MysqlFailoverStatus is the answer to a request for another primary. It rests on what the nodes reported last, which may be some
// seconds old: the controller looks again before it acts.
type MysqlFailoverStatus struct {
	// operation is what was recorded in the cluster's status.operation; with dryRun=All, what would be.
	// +optional
	Operation MysqlClusterOperation `json:"operation,omitempty,omitzero" protobuf:"bytes,1,opt,name=operation"`

	// candidates tells of each node whether it can be the primary, and why. The best comes first.
	// +optional
	// +listType=map
	// +listMapKey=name
	Candidates []FailoverCandidate `json:"candidates,omitempty" protobuf:"bytes,2,rep,name=candidates"`

	// givenUpGTIDs is the set of transactions that a Forced change gives up: what the nodes have reported, less what the target has. There can be
	// more, since reports may be some seconds old. Empty for a Graceful one, which waits until the target has everything.
	// +optional
	GivenUpGTIDs string `json:"givenUpGTIDs,omitempty" protobuf:"bytes,3,opt,name=givenUpGTIDs"`

	// steps tells, for people, what is done now; with dryRun=All, what would be.
	// +optional
	// +listType=atomic
	Steps []string `json:"steps,omitempty" protobuf:"bytes,4,rep,name=steps"`
}

// FailoverCandidate tells whether a node can be the primary.
type FailoverCandidate struct {
	// name is the name of the node.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`

	// eligible is true when the node can be the target of the request's mode.
	// +required
	Eligible bool `json:"eligible" protobuf:"varint,2,opt,name=eligible"`

	// reason says, for people, why or why not.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason"`

	// missingGTIDs is the set of transactions that other nodes have reported and this one has not.
	// +optional
	MissingGTIDs string `json:"missingGTIDs,omitempty" protobuf:"bytes,4,opt,name=missingGTIDs"`

	// lagSeconds is how far the node is behind the primary, in seconds, if it is known.
	// +optional
	LagSeconds *int64 `json:"lagSeconds,omitempty" protobuf:"varint,5,opt,name=lagSeconds"`
}
