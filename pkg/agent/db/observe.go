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
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Observe reads the server's part of a State. It uses only statements that the server answers while an account-management statement
// waits for an acknowledgement (SHOW VARIABLES, for one, does not). Not safe for concurrent use.
func (d *DB) Observe(ctx context.Context) (api.State, error) {
	if err := d.reconnect(ctx); err != nil {
		return api.State{}, err
	}
	state, err := d.observe(ctx)
	d.broken = isBroken(err)
	return state, err
}

func (d *DB) observe(ctx context.Context) (api.State, error) {
	variables, err := row(ctx, d.observer.Load(), `SELECT @@global.server_uuid AS server_uuid, @@global.server_id AS server_id,
		@@global.version AS version, @@global.super_read_only AS super_read_only,
		@@global.gtid_executed AS gtid_executed, @@global.gtid_purged AS gtid_purged,
		@@global.rpl_semi_sync_source_enabled AS source_enabled,
		@@global.rpl_semi_sync_source_wait_for_replica_count AS required_acks`)
	if err != nil {
		return api.State{}, err
	}
	statuses, err := table(ctx, d.observer.Load(), "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'")
	if err != nil {
		return api.State{}, err
	}
	replica, err := row(ctx, d.observer.Load(), "SHOW REPLICA STATUS")
	if err != nil {
		return api.State{}, err
	}
	status := map[string]string{}
	for _, s := range statuses {
		status[strings.ToLower(s["variable_name"])] = s["value"]
	}
	state, err := stateFrom(variables, status, replica)
	if err == nil && state.Replication != nil {
		state.Replication.LagSeconds, err = d.lag(ctx, state.Replication.GTIDRetrieved, state.GTIDExecuted)
	}
	return state, err
}

// stateFrom makes a State from what the server says.
func stateFrom(variables, status, replica map[string]string) (api.State, error) {
	id, err := strconv.ParseUint(variables["server_id"], 10, 32)
	if err != nil {
		return api.State{}, fmt.Errorf("read server_id: %w", err)
	}
	state := api.State{
		ServerUUID:    variables["server_uuid"],
		ServerID:      uint32(id),
		Version:       variables["version"],
		SuperReadOnly: variables["super_read_only"] == "1",
		GTIDExecuted:  oneLine(variables["gtid_executed"]),
		GTIDPurged:    oneLine(variables["gtid_purged"]),
		SemiSync: api.SemiSync{
			SourceEnabled:  variables["source_enabled"] == "1",
			Clients:        number(status["rpl_semi_sync_source_clients"]),
			WaitSessions:   number(status["rpl_semi_sync_source_wait_sessions"]),
			ReplicaEnabled: status["rpl_semi_sync_replica_status"] == "ON",
		},
	}
	if state.SemiSync.SourceEnabled {
		state.SemiSync.RequiredAcks = number(variables["required_acks"])
	}
	if replica["source_host"] != "" {
		state.Replication = replicationFrom(replica)
	}
	return state, nil
}

func replicationFrom(replica map[string]string) *api.Replication {
	r := &api.Replication{
		SourceHost:     replica["source_host"],
		SourcePort:     number(replica["source_port"]),
		ReceiverState:  receiverStates[replica["replica_io_running"]],
		ApplierRunning: replica["replica_sql_running"] == "Yes",
		GTIDRetrieved:  oneLine(replica["retrieved_gtid_set"]),
	}
	r.LastError = joinErrors(replica["last_io_errno"], replica["last_io_error"], replica["last_sql_errno"], replica["last_sql_error"])
	return r
}

// receiverStates translates SHOW REPLICA STATUS to the words of performance_schema.
var receiverStates = map[string]string{"Yes": api.ReceiverOn, "No": api.ReceiverOff, "Connecting": api.ReceiverConnecting}

// attempts is what the server counts in an error while it tries again, in the words of its versions. It would make another State each
// time, and says nothing.
var attempts = regexp.MustCompile(` This was attempt \d+/\d+, with a delay of \d+ seconds between attempts\.| - retry-time: \d+ retries: \d+`)

func joinErrors(ioNumber, ioError, sqlNumber, sqlError string) string {
	var parts []string
	if ioError != "" {
		parts = append(parts, fmt.Sprintf("receiver: %s (%s)", attempts.ReplaceAllString(oneLine(ioError), ""), ioNumber))
	}
	if sqlError != "" {
		parts = append(parts, fmt.Sprintf("applier: %s (%s)", oneLine(sqlError), sqlNumber))
	}
	return strings.Join(parts, "; ")
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "") }

// number reads a count; what is absent or no number counts as 0.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
