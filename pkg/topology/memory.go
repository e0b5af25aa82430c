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

// Memory is what is remembered of a node from one report to the next. It is kept by the controller in memory only: whatever it
// lacks after a restart is learned anew, and until then Decide waits.
type Memory struct {
	// HeardSince is the arrival of the first report of the present run of the agent, HeardAt that of the last one.
	HeardSince, HeardAt time.Time
	// PhaseSince is the time since which the node reports its present phase.
	PhaseSince time.Time
	// ClientsSince is the time since which the node reports its present number of semi-sync replicas.
	ClientsSince time.Time
	// StuckSince is the time since which commits wait for an acknowledgement while none is completed; zero if they do not.
	StuckSince time.Time
	// BrokenSince is the time since which the node fails to replicate; zero if it does not.
	BrokenSince time.Time
	// Settled is true when the last report was taken wholly after the demand for acknowledgements in it took effect: all that
	// the node committed with another demand is among the transactions of that report.
	Settled bool

	// demandedAt is the first report of the present demand. The second one was taken wholly after it took effect.
	demandedAt int64
	// doubt is the basis of orders that may still arrive at the node; empty if there are none. They may change the demand.
	doubt string
}

// Ordered returns what is still certain after an order of that basis has been sent to the node: the demand that was reported last may
// be changed by it, until it has been answered, or another order has changed the basis.
func (m Memory) Ordered(basis string) Memory {
	m.Settled, m.doubt = false, basis
	return m
}

// Answered returns what is certain after all orders that had been sent to the node have been answered.
func (m Memory) Answered() Memory {
	m.doubt = ""
	return m
}

// Doubtful is true while orders may still arrive at the node that were sent earlier.
func (m Memory) Doubtful() bool { return m.doubt != "" }

// Observe returns what is remembered after the report next has arrived at the time now; last is the report before it, nil if
// next is the first one of its pod.
func (m Memory) Observe(last, next *api.State, now time.Time) Memory {
	fresh := last == nil || last.PodUID != next.PodUID || !last.AgentStart.Equal(next.AgentStart)

	switch {
	case last == nil:
		// Whoever decided before may have sent one.
		m.doubt = next.Basis
	case m.doubt != next.Basis:
		m.doubt = ""
	}

	m.HeardAt = now
	if fresh {
		m.HeardSince = now
	}
	if fresh || last.Phase != next.Phase {
		m.PhaseSince = now
	}
	if fresh || last.SemiSync.Clients != next.SemiSync.Clients {
		m.ClientsSince = now
	}

	switch {
	case !broken(next):
		m.BrokenSince = time.Time{}
	case fresh || m.BrokenSince.IsZero():
		m.BrokenSince = now
	}

	waits := next.SemiSync.WaitSessions > 0
	switch {
	case !waits:
		m.StuckSince = time.Time{}
	case fresh || m.StuckSince.IsZero() || last.GTIDExecuted != next.GTIDExecuted:
		m.StuckSince = now
	}

	switch {
	case fresh || m.doubt != "" || next.Obeying || last.Phase != next.Phase || demanded(last) != demanded(next) || last.Term != next.Term:
		m.Settled, m.demandedAt = false, next.Sequence
	default:
		m.Settled = next.Phase == api.PhaseRunning && next.Sequence > m.demandedAt
	}
	return m
}

// broken is true when a node fails to replicate.
func broken(s *api.State) bool {
	r := s.Replication
	return r != nil && s.Role == api.RoleReplica && r.LastError != "" && (!r.ApplierRunning || r.ReceiverState == api.ReceiverOff)
}

// demanded is the number of acknowledgements that a node waits for.
func demanded(s *api.State) int {
	if !s.SemiSync.SourceEnabled {
		return 0
	}
	return s.SemiSync.RequiredAcks
}
