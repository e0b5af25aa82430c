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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Observed is all that is known of a cluster at one moment. It may be incomplete: pods that do not exist, agents that do not
// report. Decide never fills such a gap with a guess.
type Observed struct {
	// Now is the time of the observation.
	Now time.Time
	// ClusterUID is the UID of the MysqlCluster.
	ClusterUID string
	Spec       Spec
	Record     Record
	// Size is the number of replicas that the StatefulSet has now; 0 if it does not exist.
	Size int
	// TemplateApplied is true when the StatefulSet's template carries Spec.ConfigHash and the StatefulSet's controller has seen it,
	// so that a deleted pod comes back with the wanted configuration.
	TemplateApplied bool
	// Nodes are the nodes that have a pod or a volume, and those that should have, by ordinal.
	Nodes []Node
	// GaveUpAt is when a switchover was given up last; zero if it never was.
	GaveUpAt time.Time
}

// Spec is what the user asks for, as far as it concerns the roles of the nodes.
type Spec struct {
	Replicas int
	// Durability is the effective one (see EffectiveDurability).
	Durability Durability
	ReadOnly   bool
	// ConfigHash is the hash that the pods' AnnotationConfigHash should have.
	ConfigHash string
	// PauseRollout keeps pods from being replaced because of their configuration.
	PauseRollout bool
	// RebuildErrant has nodes with transactions of their own cloned again instead of being kept.
	RebuildErrant bool
	// MaxLag is the lag, in seconds, above which a replica does not serve clients; 0 for no limit.
	MaxLag int64
}

// Record is the part of the cluster's status that decisions are made from: what was decided before. It is persisted before
// anything that follows from it is done.
type Record struct {
	// Primary is the name of the node that is to be the primary; empty as long as none has been chosen.
	Primary string
	// Term counts the decisions on who is the primary.
	Term int64
	// RequiredAcks is the number of replicas that hold each commit which the primary has acknowledged. The primary may demand
	// more, never less.
	RequiredAcks int
	// Initialized is true once the cluster's data exist.
	Initialized bool
	// Members are the names of the nodes that may hold acknowledged commits: those that were ever told to follow a primary, and the
	// primaries. Sorted.
	Members []string
	// Operation is the change of the primary that was asked for or is under way, nil if there is none.
	Operation *Operation
}

// Node is what is known of one node.
type Node struct {
	// Name is the name of the node and of its pod.
	Name    string
	Ordinal int
	// Host is the name under which other nodes reach it.
	Host string

	// Exists is true when the pod exists; the next fields describe it.
	Exists bool
	PodUID string
	// Terminating is true when the pod is being deleted.
	Terminating bool
	// Ready is what the kubelet says of the pod.
	Ready bool
	// ConfigHash is the pod's AnnotationConfigHash.
	ConfigHash string
	// Served is true while the pod is labelled healthy: clients are led to it.
	Served bool
	// Drained is true when the machine that the pod runs on is to be emptied: nothing is scheduled to it any more.
	Drained bool
	// Problem says in plain words why the pod does not run, as far as Kubernetes tells; empty if it runs.
	Problem string

	// VolumeExists is true when the node's PersistentVolumeClaim exists, VolumeKept when that claim was not made by this cluster, so
	// that it may hold the data of an earlier one.
	VolumeExists bool
	VolumeKept   bool

	// State is the last report of the pod's agent, nil if there is none. Connected is true while the reports arrive.
	State     *api.State
	Connected bool
	// Memory is what was learned from the sequence of the reports.
	Memory Memory
}

// Decision is what is to be done now. If Record is set, it is to be persisted before anything else is done, and nothing else
// of the decision but Status may be acted on: the next decision is then made from the new record.
type Decision struct {
	// Record is the new record to persist, nil if the present one stands.
	Record *Record
	// Ended is the operation that ends with that record, nil if none does. It is kept for people to read.
	Ended *Operation
	// Orders are to be sent to the nodes' agents, at most one to each.
	Orders []NodeOrder
	// Size is the number of replicas that the StatefulSet is to have.
	Size int
	// ReleaseVolumes names the nodes whose volumes are to be deleted.
	ReleaseVolumes []string
	// AdoptVolumes names the nodes whose kept volumes have become this cluster's own.
	AdoptVolumes []string
	// Replace names the pod to delete, so that another comes in its place with the wanted configuration. Empty for none.
	Replace string
	// Status describes the cluster.
	Status Status
	// Wake is the time after which to decide again even if nothing changes, 0 if there is no need.
	Wake time.Duration
}

// NodeOrder is an order to a node.
type NodeOrder struct {
	Node  string
	Order api.Order
}

// Durability says what the primary waits for before it acknowledges a commit.
type Durability string

// The durabilities, as in the API. A single node has none.
const (
	DurabilityNone      Durability = ""
	DurabilityStrict    Durability = "Strict"
	DurabilityPreferred Durability = "Preferred"
)

// Status describes a cluster to people and programs.
type Status struct {
	// Phase is one line for people.
	Phase string
	// Blocked is true when only a person can help; Ready says how.
	Blocked bool
	// Ready: the primary does what the spec asks for and all nodes are healthy.
	Ready Verdict
	// Initialized: the cluster's data exist.
	Initialized Verdict
	// ReadOnly: no node takes writes.
	ReadOnly Verdict
	// Progressing: a change of the spec is being rolled out.
	Progressing Verdict
	// Durable: each commit is acknowledged by as many replicas as the size of the cluster asks for. Nil for a single node.
	Durable *Verdict
	// Nodes has an entry for each observed node with a pod or an ordinal below the wanted size.
	Nodes []NodeStatus
	// ReadyNodes is the number of healthy nodes.
	ReadyNodes int
	// UpdatedNodes is the number of nodes that have the wanted configuration.
	UpdatedNodes int
}

// Verdict is whether something is so, and why.
type Verdict struct {
	True bool
	// Unknown is set when it can not be told whether it is so; True is false then.
	Unknown bool
	// Reason is a CamelCase word for programs, Message a sentence for people.
	Reason  string
	Message string
}

// Role is the part that a node plays.
type Role string

// The roles, as in the API.
const (
	RolePrimary    Role = "Primary"
	RoleReplica    Role = "Replica"
	RoleUnassigned Role = "Unassigned"
)

// Health tells whether a node serves clients.
type Health string

// The healths, as in the API.
const (
	Healthy     Health = "Healthy"
	Unhealthy   Health = "Unhealthy"
	Unreachable Health = "Unreachable"
)

// NodeStatus describes a node.
type NodeStatus struct {
	Name    string
	Role    Role
	Health  Health
	Message string
	// Joining is true while the node has not caught up since it was cloned.
	Joining bool
}
