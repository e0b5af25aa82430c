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

// Package api holds what the agent of a MySQL node and the controller say to each other: JSON over HTTP/2 with mutual TLS.
//
//	GET  /v1/state   a stream of State objects, one JSON document a line: the present one at once, then one whenever
//	                 something changes, and one every HeartbeatInterval even if nothing does.
//	POST /v1/order   an Order; answers with an OrderResult when the order has been carried out or has failed.
//
// Beside it the agent serves plain HTTP for the kubelet's probes, /livez and /readyz, which reveal nothing but a status.
package api

import "time"

const (
	// ControlPort is the TCP port of the mutual-TLS API.
	ControlPort = 7306
	// ProbePort is the TCP port of the plain HTTP probes.
	ProbePort = 7307
	// MySQLPort is the TCP port of MySQL for clients, AdminPort that for replicas: clients can not use up its connections.
	MySQLPort = 3306
	AdminPort = 33062
	// HeartbeatInterval is how often a State is sent when nothing changes.
	HeartbeatInterval = time.Second
	// ControllerCommonName is the common name in the client certificate that the control API demands.
	ControllerCommonName = "mysql-controller"
	// StatePath and OrderPath are the paths of the control API.
	StatePath = "/v1/state"
	OrderPath = "/v1/order"
)

// Phase tells what the node is doing.
type Phase string

const (
	// PhaseEmpty: the volume holds no data, of anybody, and the node waits for an order to initialise or to clone.
	PhaseEmpty Phase = "Empty"
	// PhaseInitializing: an empty data directory is being initialised.
	PhaseInitializing Phase = "Initializing"
	// PhaseCloning: the data of another node are being cloned.
	PhaseCloning Phase = "Cloning"
	// PhaseStarting: mysqld has been started and does not answer yet (crash recovery included).
	PhaseStarting Phase = "Starting"
	// PhaseRunning: mysqld answers.
	PhaseRunning Phase = "Running"
	// PhaseHung: mysqld was running and its process is there, but it has not answered for some seconds. What it reported last is
	// left out.
	PhaseHung Phase = "Hung"
	// PhaseStopped: mysqld is not running; Message and LastExit say why. Without data it means that the volume holds somebody else's
	// files, which have to go before anything is made there.
	PhaseStopped Phase = "Stopped"
)

// Role is the role that the node holds in the term that it obeys.
type Role string

const (
	RoleNone    Role = ""
	RolePrimary Role = "Primary"
	RoleReplica Role = "Replica"
)

// State is what a node reports of itself.
type State struct {
	// Node is the name of the node (of its pod), PodUID tells apart pods of the same name that follow each other.
	Node   string `json:"node"`
	PodUID string `json:"podUID,omitempty"`
	// ClusterUID is the UID of the MysqlCluster that the volume's data belong to; empty while there are none, or when the volume
	// comes from elsewhere.
	ClusterUID string `json:"clusterUID,omitempty"`
	// Sequence grows with each State of one run of the agent; AgentStart tells runs apart.
	Sequence   int64     `json:"sequence"`
	AgentStart time.Time `json:"agentStart"`
	// Basis names the situation that orders may be based on. It changes whenever an order has been accepted and whenever mysqld has been
	// started, and never comes back.
	Basis string `json:"basis,omitempty"`
	// Obeying is true while an accepted order is being carried out, so that what is reported may be about to change.
	Obeying bool `json:"obeying,omitempty"`

	Phase   Phase  `json:"phase"`
	Message string `json:"message,omitempty"`
	// HasData is true when the data directory holds a completely initialised or cloned server.
	HasData bool `json:"hasData"`
	// Term is the highest term whose order the node has accepted, kept on the volume.
	Term int64 `json:"term"`
	// Role is the role that the last accepted order gave; RoleNone after each start of mysqld until an order arrives.
	Role Role `json:"role,omitempty"`

	// Joining is true from the moment when data have been cloned, or when received transactions may have been lost (the machine lost its
	// power, the relay log is damaged), until the controller says that the node has received all that the primary had, or makes it the
	// primary. Until then the node may lack commits that were acknowledged with its help. Kept on the volume.
	Joining bool `json:"joining,omitempty"`
	// Stopping is true once the agent has been told to end. A primary that has replicas goes on for some seconds, so that another
	// node can take over.
	Stopping bool `json:"stopping,omitempty"`

	// VolumeFull is true while the volume has hardly any space available. Commits wait then, or fail, and a restart may not succeed.
	VolumeFull bool `json:"volumeFull,omitempty"`

	// The rest is MySQL's and set only in PhaseRunning.

	ServerUUID    string `json:"serverUUID,omitempty"`
	ServerID      uint32 `json:"serverID,omitempty"`
	Version       string `json:"version,omitempty"`
	SuperReadOnly bool   `json:"superReadOnly,omitempty"`
	GTIDExecuted  string `json:"gtidExecuted,omitempty"`
	GTIDPurged    string `json:"gtidPurged,omitempty"`

	Replication *Replication `json:"replication,omitempty"`
	SemiSync    SemiSync     `json:"semiSync,omitempty"`

	// LastExit tells how mysqld ended last in this run of the agent, if it did.
	LastExit string `json:"lastExit,omitempty"`
}

// Replication is the state of the node's receiver and applier. Nil when no source is configured.
type Replication struct {
	SourceHost     string `json:"sourceHost"`
	SourcePort     int    `json:"sourcePort"`
	ReceiverState  string `json:"receiverState,omitempty"` // ReceiverOn, ReceiverOff or ReceiverConnecting
	ApplierRunning bool   `json:"applierRunning"`
	// GTIDRetrieved is the set of transactions that the node has received from its source since its relay log was reset.
	GTIDRetrieved string `json:"gtidRetrieved,omitempty"`
	// LagSeconds is the age of the oldest transaction that was received and is not applied yet, by the time of its commit on the primary;
	// 0 when all that was received has been applied; nil when it is not known.
	LagSeconds *int64 `json:"lagSeconds,omitempty"`
	// LastError is the last error of the receiver or applier, with its number. Empty while they run.
	LastError string `json:"lastError,omitempty"`
}

// States of a receiver, as performance_schema.replication_connection_status has them.
const (
	ReceiverOn         = "ON"
	ReceiverOff        = "OFF"
	ReceiverConnecting = "CONNECTING"
)

// SemiSync is the state of lossless semi-synchronous replication on the node.
type SemiSync struct {
	// SourceEnabled and RequiredAcks are what the primary has been ordered to do.
	SourceEnabled bool `json:"sourceEnabled,omitempty"`
	RequiredAcks  int  `json:"requiredAcks,omitempty"`
	// Clients is the number of connected semi-sync replicas (Rpl_semi_sync_source_clients).
	Clients int `json:"clients,omitempty"`
	// WaitSessions is the number of sessions that wait for an acknowledgement now.
	WaitSessions int `json:"waitSessions,omitempty"`
	// ReplicaEnabled is true on a replica whose receiver acknowledges (Rpl_semi_sync_replica_status).
	ReplicaEnabled bool `json:"replicaEnabled,omitempty"`
}

// OrderKind names what a node is ordered to do.
type OrderKind string

const (
	// OrderInitialize: make an empty server on an empty volume. Refused when the volume holds data.
	OrderInitialize OrderKind = "Initialize"
	// OrderClone: copy the data of Source with the CLONE plugin. Refused when the volume holds data, unless Discard is set.
	OrderClone OrderKind = "Clone"
	// OrderFollow: be a replica of Source; stay, or become, super_read_only.
	OrderFollow OrderKind = "Follow"
	// OrderPromote: be the primary, with RequiredAcks; lift read-only unless ReadOnly is set.
	OrderPromote OrderKind = "Promote"
	// OrderDemote: become super_read_only, close the clients' connections and follow nobody. A mysqld that hangs is killed instead, and
	// started again: it comes back read-only.
	OrderDemote OrderKind = "Demote"
)

// Order is what the controller tells a node to do. Orders are idempotent: repeating one that was carried out changes nothing.
type Order struct {
	// ClusterUID is the UID of the MysqlCluster. Data of another UID are adopted by the first order (volumes kept after the
	// deletion of a cluster of the same name), with the term starting anew.
	ClusterUID string `json:"clusterUID"`
	// PodUID is the UID of the pod that the order is for. All nodes of a cluster share one certificate, and addresses of pods are used
	// again: an order that reaches another pod is refused.
	PodUID string `json:"podUID"`
	// Term is the term of the decision. An order of a term lower than the highest accepted one is refused (RefusedOldTerm).
	Term int64     `json:"term"`
	Kind OrderKind `json:"kind"`
	// Basis is that of the State on which the decision was made. An order is refused (RefusedOutdated) when another one has been accepted
	// since, or mysqld was started again: so orders can not overtake each other.
	Basis string `json:"basis"`

	// Source is the node to clone from or to follow.
	Source *Endpoint `json:"source,omitempty"`
	// RequiredAcks is the number of replicas that must confirm a commit; 0 turns semi-sync off on the primary. For OrderPromote.
	RequiredAcks int `json:"requiredAcks,omitempty"`
	// ReadOnly makes OrderPromote keep the primary super_read_only.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Joined tells a node that follows that it has received all that the primary had: it is not Joining any more.
	Joined bool `json:"joined,omitempty"`
	// Discard allows OrderClone to replace existing data.
	Discard bool `json:"discard,omitempty"`
}

// Endpoint is where a node's MySQL listens.
type Endpoint struct {
	// Host is a name or address; its certificate must be valid for it.
	Host string `json:"host"`
	Port int    `json:"port"`
}

// Outcome tells what became of an order.
type Outcome string

const (
	OutcomeDone Outcome = "Done"
	// OutcomeAccepted: a long order (Initialize, Clone) has begun; the State tells how it goes on.
	OutcomeAccepted Outcome = "Accepted"
	// OutcomeRefused: the order was not begun; Reason and Message say why.
	OutcomeRefused Outcome = "Refused"
	// OutcomeFailed: the order was begun and failed; it may be repeated.
	OutcomeFailed Outcome = "Failed"
)

// Reasons of refusal.
const (
	RefusedOldTerm  = "OldTerm"
	RefusedOutdated = "Outdated"
	RefusedHasData  = "HasData"
	RefusedNoData   = "NoData"
	RefusedBusy     = "Busy"
	RefusedInvalid  = "Invalid"
)

// OrderResult answers an Order.
type OrderResult struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	Message string  `json:"message,omitempty"`
	// State is the node's state after the order.
	State State `json:"state"`
}
