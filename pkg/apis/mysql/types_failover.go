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
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MysqlFailover asks for another primary of a MysqlCluster. It is created at the cluster's subresource failover, with the right to
// create mysqlclusters/failover and no other, and not stored itself: the request is recorded in the cluster's status.operation, where the
// controller tells how it goes on; what has ended moves to status.lastFailovers. With dryRun=All nothing is recorded, and the answer tells
// what would be done.
type MysqlFailover struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	// Spec describes the change that is wanted. Without it, the best replica takes over gracefully.
	Spec MysqlFailoverSpec

	// Status is the answer. It is ignored in requests.
	Status MysqlFailoverStatus
}

// MysqlFailoverSpec describes a change of the primary.
type MysqlFailoverSpec struct {
	// Target is the name of the node (the pod) that is to be the primary. If it is left out, the best one is chosen: of the healthy
	// replicas the one with the least lag, then the one with the most transactions; with mode Forced the node that lacks the fewest.
	Target string

	// Mode says what the change may cost. Graceful, the default, loses nothing, needs a healthy primary, and is given up if it can not be
	// done in time. Forced needs no primary, and gives up the transactions that the target lacks; it is for the case that automatic failover
	// refuses because it would lose some.
	Mode FailoverMode

	// Reason says why, in words for those who read the record later. At most 1024 characters.
	Reason string

	// Term is the cluster's status.term. It is required with mode Forced, so that nobody forces what has been decided differently
	// in the meantime. If it is given, the request is refused when the cluster has another one.
	Term *int64

	// Preconditions are the uid and the resourceVersion that the cluster has to have, if they are given.
	Preconditions *metav1.Preconditions
}

// MysqlFailoverStatus is the answer to a request for another primary. It rests on what the nodes reported last, which may be some
// seconds old: the controller looks again before it acts.
type MysqlFailoverStatus struct {
	// Operation is what was recorded in the cluster's status.operation; with dryRun=All, what would be.
	Operation MysqlClusterOperation

	// Candidates tells of each node whether it can be the primary, and why. The best comes first.
	Candidates []FailoverCandidate

	// GivenUpGTIDs is the set of transactions that a Forced change gives up: what the nodes have reported, less what the target has. There can be
	// more, since reports may be some seconds old. Empty for a Graceful one, which waits until the target has everything.
	GivenUpGTIDs string

	// Steps tells, for people, what is done now; with dryRun=All, what would be.
	Steps []string
}

// FailoverCandidate tells whether a node can be the primary.
type FailoverCandidate struct {
	// Name is the name of the node.
	Name string

	// Eligible is true when the node can be the target of the request's mode.
	Eligible bool

	// Reason says, for people, why or why not.
	Reason string

	// MissingGTIDs is the set of transactions that other nodes have reported and this one has not.
	MissingGTIDs string

	// LagSeconds is how far the node is behind the primary, in seconds, if it is known.
	LagSeconds *int64
}
