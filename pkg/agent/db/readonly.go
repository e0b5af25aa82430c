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
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// MakeReadOnly sets super_read_only, and returns once no transaction can commit any more. Transactions that are in the middle of
// a commit are waited for; with closeClients, those that wait for an acknowledgement are cut off instead: they may or may
// not survive, and their clients have not been told that they were committed.
func (d *DB) MakeReadOnly(ctx context.Context, closeClients bool) error {
	done := make(chan error, 1)
	go func() { done <- d.exec(ctx, "SET GLOBAL super_read_only = ON") }()
	if !closeClients {
		return <-done
	}
	// The statement waits for the commits; closing their sessions lets them go.
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		if err := d.CloseClients(ctx); err != nil && ctx.Err() == nil {
			return errors.Join(err, <-done)
		}
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			// Those that came in the meantime have to find the new primary too.
			return d.CloseClients(ctx)
		case <-again.C:
		}
	}
}

// IsReadOnly tells whether super_read_only is set.
func (d *DB) IsReadOnly(ctx context.Context) (bool, error) {
	var on bool
	if err := d.pool.QueryRowContext(ctx, "SELECT @@global.super_read_only").Scan(&on); err != nil {
		return false, fmt.Errorf("read super_read_only: %w", err)
	}
	return on, nil
}

// LiftReadOnly opens the server for writes.
func (d *DB) LiftReadOnly(ctx context.Context) error {
	return d.exec(ctx, "SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
}

// CloseClients closes the connections of all clients, but not our own and not those of replicas.
func (d *DB) CloseClients(ctx context.Context) error {
	return d.killSessions(ctx, func(session map[string]string) bool { return true })
}

// waitingForAck is the state of a session whose commit waits for replicas.
const waitingForAck = "Waiting for semi-sync ACK"

// accountStatements are starts of statements that hold the lock of the accounts while they wait.
var accountStatements = []string{
	"CREATE USER", "ALTER USER", "DROP USER", "RENAME USER", "CREATE ROLE", "DROP ROLE", "GRANT", "REVOKE", "SET PASSWORD",
	"SET DEFAULT ROLE", "FLUSH PRIVILEGES",
}

// ReleaseAccountLock closes sessions that wait for an acknowledgement with an account-management statement. Such a session keeps
// everybody from logging in, also the replicas that it waits for. Its client learns no outcome.
func (d *DB) ReleaseAccountLock(ctx context.Context) error {
	return d.killSessionsOn(ctx, d.observer.Load(), func(session map[string]string) bool {
		if !strings.HasPrefix(session["state"], waitingForAck) {
			return false
		}
		statement := strings.ToUpper(strings.Join(strings.Fields(session["info"]), " "))
		for _, start := range accountStatements {
			if strings.HasPrefix(statement, start) {
				return true
			}
		}
		return false
	})
}

// EndSemiSyncSource turns off the source's side. Clients whose commits wait would be told that they succeeded: their sessions are
// closed first, so that only the applier, which nobody listens to, can be set free by it.
func (d *DB) EndSemiSyncSource(ctx context.Context) error {
	var enabled bool
	err := d.with(ctx, func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, "SELECT @@global.rpl_semi_sync_source_enabled").Scan(&enabled)
	})
	if err != nil || !enabled {
		return err
	}
	for {
		waiting := 0
		err := d.killSessions(ctx, func(session map[string]string) bool {
			if strings.HasPrefix(session["state"], waitingForAck) {
				waiting++
				return true
			}
			return false
		})
		if err != nil {
			return err
		}
		if waiting == 0 {
			return d.exec(ctx, "SET GLOBAL rpl_semi_sync_source_enabled = OFF")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d sessions still wait for an acknowledgement: %w", waiting, ctx.Err())
		case <-time.After(20 * time.Millisecond): // the server has no event for the end of a killed session
		}
	}
}

func (d *DB) killSessions(ctx context.Context, which func(session map[string]string) bool) error {
	return d.with(ctx, func(conn *sql.Conn) error { return d.killSessionsOn(ctx, conn, which) })
}

func (d *DB) killSessionsOn(ctx context.Context, conn *sql.Conn, which func(session map[string]string) bool) error {
	sessions, err := table(ctx, conn, "SHOW FULL PROCESSLIST")
	if err != nil {
		return err
	}
	for _, session := range sessions {
		if internalAccounts[session["user"]] || !which(session) {
			continue
		}
		if _, err := conn.ExecContext(ctx, "KILL "+session["id"]); err != nil && !isError(err, errNoSuchThread) {
			return fmt.Errorf("KILL: %w", err)
		}
	}
	return nil
}

// Numbers of the server's errors that are answers, not failures.
const (
	errNoSuchThread = 1094
)

// IsRefusal tells whether an error is the server's answer, rather than a server that does not answer.
func IsRefusal(err error) bool {
	var serverError *mysql.MySQLError
	return errors.As(err, &serverError)
}

func isError(err error, number uint16) bool {
	var serverError *mysql.MySQLError
	return errors.As(err, &serverError) && serverError.Number == number
}
