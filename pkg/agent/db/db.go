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

// Package db speaks SQL to the node's own mysqld over its socket: what the server's state is, and the statements that carry out
// orders. It does not decide whether an order may be carried out.
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// DB is a connection to the local mysqld. It is safe for concurrent use.
type DB struct {
	pool *sql.DB
	// observer is used by Observe and AccountStatementWaits, and stays open: while an account-management statement waits for an
	// acknowledgement, the server lets nobody log in, the agent included.
	observer atomic.Pointer[sql.Conn]
	// broken is set when the observer has to be replaced.
	broken bool
	// meter is Observe's.
	meter lagMeter
}

// Open connects as an account over a socket. It fails when the server does not answer yet.
func Open(ctx context.Context, socket, user, password string) (*DB, error) {
	config := mysql.NewConfig()
	config.Net = "unix"
	config.Addr = socket
	config.User = user
	config.Passwd = password
	config.Logger = log.New(io.Discard, "", 0) // broken connections are normal here, and reported as errors
	// The user's global settings must not change what our statements mean.
	config.Params = map[string]string{
		"sql_mode":              "''",
		"autocommit":            "1",
		"transaction_read_only": "0",
		"max_execution_time":    "0",
		"lock_wait_timeout":     "30",
		"wait_timeout":          "31536000",
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("connect to MySQL: %w", err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxIdleConns(readyConnections)
	pool.SetMaxOpenConns(2 * readyConnections)
	var conns []*sql.Conn
	for range readyConnections + 1 {
		conn, err := pool.Conn(ctx)
		if err != nil {
			pool.Close()
			return nil, fmt.Errorf("connect to MySQL: %w", err)
		}
		conns = append(conns, conn)
	}
	d := &DB{pool: pool}
	d.observer.Store(conns[0])
	for _, conn := range conns[1:] {
		conn.Close() // back to the pool
	}
	return d, nil
}

// readyConnections is how many connections are kept ready for orders: at a time when nobody can log in, see Observe, an order can
// still be carried out.
const readyConnections = 3

// Close closes all connections. Observe must not be running.
func (d *DB) Close() {
	d.observer.Load().Close()
	d.pool.Close()
}

// exec runs statements one after the other. Errors name the verb of a statement only: it may hold a password.
func (d *DB) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := d.pool.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", abridge(statement), err)
		}
	}
	return nil
}

// abridge returns the start of a statement up to where values begin.
func abridge(statement string) string {
	words := strings.Fields(statement)
	if len(words) > 3 {
		words = words[:3]
	}
	return strings.Join(words, " ")
}

// row runs a query of at most one row and returns it by column name in lower case; nil if there is no row. NULLs are left out.
func row(ctx context.Context, conn *sql.Conn, query string) (map[string]string, error) {
	rows, err := table(ctx, conn, query)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// table is row for many rows.
func table(ctx context.Context, conn *sql.Conn, query string) (result []map[string]string, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", abridge(query), err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", abridge(query), err)
	}
	values := make([]sql.NullString, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("%s: %w", abridge(query), err)
		}
		line := map[string]string{}
		for i, column := range columns {
			if values[i].Valid {
				line[strings.ToLower(column)] = values[i].String
			}
		}
		result = append(result, line)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", abridge(query), err)
	}
	return result, nil
}

// with runs f on a connection of its own.
func (d *DB) with(ctx context.Context, f func(*sql.Conn) error) error {
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to MySQL: %w", err)
	}
	defer conn.Close()
	return f(conn)
}

// isBroken tells whether a connection is of no use after an error.
func isBroken(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, context.DeadlineExceeded)
}

// reconnect replaces a broken observer.
func (d *DB) reconnect(ctx context.Context) error {
	if !d.broken {
		return nil
	}
	fresh, err := d.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to MySQL: %w", err)
	}
	d.observer.Swap(fresh).Close()
	d.broken = false
	return nil
}

// Quote returns text as a string literal for a session whose sql_mode is empty, as ours are.
func Quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace(text) + "'"
}

// QuoteName returns name as an identifier.
func QuoteName(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// internalAccounts are those whose sessions are ours, not clients'.
var internalAccounts = map[string]bool{
	api.AccountAgent: true, api.AccountReplication: true, api.AccountClone: true, "system user": true, "event_scheduler": true,
	"unauthenticated user": true,
}
