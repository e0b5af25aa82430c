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
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// MakeReadOnly sets super_read_only, after all transactions that are in the middle of a commit have ended. It gives up when that
// takes too long: a commit that waits for replicas can take for ever.
func (d *DB) MakeReadOnly(ctx context.Context) error {
	return d.exec(ctx, "SET GLOBAL super_read_only = ON")
}

// StepDown sets super_read_only, cuts off all clients, and turns off the source's side of semi-sync. Commits that wait for
// replicas may or may not survive; their clients are not told that they succeeded.
//
// The order of the steps matters. Killing a session closes its connection, but does not end its wait; turning semi-sync off ends
// all waits, and tells those who are still connected that they succeeded. So super_read_only is asked for first: from then on
// the commits of new sessions do not begin. Then all sessions are killed, and only then are the waits ended.
//
// In a hurry, connections of replicas are closed too. They come again at once, which a server that is about to end does not wait for.
func (d *DB) StepDown(ctx context.Context, hurry bool) error {
	return d.with(ctx, func(setter *sql.Conn) error {
		var setterID string
		if err := setter.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&setterID); err != nil {
			return fmt.Errorf("find out the own session: %w", err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := setter.ExecContext(ctx, "SET GLOBAL super_read_only = ON")
			done <- err
		}()
		err := d.with(ctx, func(conn *sql.Conn) error { return d.letGo(ctx, conn, setterID, done, hurry) })
		if err != nil {
			// A statement outlives the connection that it came by, and would take effect when nobody expects it any more.
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), recallTimeout)
			defer cancel()
			_ = d.exec(work, "KILL "+setterID)
			return fmt.Errorf("become read-only: %w", err)
		}
		if err := d.endSemiSyncSource(ctx, hurry); err != nil {
			return err
		}
		// Clients that came in the meantime have to find the new primary too. The replicas are made to look whether there is more: their
		// agents, which nobody tells that these were the last transactions, see that and report what they have.
		return d.closeSessions(ctx, func(s map[string]string) bool { return isClient(s) || hurry && hasBeenSentAll(s) })
	})
}

// recallTimeout bounds the attempt to recall a statement from a server that may have stopped answering.
const recallTimeout = 500 * time.Millisecond

// letGo ends what super_read_only, which the session setter is setting, has to wait for. It returns when done delivers.
func (d *DB) letGo(ctx context.Context, conn *sql.Conn, setterID string, done <-chan error, hurry bool) error {
	again := time.NewTicker(10 * time.Millisecond) // the server has no event for the states of its sessions
	defer again.Stop()
	newest := -1 // of the sessions that were there when the setter began to wait; the commits of later ones do not begin
	for {
		sessions, err := table(ctx, conn, "SHOW FULL PROCESSLIST")
		if err != nil {
			return errors.Join(err, <-done)
		}
		if setterWaits(sessions, setterID) {
			if err := kill(ctx, conn, sessions, isClient); err != nil {
				return errors.Join(err, <-done)
			}
			if newest < 0 {
				newest = newestOf(sessions)
			}
			if !slices.ContainsFunc(sessions, func(s map[string]string) bool { return mayBeTold(s, newest) }) {
				if err := d.endSemiSyncSource(ctx, hurry); err != nil {
					return errors.Join(err, <-done)
				}
			}
		}
		select {
		case err := <-done:
			return err
		case <-again.C:
		}
	}
}

// killed is the command of a session that has been killed and has not ended yet.
const killed = "Killed"

// mayBeTold tells whether the end of the waits could tell a client that its commit succeeded.
func mayBeTold(session map[string]string, newest int) bool {
	return isClient(session) && session["command"] != killed &&
		(number(session["id"]) <= newest || strings.HasPrefix(session["state"], waitingForAck))
}

func newestOf(sessions []map[string]string) int {
	newest := 0
	for _, s := range sessions {
		newest = max(newest, number(s["id"]))
	}
	return newest
}

func setterWaits(sessions []map[string]string, setterID string) bool {
	return slices.ContainsFunc(sessions, func(s map[string]string) bool {
		return s["id"] == setterID && strings.HasPrefix(s["state"], "Waiting for")
	})
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
func (d *DB) CloseClients(ctx context.Context) error { return d.closeSessions(ctx, isClient) }

func (d *DB) closeSessions(ctx context.Context, which func(session map[string]string) bool) error {
	return d.with(ctx, func(conn *sql.Conn) error {
		sessions, err := table(ctx, conn, "SHOW FULL PROCESSLIST")
		if err != nil {
			return err
		}
		return kill(ctx, conn, sessions, which)
	})
}

// dumpCommand starts the command of a session that sends the binary log to a replica, sentAll its state when there is no more to send.
const (
	dumpCommand = "Binlog Dump"
	sentAll     = "Source has sent all binlog"
)

// Dismiss closes the connections of clients and of replicas, of the latter when they have been sent everything or when ctx ends. A
// server that shuts down would wait for seconds for either to go by themselves.
func (d *DB) Dismiss(ctx context.Context) error {
	again := time.NewTicker(10 * time.Millisecond) // the server has no event for the states of its sessions
	defer again.Stop()
	return d.with(context.WithoutCancel(ctx), func(conn *sql.Conn) error {
		for {
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), dismissTimeout)
			sessions, err := table(work, conn, "SHOW FULL PROCESSLIST")
			if err == nil {
				err = kill(work, conn, sessions, func(s map[string]string) bool {
					return isClient(s) || hasBeenSentAll(s) || isDump(s) && ctx.Err() != nil
				})
			}
			cancel()
			if err != nil || ctx.Err() != nil || !slices.ContainsFunc(sessions, isDump) {
				return err
			}
			select {
			case <-ctx.Done():
			case <-again.C:
			}
		}
	})
}

// dismissTimeout bounds one look at the sessions; much longer than it ever takes.
const dismissTimeout = 2 * time.Second

func isDump(session map[string]string) bool {
	return strings.HasPrefix(session["command"], dumpCommand)
}

// hasBeenSentAll tells whether a session is that of a replica which has been sent everything.
func hasBeenSentAll(session map[string]string) bool {
	return isDump(session) && strings.HasPrefix(session["state"], sentAll)
}

// waitingForAck starts the state of a session whose commit waits for replicas.
const waitingForAck = "Waiting for semi-sync ACK"

// waitingForCommit is the state of a session whose commit queues behind one that waits for replicas.
const waitingForCommit = "waiting for handler commit"

// accountStatements are starts of statements that hold the lock of the accounts while they wait.
var accountStatements = []string{
	"CREATE USER", "ALTER USER", "DROP USER", "RENAME USER", "CREATE ROLE", "DROP ROLE", "GRANT", "REVOKE", "SET PASSWORD",
	"SET DEFAULT ROLE", "FLUSH PRIVILEGES",
}

// AccountStatementWaits tells whether an account-management statement waits for replicas. While it does, nobody can log in, also not
// the replicas that it waits for. Not safe for concurrent use with Observe.
func (d *DB) AccountStatementWaits(ctx context.Context) (bool, error) {
	sessions, err := table(ctx, d.observer.Load(), "SHOW FULL PROCESSLIST")
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(sessions, func(s map[string]string) bool {
		statement := strings.ToUpper(strings.Join(strings.Fields(s["info"]), " "))
		return (strings.HasPrefix(s["state"], waitingForAck) || s["state"] == waitingForCommit) &&
			slices.ContainsFunc(accountStatements, func(start string) bool { return strings.HasPrefix(statement, start) })
	}), nil
}

// isClient tells whether a session is a client's.
func isClient(session map[string]string) bool { return !internalAccounts[session["user"]] }

// kill closes the connections of some sessions.
func kill(ctx context.Context, conn *sql.Conn, sessions []map[string]string, which func(session map[string]string) bool) error {
	for _, session := range sessions {
		if !which(session) || session["command"] == killed {
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
	errAccessDenied = 1045
	errNoSuchThread = 1094
	errRelayLogLost = 1872
	errCloneDonor   = 3862
)

// IsAccessDenied tells whether the server refused an account's password.
func IsAccessDenied(err error) bool { return isError(err, errAccessDenied) }

// IsRefusal tells whether an error is the server's answer, rather than a server that does not answer.
func IsRefusal(err error) bool {
	var serverError *mysql.MySQLError
	return errors.As(err, &serverError)
}

func isError(err error, number uint16) bool {
	var serverError *mysql.MySQLError
	return errors.As(err, &serverError) && serverError.Number == number
}
