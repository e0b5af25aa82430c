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
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// erTooManyConnections is the server's error for a client when there are max_connections already.
const erTooManyConnections = 1040

// TestClientsCannotUseUpTheReplicasConnections: all connections are taken by clients whose commits wait for the very replica that wants
// to connect.
func TestClientsCannotUseUpTheReplicasConnections(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(config *api.NodeConfig) { config.MysqlConf["max_connections"] = "15" })
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
	replica.kill()
	primary.waitFor("the replica to be gone", clients(0))

	db := primary.open("app_user", "app-secret")
	var conns []*sql.Conn
	for {
		conn, err := db.Conn(context.Background())
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) && refusal.Number == erTooManyConnections {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	commits := make(chan error, len(conns))
	for _, conn := range conns {
		go func() {
			_, err := conn.ExecContext(context.Background(), "INSERT INTO app_db.t VALUES ()")
			commits <- err
		}()
	}
	primary.waitFor("commits to wait", func(s api.State) bool { return s.SemiSync.WaitSessions > 0 })

	replica.start()
	replica.waitFor("the replica to run again", newborn)
	replica.follow(1, primary)
	for range conns {
		if err := mustReturn(t, "a commit", commits); err != nil {
			t.Errorf("a commit that waited for the replica failed: %v", err)
		}
	}
	for _, conn := range conns {
		conn.Close()
	}
	db.Close()
	replica.eventually("the rows on the replica", func() bool { return replica.query("SELECT COUNT(*) FROM app_db.t") == fmt.Sprint(len(conns)) })
}

// TestTheAdministrativeInterfaceIsNotForClients: it is for the nodes' accounts, which can do nothing else there.
func TestTheAdministrativeInterfaceIsNotForClients(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	for user, password := range map[string]string{"app_user": "app-secret", api.AccountAgent: "secret-agent-'\"\\%"} {
		if err := n.openAt(n.adminPort, user, password).Ping(); err == nil {
			t.Errorf("%s can use the administrative interface", user)
		}
	}
	replication := n.openAt(n.adminPort, api.AccountReplication, "secret-replication-'\"\\%")
	if err := replication.Ping(); err != nil {
		t.Errorf("replicas cannot use the administrative interface: %v", err)
	}
	var count int
	if err := replication.QueryRow("SELECT COUNT(*) FROM mysql.user").Scan(&count); err == nil {
		t.Error("the account of the replicas can read other accounts' passwords")
	}
}
