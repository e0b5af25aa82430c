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
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func TestAnEmptyNodeWaitsForAnOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.add()
	state := n.waitFor("an empty volume", empty)
	if state.HasData || state.Role != api.RoleNone || state.ClusterUID != "" || state.Node != n.name {
		t.Errorf("an empty node reports %s", asJSON(state))
	}
	for _, kind := range []api.OrderKind{api.OrderFollow, api.OrderPromote, api.OrderDemote} {
		n.refuses(api.Order{Kind: kind, Term: 1, Source: n.endpoint()}, api.RefusedNoData)
	}
	n.refuses(api.Order{Kind: "Dance", Term: 1}, api.RefusedInvalid)
	n.refuses(api.Order{Kind: api.OrderInitialize}, api.RefusedInvalid)
	n.refuses(api.Order{Kind: api.OrderClone, Term: 1}, api.RefusedInvalid)
	n.refuses(api.Order{Kind: api.OrderInitialize, Term: 1, ClusterUID: "uid-of-another"}, api.RefusedInvalid)
	n.refuses(api.Order{Kind: api.OrderInitialize, Term: 1, PodUID: "uid-of-another"}, api.RefusedInvalid)
	if state := n.last(); state.Phase != api.PhaseEmpty || state.HasData || state.Term != 0 {
		t.Errorf("orders that were refused have changed the node: %s", asJSON(state))
	}
}

func TestInitializeMakesAServerWithItsAccounts(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(config *api.NodeConfig) {
		config.MysqlConf["max-connections"] = "77"
		// A comment sign, both kinds of escapes: all of it has to arrive.
		config.MysqlConf["init_connect"] = `SET @a = 'x#y\\z'`
		config.InitFileExtraSQL = []string{
			"CREATE DATABASE IF NOT EXISTS extra;",
			"CREATE TABLE IF NOT EXISTS\n  extra.starts (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(20)) -- a comment",
			"INSERT INTO extra.starts (note) VALUES ('a;b')",
		}
	})
	n := c.add()
	n.waitFor("an empty volume", empty)
	n.order(api.Order{Kind: api.OrderInitialize, Term: 3}, api.OutcomeAccepted)
	n.order(api.Order{Kind: api.OrderInitialize, Term: 3}, api.OutcomeAccepted) // said twice, done once
	n.refuses(api.Order{Kind: api.OrderClone, Term: 3, Source: n.endpoint()}, api.RefusedBusy)
	state := n.waitFor("an initialised server", running)

	if !state.HasData || state.ClusterUID != "uid-1" || state.Term != 3 || !state.SuperReadOnly || state.Role != api.RoleNone ||
		state.GTIDExecuted != "" || state.ServerID != 100 || state.Replication != nil || state.SemiSync != (api.SemiSync{}) {
		t.Errorf("a newborn server reports %s", asJSON(state))
	}
	n.refuses(api.Order{Kind: api.OrderInitialize, Term: 3}, api.RefusedHasData)
	n.refuses(api.Order{Kind: api.OrderClone, Term: 3, Source: n.endpoint()}, api.RefusedHasData)

	accounts := n.query(`SELECT GROUP_CONCAT(CONCAT(user, '@', host, ' ', ssl_type) ORDER BY user, host) FROM mysql.user WHERE user NOT LIKE 'mysql.%'`)
	if want := "app_user@% ,root@% ,root@localhost ,sys_agent@localhost ,sys_clone@% ANY,sys_replication@% ANY"; accounts != want {
		t.Errorf("accounts are %q, want %q", accounts, want)
	}
	for query, want := range map[string]string{
		"SELECT @@max_connections":                    "77",
		"SELECT @@init_connect":                       `SET @a = 'x#y\\z'`,
		"SELECT @@report_host":                        n.name,
		"SELECT @@datadir":                            n.absolute("volume/data") + "/",
		"SELECT @@innodb_flush_log_at_trx_commit":     "2", // the user's
		"SELECT GROUP_CONCAT(note) FROM extra.starts": "a;b",
		"SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_status = 'ACTIVE' AND plugin_name IN ('clone', 'rpl_semi_sync_source', 'rpl_semi_sync_replica')": "3",
	} {
		if got := n.query(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}

	n.promote(3, 0)
	app := n.open("app_user", "app-secret")
	for _, statement := range []string{"CREATE TABLE app_db.t (i INT)", "INSERT INTO app_db.t VALUES (1)"} {
		if _, err := app.Exec(statement); err != nil {
			t.Errorf("the application's account: %s: %v", statement, err)
		}
	}
	if _, err := app.Exec("CREATE DATABASE other"); err == nil {
		t.Error("the application's account may create databases")
	}
	// Only now is there anything in the binary log.
	if got := n.query("SELECT @@gtid_executed"); !strings.HasSuffix(got, ":1-2") {
		t.Errorf("gtid_executed = %q, want the two transactions of the application", got)
	}
	for _, secret := range []string{"secret-agent", "secret-replication", "secret-clone", "app-secret", `r'o`} {
		if n.output.contains(secret) {
			t.Errorf("the log shows the password %q", secret)
		}
	}

	// The extra statements are executed at each start, and none of it is replicated.
	executed := n.query("SELECT @@gtid_executed")
	n.exec("RESTART")
	n.waitFor("a restarted server", func(s api.State) bool { return running(s) && s.Role == api.RoleNone })
	if got := n.query("SELECT COUNT(*) FROM extra.starts"); got != "2" {
		t.Errorf("the extra statements have been executed %s times, want 2", got)
	}
	if got := n.query("SELECT @@gtid_executed"); got != executed {
		t.Errorf("gtid_executed = %q, was %q before the restart", got, executed)
	}
}
