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
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// Rules that a history can break.
const (
	RuleLost       = "an acknowledged write is missing"
	RuleDuplicated = "a write is there more than once"
	RulePhantom    = "a write is there that was refused or never tried"
	RuleDiverged   = "nodes differ at the end"
	RuleStale      = "reads on one node went back"
	RuleTwo        = "two nodes were writable in one term"
	RuleSuperseded = "a node acknowledged after its successor had been opened"
)

// Violation is a rule that was broken, and by what.
type Violation struct {
	Rule   string
	Detail string
	// At is when it happened; zero where it was only found at the end.
	At time.Time
}

func (v Violation) String() string { return v.Rule + ": " + v.Detail }

// maxDetails bounds how many names a detail lists.
const maxDetails = 10

// Check returns the rules that the history breaks.
func (h *History) Check() []Violation {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []Violation
	for _, f := range h.finals {
		found = append(found, checkRows(f, h.writes)...)
		found = append(found, checkRegisters(f, h.writes)...)
	}
	found = append(found, checkSame(h.finals)...)
	found = append(found, checkReads(h.reads, h.states)...)
	writable := writableStates(h.states)
	found = append(found, checkWritable(writable)...)
	return append(found, checkSuperseded(h.writes, writable)...)
}

// checkRows looks for rows that are missing, doubled or unaccounted for.
func checkRows(f Final, writes []Write) []Violation {
	outcome := map[Row]Outcome{}
	var lost, phantom, doubled []string
	for _, w := range writes {
		if w.Register {
			continue
		}
		row := Row{w.Writer, w.Seq}
		outcome[row] = w.Outcome
		if w.Outcome == Acked && f.Rows[row] == 0 {
			lost = append(lost, fmt.Sprintf("%s, acknowledged by %s at %s", row, w.Node, clock(w.End)))
		}
	}
	for row, times := range f.Rows {
		if o, tried := outcome[row]; !tried || o == Failed {
			phantom = append(phantom, row.String())
		}
		if times > 1 {
			doubled = append(doubled, fmt.Sprintf("%s %d times", row, times))
		}
	}
	var found []Violation
	for _, one := range []struct {
		rule  string
		names []string
	}{{RuleLost, lost}, {RulePhantom, phantom}, {RuleDuplicated, doubled}} {
		if len(one.names) > 0 {
			found = append(found, Violation{Rule: one.rule, Detail: fmt.Sprintf("on %s: %s", f.Node, list(one.names))})
		}
	}
	return found
}

// checkRegisters looks for registers that went back behind what was acknowledged, or hold what nobody wrote.
func checkRegisters(f Final, writes []Write) []Violation {
	highest := map[int]int64{}
	possible := map[Row]bool{}
	for _, w := range writes {
		if !w.Register || w.Outcome == Failed {
			continue
		}
		possible[Row{w.Writer, w.Seq}] = true
		if w.Outcome == Acked {
			highest[w.Writer] = max(highest[w.Writer], w.Seq)
		}
	}
	var found []Violation
	for writer, acked := range highest {
		if value := f.Registers[writer]; value < acked {
			found = append(found, Violation{Rule: RuleLost, Detail: fmt.Sprintf("on %s: register %d holds %d, %d was acknowledged", f.Node, writer, value, acked)})
		}
	}
	for writer, value := range f.Registers {
		if value != 0 && !possible[Row{writer, value}] {
			found = append(found, Violation{Rule: RulePhantom, Detail: fmt.Sprintf("on %s: register %d holds %d", f.Node, writer, value)})
		}
	}
	return found
}

// checkSame compares the nodes with the first one.
func checkSame(finals []Final) []Violation {
	var found []Violation
	for i := 1; i < len(finals); i++ {
		a, b := finals[0], finals[i]
		x, errX := gtid.Parse(a.GTIDs)
		y, errY := gtid.Parse(b.GTIDs)
		switch {
		case errX != nil || errY != nil:
			found = append(found, Violation{Rule: RuleDiverged, Detail: fmt.Sprintf("unreadable GTIDs: %v %v", errX, errY)})
		case !x.Equal(y):
			found = append(found, Violation{Rule: RuleDiverged, Detail: fmt.Sprintf("%s has executed %s, %s %s", a.Node, a.GTIDs, b.Node, b.GTIDs)})
		}
		var differ []string
		for row := range a.Rows {
			if a.Rows[row] != b.Rows[row] {
				differ = append(differ, row.String())
			}
		}
		for row := range b.Rows {
			if _, there := a.Rows[row]; !there {
				differ = append(differ, row.String())
			}
		}
		for writer, value := range a.Registers {
			if b.Registers[writer] != value {
				differ = append(differ, fmt.Sprintf("register %d", writer))
			}
		}
		if len(differ) > 0 {
			found = append(found, Violation{Rule: RuleDiverged, Detail: fmt.Sprintf("%s and %s differ in %s", a.Node, b.Node, list(differ))})
		}
	}
	return found
}

// checkReads looks for reads on a node that saw less than an earlier read had seen there. A node whose data were replaced in between
// begins anew.
func checkReads(reads []Read, states []State) []Violation {
	var found []Violation
	byNode := map[string][]Read{}
	for _, r := range reads {
		byNode[r.Node] = append(byNode[r.Node], r)
	}
	for node, reads := range byNode {
		slices.SortStableFunc(reads, func(a, b Read) int { return a.Start.Compare(b.Start) })
		highest := map[int]int64{}
		var since time.Time
		for _, r := range reads {
			if replaced(states, node, since, r.End) {
				clear(highest)
			}
			since = r.Start
			for writer, before := range highest {
				if r.Highest[writer] < before {
					found = append(found, Violation{Rule: RuleStale, At: r.Start, Detail: fmt.Sprintf("%s showed row %d of writer %d at %s, after it had shown row %d",
						node, r.Highest[writer], writer, clock(r.Start), before)})
				}
			}
			for writer, seq := range r.Highest {
				highest[writer] = max(highest[writer], seq)
			}
		}
	}
	return found
}

// replaced tells whether the data of a node were replaced in a span of time.
func replaced(states []State, node string, from, to time.Time) bool {
	return slices.ContainsFunc(states, func(s State) bool {
		return s.Node == node && s.DataReplaced && !s.At.Before(from) && !s.At.After(to)
	})
}

// writableStates are the states of writable nodes, in the terms that made them primaries. A primary that is about to step down has accepted
// the next term already.
func writableStates(states []State) []State {
	// terms of the primaries, by pod.
	terms := map[string]int64{}
	var writable []State
	for _, s := range states {
		if !s.Primary {
			delete(terms, s.PodUID)
			continue
		}
		if _, known := terms[s.PodUID]; !known || !s.Obeying {
			terms[s.PodUID] = s.Term
		}
		if s.Writable {
			s.Term = terms[s.PodUID]
			writable = append(writable, s)
		}
	}
	return writable
}

// checkWritable looks for terms in which more than one node was writable.
func checkWritable(writable []State) []Violation {
	first := map[int64]State{}
	var found []Violation
	told := map[string]bool{}
	for _, s := range writable {
		other, known := first[s.Term]
		if !known {
			first[s.Term] = s
			continue
		}
		key := fmt.Sprintf("%s and %s in term %d", other.Node, s.Node, s.Term)
		if other.Node != s.Node && !told[key] {
			told[key] = true
			found = append(found, Violation{Rule: RuleTwo, At: s.At, Detail: fmt.Sprintf("%s (%s and %s)", key, clock(other.At), clock(s.At))})
		}
	}
	return found
}

// opening is the first report of a writable primary in a term. It was open some time before.
type opening struct {
	term int64
	node string
	at   time.Time
}

// checkSuperseded looks for acknowledgements that a node gave after a node of a later term had been opened.
func checkSuperseded(writes []Write, writable []State) []Violation {
	var openings []opening
	for _, s := range writable {
		if !slices.ContainsFunc(openings, func(o opening) bool { return o.term == s.Term }) {
			openings = append(openings, opening{s.Term, s.Node, s.At})
		}
	}
	slices.SortFunc(openings, func(a, b opening) int { return cmp.Compare(a.term, b.term) })
	type pair struct {
		node string
		term int64
	}
	late := map[pair][]Write{}
	for _, w := range writes {
		if w.Outcome != Acked {
			continue
		}
		// The highest term that was open before the write began. The node must be the primary of that one, or of a later one.
		current := -1
		for i, o := range openings {
			if o.at.Before(w.Start) {
				current = i
			}
		}
		if current >= 0 && !slices.ContainsFunc(openings[current:], func(o opening) bool { return o.node == w.Node }) {
			key := pair{w.Node, openings[current].term}
			late[key] = append(late[key], w)
		}
	}
	var found []Violation
	for key, writes := range late {
		i := slices.IndexFunc(openings, func(o opening) bool { return o.term == key.term })
		var names []string
		for _, w := range writes {
			names = append(names, fmt.Sprintf("%s at %s", Row{w.Writer, w.Seq}, clock(w.Start)))
		}
		found = append(found, Violation{Rule: RuleSuperseded, At: writes[0].End, Detail: fmt.Sprintf("%s acknowledged %s; %s was open in term %d since %s",
			key.node, list(names), openings[i].node, key.term, clock(openings[i].at))})
	}
	return found
}

func (r Row) String() string { return fmt.Sprintf("%d/%d", r.Writer, r.Seq) }

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func list(names []string) string {
	slices.Sort(names)
	if more := len(names) - maxDetails; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxDetails], ", "), more)
	}
	return strings.Join(names, ", ")
}
