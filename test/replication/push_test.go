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

package replication

import (
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// TestALostAcknowledgementDoesNotHoldUpACommit: the replica has received the transaction and lost its connection before it said so. It
// does not say so later, and nobody else commits.
func TestALostAcknowledgementDoesNotHoldUpACommit(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	const dump = "FROM performance_schema.processlist WHERE command LIKE 'Binlog Dump%'"
	id := primary.query("SELECT id " + dump)
	replica.signalMysqld(syscall.SIGSTOP)
	insert := primary.execAsync("INSERT INTO app_db.t VALUES (1)")
	primary.waitFor("the commit to wait", func(s api.State) bool { return s.SemiSync.WaitSessions == 1 })
	primary.eventually("the transaction to be sent", func() bool {
		return primary.query("SELECT COUNT(*) "+dump+" AND state LIKE 'Source has sent all binlog%'") == "1"
	})
	primary.exec("KILL " + id)
	primary.waitFor("the replica to be gone", clients(0))
	replica.signalMysqld(syscall.SIGCONT)
	if err := mustReturn(t, "a commit whose acknowledgement was lost", insert); err != nil {
		t.Errorf("a commit whose acknowledgement was lost failed: %v", err)
	}
	want := gtid.MustParse(primary.waitFor("nothing to wait", func(s api.State) bool { return s.SemiSync.WaitSessions == 0 }).GTIDExecuted)
	replica.waitFor("the same on the replica", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
	if got := replica.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
		t.Errorf("the replica has %s rows, want 1", got)
	}
}
