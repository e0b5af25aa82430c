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

package db

import (
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

func TestStateFromTheServersWords(t *testing.T) {
	state, err := stateFrom(
		map[string]string{
			"server_uuid": uuid, "server_id": "4294967295", "version": "9.7.4-2", "super_read_only": "1",
			"gtid_executed": uuid + ":1-5,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1", "gtid_purged": "", "source_enabled": "1", "required_acks": "2",
		},
		map[string]string{"rpl_semi_sync_source_clients": "1", "rpl_semi_sync_source_wait_sessions": "3", "rpl_semi_sync_replica_status": "OFF"},
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	want := api.State{
		ServerUUID: uuid, ServerID: 4294967295, Version: "9.7.4-2", SuperReadOnly: true,
		GTIDExecuted: uuid + ":1-5,4e11fa47-71ca-11e1-9e33-c80aa9429562:1",
		SemiSync:     api.SemiSync{SourceEnabled: true, RequiredAcks: 2, Clients: 1, WaitSessions: 3},
	}
	if state != want {
		t.Errorf("the state is %+v, want %+v", state, want)
	}
}

func TestReplicationFromShowReplicaStatus(t *testing.T) {
	tests := map[string]struct {
		replica map[string]string
		want    api.Replication
	}{
		"running": {
			map[string]string{"source_host": "h", "source_port": "3306", "replica_io_running": "Yes", "replica_sql_running": "Yes", "retrieved_gtid_set": uuid + ":1-5"},
			api.Replication{SourceHost: "h", SourcePort: 3306, ReceiverState: "ON", ApplierRunning: true, GTIDRetrieved: uuid + ":1-5"},
		},
		"source gone": {
			map[string]string{"source_host": "h", "source_port": "3306", "replica_io_running": "Connecting", "replica_sql_running": "Yes", "last_io_errno": "2003", "last_io_error": "no\nroute"},
			api.Replication{SourceHost: "h", SourcePort: 3306, ReceiverState: "CONNECTING", ApplierRunning: true, LastError: "receiver: noroute (2003)"},
		},
		"trying again, 9.7": {
			map[string]string{"source_host": "h", "source_port": "1", "last_io_errno": "2003", "last_io_error": "Error reconnecting to source 'u@h:1'. This was attempt 3/1000000, with a delay of 1 seconds between attempts. Message: Can't connect"},
			api.Replication{SourceHost: "h", SourcePort: 1, LastError: "receiver: Error reconnecting to source 'u@h:1'. Message: Can't connect (2003)"},
		},
		"trying again, 8.0": {
			map[string]string{"source_host": "h", "source_port": "1", "last_io_errno": "2003", "last_io_error": "error reconnecting to master 'u@h:1' - retry-time: 1 retries: 3 message: Can't connect"},
			api.Replication{SourceHost: "h", SourcePort: 1, LastError: "receiver: error reconnecting to master 'u@h:1' message: Can't connect (2003)"},
		},
		"stopped": {
			map[string]string{"source_host": "h", "source_port": "3306", "replica_io_running": "No", "replica_sql_running": "No", "last_io_errno": "1", "last_io_error": "x", "last_sql_errno": "1062", "last_sql_error": "double"},
			api.Replication{SourceHost: "h", SourcePort: 3306, ReceiverState: "OFF", LastError: "receiver: x (1); applier: double (1062)"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := replicationFrom(test.replica); *got != test.want {
				t.Errorf("replication is %+v, want %+v", *got, test.want)
			}
		})
	}
}

func TestErrorsDoNotShowPasswords(t *testing.T) {
	for statement, want := range map[string]string{
		changeSource(Source{Host: "h", Port: 1, User: "u", Password: "p", CA: "c"}, true): "CHANGE REPLICATION SOURCE",
		"CLONE INSTANCE FROM 'u'@'h':1 IDENTIFIED BY 'p'":                                 "CLONE INSTANCE FROM",
		"ALTER USER 'u'@'h' IDENTIFIED BY 'p'":                                            "ALTER USER 'u'@'h'",
	} {
		if got := abridge(statement); got != want {
			t.Errorf("abridge(%q) = %q, want %q", statement, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{"": "''", `a'b\c`: `'a''b\\c'`, "x\ny\x00": `'x\ny\0'`} {
		if got := Quote(text); got != want {
			t.Errorf("Quote(%q) = %s, want %s", text, got, want)
		}
	}
	if got := QuoteName("a`b"); got != "`a``b`" {
		t.Errorf("QuoteName = %s", got)
	}
}

func TestMayBeTold(t *testing.T) {
	tests := map[string]struct {
		session map[string]string
		want    bool
	}{
		"a client of before":               {map[string]string{"id": "5", "user": "app", "command": "Sleep"}, true},
		"a client of before, killed":       {map[string]string{"id": "5", "user": "app", "command": killed, "state": waitingForAck + " from replica"}, false},
		"a client that came later":         {map[string]string{"id": "9", "user": "app", "command": "Query"}, false},
		"one that came later, and commits": {map[string]string{"id": "9", "user": "app", "command": "Query", "state": waitingForAck + " from replica"}, true},
		"a replica":                        {map[string]string{"id": "5", "user": api.AccountReplication, "command": "Binlog Dump GTID"}, false},
		"ourselves":                        {map[string]string{"id": "5", "user": api.AccountAgent, "command": "Query"}, false},
		"the applier":                      {map[string]string{"id": "5", "user": "system user", "state": waitingForAck + " from replica"}, false},
	}
	for name, test := range tests {
		if got := mayBeTold(test.session, 7); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
