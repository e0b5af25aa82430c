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

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// health tells whether a node does what its role asks for, and what it does instead.
func (v *view) health(n *node) (Health, string) {
	if !n.known() {
		return Unreachable, unheard(n)
	}
	s := n.State
	switch {
	case n.gtidErr != nil:
		return Unhealthy, "reports a set of transactions that can not be read"
	case s.Phase != api.PhaseRunning:
		return Unhealthy, phaseMessage(s)
	case !v.Record.Initialized:
		return Unhealthy, "waits for the cluster to be initialised"
	case n == v.primary:
		return v.primaryHealth(n)
	default:
		return v.replicaHealth(n)
	}
}

func (v *view) primaryHealth(n *node) (Health, string) {
	switch {
	case !v.serving():
		return Unhealthy, "waits to be promoted"
	case n.State.SuperReadOnly && !v.Spec.ReadOnly:
		return Unhealthy, "read-only until enough replicas are connected"
	case n.State.VolumeFull:
		return Unhealthy, "its volume is full" + because(n.State.Message)
	default:
		return Healthy, ""
	}
}

// replicaHealth is that of a node besides the primary. A replica that can not reach a primary which is away still serves reads.
func (v *view) replicaHealth(n *node) (Health, string) {
	if errant := v.errant(n); errant != "" {
		if v.Spec.RebuildErrant {
			return Unhealthy, fmt.Sprintf("holds transactions that the primary does not have: %s. It is cloned again", errant)
		}
		return Unhealthy, fmt.Sprintf("holds transactions that the primary does not have: %s. It is left alone, read-only; if they are not "+
			"needed, %s: it is cloned again", errant, discardData(n))
	}
	if v.missesPurged(n) {
		return Unhealthy, "lacks transactions that the primary has removed from its binary logs already: it is cloned again"
	}
	r := n.State.Replication
	switch {
	case !v.obeys(n, api.RoleReplica) || r == nil:
		return Unhealthy, "waits to follow the primary"
	case !n.State.SuperReadOnly:
		return Unhealthy, "is not read-only"
	case !v.following(n) || (!v.connected(n) && v.serving()):
		if r.LastError != "" {
			return Unhealthy, "does not replicate: " + r.LastError
		}
		return Unhealthy, "connects to the primary"
	case n.State.VolumeFull:
		return Unhealthy, "its volume is full" + because(n.State.Message)
	case v.lags(n):
		return Unhealthy, fmt.Sprintf("lags by %d s, spec.maxSlaveLatency is %d", *r.LagSeconds, v.Spec.MaxLag)
	default:
		return Healthy, ""
	}
}

// lags is true when a replica is too far behind to serve clients. One that was, has to come down to half of the limit.
func (v *view) lags(n *node) bool {
	lag, limit := n.State.Replication.LagSeconds, v.Spec.MaxLag
	if limit == 0 || lag == nil {
		return false
	}
	if !n.Served {
		limit /= 2
	}
	return *lag > limit
}

// because puts a message that may be empty behind a statement.
func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

// discardData tells a person how to have a node begin anew without data. The claim comes first: it then goes together with the pod. The
// other way round, the StatefulSet makes the pod again at once, on the old volume.
func discardData(n *node) string {
	return fmt.Sprintf("run `kubectl delete pvc %s --wait=false`, then `kubectl delete pod %s`", claimName(n), n.Name)
}

// claimName is the name of a node's PersistentVolumeClaim.
func claimName(n *node) string { return "data-" + n.Name }

// unheard says why nothing is heard of a node.
func unheard(n *node) string {
	switch {
	case n.Problem != "":
		return n.Problem
	case !n.Exists:
		return "its pod does not exist"
	case n.State == nil:
		return "its agent has not reported yet"
	default:
		return "its agent does not report"
	}
}

func phaseMessage(s *api.State) string {
	message := map[api.Phase]string{
		api.PhaseEmpty:        "has no data yet",
		api.PhaseInitializing: "initialises its data",
		api.PhaseCloning:      "copies its data",
		api.PhaseStarting:     "MySQL starts",
		api.PhaseHung:         "MySQL hangs",
		api.PhaseStopped:      "MySQL is stopped",
	}[s.Phase]
	if message == "" {
		message = string(s.Phase)
	}
	if s.Message != "" {
		message += ": " + s.Message
	}
	if s.Phase == api.PhaseStopped && s.LastExit != "" && !strings.Contains(message, s.LastExit) {
		message += " (" + s.LastExit + ")"
	}
	return message
}

// role is the part that the node plays: the recorded one for the primary, the obeyed one for others.
func (v *view) role(n *node) Role {
	switch {
	case !v.Record.Initialized:
		return RoleUnassigned
	case n == v.primary:
		return RolePrimary
	case v.obeys(n, api.RoleReplica):
		return RoleReplica
	default:
		return RoleUnassigned
	}
}
