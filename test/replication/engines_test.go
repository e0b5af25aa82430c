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
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// erDisabledStorageEngine is the server's error for a table of an engine in disabled_storage_engines.
const erDisabledStorageEngine = 3161

// TestTablesThatCloneWouldEmptyAreRefused: the logs that the server itself keeps in tables of such engines work nevertheless, on the
// donor as well as on its copy.
func TestTablesThatCloneWouldEmptyAreRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(config *api.NodeConfig) {
		config.MysqlConf["log_output"] = "TABLE"
		config.MysqlConf["general_log"] = "ON"
		config.MysqlConf["slow_query_log"] = "ON"
		config.MysqlConf["long_query_time"] = "0"
	})
	donor, n := c.add(), c.add()
	donor.initialize(1)
	donor.promote(1, 0)
	donor.exec("CREATE TABLE app_db.t (i INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO app_db.t VALUES (1)")
	root := donor.root()
	for _, statement := range []string{
		"CREATE TABLE app_db.m (i INT) ENGINE=MyISAM",
		"CREATE TABLE app_db.c (i INT NOT NULL) ENGINE=CSV",
		"CREATE TABLE app_db.a (i INT) ENGINE=ARCHIVE",
		"CREATE TABLE app_db.b (i INT) ENGINE=BLACKHOLE",
		"CREATE TABLE app_db.g (i INT) ENGINE=MERGE",
		"ALTER TABLE app_db.t ENGINE=MyISAM",
	} {
		_, err := root.Exec(statement)
		var refusal *mysql.MySQLError
		if !errors.As(err, &refusal) || refusal.Number != erDisabledStorageEngine {
			t.Errorf("%s: %v, want error %d", statement, err, erDisabledStorageEngine)
		}
	}

	n.clone(1, donor)
	n.follow(1, donor)
	if got := n.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
		t.Errorf("the copy has %s rows, want 1", got)
	}
	for _, node := range []*node{donor, n} {
		for _, table := range []string{"general_log", "slow_log"} {
			// The first query makes sure that there is one to be logged.
			node.exec("SELECT 1")
			if got := node.query("SELECT COUNT(*) > 0 FROM mysql." + table); got != "1" {
				t.Errorf("%s: mysql.%s is not written", node.name, table)
			}
		}
	}
	donor.exec("TRUNCATE TABLE mysql.general_log")
}
