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
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// TestMemorySettles: all that was committed with another demand is in a report only if that was made wholly with this one, and no order of
// another one can arrive any more.
func TestMemorySettles(t *testing.T) {
	var m Memory
	var last *api.State
	for i, step := range []struct {
		acks  int
		basis string
		do    func()
		want  bool
	}{
		{0, "a", nil, false}, // somebody else may have sent an order
		{0, "a", nil, false},
		{0, "b", nil, true}, // that would be refused by now
		{1, "b", nil, false},
		{1, "b", nil, true},
		{1, "b", func() { m = m.Ordered("b") }, false},
		{1, "b", nil, false},
		{1, "c", nil, true},
		{1, "c", func() { m = m.Ordered("c") }, false},
		{1, "c", func() { m = m.Answered() }, true}, // it was refused
	} {
		if step.do != nil {
			step.do()
		}
		next := &api.State{
			PodUID: "pod", Phase: api.PhaseRunning, Sequence: int64(i + 1), Basis: step.basis,
			SemiSync: api.SemiSync{SourceEnabled: step.acks > 0, RequiredAcks: step.acks},
		}
		m = m.Observe(last, next, noon)
		if m.Settled != step.want {
			t.Errorf("report %d: settled is %t", next.Sequence, m.Settled)
		}
		last = next
	}
}

// What changes the demand makes the next report the first that may be relied on, not the one that tells of it.
func TestMemoryIsNotSettledByAReportOfAChange(t *testing.T) {
	for name, change := range map[string]func(s *api.State){
		"an order is being carried out": func(s *api.State) { s.Obeying = true },
		"another term":                  func(s *api.State) { s.Term = 4 },
		"another demand":                func(s *api.State) { s.SemiSync.RequiredAcks = 2 },
		"another phase":                 func(s *api.State) { s.Phase = api.PhaseHung },
		"another run of the agent":      func(s *api.State) { s.AgentStart = noon },
		"another pod":                   func(s *api.State) { s.PodUID = "another" },
	} {
		report := func(sequence int64, basis string) *api.State {
			return &api.State{
				PodUID: "pod", Phase: api.PhaseRunning, Sequence: sequence, Basis: basis, Term: 3, SemiSync: api.SemiSync{SourceEnabled: true, RequiredAcks: 1},
			}
		}
		a, b, c := report(1, "a"), report(2, "b"), report(3, "b")
		m := Memory{}.Observe(nil, a, noon)
		if m = m.Observe(a, b, noon); !m.Settled {
			t.Fatalf("%s: not settled before", name)
		}
		change(c)
		if m = m.Observe(b, c, noon); m.Settled {
			t.Errorf("%s: settled", name)
		}
	}
}

// A report that arrives twice, by two ways, is one.
func TestMemoryIsNotSettledByTheSameReportAgain(t *testing.T) {
	report := func(sequence int64, acks int) *api.State {
		return &api.State{
			PodUID: "pod", Phase: api.PhaseRunning, Sequence: sequence, Basis: fmt.Sprint(sequence), SemiSync: api.SemiSync{SourceEnabled: true, RequiredAcks: acks},
		}
	}
	a, b, c := report(1, 1), report(2, 2), report(3, 2)
	m := Memory{}.Observe(nil, a, noon).Observe(a, b, noon)
	if m = m.Observe(b, b, noon); m.Settled {
		t.Error("settled by the same report")
	}
	if m = m.Observe(b, c, noon); !m.Settled {
		t.Error("not settled by the next one")
	}
}

func TestMemoryKnowsSinceWhenCommitsAreStuck(t *testing.T) {
	report := func(waits int, executed string) *api.State {
		return &api.State{SemiSync: api.SemiSync{WaitSessions: waits}, GTIDExecuted: executed}
	}
	one, two, three := report(2, theTx), report(2, theTx), report(2, uuidA+":1-11")
	m := Memory{}.Observe(nil, one, noon)
	if m = m.Observe(one, two, noon.Add(time.Second)); !m.StuckSince.Equal(noon) {
		t.Errorf("stuck since %s", m.StuckSince)
	}
	if m = m.Observe(two, three, noon.Add(2*time.Second)); !m.StuckSince.Equal(noon.Add(2 * time.Second)) {
		t.Errorf("something was committed, yet stuck since %s", m.StuckSince)
	}
	if m = m.Observe(three, report(0, theTx), noon.Add(3*time.Second)); !m.StuckSince.IsZero() {
		t.Errorf("nothing waits, yet stuck since %s", m.StuckSince)
	}
}
