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

// MysqlClusterStatus is the observed state of a MysqlCluster.
type MysqlClusterStatus struct {
	// ObservedGeneration is the generation of the spec that the controller acted on last.
	ObservedGeneration int64
	// Phase tells in one line, for people, how the cluster is.
	Phase string
	// Primary is the name of the node that the controller decided to be the primary.
	Primary string
	// Term counts the decisions on who is the primary. It only grows.
	Term int64
	// Replicas is the number of nodes that exist.
	Replicas int32
	// ReadyNodes is the number of nodes that serve clients.
	ReadyNodes int32
	// Selector selects the pods of the cluster.
	Selector string
	// MysqlVersion is the version that the primary reports.
	MysqlVersion string
	// Durability is the durability in force.
	Durability Durability
	// RequiredAcknowledgements is the number of replicas that have to confirm each commit.
	RequiredAcknowledgements int32
	// InitializedAt is the time when the cluster's data came into being. Once set, it stays.
	InitializedAt *metav1.Time
	// Endpoints tell where clients connect to.
	Endpoints MysqlClusterEndpoints
	// Nodes tells how each node is.
	Nodes []NodeStatus
	// Conditions tell how the cluster is, for programs.
	Conditions []metav1.Condition
	// Operation is the change of the primary that is under way. When it ends, it moves to LastFailovers.
	Operation *MysqlClusterOperation
	// LastFailovers are the changes of the primary that have ended, the newest first, at most 10.
	LastFailovers []MysqlClusterOperation
	// Members are the names of the nodes that take part in replication.
	Members []string
	// UpdatedNodes is the number of nodes that run with all that spec asks for.
	UpdatedNodes int32
}

// MysqlClusterEndpoints are the addresses, as host:port, that clients connect to.
type MysqlClusterEndpoints struct {
	// Primary is the address of the primary.
	Primary string
	// Replicas is the address of the healthy replicas.
	Replicas string
	// All is the address of all healthy nodes.
	All string
}

// NodeRole is the part that a node plays in its cluster.
type NodeRole string

const (
	// NodeRolePrimary is the role of the node that takes the writes.
	NodeRolePrimary NodeRole = "Primary"
	// NodeRoleReplica is the role of a node that follows the primary.
	NodeRoleReplica NodeRole = "Replica"
	// NodeRoleUnassigned is the role of a node that has not been given one yet, or that does not report.
	NodeRoleUnassigned NodeRole = "Unassigned"
)

// NodeHealth tells whether a node serves clients.
type NodeHealth string

const (
	// NodeHealthy is the health of a node that does what its role asks for.
	NodeHealthy NodeHealth = "Healthy"
	// NodeUnhealthy is the health of a node that reports but does not do what its role asks for, or not yet.
	NodeUnhealthy NodeHealth = "Unhealthy"
	// NodeUnreachable is the health of a node that the controller does not hear from.
	NodeUnreachable NodeHealth = "Unreachable"
)

// NodeStatus is the observed state of one node of a cluster.
type NodeStatus struct {
	// Name is the name of the node, which is the name of its pod.
	Name string
	// Role is the part that the node plays.
	Role NodeRole
	// Health tells whether the node serves clients.
	Health NodeHealth
	// Since is the time of the last change of role or health.
	Since *metav1.Time
	// Message tells, for people, what the node is doing or what is wrong with it.
	Message string
	// ReadOnly is MySQL's super_read_only of the node, if it is known.
	ReadOnly *bool
	// GTIDExecuted is the set of transactions that the node has executed, as last reported.
	GTIDExecuted string
	// LagSeconds is how far the node is behind the primary, in seconds, if it is known.
	LagSeconds *int64
	// MysqlVersion is the version of MySQL that the node runs.
	MysqlVersion string
	// ServerUUID is MySQL's server_uuid of the node.
	ServerUUID string
	// Joining is true while the node may lack commits that it confirmed before its data were copied from another one.
	Joining bool
}
