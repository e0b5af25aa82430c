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
	"path/filepath"
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// broken waits until replication has failed with an error of the number, and checks that the report stands still from then on.
func (n *node) broken(number string) {
	n.c.t.Helper()
	failed := func(s api.State) bool {
		return running(s) && s.Replication != nil && strings.Contains(s.Replication.LastError, "("+number+")")
	}
	first := n.waitFor("error "+number, failed)
	seen := first
	for seen.Sequence < first.Sequence+5 {
		seen = n.waitFor("the next State", func(s api.State) bool { return s.Sequence > seen.Sequence })
		if seen.Replication.LastError != first.Replication.LastError {
			n.c.t.Errorf("%s: the error was %q, and is %q", n.name, first.Replication.LastError, seen.Replication.LastError)
		}
	}
}

// TestReplicationWithAWrongPasswordIsHealedByTheOrder: the password is read from the Secret each time.
func TestReplicationWithAWrongPasswordIsHealedByTheOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("ALTER USER sys_replication@'%' IDENTIFIED BY 'another'")
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	replica.waitFor("the change", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
	replica.exec("STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD")
	replica.broken("1045")
	c.write(filepath.Join("credentials", api.CredentialReplication), "another")
	replica.follow(1, primary)
	if strings.Contains(replica.output.String(), "'another'") {
		t.Error("the log shows the password")
	}
}

// TestABrokenApplierIsHealedByTheOrder: once the cause is gone, the order that is there already starts it again. Until then the error is
// reported.
func TestABrokenApplierIsHealedByTheOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ wrong, write, mend, number string }{
		"double key":  {"INSERT INTO app_db.t VALUES (2)", "INSERT INTO app_db.t VALUES (2)", "DELETE FROM app_db.t WHERE id = 2", "1062"},
		"missing row": {"DELETE FROM app_db.t WHERE id = 1", "DELETE FROM app_db.t WHERE id = 1", "INSERT INTO app_db.t VALUES (1)", "1032"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, nil)
			primary, replica := newPair(c)
			primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)", "INSERT INTO app_db.t VALUES (1)")
			want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
			replica.waitFor("the row", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
			behindItsBack := func(statement string) {
				conn := replica.session()
				for _, s := range []string{"SET GLOBAL super_read_only = OFF", "SET sql_log_bin = 0", statement, "SET GLOBAL super_read_only = ON"} {
					conn.exec(s)
				}
			}
			behindItsBack(test.wrong)
			primary.exec(test.write)
			replica.broken(test.number)
			behindItsBack(test.mend)
			replica.follow(1, primary)
			want = gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
			state := replica.waitFor("everything to be applied", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Equal(want) })
			if state.Replication.LastError != "" {
				t.Errorf("a replica that works reports %s", asJSON(state))
			}
		})
	}
}
