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
	"slices"
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// observe is what the controller sees; the last reports may be old.
func (w *world) observe() Observed {
	o := Observed{
		Now: w.now, ClusterUID: "cluster", Spec: w.spec, Record: w.record, Size: w.size, TemplateApplied: true, GaveUpAt: w.gaveUpAt,
	}
	for i := range max(len(w.nodes), w.spec.Replicas) {
		m := w.at(i)
		if !m.pod && !m.volume && i >= w.spec.Replicas {
			continue
		}
		o.Nodes = append(o.Nodes, Node{
			Name: m.name, Ordinal: i, Host: m.name, Exists: m.pod, PodUID: fmt.Sprint(m.podUID), Ready: m.serves() && m.role != "",
			ConfigHash: m.hash, VolumeExists: m.volume, Terminating: m.leaving > 0, Drained: m.drained, Served: m.served,
			State: m.heard, Connected: m.pod && !m.cut && m.heard != nil, Memory: m.memory,
		})
	}
	return o
}

// reconcile is one round of the controller, which may be killed after each part of it.
func (w *world) reconcile() {
	d := Decide(w.observe())
	w.last = d
	w.tell(d)
	killed := func() bool { return w.faults && w.chance(10) }
	if killed() {
		return
	}
	for _, n := range d.Status.Nodes {
		w.machine(n.Name).served = n.Health == Healthy
	}
	if d.Record != nil {
		w.store(d)
		return
	}
	w.checkSize(d)
	w.size = d.Size
	ordered := map[string]bool{}
	for _, o := range d.Orders {
		if ordered[o.Node] {
			w.failf("%s gets two orders: %+v", o.Node, d.Orders)
		}
		ordered[o.Node] = true
		if killed() {
			return
		}
		w.checkOrder(o)
		w.send(o)
	}
	for _, name := range d.ReleaseVolumes {
		w.checkRelease(name)
		w.machine(name).loseVolume()
	}
	if d.Replace != "" {
		w.machine(d.Replace).leave()
	}
}

// store stores the record.
func (w *world) store(d Decision) {
	w.checkRecord(*d.Record)
	before, next := w.record.Operation, d.Record.Operation
	if next != nil && next.Term == d.Record.Term && before != nil && before.Forced && before.Phase == PhaseRequested && next.Phase == PhasePromoting {
		w.forced = next.Term
	}
	if before != nil && next != nil && before.UID == next.UID && before.Term != 0 && next.Term != before.Term && next.Phase == PhasePromoting {
		w.happened["a better node took over"]++
	}
	if next != nil && next != before && strings.HasPrefix(next.Reason, "it came back without") {
		w.failf("%s is replaced for transactions that it has: %s", w.record.Primary, next.Reason)
	}
	if next != nil && next != before && strings.HasPrefix(next.Reason, "commits wait") {
		w.happened["a primary without replicas was replaced"]++
	}
	if op := d.Ended; op != nil {
		w.happened[fmt.Sprintf("%s %s", op.Kind, op.Outcome)]++
		if slices.ContainsFunc(op.Steps, func(s OperationStep) bool { return s.Phase == PhaseReturning }) && op.Outcome == OutcomeGivenUp {
			w.happened["a switchover returned"]++
		}
		if w.gaveUpAt = (time.Time{}); op.Outcome == OutcomeGivenUp {
			w.gaveUpAt = op.EndedAt
		}
	}
	w.record = *d.Record
	if before != nil && before.Term == w.record.Term && next == nil {
		w.checkEnded()
	}
}

// tell keeps what is decided, and the state of all machines, for whoever looks for the cause of a failure.
func (w *world) tell(d Decision) {
	if !w.tracing {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d: phase %q record %+v next %+v orders %+v acked %v\n", w.now.Unix()-1_000_000, d.Status.Phase, w.record, d.Record, d.Orders, w.acked)
	if op := w.record.Operation; op != nil {
		fmt.Fprintf(&b, "    operation %+v\n", *op)
	}
	for _, m := range w.nodes {
		fmt.Fprintf(&b, "    %s pod %t phase %s role %s term %d ro %t acks %d waits %d joining %t executed %v received %v purged %v source %s linked %t order %+v\n",
			m.name, m.pod, m.phase, m.role, m.term, m.ro, m.acks, m.waits, m.joining, m.executed, m.received, m.purged, m.sourceName(), m.link, m.order)
	}
	w.trace = append(w.trace, b.String())
	w.trace = w.trace[max(0, len(w.trace)-30):]
}

func (m *machine) sourceName() string {
	if m.source == nil {
		return ""
	}
	return m.source.name
}

// send sends an order, which may be lost, or late.
func (w *world) send(o NodeOrder) {
	m := w.machine(o.Node)
	m.memory = m.memory.Ordered(o.Order.Basis)
	switch {
	case w.faults && w.chance(15):
	case w.faults && w.chance(30):
		w.underway = append(w.underway, o)
	default:
		m.obey(o.Order)
		late := slices.ContainsFunc(w.underway, func(u NodeOrder) bool { return u.Node == o.Node })
		if m.order == nil && !late && !m.cut && (!w.faults || w.chance(80)) {
			// The answer brings the state that the order has led to.
			m.report()
			m.memory = m.memory.Answered()
		}
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

// obey accepts an order. Most are carried out at once, some take their time.
func (m *machine) obey(o api.Order) {
	if !m.pod || o.Term < m.term || o.Basis != fmt.Sprint(m.basis) || m.order != nil && o.Term == m.term {
		return
	}
	m.basis++
	m.order = nil
	if m.phase == api.PhaseHung && (o.Kind == api.OrderDemote || o.Kind == api.OrderFollow) {
		m.w.happened["a hung node was ended"]++
		m.term = o.Term
		m.crash()
		return
	}
	switch o.Kind {
	case api.OrderInitialize:
		if !m.data && m.phase == api.PhaseEmpty {
			m.phase = api.PhaseInitializing
		}
	case api.OrderClone:
		if m.data && !o.Discard || !m.data && m.phase != api.PhaseEmpty {
			return
		}
		if m.data {
			m.discard()
		}
		m.phase, m.donor = api.PhaseCloning, m.w.machine(o.Source.Host)
	default:
		if !m.serves() {
			return
		}
		m.term, m.order = o.Term, &o
		m.joining = m.joining && !o.Joined
		if o.Kind == api.OrderPromote {
			// The receiver stops first; what it has received is then applied.
			m.source, m.link = nil, false
			m.ro = m.ro || o.ReadOnly
		}
		if !m.w.faults || m.w.chance(75) {
			m.carryOut()
		}
	}
}

// carryOut does what was ordered.
func (m *machine) carryOut() {
	o := m.order
	if o == nil {
		return
	}
	switch o.Kind {
	case api.OrderFollow:
		m.endWaits()
		if source := m.w.machine(o.Source.Host); m.source != source {
			m.source, m.link = source, false
		}
		m.role, m.ro, m.acks, m.configured = api.RoleReplica, true, 0, m.source
	case api.OrderDemote:
		m.endWaits()
		m.role, m.ro, m.acks, m.source, m.link = api.RoleNone, true, 0, nil, false
	case api.OrderPromote:
		m.joining = false // what the recorded primary has is what there is
		if o.ReadOnly {
			m.endWaits()
		}
		if !m.w.faults {
			m.executed = maps.Clone(m.received)
		}
		if !maps.Equal(m.executed, m.received) {
			return
		}
		m.role, m.configured, m.acks, m.behind, m.opened = api.RolePrimary, nil, o.RequiredAcks, 0, o.Term
		m.w.giveUp(m)
		if !o.ReadOnly && m.clients() >= m.acks && m.ro {
			m.ro = false
			m.w.checkOpened(m, o.Term)
		}
	}
	m.order = nil
}

// discard gives up a node's data, by order.
func (m *machine) discard() {
	w := m.w
	if op := w.record.Operation; m.name == w.record.Primary && (op == nil || !op.Forced) {
		// A person may force a node on the cluster that an order to discard its data is on its way to.
		w.failf("rule 7: the data of the primary %s are discarded", m.name)
	}
	w.happened["a node was rebuilt"]++
	m.forget()
	m.source, m.link, m.role, m.ro = nil, false, api.RoleNone, true
	if !w.holds(m) {
		w.failf("rule 7: data of %s are discarded that nobody else has", m.name)
	}
}
