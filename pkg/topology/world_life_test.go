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
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// live lets time pass: data come into being, replication goes on, clients write, reports arrive.
func (w *world) live() {
	w.now = w.now.Add(time.Second)
	w.statefulSet()
	w.deliver()
	for _, m := range w.nodes {
		m.finish()
		m.replicate()
	}
	for _, m := range w.nodes {
		m.write()
	}
	for _, m := range w.nodes {
		if !w.faults || w.chance(60) {
			m.report()
		}
	}
	w.check()
}

// finish ends what is going on.
func (m *machine) finish() {
	if m.leaving > 0 {
		if m.leaving--; m.leaving == 0 {
			m.stop()
		}
	}
	if !m.pod || (m.w.faults && m.w.chance(40)) {
		return
	}
	switch m.phase {
	case api.PhaseRunning:
		m.carryOut()
	case api.PhaseStarting:
		m.phase = api.PhaseRunning
	case api.PhaseHung:
		if m.w.chance(20) {
			m.phase = api.PhaseRunning // with all that it was
		}
	case api.PhaseInitializing:
		m.w.initialized++
		m.born(map[string]int{})
	case api.PhaseCloning:
		if m.donor == nil || !m.donor.serves() {
			m.phase, m.donor = api.PhaseEmpty, nil
			return
		}
		m.born(maps.Clone(m.donor.executed))
		m.joining, m.purged = true, maps.Clone(m.executed)
	}
}

func (m *machine) born(executed map[string]int) {
	m.w.uuids++
	m.uuid = fmt.Sprintf("%08d-0000-0000-0000-000000000000", m.w.uuids)
	m.data, m.executed, m.received, m.purged = true, executed, maps.Clone(executed), map[string]int{}
	m.boot()
}

// replicate receives from the source and applies.
func (m *machine) replicate() {
	if !m.serves() {
		return
	}
	if m.source != nil {
		m.link = m.source.serves() && !m.isolated && !m.source.isolated && contains(m.received, m.source.purged) && (!m.w.faults || m.w.chance(80))
		if m.link && (!m.w.faults || m.w.chance(60)) {
			m.receive(m.source.executed)
		}
	}
	if m.source == nil && m.order == nil {
		return
	}
	if !m.w.faults || m.w.chance(60) && (!m.slow || m.w.chance(5)) {
		m.executed = maps.Clone(m.received)
	}
	if m.behind++; maps.Equal(m.executed, m.received) {
		m.behind = 0
	}
}

func (m *machine) receive(from map[string]int) {
	for uuid, n := range from {
		m.received[uuid] = max(m.received[uuid], n)
	}
}

// write is a client's commit: lossless semi-synchronous.
func (m *machine) write() {
	if !m.serves() || m.ro {
		return
	}
	m.waits = 0
	var linked []*machine
	for _, o := range m.w.nodes {
		if o.serves() && o.source == m && o.link {
			linked = append(linked, o)
		}
	}
	// In the binary log, and on its way to the replicas; executed when enough of them have confirmed it.
	m.waits = 1
	log := maps.Clone(m.executed)
	log[m.uuid]++
	confirmed := 0
	m.w.rng.Shuffle(len(linked), func(i, j int) { linked[i], linked[j] = linked[j], linked[i] })
	for _, o := range linked {
		if !m.w.faults || m.w.chance(70) {
			o.receive(log)
			confirmed++
		}
	}
	if confirmed < m.acks {
		return
	}
	m.waits = 0
	m.executed = log
	m.received[m.uuid] = log[m.uuid]
	m.w.acknowledged(m, log[m.uuid])
}

// misfortune is what happens to clusters.
func (w *world) misfortune(loseVolumes, force bool) {
	m := w.nodes[w.rng.IntN(len(w.nodes))]
	switch {
	case w.chance(15):
		m.cut = !m.cut
	case w.chance(10):
		m.isolated = !m.isolated
	case w.chance(5) && m.serves():
		m.boot()
	case w.chance(10) && m.serves():
		m.crash()
	case w.chance(10) && m.serves():
		m.phase = api.PhaseHung
	case w.chance(5):
		m.leave()
	case w.chance(3):
		m.drained = !m.drained
	case w.chance(3):
		m.slow = !m.slow
	case w.chance(2) && m.serves():
		m.purged = maps.Clone(m.executed)
	case w.chance(5) && w.record.Operation == nil && w.record.Initialized:
		w.record.Operation = &Operation{UID: "asked", Kind: KindSwitchover, To: m.name, Phase: PhaseRequested, StartedAt: w.now}
	case force && w.chance(2) && w.record.Initialized:
		w.force(m)
	case w.chance(5):
		m.stop()
	case loseVolumes && w.chance(2) && m.volume && w.othersHealthy(m):
		w.happened["a volume was lost"]++
		w.lostVolumes = true
		m.loseVolume()
	}
}

// force is a person's request for a failover to that node, as the API server records it: it takes the place of what is under way.
func (w *world) force(m *machine) {
	op := &Operation{UID: "forced", Kind: KindFailover, Forced: true, From: w.record.Primary, To: m.name, Phase: PhaseRequested, StartedAt: w.now}
	switch running := w.record.Operation; {
	case running == nil:
	case running.Forced:
		return
	case running.Term != 0:
		op.Term, op.From, op.Via, op.Acks = running.Term, running.From, running.Via, running.Acks
	}
	w.record.Operation = op
}

// othersHealthy is true when the loss of one volume is what the durability promises to survive: the others have everything that
// was acknowledged, or had it before their own loss was healed.
func (w *world) othersHealthy(lost *machine) bool {
	for _, m := range w.nodes[:min(w.size, len(w.nodes))] {
		if m != lost && (!m.data || m.joining) {
			return false
		}
	}
	return w.record.Initialized && w.record.RequiredAcks > 0 && w.size >= 2 && w.holds(lost)
}

// holds is true when the other nodes hold data, and all that was acknowledged.
func (w *world) holds(lost *machine) bool {
	held, holders := map[string]int{}, 0
	for _, m := range w.nodes[:min(w.size, len(w.nodes))] {
		if m == lost || !m.data {
			continue
		}
		holders++
		for uuid, n := range m.received {
			held[uuid] = max(held[uuid], n)
		}
	}
	for uuid, n := range w.acked {
		if held[uuid] < n {
			return false
		}
	}
	return holders > 0
}

// person does what the status asks a person to do: discards the data of nodes that have transactions of their own, if others hold all
// that was acknowledged.
func (w *world) person() {
	for _, n := range w.last.Status.Nodes {
		m := w.machine(n.Name)
		if strings.Contains(n.Message, "It is left alone") && m.data && w.holds(m) {
			w.lostVolumes = true
			m.loseVolume()
		}
	}
}

// calm ends all faults.
func (w *world) calm() {
	w.faults = false
	for _, m := range w.nodes {
		m.cut, m.isolated, m.drained, m.slow = false, false, false, false
	}
}
