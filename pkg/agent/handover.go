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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/process"
)

// handOver lets a primary that is to end go on serving until another node is the primary, so that its clients miss seconds less than
// they would after its end. It tells whether mysqld is still there to be stopped. Orders are obeyed as ever; the controller knows of the
// wish to stop from the State.
func (a *Agent) handOver(proc *process.Process) (running bool) {
	over := time.NewTimer(a.options.HandoverTimeout)
	defer over.Stop()
	for {
		state, changed := a.board.read()
		if state.Role != api.RolePrimary {
			return true
		}
		var turn chan struct{}
		if !hasHeirs(state) {
			turn = a.turn
		}
		select {
		case turn <- struct{}{}:
			// This is not the middle of an order, such as the one to step down, in which a primary looks as if nobody could replace it.
			state := a.board.peek()
			<-a.turn
			if !hasHeirs(state) {
				return true
			}
		case <-changed:
		case <-proc.Done():
			return false
		case <-over.C:
			a.log.Warn("no other node has become the primary in time")
			return true
		}
	}
}

// hasHeirs tells whether the node is a primary whose clients another node could serve. Replicas count as semi-synchronous ones also
// while no commit waits for them.
func hasHeirs(s api.State) bool {
	return s.Phase == api.PhaseRunning && s.Role == api.RolePrimary && !s.SuperReadOnly && s.SemiSync.Clients > 0
}
