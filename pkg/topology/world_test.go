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
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// world is a model of a cluster: volumes, pods, agents that obey orders, MySQL's replication, clients that write. It is what Decide is let loose on, with
// reports that are lost or late, orders that do not arrive, and controllers that are killed between any two steps. It checks the
// safety rules after each step.
type world struct {
	rng    *rand.Rand
	now    time.Time
	spec   Spec
	asked  Durability
	record Record
	size   int
	nodes  []*machine
	uuids  int

	faults bool
	// trace are the last steps, if they are to be told.
	trace   []string
	tracing bool
	// happened counts what the world is there to try.
	happened map[string]int

	// acked counts, by server UUID, the commits that clients were told of.
	acked map[string]int
	// opened is the highest term in which a node was opened for writes, forced that of the last primary that a person forced, gaveUp the
	// same once that primary has worked.
	opened, forced, gaveUp int64
	// underway are orders that have been sent and have not arrived.
	underway []NodeOrder
	// gaveUpAt is when the last operation was given up, zero if the last one succeeded.
	gaveUpAt time.Time
	// primaries are the nodes that were ordered to be primary, by term.
	primaries map[int64]string
	// initialized counts the servers that were made empty.
	initialized int
	// lostVolumes is true once data were lost, so that a commit may be on fewer nodes than it was.
	lostVolumes bool
	last        Decision
}

// machine is a node of the model.
type machine struct {
	w       *world
	name    string
	ordinal int

	// the volume
	volume   bool
	data     bool
	joining  bool
	uuid     string
	executed map[string]int
	received map[string]int
	// purged is what is not in the binary logs any more.
	purged map[string]int
	term   int64
	// configured is the source that MySQL remembers; its receiver and applier are off after a start.
	configured *machine

	// the pod
	pod     bool
	podUID  int
	started time.Time
	seq     int64
	hash    string
	phase   api.Phase
	role    api.Role
	ro      bool
	source  *machine
	link    bool
	acks    int
	donor   *machine
	waits   int
	// order is the one that is being carried out. Its term has been accepted; opened is the term in which the node was opened for writes.
	order  *api.Order
	opened int64
	// basis counts the accepted orders and the starts.
	basis int
	// exited is true once MySQL has ended in this run of the agent.
	exited bool
	// leaving is the number of steps until the pod, which is being deleted, is gone.
	leaving int
	// isolated nodes reach no other node, and are reached by none.
	isolated bool
	drained  bool
	// slow nodes hardly apply what they receive; behind is for how long they have not applied all.
	slow   bool
	behind int64

	// what the controller knows
	heard  *api.State
	memory Memory
	cut    bool
	served bool
}

func newWorld(seed uint64, replicas int, asked Durability) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1_000_000, 0), asked: asked,
		acked: map[string]int{}, primaries: map[int64]string{}, happened: map[string]int{},
	}
	w.resize(replicas)
	return w
}

func (w *world) resize(replicas int) {
	w.spec.Replicas = replicas
	w.spec.Durability = EffectiveDurability(replicas, w.asked)
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) machine(name string) *machine {
	for _, m := range w.nodes {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (w *world) at(ordinal int) *machine {
	for len(w.nodes) <= ordinal {
		n := len(w.nodes)
		w.nodes = append(w.nodes, &machine{w: w, ordinal: n, name: fmt.Sprintf("db-mysql-%d", n)})
	}
	return w.nodes[ordinal]
}

// statefulSet creates missing pods and removes surplus ones.
func (w *world) statefulSet() {
	for i := range w.size {
		m := w.at(i)
		if !m.pod {
			m.start()
		}
	}
	for _, m := range w.nodes[min(w.size, len(w.nodes)):] {
		m.stop()
	}
}

func (m *machine) start() {
	if !m.volume {
		m.volume = true
	}
	m.pod, m.podUID, m.hash = true, m.podUID+1, m.w.spec.ConfigHash
	m.boot()
}

// crash is the end of MySQL, which the agent starts again.
func (m *machine) crash() {
	started, seq := m.started, m.seq
	m.boot()
	m.started, m.seq, m.exited = started, seq, true
	if m.data {
		m.phase = api.PhaseStarting
	}
}

// boot is a start of the agent and of MySQL: read-only, replication stopped (safety rule 1). Commits that were in the binary log
// without being acknowledged are there afterwards.
func (m *machine) boot() {
	m.endWaits()
	m.basis++
	m.started, m.seq, m.exited, m.order = m.w.now, 0, false, nil
	m.role, m.ro, m.source, m.link, m.acks, m.donor, m.waits = api.RoleNone, true, nil, false, 0, nil, 0
	m.phase = api.PhaseEmpty
	if m.data {
		m.phase = api.PhaseRunning
	}
}

// endWaits ends the waits for acknowledgements: the commits stay, and nobody is told.
func (m *machine) endWaits() {
	if m.waits > 0 {
		m.executed[m.uuid]++
		m.received[m.uuid] = max(m.received[m.uuid], m.executed[m.uuid])
		m.waits = 0
	}
}

func (m *machine) stop() {
	if !m.pod {
		return
	}
	m.endWaits()
	m.pod, m.leaving, m.heard, m.phase, m.order = false, 0, nil, "", nil
	m.source, m.link, m.donor, m.ro, m.role = nil, false, nil, true, api.RoleNone
}

// forget is the loss of the data.
func (m *machine) forget() {
	m.data, m.executed, m.received, m.purged, m.uuid, m.configured = false, nil, nil, nil, "", nil
}

func (m *machine) loseVolume() {
	m.stop()
	m.forget()
	m.volume, m.term, m.joining = false, 0, false
}

func (m *machine) serves() bool { return m.pod && m.data && m.phase == api.PhaseRunning }

func (m *machine) clients() int {
	n := 0
	for _, o := range m.w.nodes {
		if o.serves() && o.source == m && o.link {
			n++
		}
	}
	return n
}

func set(counts map[string]int) string {
	var parts []string
	for _, uuid := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[uuid]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s:1-%d", uuid, n))
		}
	}
	return strings.Join(parts, ",")
}

func contains(all, some map[string]int) bool {
	for uuid, n := range some {
		if all[uuid] < n {
			return false
		}
	}
	return true
}

func (m *machine) report() {
	if !m.pod || m.cut {
		return
	}
	m.seq++
	s := &api.State{
		Node: m.name, PodUID: fmt.Sprint(m.podUID), Sequence: m.seq, AgentStart: m.started,
		Phase: m.phase, HasData: m.data, Term: m.term, Role: m.role, Basis: fmt.Sprint(m.basis), Obeying: m.order != nil,
		Joining: m.joining, Stopping: m.leaving > 0,
	}
	if m.exited {
		s.LastExit = "signal: killed"
	}
	if m.data {
		s.ClusterUID = "cluster"
	}
	if m.phase == api.PhaseRunning {
		s.ServerUUID, s.SuperReadOnly, s.GTIDExecuted, s.GTIDPurged = m.uuid, m.ro, set(m.executed), set(m.purged)
		s.SemiSync = api.SemiSync{SourceEnabled: m.acks > 0, RequiredAcks: m.acks, Clients: m.clients(), WaitSessions: m.waits}
		s.Replication = m.replication()
	}
	m.memory = m.memory.Observe(m.heard, s, m.w.now)
	m.heard = s
}

func (m *machine) replication() *api.Replication {
	if m.configured == nil {
		return nil
	}
	lag := m.behind
	r := &api.Replication{
		SourceHost: m.configured.name, SourcePort: api.AdminPort, ReceiverState: api.ReceiverOff, GTIDRetrieved: set(m.received), LagSeconds: &lag,
	}
	switch {
	case m.source == nil:
		return r
	case m.link:
		r.ReceiverState = api.ReceiverOn
	case !contains(m.received, m.source.purged):
		r.LastError = "13114: purged"
	default:
		r.ReceiverState = api.ReceiverConnecting
	}
	r.ApplierRunning = true
	return r
}
