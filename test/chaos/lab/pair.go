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
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/certs"
	"github.com/presslabs/mysql-apiserver/pkg/mycnf"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

// Pair is bare MySQL: a primary and a replica with the settings that our nodes have, and nobody who looks after them.
type Pair struct {
	lab *Lab
	dir string
	ca  []byte
}

// Times are the moments of a failover by hand.
type Times struct{ LastAcked, Killed, Noticed, Opened, Acked time.Time }

// bareName is what the certificate of bare servers is for.
const bareName = "bare"

// NewPair prepares pairs.
func (l *Lab) NewPair(ctx context.Context) (*Pair, error) {
	p := &Pair{lab: l, dir: filepath.Join(l.dir, "bare")}
	if err := errors.Join(os.MkdirAll(filepath.Join(p.dir, "new", "tmp"), 0o700), p.certificates()); err != nil {
		return nil, fmt.Errorf("prepare bare MySQL: %w", err)
	}
	statements := "CREATE USER root@'%' IDENTIFIED BY '" + rootPassword + "'; GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\nCREATE DATABASE " + database + ";\n"
	if err := os.WriteFile(filepath.Join(p.dir, "init.sql"), []byte(statements), 0o600); err != nil {
		return nil, fmt.Errorf("prepare bare MySQL: %w", err)
	}
	argv, err := p.argv("new", 1)
	if err != nil {
		return nil, err
	}
	argv = append(argv, "--initialize-insecure", "--skip-log-bin", "--init-file="+filepath.Join(p.dir, "init.sql"))
	if output, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initialise bare MySQL: %w: %s", err, output)
	}
	// Two servers must not have the same UUID.
	if err := os.Remove(filepath.Join(p.dir, "new", "data", "auto.cnf")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("prepare bare MySQL: %w", err)
	}
	return p, nil
}

// Close removes all of it.
func (p *Pair) Close() error { return os.RemoveAll(p.dir) }

func (p *Pair) certificates() error {
	now := time.Now()
	ca, err := certs.NewCA("bare", now.Add(-time.Hour), now.Add(24*time.Hour))
	if err != nil {
		return err
	}
	cert, key, err := ca.Issue(certs.Leaf{CommonName: bareName, DNSNames: []string{bareName}, Usages: []x509.ExtKeyUsage{certs.UsageServer, certs.UsageClient}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)})
	if err != nil {
		return err
	}
	p.ca = ca.CertPEM()
	return errors.Join(
		os.WriteFile(filepath.Join(p.dir, "ca.crt"), p.ca, 0o600),
		os.WriteFile(filepath.Join(p.dir, "tls.crt"), cert, 0o600),
		os.WriteFile(filepath.Join(p.dir, "tls.key"), key, 0o600),
	)
}

// argv writes the my.cnf of a server in a directory, and returns the words that run it.
func (p *Pair) argv(name string, id uint32) ([]string, error) {
	dir := filepath.Join(p.dir, name)
	version, err := p.version()
	if err != nil {
		return nil, err
	}
	text, err := mycnf.Generate(mycnf.Input{
		Version: version, ServerID: id, ReportHost: name, Port: api.MySQLPort, DataDir: filepath.Join(dir, "data"), TempDir: filepath.Join(dir, "tmp"),
		Socket: filepath.Join(dir, "sock"), PIDFile: filepath.Join(dir, "pid"),
		CA: filepath.Join(p.dir, "ca.crt"), Cert: filepath.Join(p.dir, "tls.crt"), Key: filepath.Join(p.dir, "tls.key"),
		MemoryBytes: 512 << 20, User: map[string]string{"innodb-redo-log-capacity": redoLog},
	})
	if err != nil {
		return nil, fmt.Errorf("configure bare MySQL: %w", err)
	}
	file := filepath.Join(dir, "my.cnf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("configure bare MySQL: %w", err)
	}
	return slices.Concat(p.lab.mysql.Mysqld(), []string{"--defaults-file=" + file, "--user=root"}, p.lab.mysql.MysqldOptions()), nil
}

func (p *Pair) version() (string, error) {
	argv := append(p.lab.mysql.Mysqld(), "--no-defaults", "--version")
	output, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return "", fmt.Errorf("ask mysqld for its version: %w", err)
	}
	words := strings.Fields(string(output))
	i := slices.Index(words, "Ver")
	if i < 0 || i+1 >= len(words) {
		return "", fmt.Errorf("mysqld does not tell its version: %s", output)
	}
	return words[i+1], nil
}

// bare is a running server.
type bare struct {
	place *netlab.Place
	cmd   *exec.Cmd
	log   *os.File
	conn  *conn
	at    server
}

func (b *bare) end() error {
	if b.conn != nil {
		b.conn.close()
	}
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	return errors.Join(b.place.Close(), b.log.Close())
}

// start starts a server on a copy of the prepared data.
func (p *Pair) start(ctx context.Context, name string, id uint32) (*bare, error) {
	dir := filepath.Join(p.dir, name)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("prepare bare MySQL: %w", err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(p.dir, "new"))); err != nil {
		return nil, fmt.Errorf("copy the data of bare MySQL: %w", err)
	}
	argv, err := p.argv(name, id)
	if err != nil {
		return nil, err
	}
	b := &bare{}
	if b.log, err = os.Create(filepath.Join(p.lab.logDir, "bare-"+name+".log")); err != nil {
		return nil, fmt.Errorf("log bare MySQL: %w", err)
	}
	if b.place, err = p.lab.Hub.NewPlace(); err != nil {
		return nil, errors.Join(err, b.log.Close())
	}
	b.cmd, err = b.place.Start(netlab.Program{Argv: argv, Env: []string{"PATH=" + os.Getenv("PATH")}, Output: b.log})
	if err != nil {
		return nil, errors.Join(err, b.place.Close(), b.log.Close())
	}
	b.at = server{node: name, address: fmt.Sprintf("%s:%d", b.place.IP, api.MySQLPort), ca: p.ca, name: bareName, user: "root", password: rootPassword, database: database}
	ctx, cancel := within(ctx, time.Minute)
	defer cancel()
	for {
		if b.conn, err = connect(ctx, p.lab.Clients, b.at); err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(err, b.end())
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// Failover starts a pair, has a client write, kills the primary and promotes the replica.
func (p *Pair) Failover(ctx context.Context, load Load) (t Times, err error) {
	var servers [2]*bare
	for i, name := range []string{"a", "b"} {
		one, err := p.start(ctx, name, uint32(i+1))
		if err != nil {
			return t, err
		}
		defer func() { err = errors.Join(err, one.end()) }()
		servers[i] = one
	}
	primary, replica := servers[0], servers[1]
	if err := replicate(ctx, primary, replica); err != nil {
		return t, err
	}
	var current atomic.Pointer[server]
	current.Store(&primary.at)
	acks := make(chan history.Write, 1000)
	writing, stop := context.WithCancel(ctx)
	defer stop()
	go p.write(writing, load, &current, acks)
	for range 200 {
		t.LastAcked = (<-acks).End
	}
	t.Killed = time.Now()
	_ = primary.cmd.Process.Kill()
	if t.Noticed, err = lost(ctx, replica); err != nil {
		return t, err
	}
	if err := promote(ctx, replica); err != nil {
		return t, err
	}
	t.Opened = time.Now()
	current.Store(&replica.at)
	for {
		select {
		case w := <-acks:
			if w.Node == replica.at.node {
				t.Acked = w.End
				return t, nil
			}
			t.LastAcked = w.End
		case <-time.After(time.Minute):
			return t, errors.New("writes do not come back")
		}
	}
}

// replicate sets up lossless semi-synchronous replication.
func replicate(ctx context.Context, primary, replica *bare) error {
	host := primary.place.IP.String()
	if err := replica.conn.exec(ctx, "SET GLOBAL rpl_semi_sync_replica_enabled = ON",
		fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '%s', SOURCE_PORT = %d, SOURCE_USER = 'root', SOURCE_PASSWORD = '%s', "+
			"SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1", host, api.MySQLPort, rootPassword), "START REPLICA"); err != nil {
		return err
	}
	if err := primary.conn.exec(ctx, slices.Concat([]string{
		"SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF", "SET GLOBAL rpl_semi_sync_source_timeout = 4294967295",
		"SET GLOBAL rpl_semi_sync_source_enabled = ON",
	}, tables)...); err != nil {
		return err
	}
	ctx, cancel := within(ctx, time.Minute)
	defer cancel()
	for {
		state, err := replica.conn.text(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'registers'")
		if err != nil {
			return err
		}
		if state == "1" {
			return nil
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// lost waits until the replica's receiver has noticed that its source is gone.
func lost(ctx context.Context, replica *bare) (time.Time, error) {
	ctx, cancel := within(ctx, time.Minute)
	defer cancel()
	for {
		state, err := replica.conn.text(ctx, "SELECT service_state FROM performance_schema.replication_connection_status")
		if err != nil {
			return time.Time{}, err
		}
		if state != api.ReceiverOn {
			return time.Now(), nil
		}
		pause(ctx, time.Millisecond)
	}
}

// promote opens the replica, once it has applied what it received.
func promote(ctx context.Context, replica *bare) error {
	if err := replica.conn.exec(ctx, "STOP REPLICA IO_THREAD"); err != nil {
		return err
	}
	received, err := replica.conn.text(ctx, "SELECT received_transaction_set FROM performance_schema.replication_connection_status")
	if err != nil {
		return err
	}
	return replica.conn.exec(ctx, "DO WAIT_FOR_EXECUTED_GTID_SET('"+strings.ReplaceAll(received, "\n", "")+"', 60)", "STOP REPLICA", "SET GLOBAL read_only = OFF")
}

// write writes to whatever server is the primary, until ctx ends.
func (p *Pair) write(ctx context.Context, load Load, current *atomic.Pointer[server], acks chan<- history.Write) {
	var c *conn
	for seq := int64(1); ctx.Err() == nil; seq++ {
		if c == nil {
			connecting, cancel := within(ctx, load.Patience)
			one, err := connect(connecting, p.lab.Clients, *current.Load())
			cancel()
			if err != nil {
				pause(ctx, 10*time.Millisecond)
				continue
			}
			c = one
		}
		w := history.Write{Writer: load.FirstWriter, Seq: seq, Register: seq%registerEvery == 0, Node: c.node, Start: time.Now()}
		if err := writeOne(ctx, c, w, load.Patience); err != nil {
			c.close()
			c = nil
			continue
		}
		w.End = time.Now()
		select {
		case acks <- w:
		case <-ctx.Done():
		}
		pause(ctx, load.Pause)
	}
	if c != nil {
		c.close()
	}
}
