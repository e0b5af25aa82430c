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
	"context"
	"fmt"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// releaseAccounts ends a deadlock: an account-management statement (CREATE USER, GRANT, …) waits for replicas, and as long as it
// does, the replicas cannot log in. The node becomes read-only, as it was before enough replicas were connected for the first
// time, and the controller opens it again when they are. The statement's client loses its connection and learns no outcome.
func (a *Agent) releaseAccounts(ctx context.Context, s *session, sync api.SemiSync) {
	if !sync.SourceEnabled || sync.WaitSessions == 0 || sync.Clients >= sync.RequiredAcks {
		return
	}
	waits, err := s.db.AccountStatementWaits(ctx)
	if err != nil {
		a.log.Warn("looking for account-management statements failed", "error", err)
		return
	}
	if !waits {
		return
	}
	select {
	case a.turn <- struct{}{}:
	default:
		return // an order is being carried out: the next observation sees what came of it
	}
	go func() {
		defer func() { <-a.turn }()
		// Orders that are on their way were given to a writable node.
		a.updateIn(s.ctx, a.board.rebase)
		ctx, cancel := a.workOn(s)
		defer cancel()
		err := s.db.StepDown(ctx, true)
		if err == nil {
			err = s.db.SetRequiredAcks(ctx, sync.RequiredAcks)
		}
		if err != nil {
			a.log.Error("releasing the lock of the accounts failed", "error", err)
			return
		}
		message := "an account-management statement kept the replicas from logging in: " + waitingForReplicas(sync.RequiredAcks, 0)
		a.log.Warn(message)
		a.updateIn(s.ctx, func(st *api.State) { st.Message = message })
		a.observeSoon()
	}()
}

// waitingForReplicas says why a primary is not open for writes.
func waitingForReplicas(required, connected int) string {
	return fmt.Sprintf("read-only until %d replicas that confirm commits are connected; now there are %d", required, connected)
}
