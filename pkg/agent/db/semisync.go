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
	"errors"
	"fmt"
	"slices"
	"time"
)

// ackTimeout is the longest that the server can wait, 49 days: in effect, it never goes on without an acknowledgement.
const ackTimeout = (1<<32 - 1) * time.Millisecond

// SetRequiredAcks makes commits wait until so many replicas have confirmed them; 0 lets them go on without.
func (d *DB) SetRequiredAcks(ctx context.Context, acks int) error {
	if acks < 0 {
		return errors.New("the number of acknowledgements is negative")
	}
	if err := d.exec(ctx, "SET GLOBAL rpl_semi_sync_replica_enabled = OFF"); err != nil {
		return err
	}
	if acks == 0 {
		return d.endSemiSyncSource(ctx, true)
	}
	return d.exec(ctx,
		fmt.Sprintf("SET GLOBAL rpl_semi_sync_source_timeout = %d", ackTimeout.Milliseconds()),
		"SET GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC",
		"SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON",
		fmt.Sprintf("SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = %d", acks),
		"SET GLOBAL rpl_semi_sync_source_enabled = ON",
	)
}

// Push commits something that changes nothing, on any server, and is sent to the replicas: their acknowledgement covers all that was
// before it in the binary log. A server that is read-only refuses it.
func (d *DB) Push(ctx context.Context) error {
	return d.exec(ctx, "DROP TABLE IF EXISTS mysql.apiserver_no_such_table")
}

// SemiSyncClients returns the number of connected replicas that confirm commits.
func (d *DB) SemiSyncClients(ctx context.Context) (clients int, err error) {
	err = d.with(ctx, func(conn *sql.Conn) error {
		status, err := row(ctx, conn, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'")
		clients = number(status["value"])
		return err
	})
	return clients, err
}

// EndSemiSyncSource turns off the source's side of semi-sync. The server has to be read-only: only the applier's commits may wait then,
// and nobody is told that they succeeded.
func (d *DB) EndSemiSyncSource(ctx context.Context) error { return d.endSemiSyncSource(ctx, true) }

// endSemiSyncSource has to get a thread of the server to stop that listens to the replicas. It looks up only when one of them says
// something, or once a second; and until it has, nobody can read a variable. So in a hurry a replica is made to come again, if it has been
// sent everything: it does so at once.
func (d *DB) endSemiSyncSource(ctx context.Context, hurry bool) error {
	return d.with(ctx, func(conn *sql.Conn) error {
		var on bool
		if err := conn.QueryRowContext(ctx, "SELECT @@global.rpl_semi_sync_source_enabled").Scan(&on); err != nil || !on {
			return err
		}
		done := make(chan error, 1)
		go func() {
			_, err := conn.ExecContext(ctx, "SET GLOBAL rpl_semi_sync_source_enabled = OFF")
			done <- err
		}()
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case err := <-done:
				if err != nil {
					return fmt.Errorf("turn off semi-sync: %w", err)
				}
				return nil
			case <-again.C:
			}
			if !hurry {
				continue
			}
			if err := d.with(ctx, wakeListener); err != nil {
				return errors.Join(err, <-done)
			}
		}
	})
}

// wakeListener closes the connection of one replica that has been sent everything.
func wakeListener(conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), dismissTimeout)
	defer cancel()
	sessions, err := table(ctx, conn, "SHOW FULL PROCESSLIST")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(sessions, hasBeenSentAll)
	if i < 0 {
		return nil
	}
	return kill(ctx, conn, sessions[i:i+1], isDump)
}
