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

// Package history holds what clients and witnesses of a cluster saw, and finds what must not be in it. It is pure: the same history
// has the same violations.
package history

import (
	"sync"
	"time"
)

// Outcome is what a client knows of a write.
type Outcome string

const (
	// Acked: the server said that the write was committed.
	Acked Outcome = "acked"
	// Failed: the write was certainly not made: there was no connection, or the server refused it.
	Failed Outcome = "failed"
	// Unknown: the connection was lost, or the time was over, before the answer came.
	Unknown Outcome = "unknown"
)

// Write is one attempt to write. A client never repeats one: the next attempt has another Seq.
type Write struct {
	// Writer and Seq name the write; Seq grows.
	Writer int
	Seq    int64
	// Register tells a write that replaces the writer's earlier value from one that adds a row.
	Register bool
	// Node is the node that the connection led to.
	Node       string
	Start, End time.Time
	Outcome    Outcome
	// Error is what the client was told.
	Error string
}

// Read is what a reader saw on one node: the highest Seq of the rows of each writer.
type Read struct {
	Node       string
	Start, End time.Time
	Highest    map[int]int64
}

// State is a node's own report, as a witness heard it.
type State struct {
	At     time.Time
	Node   string
	PodUID string
	Term   int64
	// Primary is true for a node with the role of a primary, Writable if it is not read-only.
	Primary, Writable bool
	// Obeying is true while the node carries out an order: it is in the order's term already, but its role is still the one before.
	Obeying bool
	// DataReplaced is true while the node's data are being cloned or are missing: what was read before holds no more.
	DataReplaced bool
}

// Row names a row that a writer added.
type Row struct {
	Writer int
	Seq    int64
}

// Final is the whole content of one node at the end, when everything was healed and at rest.
type Final struct {
	Node    string
	Primary bool
	// GTIDs is the set of executed transactions.
	GTIDs string
	// Rows tells how often each row is there.
	Rows map[Row]int
	// Registers holds each writer's register.
	Registers map[int]int64
}

// History is the record of a run. It is safe for concurrent use.
type History struct {
	mu     sync.Mutex
	writes []Write
	reads  []Read
	states []State
	finals []Final
}

// AddWrite records a write, once it has ended.
func (h *History) AddWrite(w Write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, w)
}

// AddRead records a read.
func (h *History) AddRead(r Read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads = append(h.reads, r)
}

// AddState records a node's report, unless it says the same as the one before.
func (h *History) AddState(s State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.states) - 1; i >= 0; i-- {
		if last := h.states[i]; last.Node == s.Node {
			last.At = s.At
			if last == s {
				return
			}
			break
		}
	}
	h.states = append(h.states, s)
}

// SetFinals records the nodes' content; what was recorded before is forgotten.
func (h *History) SetFinals(finals []Final) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finals = finals
}

// Acked counts the acknowledged writes from a moment on.
func (h *History) Acked(since time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for i := range h.writes {
		if h.writes[i].Outcome == Acked && !h.writes[i].End.Before(since) {
			n++
		}
	}
	return n
}

// Writes returns a copy of the writes that ended since a moment, in the order of their ends.
func (h *History) Writes(since time.Time) []Write {
	h.mu.Lock()
	defer h.mu.Unlock()
	var writes []Write
	for _, w := range h.writes {
		if !w.End.Before(since) {
			writes = append(writes, w)
		}
	}
	return writes
}

// States returns a copy of the reports since a moment.
func (h *History) States(since time.Time) []State {
	h.mu.Lock()
	defer h.mu.Unlock()
	var states []State
	for _, s := range h.states {
		if !s.At.Before(since) {
			states = append(states, s)
		}
	}
	return states
}
