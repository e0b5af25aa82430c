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
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
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

// finish ends what is going on on an empty volume.
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
		m.joining = true
	}
}

func (m *machine) born(executed map[string]int) {
	m.w.uuids++
	m.uuid = fmt.Sprintf("%08d-0000-0000-0000-000000000000", m.w.uuids)
	m.data, m.executed, m.received = true, executed, maps.Clone(executed)
	m.boot()
}

// replicate receives from the source and applies.
func (m *machine) replicate() {
	if !m.serves() || m.source == nil {
		return
	}
	m.link = m.source.serves() && !m.isolated && !m.source.isolated && (!m.w.faults || m.w.chance(80))
	if m.link && (!m.w.faults || m.w.chance(60)) {
		m.receive(m.source.executed)
	}
	if !m.w.faults || m.w.chance(60) {
		m.executed = maps.Clone(m.received)
	}
}

func (m *machine) receive(from map[string]int) {
	for uuid, n := range from {
		m.received[uuid] = max(m.received[uuid], n)
	}
}

// write is a client's commit: lossless semi-synchronous.
func (m *machine) write() {
	m.waits = 0
	if !m.serves() || m.ro {
		return
	}
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
	m.w.acked[m.uuid] = log[m.uuid]
	if m.term < m.w.opened {
		m.w.t.Fatalf("rule 3: %s of term %d acknowledges a commit, term %d has been opened", m.name, m.term, m.w.opened)
	}
}

// checkOpened: who is opened for writes holds every acknowledged commit (safety rule 4).
func (w *world) checkOpened(m *machine, term int64) {
	w.t.Helper()
	w.opened = max(w.opened, term)
	if w.forced {
		return
	}
	for uuid, n := range w.acked {
		if m.executed[uuid] < n {
			w.t.Fatalf("rule 4: %s is opened in term %d without the acknowledged commit %s:%d; record %+v", m.name, term, uuid, n, w.record)
		}
	}
}

// discard gives up a node's data, by order.
func (w *world) discard(m *machine) {
	if m.name == w.record.Primary {
		w.t.Fatalf("rule 7: the data of the primary %s are discarded", m.name)
	}
	m.data, m.executed, m.received, m.uuid, m.configured, m.source, m.role, m.ro = false, nil, nil, "", nil, nil, api.RoleNone, true
	if !w.holds(m) {
		w.t.Fatalf("rule 7: data of %s are discarded that nobody else has", m.name)
	}
}

// misfortune is what happens to clusters.
func (w *world) misfortune(loseVolumes bool) {
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
	case w.chance(5) && w.record.Operation == nil && w.record.Initialized:
		w.record.Operation = &Operation{UID: "asked", Kind: KindSwitchover, To: m.name, Phase: PhaseRequested, StartedAt: w.now}
	case w.chance(5):
		m.stop()
	case loseVolumes && w.chance(2) && m.volume && w.othersHealthy(m):
		w.lostVolumes = true
		m.loseVolume()
	}
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

// checkRecord: decisions on who is the primary are numbered, and initialised is for ever.
func (w *world) checkRecord(next Record) {
	w.t.Helper()
	if next.Term < w.record.Term {
		w.t.Fatalf("rule 2: the term goes back from %d to %d", w.record.Term, next.Term)
	}
	if next.Primary != w.record.Primary && next.Term == w.record.Term {
		w.t.Fatalf("rule 2: two primaries in term %d: %s and %s", next.Term, w.record.Primary, next.Primary)
	}
	if w.record.Initialized && !next.Initialized {
		w.t.Fatal("rule 7: an initialised cluster is taken for a new one")
	}
}

func (w *world) checkOrder(o NodeOrder) {
	w.t.Helper()
	if o.Order.Term != w.record.Term || w.record.Term == 0 {
		w.t.Fatalf("rule 2: order %+v is not of the recorded term %d", o, w.record.Term)
	}
	switch o.Order.Kind {
	case api.OrderInitialize:
		if w.record.Initialized {
			w.t.Fatalf("rule 7: %s is initialised in a cluster that has data", o.Node)
		}
		if o.Node != w.record.Primary {
			w.t.Fatalf("rule 2: %s is initialised, recorded is %s", o.Node, w.record.Primary)
		}
		for _, m := range w.nodes {
			if m.data && m.heard != nil && m.heard.HasData {
				w.t.Fatalf("rule 7: %s is initialised although %s has data", o.Node, m.name)
			}
		}
	case api.OrderPromote:
		if !w.record.Initialized || o.Node != w.record.Primary {
			w.t.Fatalf("rule 2: %s is promoted, the record is %+v", o.Node, w.record)
		}
		if before, ok := w.primaries[o.Order.Term]; ok && before != o.Node {
			w.t.Fatalf("rule 2: %s and %s are promoted in term %d", before, o.Node, o.Order.Term)
		}
		w.primaries[o.Order.Term] = o.Node
		if o.Order.RequiredAcks < w.record.RequiredAcks {
			w.t.Fatalf("rule 3: promoted with %d acknowledgements, recorded are %d", o.Order.RequiredAcks, w.record.RequiredAcks)
		}
		if w.spec.ReadOnly && !o.Order.ReadOnly {
			w.t.Fatal("promoted for writing in a read-only cluster")
		}
	case api.OrderFollow, api.OrderDemote:
		if o.Node == w.record.Primary && w.machine(o.Node).heard.Phase != api.PhaseHung {
			w.t.Fatalf("the recorded primary %s is ordered to %s", o.Node, o.Order.Kind)
		}
	case api.OrderClone:
		if !w.record.Initialized || o.Order.Discard && !w.spec.RebuildErrant {
			w.t.Fatalf("rule 7: clone order %+v with record %+v", o, w.record)
		}
	}
}

func (w *world) checkSize(d Decision) {
	w.t.Helper()
	primary := w.machine(w.record.Primary)
	if d.Size < w.size && d.Size > 0 && w.record.Initialized && primary != nil && d.Size <= primary.ordinal {
		w.t.Fatalf("rule 7: the primary %s is removed by shrinking to %d", primary.name, d.Size)
	}
	if d.Replace != "" && d.Replace == w.record.Primary && !primary.cut && primary.heard != nil && primary.heard.Phase == api.PhaseRunning {
		for _, m := range w.nodes {
			if m.ordinal < w.size && m.name != d.Replace && m.pod && m.hash != w.spec.ConfigHash {
				w.t.Fatalf("the primary is replaced before %s", m.name)
			}
		}
	}
}

func (w *world) checkRelease(name string) {
	w.t.Helper()
	m := w.machine(name)
	if m.ordinal == 0 || m.ordinal < w.spec.Replicas || w.spec.Replicas == 0 || m.pod {
		w.t.Fatalf("rule 7: the volume of %s is deleted in a cluster of %d", name, w.spec.Replicas)
	}
}

// check looks at what is, whatever led to it.
func (w *world) check() {
	w.t.Helper()
	if w.initialized > 1 {
		w.t.Fatalf("rule 7: %d empty servers were made", w.initialized)
	}
	writable := map[int64]string{}
	for _, m := range w.nodes {
		if m.serves() && !m.ro {
			if !w.record.Initialized || m.name != w.record.Primary && m.term >= w.record.Term {
				w.t.Fatalf("rule 1: %s takes writes in term %d, the record is %+v", m.name, m.term, w.record)
			}
			if m.acks < w.record.RequiredAcks && m.term == w.record.Term {
				w.t.Fatalf("rule 3: %s demands %d acknowledgements, recorded are %d", m.name, m.acks, w.record.RequiredAcks)
			}
			if before, ok := writable[m.term]; ok {
				w.t.Fatalf("rule 1: %s and %s take writes in term %d", before, m.name, m.term)
			}
			writable[m.term] = m.name
		}
	}
	w.checkAcked()
}

// checkAcked: each acknowledged commit is on as many nodes as the record says, and never lost (safety rule 3).
func (w *world) checkAcked() {
	w.t.Helper()
	for uuid, n := range w.acked {
		holders := 0
		for _, m := range w.nodes {
			if m.data && m.received[uuid] >= n {
				holders++
			}
		}
		if holders == 0 {
			w.t.Fatalf("rule 3: acknowledged commit %s:%d is on no node", uuid, n)
		}
		if !w.lostVolumes && holders < w.record.RequiredAcks+1 {
			w.t.Fatalf("rule 3: acknowledged commit %s:%d is on %d nodes, recorded are %d and the primary", uuid, n, holders, w.record.RequiredAcks)
		}
	}
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

// settle ends all faults and waits for the cluster to be well. It returns false if the cluster waits for a person instead, which is right
// only if the primary's volume was lost while the number of nodes was changing.
func (w *world) settle() bool {
	w.t.Helper()
	w.faults = false
	for _, m := range w.nodes {
		m.cut, m.isolated, m.drained = false, false, false
	}
	for range 200 {
		w.live()
		w.reconcile()
		if w.last.Status.Ready.True && !w.last.Status.Progressing.True && w.record.Operation == nil {
			return true
		}
		w.person()
	}
	if w.lostVolumes && (w.last.Status.Ready.Reason == reasonPrimaryLost || w.record.Operation != nil) {
		return false
	}
	for _, m := range w.nodes {
		state, _ := json.Marshal(m.heard)
		w.t.Logf("%s: pod %t volume %t data %t joining %t: %s", m.name, m.pod, m.volume, m.data, m.joining, state)
	}
	w.t.Fatalf("the cluster does not become ready: %s; ready: %+v; progressing: %+v; record %+v; operation %+v",
		w.last.Status.Phase, w.last.Status.Ready, w.last.Status.Progressing, w.record, w.record.Operation)
	return false
}

func TestDecideKeepsTheSafetyRulesInRandomWorlds(t *testing.T) {
	const worlds = 1000
	durabilities := []Durability{DurabilityNone, DurabilityStrict, DurabilityPreferred}
	blocked := 0
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed, 1+int(seed%5), durabilities[seed/5%3])
			loseVolumes := seed%2 == 1
			w.faults = true
			w.spec.ConfigHash = "0"
			w.spec.RebuildErrant = seed%4 > 1
			w.trace = os.Getenv("TRACE_WORLD") != ""
			for step := range 400 {
				w.live()
				w.reconcile()
				w.misfortune(loseVolumes)
				if w.chance(1) {
					w.resize(1 + w.rng.IntN(5))
				}
				if w.chance(1) {
					w.spec.ConfigHash = fmt.Sprint(step)
				}
				if w.chance(1) {
					w.spec.ReadOnly = !w.spec.ReadOnly
				}
			}
			if !w.settle() {
				blocked++
			}
		})
	}
	if blocked > worlds/100 {
		t.Errorf("%d of %d worlds wait for a person", blocked, worlds)
	}
}

func TestDecideBringsACalmClusterToReadiness(t *testing.T) {
	for replicas := 1; replicas <= 5; replicas++ {
		for _, asked := range []Durability{DurabilityNone, DurabilityStrict, DurabilityPreferred} {
			w := newWorld(t, 1, replicas, asked)
			if !w.settle() {
				t.Error("waits for a person")
			}
			if w.initialized != 1 || w.record.Term != 1 {
				t.Errorf("%d replicas, %s: %d initialised, record %+v", replicas, asked, w.initialized, w.record)
			}
		}
	}
}
