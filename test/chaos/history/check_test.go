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

package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

// at is a moment of the histories below, in milliseconds.
func at(ms int) time.Time {
	return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

// sound is a history in which node b takes over from node a, with nothing wrong in it.
func sound() *History {
	h := &History{}
	h.AddState(State{At: at(0), Node: "a", PodUID: "a", Term: 1, Primary: true, Writable: true})
	h.AddState(State{At: at(0), Node: "b", PodUID: "b", Term: 1})
	h.AddWrite(Write{Writer: 1, Seq: 1, Node: "a", Start: at(10), End: at(12), Outcome: Acked})
	h.AddRead(Read{Node: "b", Start: at(13), End: at(14), Highest: map[int]int64{1: 1}})
	h.AddWrite(Write{Writer: 1, Seq: 2, Node: "a", Start: at(20), End: at(22), Outcome: Unknown, Error: "connection lost"})
	h.AddWrite(Write{Writer: 1, Seq: 3, Start: at(23), End: at(24), Outcome: Failed, Error: "connection refused"})
	h.AddState(State{At: at(40), Node: "b", PodUID: "b", Term: 2, Primary: true, Writable: true})
	h.AddWrite(Write{Writer: 1, Seq: 4, Node: "b", Start: at(38), End: at(41), Outcome: Acked})
	h.AddWrite(Write{Writer: 1, Seq: 5, Register: true, Node: "b", Start: at(42), End: at(43), Outcome: Acked})
	h.AddRead(Read{Node: "b", Start: at(45), End: at(46), Highest: map[int]int64{1: 4}})
	h.SetFinals([]Final{final("a"), final("b")})
	return h
}

func final(node string) Final {
	return Final{Node: node, GTIDs: uuid + ":1-9", Rows: map[Row]int{{1, 1}: 1, {1, 4}: 1}, Registers: map[int]int64{1: 5}}
}

func TestCheckFindsWhatMustNotBe(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(h *History)
		rule   string
		detail string
	}{
		{name: "nothing"},
		{name: "an unknown write that was made", change: func(h *History) {
			h.finals[0].Rows[Row{1, 2}], h.finals[1].Rows[Row{1, 2}] = 1, 1
		}},
		{name: "a lost write", rule: RuleLost, detail: "1/1", change: func(h *History) {
			delete(h.finals[0].Rows, Row{1, 1})
			delete(h.finals[1].Rows, Row{1, 1})
		}},
		{name: "a write that one node lost", rule: RuleLost, detail: "on b", change: func(h *History) { delete(h.finals[1].Rows, Row{1, 4}) }},
		{name: "a duplicated write", rule: RuleDuplicated, detail: "1/4 2 times", change: func(h *History) {
			h.finals[0].Rows[Row{1, 4}], h.finals[1].Rows[Row{1, 4}] = 2, 2
		}},
		{name: "a refused write that was made", rule: RulePhantom, detail: "1/3", change: func(h *History) {
			h.finals[0].Rows[Row{1, 3}], h.finals[1].Rows[Row{1, 3}] = 1, 1
		}},
		{name: "a write that nobody made", rule: RulePhantom, detail: "7/7", change: func(h *History) {
			h.finals[0].Rows[Row{7, 7}], h.finals[1].Rows[Row{7, 7}] = 1, 1
		}},
		{name: "a register that went back", rule: RuleLost, detail: "register 1", change: func(h *History) {
			h.finals[0].Registers[1], h.finals[1].Registers[1] = 0, 0
		}},
		{name: "a register with a foreign value", rule: RulePhantom, detail: "register 1", change: func(h *History) {
			h.finals[0].Registers[1], h.finals[1].Registers[1] = 8, 8
		}},
		{name: "an errant transaction", rule: RuleDiverged, detail: uuid, change: func(h *History) { h.finals[1].GTIDs = uuid + ":1-10" }},
		{name: "nodes with other rows", rule: RuleDiverged, detail: "1/2", change: func(h *History) { h.finals[1].Rows[Row{1, 2}] = 1 }},
		{name: "nodes with other registers", rule: RuleDiverged, detail: "register 1", change: func(h *History) {
			h.AddWrite(Write{Writer: 1, Seq: 6, Register: true, Node: "b", Start: at(50), End: at(51), Outcome: Unknown})
			h.finals[1].Registers[1] = 6
		}},
		{name: "a stale read", rule: RuleStale, detail: "row 2 of writer 1", change: func(h *History) {
			h.AddRead(Read{Node: "b", Start: at(47), End: at(48), Highest: map[int]int64{1: 2}})
		}},
		{name: "a read that sees nothing of a writer any more", rule: RuleStale, detail: "row 0 of writer 1", change: func(h *History) {
			h.AddRead(Read{Node: "b", Start: at(47), End: at(48), Highest: map[int]int64{}})
		}},
		{name: "an older state on another node", change: func(h *History) {
			h.AddRead(Read{Node: "a", Start: at(47), End: at(48), Highest: map[int]int64{1: 1}})
		}},
		{name: "an older state after a clone", change: func(h *History) {
			h.AddState(State{At: at(60), Node: "b", Term: 2, DataReplaced: true})
			h.AddRead(Read{Node: "b", Start: at(70), End: at(71), Highest: map[int]int64{1: 1}})
		}},
		{name: "two writable nodes", rule: RuleTwo, detail: "b and a in term 2", change: func(h *History) {
			h.AddState(State{At: at(60), Node: "a", PodUID: "a", Term: 2, Primary: true, Writable: true})
		}},
		{name: "the same node writable again", change: func(h *History) {
			h.AddState(State{At: at(60), Node: "b", PodUID: "b", Term: 2})
			h.AddState(State{At: at(61), Node: "b", PodUID: "b", Term: 2, Primary: true, Writable: true})
		}},
		{name: "a primary that has heard of the next term and is about to step down", change: func(h *History) {
			h.AddState(State{At: at(41), Node: "a", PodUID: "a", Term: 2, Primary: true, Writable: true, Obeying: true})
			h.AddState(State{At: at(42), Node: "a", PodUID: "a", Term: 2, Primary: true, Obeying: true})
			h.AddState(State{At: at(43), Node: "a", PodUID: "a", Term: 2, Primary: true, Writable: true, Obeying: true})
			h.AddState(State{At: at(44), Node: "a", PodUID: "a", Term: 2})
		}},
		{name: "a second node that is opened by an order", rule: RuleTwo, detail: "b and a in term 2", change: func(h *History) {
			h.AddState(State{At: at(41), Node: "a", PodUID: "a", Term: 2, Obeying: true})
			h.AddState(State{At: at(42), Node: "a", PodUID: "a", Term: 2, Primary: true, Writable: true, Obeying: true})
		}},
		{name: "an acknowledgement of a superseded node", rule: RuleSuperseded, detail: "a acknowledged 1/6", change: func(h *History) {
			h.AddWrite(Write{Writer: 1, Seq: 6, Node: "a", Start: at(60), End: at(61), Outcome: Acked})
			h.finals[0].Rows[Row{1, 6}], h.finals[1].Rows[Row{1, 6}] = 1, 1
		}},
		{name: "an acknowledgement while the successor was opened", change: func(h *History) {
			h.AddWrite(Write{Writer: 1, Seq: 6, Node: "a", Start: at(39), End: at(60), Outcome: Acked})
			h.finals[0].Rows[Row{1, 6}], h.finals[1].Rows[Row{1, 6}] = 1, 1
		}},
		{name: "a node that is the primary again", change: func(h *History) {
			h.AddWrite(Write{Writer: 1, Seq: 6, Node: "a", Start: at(60), End: at(61), Outcome: Acked})
			h.AddState(State{At: at(62), Node: "a", PodUID: "a", Term: 3, Primary: true, Writable: true})
			h.finals[0].Rows[Row{1, 6}], h.finals[1].Rows[Row{1, 6}] = 1, 1
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := sound()
			if test.change != nil {
				test.change(h)
			}
			found := h.Check()
			if test.rule == "" {
				if len(found) > 0 {
					t.Errorf("found: %v", found)
				}
				return
			}
			for _, v := range found {
				if v.Rule == test.rule && strings.Contains(v.Detail, test.detail) {
					return
				}
			}
			t.Errorf("not found: %s (%s), only %v", test.rule, test.detail, found)
		})
	}
}

func TestStatesThatSayTheSameAreKeptOnce(t *testing.T) {
	h := &History{}
	for i := range 3 {
		h.AddState(State{At: at(i), Node: "a", Term: 1})
		h.AddState(State{At: at(i), Node: "b", Term: 1})
	}
	h.AddState(State{At: at(9), Node: "a", Term: 2})
	if got := fmt.Sprint(len(h.States(at(0))), len(h.States(at(5)))); got != "3 1" {
		t.Errorf("kept: %s", got)
	}
}

func TestLongListsAreCut(t *testing.T) {
	h := sound()
	for i := range 2 * maxDetails {
		h.AddWrite(Write{Writer: 2, Seq: int64(i), Node: "b", Start: at(50), End: at(51), Outcome: Acked})
	}
	if found := h.Check(); len(found) == 0 || !strings.Contains(found[0].Detail, "and 10 more") {
		t.Errorf("found: %v", found)
	}
}
