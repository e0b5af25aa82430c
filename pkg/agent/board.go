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

package agent

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// board holds the node's present State, and tells those who watch it about each change.
type board struct {
	mu      sync.Mutex
	state   api.State
	sent    int64
	bases   int64
	changed chan struct{}
}

func newBoard(initial api.State) *board {
	b := &board{state: initial, changed: make(chan struct{})}
	b.rebase(&b.state)
	return b
}

// read returns the State, with a sequence number of its own, and a channel that is closed at the next change.
func (b *board) read() (api.State, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	state := b.state
	state.Sequence = b.sent
	return state, b.changed
}

// peek returns the State for decisions of our own.
func (b *board) peek() api.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// update changes the State. The pointers in it are never written through, only replaced.
func (b *board) update(change func(*api.State)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.state
	change(&b.state)
	if reflect.DeepEqual(before, b.state) {
		return
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// rebase gives the State a basis that no order has seen yet, so that those which are on their way are refused. To be called from
// within update.
func (b *board) rebase(s *api.State) {
	b.bases++
	s.Basis = fmt.Sprintf("%d-%d", s.AgentStart.UnixNano(), b.bases)
}

// withMySQL returns the State s with MySQL's part replaced by that of observed.
func withMySQL(s, observed api.State) api.State {
	s.ServerUUID, s.ServerID, s.Version = observed.ServerUUID, observed.ServerID, observed.Version
	s.SuperReadOnly, s.GTIDExecuted, s.GTIDPurged = observed.SuperReadOnly, observed.GTIDExecuted, observed.GTIDPurged
	s.Replication, s.SemiSync = observed.Replication, observed.SemiSync
	return s
}
