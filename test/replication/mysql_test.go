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
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// lockThread keeps the calling goroutine on its thread until it ends.
func lockThread() { runtime.LockOSThread() }

// runAsOptions lets mysqld run as root where the test does.
func runAsOptions() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// open returns connections of an account to the node's MySQL, over TLS.
func (n *node) open(user, password string) *sql.DB { return n.openAt(n.mysqlPort, user, password) }

func (n *node) openAt(port int, user, password string) *sql.DB {
	n.c.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(n.c.authority.cert)
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", fmt.Sprintf("127.0.0.1:%d", port)
	config.User, config.Passwd = user, password
	config.TLS = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	config.Logger = log.New(io.Discard, "", 0)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		n.c.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	n.c.t.Cleanup(func() { db.Close() })
	return db
}

func (n *node) root() *sql.DB { return n.open("root", rootPassword) }

// exec runs statements as root.
func (n *node) exec(statements ...string) {
	n.c.t.Helper()
	db := n.root()
	defer db.Close()
	for _, statement := range statements {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := db.ExecContext(ctx, statement)
		cancel()
		if err != nil {
			n.c.t.Fatalf("%s: %s: %v", n.name, statement, err)
		}
	}
}

// execAsync runs a statement as root, and delivers its outcome.
func (n *node) execAsync(statement string) <-chan error {
	n.c.t.Helper()
	db := n.root()
	outcome := make(chan error, 1)
	go func() {
		_, err := db.Exec(statement)
		outcome <- err
	}()
	return outcome
}

// session is one connection of root.
type session struct {
	n    *node
	conn *sql.Conn
}

func (n *node) session() session {
	n.c.t.Helper()
	conn, err := n.root().Conn(context.Background())
	if err != nil {
		n.c.t.Fatal(err)
	}
	return session{n, conn}
}

func (s session) exec(statement string) {
	s.n.c.t.Helper()
	if _, err := s.conn.ExecContext(context.Background(), statement); err != nil {
		s.n.c.t.Fatalf("%s: %s: %v", s.n.name, statement, err)
	}
}

// lock takes a lock as root, which is kept until what it returns is closed.
func (n *node) lock(statement string) io.Closer {
	n.c.t.Helper()
	s := n.session()
	s.exec(statement)
	return closer(func() error {
		_, err := s.conn.ExecContext(context.Background(), "UNLOCK TABLES")
		return errors.Join(err, s.conn.Close())
	})
}

type closer func() error

func (c closer) Close() error { return c() }

// query returns the first column of the first row, as root.
func (n *node) query(query string) string {
	n.c.t.Helper()
	db := n.root()
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var value sql.NullString
	if err := db.QueryRowContext(ctx, query).Scan(&value); err != nil {
		n.c.t.Fatalf("%s: %s: %v", n.name, query, err)
	}
	return value.String
}

// mysqldPID returns the process id of the node's running mysqld.
func (n *node) mysqldPID() int {
	n.c.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.absolute("run"), "mysqld.pid"))
	if err != nil {
		n.c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		n.c.t.Fatal(err)
	}
	return pid
}

// signalMysqld sends a signal to mysqld itself.
func (n *node) signalMysqld(signal syscall.Signal) {
	n.c.t.Helper()
	if err := syscall.Kill(n.mysqldPID(), signal); err != nil {
		n.c.t.Fatal(err)
	}
}

// processState returns the state of a process, as one letter.
func processState(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1], nil
}

// Conditions of States.

func empty(s api.State) bool   { return s.Phase == api.PhaseEmpty }
func running(s api.State) bool { return s.Phase == api.PhaseRunning }

func replicating(s api.State) bool {
	return running(s) && s.Role == api.RoleReplica && s.Replication != nil && s.Replication.ReceiverState == api.ReceiverOn && s.Replication.ApplierRunning &&
		s.SemiSync.ReplicaEnabled
}

func writable(s api.State) bool { return running(s) && s.Role == api.RolePrimary && !s.SuperReadOnly }

func clients(count int) func(api.State) bool {
	return func(s api.State) bool { return running(s) && s.SemiSync.Clients == count }
}

// Steps that many tests begin with.

// initialize makes the node an empty running server.
func (n *node) initialize(term int64) {
	n.c.t.Helper()
	n.waitFor("an empty volume", empty)
	n.order(api.Order{Kind: api.OrderInitialize, Term: term}, api.OutcomeAccepted)
	n.waitFor("an initialised server", running)
}

// clone makes the node a copy of another one.
func (n *node) clone(term int64, donor *node) {
	n.c.t.Helper()
	n.waitFor("an empty volume", empty)
	n.order(api.Order{Kind: api.OrderClone, Term: term, Source: donor.endpoint()}, api.OutcomeAccepted)
	n.waitFor("a cloned server", running)
}

// follow makes the node replicate.
func (n *node) follow(term int64, source *node) {
	n.c.t.Helper()
	n.order(api.Order{Kind: api.OrderFollow, Term: term, Source: source.endpoint()}, api.OutcomeDone)
	n.waitFor("replication with acknowledgements", replicating)
}

// promote makes the node a writable primary with the replicas that follow it.
func (n *node) promote(term int64, acks int) {
	n.c.t.Helper()
	n.waitFor("replicas that acknowledge", func(s api.State) bool { return acks == 0 || s.SemiSync.Clients >= acks })
	n.order(api.Order{Kind: api.OrderPromote, Term: term, RequiredAcks: acks}, api.OutcomeDone)
	n.waitFor("being writable", writable)
}

// newPair makes a primary and a replica with lossless semi-sync, in term 1.
func newPair(c *cluster) (primary, replica *node) {
	c.t.Helper()
	primary, replica = c.addInitialized(), c.addInitialized()
	joinPair(primary, replica)
	return primary, replica
}

// joinPair makes two nodes with the same data a primary and its replica, in term 1.
func joinPair(primary, replica *node) {
	primary.c.t.Helper()
	primary.waitFor("mysqld to run", running)
	replica.waitFor("mysqld to run", running)
	// As a source that waits for one replica it stays read-only until that is there.
	primary.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 1}, api.OutcomeDone)
	replica.follow(1, primary)
	primary.promote(1, 1)
}

// eventually repeats a look until it holds, where the server has no event for it.
func (n *node) eventually(what string, holds func() bool) {
	n.c.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			n.c.t.Fatalf("%s: waited in vain for: %s", n.name, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
