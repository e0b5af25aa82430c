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

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// broken is what a rule is broken by.
type brokenRule string

func (w *world) failf(format string, args ...any) { panic(brokenRule(fmt.Sprintf(format, args...))) }

// acknowledged is called when a client is told that its commit is done.
func (w *world) acknowledged(m *machine, n int) {
	if m.opened < w.gaveUp {
		return // A person has forced another primary on the cluster: this is what is given up.
	}
	w.acked[m.uuid] = n
	if m.opened < w.opened {
		w.failf("rule 3: %s of term %d acknowledges a commit, term %d has been opened", m.name, m.opened, w.opened)
	}
}

// giveUp is called when there is another primary: if a person has forced it, what it does not have does not count any more.
func (w *world) giveUp(m *machine) {
	if w.gaveUp == w.forced || m.term < w.forced {
		return
	}
	w.gaveUp = w.forced
	w.happened["a forced primary worked"]++
	for uuid, n := range w.acked {
		if w.acked[uuid] = min(n, m.executed[uuid]); w.acked[uuid] < n {
			w.happened["commits were given up"]++
		}
	}
}

// checkOpened: who is opened for writes holds every acknowledged commit (safety rule 4).
func (w *world) checkOpened(m *machine, term int64) {
	w.opened = max(w.opened, term)
	for uuid, n := range w.acked {
		if m.executed[uuid] < n {
			w.failf("rule 4: %s is opened in term %d without the acknowledged commit %s:%d; record %+v", m.name, term, uuid, n, w.record)
		}
	}
}

// checkEnded: who is the primary when a change has ended holds every acknowledged commit, whether it takes writes or not.
func (w *world) checkEnded() {
	p := w.machine(w.record.Primary)
	for uuid, n := range w.acked {
		if p.data && p.received[uuid] < n {
			w.failf("rule 4: %s is the primary of term %d without the acknowledged commit %s:%d", p.name, w.record.Term, uuid, n)
		}
	}
}

// checkRecord: decisions on who is the primary are numbered, and initialised is for ever.
func (w *world) checkRecord(next Record) {
	if next.Term < w.record.Term {
		w.failf("rule 2: the term goes back from %d to %d", w.record.Term, next.Term)
	}
	if next.Primary != w.record.Primary && next.Term == w.record.Term {
		w.failf("rule 2: two primaries in term %d: %s and %s", next.Term, w.record.Primary, next.Primary)
	}
	if w.record.Initialized && !next.Initialized {
		w.failf("rule 7: an initialised cluster is taken for a new one")
	}
}

func (w *world) checkOrder(o NodeOrder) {
	if o.Order.Term != w.record.Term || w.record.Term == 0 {
		w.failf("rule 2: order %+v is not of the recorded term %d", o, w.record.Term)
	}
	switch o.Order.Kind {
	case api.OrderInitialize:
		if w.record.Initialized {
			w.failf("rule 7: %s is initialised in a cluster that has data", o.Node)
		}
		if o.Node != w.record.Primary {
			w.failf("rule 2: %s is initialised, recorded is %s", o.Node, w.record.Primary)
		}
		for _, m := range w.nodes {
			if m.data && m.heard != nil && m.heard.HasData {
				w.failf("rule 7: %s is initialised although %s has data", o.Node, m.name)
			}
		}
	case api.OrderPromote:
		if !w.record.Initialized || o.Node != w.record.Primary {
			w.failf("rule 2: %s is promoted, the record is %+v", o.Node, w.record)
		}
		if before, ok := w.primaries[o.Order.Term]; ok && before != o.Node {
			w.failf("rule 2: %s and %s are promoted in term %d", before, o.Node, o.Order.Term)
		}
		w.primaries[o.Order.Term] = o.Node
		if o.Order.RequiredAcks < w.record.RequiredAcks {
			w.failf("rule 3: promoted with %d acknowledgements, recorded are %d", o.Order.RequiredAcks, w.record.RequiredAcks)
		}
		if w.spec.ReadOnly && !o.Order.ReadOnly {
			w.failf("promoted for writing in a read-only cluster")
		}
	case api.OrderFollow, api.OrderDemote:
		if o.Node == w.record.Primary && w.machine(o.Node).heard.Phase != api.PhaseHung {
			w.failf("the recorded primary %s is ordered to %s", o.Node, o.Order.Kind)
		}
	case api.OrderClone:
		if !w.record.Initialized || o.Order.Discard && !w.spec.RebuildErrant && !w.lacksPurged(o.Node) {
			w.failf("rule 7: clone order %+v with record %+v", o, w.record)
		}
	}
}

// lacksPurged is true when the node is known to lack what the primary has purged.
func (w *world) lacksPurged(name string) bool {
	n, p := newNode(Node{State: w.machine(name).heard}, "cluster"), w.machine(w.record.Primary).heard
	purged, err := gtid.Parse(p.GTIDPurged)
	return err == nil && !n.received.Contains(purged)
}

func (w *world) checkSize(d Decision) {
	primary := w.machine(w.record.Primary)
	if d.Size < w.size && d.Size > 0 && w.record.Initialized && primary != nil && d.Size <= primary.ordinal {
		w.failf("rule 7: the primary %s is removed by shrinking to %d", primary.name, d.Size)
	}
	if d.Replace != "" && d.Replace == w.record.Primary && !primary.cut && primary.heard != nil && primary.heard.Phase == api.PhaseRunning {
		for _, m := range w.nodes {
			if m.ordinal < w.size && m.name != d.Replace && m.pod && m.hash != w.spec.ConfigHash {
				w.failf("the primary is replaced before %s", m.name)
			}
		}
	}
}

func (w *world) checkRelease(name string) {
	m := w.machine(name)
	if m.ordinal == 0 || m.ordinal < w.spec.Replicas || w.spec.Replicas == 0 || m.pod {
		w.failf("rule 7: the volume of %s is deleted in a cluster of %d", name, w.spec.Replicas)
	}
}

// check looks at what is, whatever led to it.
func (w *world) check() {
	if w.initialized > 1 {
		w.failf("rule 7: %d empty servers were made", w.initialized)
	}
	writable := map[int64]string{}
	for _, m := range w.nodes {
		if m.serves() && !m.ro {
			if !w.record.Initialized || m.name != w.record.Primary && m.opened >= w.record.Term {
				w.failf("rule 1: %s takes writes in term %d, the record is %+v", m.name, m.opened, w.record)
			}
			if m.acks < w.record.RequiredAcks && m.opened == w.record.Term {
				w.failf("rule 3: %s demands %d acknowledgements, recorded are %d", m.name, m.acks, w.record.RequiredAcks)
			}
			if before, ok := writable[m.opened]; ok {
				w.failf("rule 1: %s and %s take writes in term %d", before, m.name, m.opened)
			}
			writable[m.opened] = m.name
		}
	}
	w.checkAcked()
}

// checkAcked: each acknowledged commit is on as many nodes as the record says, and never lost (safety rule 3).
func (w *world) checkAcked() {
	for uuid, n := range w.acked {
		holders := 0
		for _, m := range w.nodes {
			if m.data && m.received[uuid] >= n {
				holders++
			}
		}
		if holders == 0 {
			w.failf("rule 3: acknowledged commit %s:%d is on no node", uuid, n)
		}
		if !w.lostVolumes && holders < w.record.RequiredAcks+1 {
			w.failf("rule 3: acknowledged commit %s:%d is on %d nodes, recorded are %d and the primary", uuid, n, holders, w.record.RequiredAcks)
		}
	}
}
