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

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	rootPassword = "r00t-of-e2e"
	appUser      = "wordpress"
	appPassword  = "pass-of-e2e"
	appDatabase  = "wordpress"
)

// openService opens a pool of connections, as an application has, to a Service of a cluster by its cluster IP. The server's
// certificate is verified against the cluster's own CA for the Service's name.
func openService(t *testing.T, namespace, cluster, service, user, password string) *sql.DB {
	t.Helper()
	svc, err := kube.CoreV1().Services(namespace).Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get service %s: %v", service, err)
	}
	return open(t, namespace, cluster, svc.Spec.ClusterIP, service+"."+namespace+".svc", user, password)
}

// openPod opens connections to the MySQL of one pod as root.
func openPod(t *testing.T, namespace, cluster, pod string) *sql.DB {
	t.Helper()
	p, err := kube.CoreV1().Pods(namespace).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get pod %s: %v", pod, err)
	}
	name := pod + "." + cluster + "-mysql-nodes." + namespace + ".svc"
	return open(t, namespace, cluster, p.Status.PodIP, name, "root", rootPassword)
}

func open(t *testing.T, namespace, cluster, address, serverName, user, password string) *sql.DB {
	t.Helper()
	secret, err := kube.CoreV1().Secrets(namespace).Get(t.Context(), cluster+"-mysql-tls", metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get the cluster's certificates: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		t.Fatal("the cluster's CA can not be read")
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = user, password, "tcp", net.JoinHostPort(address, strconv.Itoa(3306))
	c.TLS = &tls.Config{RootCAs: roots, ServerName: serverName}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 5*time.Second, 20*time.Second, 20*time.Second
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetConnMaxLifetime(5 * time.Second) // follow the Service when it moves
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// query returns the first column of the first row as text.
func query(ctx context.Context, db *sql.DB, statement string, args ...any) (string, error) {
	var value sql.NullString
	if err := db.QueryRowContext(ctx, statement, args...).Scan(&value); err != nil {
		return "", fmt.Errorf("%s: %w", statement, err)
	}
	return value.String, nil
}

// A writer writes numbered rows through the primary's Service all the time and remembers each that was acknowledged.
type writer struct {
	db     *sql.DB
	table  string
	stop   context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	acked  []int
	errors int
}

// startWriter makes a table and begins to write.
func startWriter(t *testing.T, namespace, cluster, table string) *writer {
	t.Helper()
	w := &writer{db: openService(t, namespace, cluster, cluster+"-mysql-master", appUser, appPassword), table: table, done: make(chan struct{})}
	eventually(t, t.Context(), "the primary's Service to take a CREATE TABLE", func(ctx context.Context) (bool, string, error) {
		_, err := w.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+appDatabase+"."+table+" (n BIGINT PRIMARY KEY)")
		return err == nil, "", err
	})
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go w.run(ctx)
	t.Cleanup(func() { cancel(); <-w.done })
	return w
}

func (w *writer) run(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(20 * time.Millisecond) // a steady trickle, no load test
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := w.db.ExecContext(ctx, "INSERT INTO "+appDatabase+"."+w.table+" VALUES (?)", n)
		w.mu.Lock()
		if err == nil {
			w.acked = append(w.acked, n)
		} else {
			w.errors++
		}
		w.mu.Unlock()
	}
}

func (w *writer) acknowledged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// waitForProgress waits until some more writes have been acknowledged.
func (w *writer) waitForProgress(t *testing.T) {
	t.Helper()
	from := w.acknowledged()
	eventually(t, t.Context(), "new writes to be acknowledged", func(context.Context) (bool, string, error) {
		return w.acknowledged() > from+5, fmt.Sprintf("%d acknowledged", w.acknowledged()), nil
	})
}

// verify stops the writer and checks that each acknowledged row is on each of the pods.
func (w *writer) verify(t *testing.T, namespace, cluster string, pods []string) {
	t.Helper()
	w.stop()
	<-w.done
	if len(w.acked) == 0 {
		t.Fatal("no write was ever acknowledged")
	}
	t.Logf("%d writes acknowledged, %d refused or lost before an answer", len(w.acked), w.errors)
	for _, pod := range pods {
		db := openPod(t, namespace, cluster, pod)
		eventually(t, t.Context(), "all acknowledged rows on "+pod, func(ctx context.Context) (bool, string, error) {
			missing, err := w.missing(ctx, db)
			return err == nil && len(missing) == 0, fmt.Sprintf("%d rows missing: %v", len(missing), missing), err
		})
	}
}

func (w *writer) missing(ctx context.Context, db *sql.DB) ([]int, error) {
	rows, err := db.QueryContext(ctx, "SELECT n FROM "+appDatabase+"."+w.table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int]bool{}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		found[n] = true
	}
	var missing []int
	for _, n := range w.acked {
		if !found[n] {
			missing = append(missing, n)
		}
	}
	return missing, rows.Err()
}
