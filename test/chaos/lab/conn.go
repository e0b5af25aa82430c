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

package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

// server is where and how a client reaches a MySQL.
type server struct {
	node, address string
	// ca is the PEM certificate that the server's one has to chain to, name what it has to be for.
	ca             []byte
	name           string
	user, password string
	database       string
}

// conn is one connection, which is never replaced silently.
type conn struct {
	*sql.Conn
	db   *sql.DB
	node string
}

// connect opens one connection from a place.
func connect(ctx context.Context, from *netlab.Place, to server) (*conn, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(to.ca) {
		return nil, fmt.Errorf("connect to %s: there is no authority", to.node)
	}
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", to.address
	config.User, config.Passwd, config.DBName = to.user, to.password, to.database
	config.TLS = &tls.Config{RootCAs: pool, ServerName: to.name, MinVersion: tls.VersionTLS12}
	config.Logger = log.New(io.Discard, "", 0)
	config.InterpolateParams = true
	config.DialFunc = func(ctx context.Context, _, address string) (net.Conn, error) { return from.Dial(ctx, address) }
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", to.node, err)
	}
	db := sql.OpenDB(connector)
	one, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", to.node, err), db.Close())
	}
	return &conn{Conn: one, db: db, node: to.node}, nil
}

func (c *conn) close() {
	c.Conn.Close()
	c.db.Close()
}

// exec runs statements.
func (c *conn) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := c.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %s: %w", c.node, statement, err)
		}
	}
	return nil
}

// text returns the first column of the first row.
func (c *conn) text(ctx context.Context, query string) (string, error) {
	var value sql.NullString
	if err := c.QueryRowContext(ctx, query).Scan(&value); err != nil {
		return "", fmt.Errorf("%s: %s: %w", c.node, query, err)
	}
	return value.String, nil
}

// within bounds a context.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
