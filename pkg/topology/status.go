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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// status describes the cluster as it is; d is what has been decided.
func (v *view) status(d *Decision) Status {
	s := Status{
		Blocked:     v.blocked != nil,
		Initialized: v.initializedVerdict(),
		ReadOnly:    v.readOnlyVerdict(),
		Progressing: v.progressingVerdict(d),
		Durable:     v.durableVerdict(),
	}
	for _, n := range v.nodes {
		if !n.Exists && n.Ordinal >= d.Size {
			continue
		}
		health, message := v.health(n)
		if n.Terminating {
			message = strings.TrimSuffix("is being deleted; "+message, "; ")
		}
		s.Nodes = append(s.Nodes, NodeStatus{Name: n.Name, Role: v.role(n), Health: health, Message: message,
			Joining: n.known() && n.State.Joining})
		if health == Healthy {
			s.ReadyNodes++
		}
	}
	for _, n := range v.nodes {
		if n.Exists && n.Ordinal < d.Size && !v.isOutdated(n, d.Size) {
			s.UpdatedNodes++
		}
	}
	s.Ready = v.readyVerdict(d)
	s.Phase = v.phase(d, &s)
	return s
}

func (v *view) initializedVerdict() Verdict {
	switch {
	case v.Record.Initialized:
		return Verdict{True: true, Reason: "Initialized", Message: "the cluster's data exist"}
	case v.blocked != nil:
		return *v.blocked
	case v.waiting != "":
		return Verdict{Reason: "Waiting", Message: "waiting for " + v.waiting}
	case v.Record.Primary != "":
		return Verdict{Reason: "Initializing", Message: v.Record.Primary + " is being initialised"}
	default:
		return Verdict{Reason: "Waiting", Message: "waiting for the first node"}
	}
}

func (v *view) readOnlyVerdict() Verdict {
	writable := v.otherWritable()
	if v.primary != nil && v.primary.writable() {
		writable = v.primary
	}
	switch p := v.primary; {
	case writable != nil && v.Spec.ReadOnly:
		return Verdict{Reason: "TakesWrites", Message: writable.Name + " still takes writes"}
	case writable != nil:
		return Verdict{Reason: "TakesWrites", Message: writable.Name + " takes writes"}
	case p != nil && v.Record.Initialized && v.Spec.Replicas > 0 && !p.known():
		// It may run and take writes where only the controller can not reach it.
		return Verdict{Unknown: true, Reason: "PrimaryUnknown", Message: "nothing is heard of the primary " + p.Name}
	case p != nil && v.Record.Initialized && p.known() && p.State.Phase == api.PhaseHung:
		return Verdict{Unknown: true, Reason: "PrimaryUnknown", Message: "MySQL hangs on the primary " + p.Name}
	case v.Spec.ReadOnly:
		return Verdict{True: true, Reason: "Requested", Message: "spec.readOnly is set"}
	case p != nil && v.Record.Initialized && p.known():
		return Verdict{True: true, Reason: "NotOpen", Message: "the primary " + p.Name + " does not take writes at present"}
	default:
		return Verdict{True: true, Reason: "NoPrimary", Message: "no node takes writes at present"}
	}
}

func (v *view) progressingVerdict(d *Decision) Verdict {
	if v.Spec.Replicas == 0 {
		return v.stoppingVerdict()
	}
	if old := v.outdated(d.Size); len(old) > 0 && v.Spec.PauseRollout {
		return Verdict{Reason: "Paused", Message: fmt.Sprintf("%d of %d nodes have the wanted configuration; spec.pauseRollout is set", d.Size-len(old), d.Size)}
	} else if len(old) > 0 {
		return Verdict{True: true, Reason: "RollingOut", Message: fmt.Sprintf("%d of %d nodes have the wanted configuration", d.Size-len(old), d.Size)}
	}
	if !v.TemplateApplied {
		return Verdict{True: true, Reason: "Applying", Message: "the StatefulSet does not have the wanted configuration yet"}
	}
	if v.Size != d.Size || d.Size != v.Spec.Replicas && v.sizeNote() == "" {
		return Verdict{True: true, Reason: "Scaling", Message: fmt.Sprintf("from %d to %d nodes", v.Size, v.Spec.Replicas)}
	}
	for _, n := range v.nodes {
		if n.Ordinal >= d.Size && n.Exists {
			return Verdict{True: true, Reason: "Scaling", Message: n.Name + " is being removed"}
		}
	}
	if note := v.sizeNote(); note != "" {
		return Verdict{True: true, Reason: "PrimaryStays", Message: note}
	}
	return Verdict{Reason: "Complete", Message: "the cluster is as its spec says"}
}

func (v *view) stoppingVerdict() Verdict {
	for _, n := range v.nodes {
		if n.Exists {
			return Verdict{True: true, Reason: "Stopping", Message: n.Name + " is being stopped"}
		}
	}
	return Verdict{Reason: "Complete", Message: "all nodes are stopped, their volumes are kept"}
}

func (v *view) durableVerdict() *Verdict {
	full := requiredAcks(v.Spec.Replicas)
	if full == 0 {
		return nil
	}
	held := v.Record.RequiredAcks
	switch {
	case !v.Record.Initialized:
		return &Verdict{Reason: "NotInitialized", Message: "there are no data yet"}
	case held >= full:
		return &Verdict{True: true, Reason: "Replicated", Message: fmt.Sprintf("each acknowledged commit is on %d nodes at least", held+1)}
	case v.serving() && demanded(v.primary.State) >= full:
		return &Verdict{Reason: "Confirming", Message: fmt.Sprintf("commits wait for %d replicas again; whether these hold all earlier ones is being "+
			"made sure", full)}
	case held == 0:
		return &Verdict{Reason: "PrimaryAlone", Message: "commits are acknowledged by the primary alone, until a replica has caught up"}
	default:
		return &Verdict{Reason: "FewReplicas", Message: fmt.Sprintf("each acknowledged commit is on %d nodes instead of %d", held+1, full+1)}
	}
}

func (v *view) readyVerdict(d *Decision) Verdict {
	full := requiredAcks(v.Spec.Replicas)
	switch {
	case v.Spec.Replicas == 0:
		return Verdict{Reason: "Stopped", Message: "spec.replicas is 0"}
	case v.blocked != nil:
		return *v.blocked
	case !v.Record.Initialized:
		return v.initializedVerdict()
	case !v.healthy(d.Size):
		return v.unhealthyVerdict(d.Size)
	case v.Record.RequiredAcks < full:
		return Verdict{Reason: "NotDurable", Message: v.durableVerdict().Message}
	default:
		return Verdict{True: true, Reason: "Ready", Message: fmt.Sprintf("%s is the primary, all nodes are healthy", v.Record.Primary)}
	}
}

// unhealthyVerdict says what is wrong, the most important first.
func (v *view) unhealthyVerdict(size int) Verdict {
	if v.noFailover != "" {
		return Verdict{Reason: "PrimaryLost", Message: v.noFailover}
	}
	if v.primary == nil {
		return Verdict{Reason: "NoPrimary", Message: fmt.Sprintf("the primary %s does not exist", v.Record.Primary)}
	}
	if health, message := v.health(v.primary); health != Healthy {
		return Verdict{Reason: "PrimaryNotReady", Message: fmt.Sprintf("primary %s: %s", v.primary.Name, message)}
	}
	if !v.open() {
		s := v.primary.State.SemiSync
		return Verdict{Reason: "WritesWait", Message: fmt.Sprintf("commits wait for replicas, connected: %d of %d", s.Clients, s.RequiredAcks)}
	}
	for _, n := range v.nodes {
		if n.Ordinal >= size || n == v.primary {
			continue
		}
		if health, message := v.health(n); health != Healthy {
			return Verdict{Reason: "ReplicaNotReady", Message: fmt.Sprintf("replica %s: %s", n.Name, message)}
		}
	}
	return Verdict{Reason: "NodesMissing", Message: fmt.Sprintf("not all of %d nodes exist", size)}
}

// phase is the line that people read first.
func (v *view) phase(d *Decision, s *Status) string {
	switch {
	case v.Spec.Replicas == 0:
		if s.Progressing.True {
			return "Stopping"
		}
		return "Stopped"
	case v.blocked != nil:
		return "Blocked: " + v.blocked.Message
	case !v.Record.Initialized:
		return v.bootstrapPhase()
	case v.pending() != nil:
		return v.operationPhase()
	case s.Ready.True && s.Progressing.True:
		return "Updating: " + s.Progressing.Message
	case s.Ready.True && v.Spec.ReadOnly:
		return "Ready (read-only)"
	case s.Ready.True:
		return "Ready"
	case v.serving() && v.open():
		return fmt.Sprintf("Serving, %d of %d nodes ready: %s", s.ReadyNodes, d.Size, s.Ready.Message)
	case v.waiting != "":
		return "Waiting for " + v.waiting
	default:
		return "Not serving: " + s.Ready.Message
	}
}

// operationPhase tells how far a change of the primary is.
func (v *view) operationPhase() string {
	op := v.pending()
	doing := "Switching over"
	switch {
	case op.Phase == PhaseReturning:
		doing = "Returning"
	case op.Kind == KindFailover:
		doing = "Failing over"
	}
	line := fmt.Sprintf("%s from %s to %s", doing, op.From, v.Record.Primary)
	if op.Phase == PhaseReturning {
		line = fmt.Sprintf("%s to %s from %s", doing, op.From, op.To)
	}
	if v.waiting != "" {
		line += ": waiting for " + v.waiting
	}
	if ok, _ := v.safe(); !ok && v.over(op.since(), hintAfter) {
		line += forceHint
	}
	return line
}

// hintAfter is how long a change of the primary waits before people are told how to end the wait.
const hintAfter = time.Minute

// forceHint tells how to end the wait for nodes that do not come back.
const forceHint = ". Bring them back; if that is not possible, a forced failover goes on without them, and tells what would be given up: kubectl mysql failover --force"

func (v *view) bootstrapPhase() string {
	if n := v.primary; n != nil && n.known() && (n.State.Phase == api.PhaseInitializing || n.State.Message != "") {
		return "Initialising: " + n.Name + ": " + phaseMessage(n.State)
	}
	for _, n := range v.nodes {
		if n.Problem != "" {
			return fmt.Sprintf("Starting: %s: %s", n.Name, n.Problem)
		}
	}
	return "Starting: " + v.initializedVerdict().Message
}
