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
	"database/sql"
	"fmt"
	"strconv"

	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// Source is where to replicate from, and how.
type Source struct {
	Host           string
	Port           int
	User, Password string
	// CA is the PEM file that the source's certificate must chain to.
	CA string
}

// Follow replicates from a source, with acknowledgements. The server has to be super_read_only already. Nothing happens when it
// is so already. Transactions that have been received are kept when the source changes.
//
// Only a relay log that is lost or damaged is given up. What was in it nobody knows then, so beforeLoss is called first, and an error of
// it ends everything.
func (d *DB) Follow(ctx context.Context, source Source, beforeLoss func() error) error {
	err := d.follow(ctx, source, beforeLoss)
	if isError(err, errRelayLogLost) {
		// The crash of a machine can cut off what the relay log is said to hold. It is fetched again: GTIDs tell what is missing.
		if err := beforeLoss(); err != nil {
			return err
		}
		if err := d.exec(ctx, "RESET REPLICA ALL"); err != nil {
			return err
		}
		return d.follow(ctx, source, beforeLoss)
	}
	return err
}

func (d *DB) follow(ctx context.Context, source Source, beforeLoss func() error) error {
	if err := d.EndSemiSyncSource(ctx); err != nil {
		return err
	}
	var acknowledges bool
	var configured map[string]string
	var status map[string]string
	err := d.with(ctx, func(conn *sql.Conn) (err error) {
		if err := conn.QueryRowContext(ctx, "SELECT @@global.rpl_semi_sync_replica_enabled").Scan(&acknowledges); err != nil {
			return fmt.Errorf("read the semi-sync settings: %w", err)
		}
		if status, err = row(ctx, conn, "SHOW REPLICA STATUS"); err != nil {
			return err
		}
		configured, err = row(ctx, conn, "SELECT * FROM mysql.slave_master_info WHERE channel_name = ''")
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case configured["enabled_auto_position"] != "1" || status == nil:
		if err := d.exec(ctx, "STOP REPLICA", changeSource(source, true)); err != nil {
			return err
		}
	case !sameSource(configured, source):
		if err := d.switchSource(ctx, source, beforeLoss); err != nil {
			return err
		}
	case !acknowledges && status["replica_io_running"] != "No":
		// The receiver asks the source to wait for it only when it connects.
		if err := d.exec(ctx, "STOP REPLICA IO_THREAD"); err != nil {
			return err
		}
	case unreadableRelayLog(status["last_sql_errno"]):
		// The same, noticed by the applier only when it came to the damaged place.
		if err := beforeLoss(); err != nil {
			return err
		}
		if err := d.exec(ctx, "STOP REPLICA", "RESET REPLICA"); err != nil {
			return err
		}
	}
	return d.exec(ctx, "SET GLOBAL rpl_semi_sync_replica_enabled = ON", "START REPLICA")
}

// switchSource changes the source of a replica that has one. With the applier running, the server keeps the relay log, in which there
// may be the only copy of a transaction; with both threads stopped it would throw it away.
func (d *DB) switchSource(ctx context.Context, source Source, beforeLoss func() error) error {
	if err := d.exec(ctx, "STOP REPLICA IO_THREAD", "START REPLICA SQL_THREAD"); err != nil {
		return err
	}
	status, executed, err := d.replicaStatus(ctx)
	if err != nil {
		return err
	}
	if status["replica_sql_running"] != "Yes" {
		received, err := gtid.Parse(oneLine(status["retrieved_gtid_set"]))
		if err != nil {
			return err
		}
		pending := received.Subtract(executed)
		if unreadableRelayLog(status["last_sql_errno"]) {
			if err := beforeLoss(); err != nil {
				return err
			}
		} else if !pending.IsEmpty() {
			return fmt.Errorf("transactions %s have been received and cannot be applied: %s", pending, oneLine(status["last_sql_error"]))
		}
	}
	return d.exec(ctx, changeSource(source, false))
}

// unreadableRelayLog tells whether the applier stopped because the relay log is damaged.
func unreadableRelayLog(errno string) bool {
	switch errno {
	case "1594", "13117", "13121": // ER_REPLICA_RELAY_LOG_READ_FAILURE, under its old number and its new ones
		return true
	}
	return false
}

// changeSource returns the statement that configures a source. autoPosition must be left out while the applier runs.
func changeSource(s Source, autoPosition bool) string {
	statement := "CHANGE REPLICATION SOURCE TO" +
		" SOURCE_HOST = " + Quote(s.Host) +
		", SOURCE_PORT = " + strconv.Itoa(s.Port) +
		", SOURCE_USER = " + Quote(s.User) +
		", SOURCE_PASSWORD = " + Quote(s.Password) +
		", SOURCE_SSL = 1, SOURCE_SSL_VERIFY_SERVER_CERT = 1, GET_SOURCE_PUBLIC_KEY = 0" +
		", SOURCE_SSL_CA = " + Quote(s.CA) +
		// Notice quickly that the source is gone, and come back quickly when it is there again.
		", SOURCE_HEARTBEAT_PERIOD = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 1000000"
	if autoPosition {
		statement += ", SOURCE_AUTO_POSITION = 1"
	}
	return statement
}

func sameSource(configured map[string]string, s Source) bool {
	for column, want := range map[string]string{
		"host": s.Host, "port": strconv.Itoa(s.Port), "user_name": s.User, "user_password": s.Password,
		"ssl_ca": s.CA, "enabled_ssl": "1", "ssl_verify_server_cert": "1",
	} {
		if configured[column] != want {
			return false
		}
	}
	return true
}

// StopReplication stops following, and keeps what was received.
func (d *DB) StopReplication(ctx context.Context) error {
	return d.exec(ctx, "STOP REPLICA")
}

// ForgetSource removes all replication settings. Everything received must have been applied.
func (d *DB) ForgetSource(ctx context.Context) error {
	return d.exec(ctx, "RESET REPLICA ALL")
}

// FinishReplication stops receiving, waits until everything received has been applied, and forgets the source. Nothing happens when
// there is no source.
func (d *DB) FinishReplication(ctx context.Context) error {
	status, _, err := d.replicaStatus(ctx)
	if err != nil || status == nil {
		return err
	}
	if err := d.exec(ctx, "STOP REPLICA IO_THREAD"); err != nil {
		return err
	}
	// Only now does the set of what was received stand still.
	status, executed, err := d.replicaStatus(ctx)
	if err != nil {
		return err
	}
	received, err := gtid.Parse(oneLine(status["retrieved_gtid_set"]))
	if err != nil {
		return err
	}
	if !executed.Contains(received) {
		if err := d.exec(ctx, "START REPLICA SQL_THREAD"); err != nil {
			return err
		}
		if err := d.waitApplied(ctx, received); err != nil {
			return err
		}
	}
	return d.exec(ctx, "STOP REPLICA", "RESET REPLICA ALL")
}

// waitApplied waits until transactions have been applied. It looks now and then whether the applier still runs.
func (d *DB) waitApplied(ctx context.Context, received gtid.Set) error {
	for {
		var late int
		err := d.with(ctx, func(conn *sql.Conn) error {
			return conn.QueryRowContext(ctx, "SELECT WAIT_FOR_EXECUTED_GTID_SET("+Quote(received.String())+", 1)").Scan(&late)
		})
		if err != nil {
			return fmt.Errorf("wait for the received transactions to be applied: %w", err)
		}
		if late == 0 {
			return nil
		}
		status, executed, err := d.replicaStatus(ctx)
		if err != nil {
			return err
		}
		pending := received.Subtract(executed)
		if status["replica_sql_running"] != "Yes" {
			return fmt.Errorf("transactions %s have been received and cannot be applied: %s", pending, oneLine(status["last_sql_error"]))
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%d received transactions are still to be applied", pending.Count())
		}
	}
}

// replicaStatus returns the line of SHOW REPLICA STATUS, nil without one, and what the server has executed.
func (d *DB) replicaStatus(ctx context.Context) (status map[string]string, executed gtid.Set, err error) {
	err = d.with(ctx, func(conn *sql.Conn) error {
		if status, err = row(ctx, conn, "SHOW REPLICA STATUS"); err != nil {
			return err
		}
		variables, err := row(ctx, conn, "SELECT @@global.gtid_executed AS executed")
		if err != nil {
			return err
		}
		executed, err = gtid.Parse(oneLine(variables["executed"]))
		return err
	})
	if status["source_host"] == "" {
		status = nil
	}
	return status, executed, err
}

// SetRootPassword changes the password of root where such an account exists.
func (d *DB) SetRootPassword(ctx context.Context, password string) error {
	return d.exec(ctx, "ALTER USER IF EXISTS 'root'@'localhost' IDENTIFIED BY "+Quote(password)+
		", 'root'@'%' IDENTIFIED BY "+Quote(password))
}

// ReloadTLS makes the server read its certificate files again.
func (d *DB) ReloadTLS(ctx context.Context) error {
	return d.exec(ctx, "ALTER INSTANCE RELOAD TLS", "ALTER INSTANCE RELOAD TLS FOR CHANNEL mysql_admin")
}
