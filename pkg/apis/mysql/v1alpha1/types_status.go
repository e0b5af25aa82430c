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

// MysqlClusterStatus is the observed state of a MysqlCluster.
type MysqlClusterStatus struct {
	// observedGeneration is the generation of the spec that the controller acted on last.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`

	// phase tells in one line, for people, how the cluster is. Programs should look at conditions instead.
	// +optional
	Phase string `json:"phase,omitempty" protobuf:"bytes,2,opt,name=phase"`

	// primary is the name of the node (the pod) that the controller decided to be the primary. It is recorded before the node is told.
	// +optional
	Primary string `json:"primary,omitempty" protobuf:"bytes,3,opt,name=primary"`

	// term counts the decisions on who is the primary. It only grows; nodes refuse orders of an older term.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	Term int64 `json:"term,omitempty" protobuf:"varint,4,opt,name=term"`

	// replicas is the number of nodes that exist.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	Replicas int32 `json:"replicas,omitempty" protobuf:"varint,5,opt,name=replicas"`

	// readyNodes is the number of nodes that serve clients: the primary, and each replica that follows it.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	ReadyNodes int32 `json:"readyNodes,omitempty" protobuf:"varint,6,opt,name=readyNodes"`

	// selector selects the pods of the cluster. It is what the scale subresource shows to autoscalers.
	// +optional
	Selector string `json:"selector,omitempty" protobuf:"bytes,7,opt,name=selector"`

	// mysqlVersion is the version that the primary reports.
	// +optional
	MysqlVersion string `json:"mysqlVersion,omitempty" protobuf:"bytes,8,opt,name=mysqlVersion"`

	// durability is the durability in force: the one in spec, or the one that follows from the size. Empty for a single node.
	// +optional
	// +k8s:optional
	Durability Durability `json:"durability,omitempty" protobuf:"bytes,9,opt,name=durability,casttype=Durability"`

	// requiredAcknowledgements is the number of replicas that are known to hold each commit that the primary has acknowledged. It is
	// lowered before the primary is told to wait for fewer, and raised after replicas have caught up with a primary that waits for more.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	RequiredAcknowledgements int32 `json:"requiredAcknowledgements,omitempty" protobuf:"varint,10,opt,name=requiredAcknowledgements"`

	// initializedAt is the time when the cluster's data came into being. From then on, no node is ever initialised empty again.
	// +optional
	InitializedAt *metav1.Time `json:"initializedAt,omitempty" protobuf:"bytes,11,opt,name=initializedAt"`

	// endpoints tell where clients connect to.
	// +optional
	Endpoints MysqlClusterEndpoints `json:"endpoints,omitempty,omitzero" protobuf:"bytes,12,opt,name=endpoints"`

	// nodes tells how each node is.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=name
	// +patchStrategy=merge
	// +patchMergeKey=name
	Nodes []NodeStatus `json:"nodes,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,13,rep,name=nodes"`

	// conditions tell how the cluster is, for programs: Ready, Initialized, ReadOnly, Progressing, SecretReady, Durable and Reconciled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,14,rep,name=conditions"`

	// operation is the change of the primary that is under way, asked for by a person or begun by the controller. When it ends, it moves to
	// lastFailovers.
	// +optional
	// +k8s:optional
	Operation *MysqlClusterOperation `json:"operation,omitempty" protobuf:"bytes,15,opt,name=operation"`

	// lastFailovers are the changes of the primary that have ended, the newest first. The last 10 are kept.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=10
	// +k8s:validation:maxItems=10
	LastFailovers []MysqlClusterOperation `json:"lastFailovers,omitempty" protobuf:"bytes,16,rep,name=lastFailovers"`

	// members are the names of the nodes that take part in replication, so that they may hold commits that others lack. A primary is replaced
	// only when enough of them have been heard.
	// +optional
	// +listType=set
	// +k8s:optional
	// +k8s:listType=set
	Members []string `json:"members,omitempty" protobuf:"bytes,17,rep,name=members"`

	// updatedNodes is the number of nodes that run with all that spec asks for. A rollout has ended when it is the number of all.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	UpdatedNodes int32 `json:"updatedNodes,omitempty" protobuf:"varint,18,opt,name=updatedNodes"`
}

// MysqlClusterEndpoints are the addresses, as host:port, that clients connect to.
type MysqlClusterEndpoints struct {
	// primary is the address of the primary, for reads and writes.
	// +optional
	Primary string `json:"primary,omitempty" protobuf:"bytes,1,opt,name=primary"`

	// replicas is the address of the healthy replicas, for reads.
	// +optional
	Replicas string `json:"replicas,omitempty" protobuf:"bytes,2,opt,name=replicas"`

	// all is the address of all healthy nodes, the primary included, for reads.
	// +optional
	All string `json:"all,omitempty" protobuf:"bytes,3,opt,name=all"`
}

// NodeRole is the part that a node plays in its cluster.
// +enum
// +k8s:enum
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
// +enum
// +k8s:enum
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
	// name is the name of the node, which is the name of its pod.
	// +required
	// +k8s:required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`

	// role is the part that the node plays: Primary, Replica or Unassigned.
	// +optional
	// +k8s:optional
	Role NodeRole `json:"role,omitempty" protobuf:"bytes,2,opt,name=role,casttype=NodeRole"`

	// health tells whether the node serves clients: Healthy, Unhealthy or Unreachable.
	// +optional
	// +k8s:optional
	Health NodeHealth `json:"health,omitempty" protobuf:"bytes,3,opt,name=health,casttype=NodeHealth"`

	// since is the time of the last change of role or health.
	// +optional
	Since *metav1.Time `json:"since,omitempty" protobuf:"bytes,4,opt,name=since"`

	// message tells, for people, what the node is doing or what is wrong with it.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,5,opt,name=message"`

	// readOnly is MySQL's super_read_only of the node, if it is known.
	// +optional
	ReadOnly *bool `json:"readOnly,omitempty" protobuf:"varint,6,opt,name=readOnly"`

	// gtidExecuted is the set of transactions that the node has executed, as last reported. It may be some seconds old.
	// +optional
	GTIDExecuted string `json:"gtidExecuted,omitempty" protobuf:"bytes,7,opt,name=gtidExecuted"`

	// lagSeconds is how far the node is behind the primary, in seconds, if it is known. 0 on an idle replica; not set on the primary.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:validation:minimum=0
	LagSeconds *int64 `json:"lagSeconds,omitempty" protobuf:"varint,8,opt,name=lagSeconds"`

	// mysqlVersion is the version of MySQL that the node runs.
	// +optional
	MysqlVersion string `json:"mysqlVersion,omitempty" protobuf:"bytes,9,opt,name=mysqlVersion"`

	// serverUUID is MySQL's server_uuid of the node. The node's own transactions carry it.
	// +optional
	ServerUUID string `json:"serverUUID,omitempty" protobuf:"bytes,10,opt,name=serverUUID"`

	// joining is true while the node, whose data were copied from another one, may lack commits that it confirmed before. It is no candidate
	// for the primary until it has received all that the primary has.
	// +optional
	Joining bool `json:"joining,omitempty" protobuf:"varint,11,opt,name=joining"`
}

// Types of the conditions in the status of a MysqlCluster.
const (
	// ConditionReady is True when the primary takes writes (reads, if spec.readOnly) and all nodes are healthy.
	ConditionReady = "Ready"
	// ConditionInitialized is True once the cluster's data exist.
	ConditionInitialized = "Initialized"
	// ConditionReadOnly is True while no node takes writes.
	ConditionReadOnly = "ReadOnly"
	// ConditionProgressing is True while a change of spec is being rolled out.
	ConditionProgressing = "Progressing"
	// ConditionSecretReady is False while the Secret that spec.secretName names is missing or incomplete.
	ConditionSecretReady = "SecretReady"
	// ConditionDurable is True while each commit is acknowledged by as many replicas as the size of the cluster asks for.
	ConditionDurable = "Durable"
	// ConditionReconciled is False while Kubernetes refuses an object of the cluster.
	ConditionReconciled = "Reconciled"
)
