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
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// world is a model of a cluster: volumes, pods, agents that obey orders, MySQL's replication, clients that write. It is what Decide is let loose on, with
// reports that are lost or late, orders that do not arrive, and controllers that are killed between any two steps. It checks the
// safety rules after each step.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	now    time.Time
	spec   Spec
	asked  Durability
	record Record
	size   int
	nodes  []*machine
	uuids  int

	faults, forced bool
	// trace logs what happens.
	trace bool
	// acked counts, by server UUID, the commits that clients were told of.
	acked map[string]int
	// opened is the highest term in which a node was opened for writes.
	opened int64
	// underway are orders that have been sent and have not arrived.
	underway []NodeOrder
	history  []Operation
	// primaries are the nodes that were ordered to be primary, by term.
	primaries map[int64]string
	// initialized counts the servers that were made empty.
	initialized int
	// lostVolumes is true once a volume was lost, lostAcked once the last copy of a commit was among them.
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
	term     int64
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
	// basis counts the accepted orders and the starts.
	basis int
	// exited is true once MySQL has ended in this run of the agent.
	exited bool
	// leaving is the number of steps until the pod, which is being deleted, is gone.
	leaving int
	// isolated nodes reach no other node, and are reached by none.
	isolated bool
	drained  bool

	// what the controller knows
	heard  *api.State
	memory Memory
	cut    bool
}

func newWorld(t *testing.T, seed uint64, replicas int, asked Durability) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1_000_000, 0), asked: asked,
		acked: map[string]int{}, primaries: map[int64]string{},
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
	m.started, m.seq, m.exited = m.w.now, 0, false
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
	m.leaving = 0
	m.pod, m.heard, m.phase, m.source, m.link, m.donor, m.ro, m.role = false, nil, "", nil, false, nil, true, api.RoleNone
}

func (m *machine) loseVolume() {
	m.stop()
	m.volume, m.data, m.executed, m.received, m.term, m.uuid, m.configured, m.joining = false, false, nil, nil, 0, "", nil, false
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

func (m *machine) report() {
	if !m.pod || m.cut {
		return
	}
	m.seq++
	s := &api.State{
		Node: m.name, PodUID: fmt.Sprint(m.podUID), Sequence: m.seq, AgentStart: m.started,
		Phase: m.phase, HasData: m.data, Term: m.term, Role: m.role, Basis: fmt.Sprint(m.basis), Joining: m.joining, Stopping: m.leaving > 0,
	}
	if m.exited {
		s.LastExit = "signal: killed"
	}
	if m.data {
		s.ClusterUID = "cluster"
	}
	if m.phase == api.PhaseRunning {
		s.ServerUUID, s.SuperReadOnly, s.GTIDExecuted = m.uuid, m.ro, set(m.executed)
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
	r := &api.Replication{SourceHost: m.configured.name, SourcePort: 3306, ReceiverState: api.ReceiverOff, GTIDRetrieved: set(m.received)}
	if m.source == nil {
		return r
	}
	lag := int64(0)
	if !maps.Equal(m.source.executed, m.received) {
		lag = 1
	}
	r.ApplierRunning, r.ReceiverState, r.LagSeconds = true, "CONNECTING", &lag
	if m.link {
		r.ReceiverState = api.ReceiverOn
	}
	return r
}

// observe is what the controller sees; the last reports may be old.
func (w *world) observe() Observed {
	o := Observed{Now: w.now, ClusterUID: "cluster", Spec: w.spec, Record: w.record, Size: w.size, TemplateApplied: true}
	for i := range max(len(w.nodes), w.spec.Replicas) {
		m := w.at(i)
		if !m.pod && !m.volume && i >= w.spec.Replicas {
			continue
		}
		o.Nodes = append(o.Nodes, Node{
			Name: m.name, Ordinal: i, Host: m.name, Exists: m.pod, PodUID: fmt.Sprint(m.podUID), Ready: m.serves() && m.role != "",
			ConfigHash: m.hash, VolumeExists: m.volume, Terminating: m.leaving > 0, Drained: m.drained, Served: true, State: m.heard, Connected: m.pod && !m.cut && m.heard != nil, Memory: m.memory,
		})
	}
	return o
}

// reconcile is one round of the controller, which may be killed after each part of it.
func (w *world) reconcile() {
	d := Decide(w.observe())
	w.last = d
	if w.trace {
		w.t.Logf("%d: phase %q record %+v orders %+v acked %v", w.now.Unix()-1_000_000, d.Status.Phase, d.Record, d.Orders, w.acked)
		for _, m := range w.nodes {
			w.t.Logf("    %s phase %s role %s term %d ro %t acks %d waits %d joining %t executed %v received %v", m.name, m.phase, m.role, m.term, m.ro, m.acks, m.waits, m.joining, m.executed, m.received)
		}
	}
	killed := func() bool { return w.faults && w.chance(10) }
	if killed() {
		return
	}
	if d.Record != nil {
		w.checkRecord(*d.Record)
		w.record = *d.Record
		if d.Ended != nil {
			w.history = append(w.history, *d.Ended)
		}
		return
	}
	w.checkSize(d)
	w.size = d.Size
	for _, o := range d.Orders {
		if killed() {
			return
		}
		w.checkOrder(o)
		w.machine(o.Node).memory = w.machine(o.Node).memory.Ordered(o.Order.Basis)
		switch {
		case w.faults && w.chance(15):
		case w.faults && w.chance(30):
			w.underway = append(w.underway, o)
		default:
			w.machine(o.Node).obey(o.Order)
			if !slices.ContainsFunc(w.underway, func(u NodeOrder) bool { return u.Node == o.Node }) {
				w.machine(o.Node).memory = w.machine(o.Node).memory.Answered()
			}
		}
	}
	for _, name := range d.ReleaseVolumes {
		w.checkRelease(name)
		w.machine(name).loseVolume()
	}
	if d.Replace != "" {
		w.machine(d.Replace).leave()
	}
}

// deliver lets orders arrive that have been on their way for a while, in any order.
func (w *world) deliver() {
	w.rng.Shuffle(len(w.underway), func(i, j int) { w.underway[i], w.underway[j] = w.underway[j], w.underway[i] })
	for len(w.underway) > 0 && w.chance(50) {
		o := w.underway[0]
		w.underway = w.underway[1:]
		w.machine(o.Node).obey(o.Order)
	}
}

// leave is the deletion of the pod: MySQL goes on for a moment.
func (m *machine) leave() {
	if m.pod && m.leaving == 0 {
		m.leaving = 3
	}
}

func (m *machine) obey(o api.Order) {
	if !m.pod || o.Term < m.term || o.Basis != fmt.Sprint(m.basis) {
		return
	}
	m.basis++
	if m.phase == api.PhaseHung && (o.Kind == api.OrderDemote || o.Kind == api.OrderFollow) {
		m.term = o.Term
		m.crash()
		return
	}
	switch o.Kind {
	case api.OrderInitialize:
		if m.data || m.phase != api.PhaseEmpty {
			return
		}
		m.phase = api.PhaseInitializing
	case api.OrderClone:
		if m.data && !o.Discard || !m.data && m.phase != api.PhaseEmpty {
			return
		}
		if m.data {
			m.w.discard(m)
		}
		m.phase, m.donor = api.PhaseCloning, m.w.machine(o.Source.Host)
	case api.OrderFollow:
		if !m.serves() {
			return
		}
		m.endWaits()
		if source := m.w.machine(o.Source.Host); m.source != source {
			m.source, m.link = source, false
		}
		m.role, m.ro, m.acks, m.configured = api.RoleReplica, true, 0, m.source
		if o.Joined {
			m.joining = false
		}
	case api.OrderDemote:
		if !m.serves() {
			return
		}
		m.endWaits()
		m.role, m.ro, m.acks, m.source, m.link = api.RoleNone, true, 0, nil, false
	case api.OrderPromote:
		if !m.serves() {
			return
		}
		m.role, m.source, m.configured, m.link, m.acks = api.RolePrimary, nil, nil, false, o.RequiredAcks
		m.executed = maps.Clone(m.received)
		if o.ReadOnly {
			m.endWaits()
			m.ro = true
		} else if m.clients() >= m.acks && m.ro {
			m.ro = false
			m.w.checkOpened(m, o.Term)
		}
	}
	if m.data {
		m.term = o.Term
	}
}
