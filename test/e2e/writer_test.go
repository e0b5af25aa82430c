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
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A writer is an application: it writes numbered rows through the primary's Service all the time, and remembers each that was acknowledged.
// It gives up on an answer after a short time, and connects anew after each error.
type writer struct {
	db    *sql.DB
	table string
	stop  context.CancelFunc
	done  chan struct{}

	mu    sync.Mutex
	acked []ack
	// errors are those that were seen since the last mark, by their text.
	errors map[string]int
	// since is the number of acknowledgements at the last mark.
	since int
}

// An ack is a row that was acknowledged, and when that was.
type ack struct {
	n  int
	at time.Time
}

// startWriter makes a table and begins to write.
func startWriter(t *testing.T, namespace, cluster, table string) *writer {
	t.Helper()
	service := cluster + "-mysql-master"
	svc, err := kube.CoreV1().Services(namespace).Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get service %s: %v", service, err)
	}
	db := open(t, namespace, cluster, svc.Spec.ClusterIP, service+"."+namespace+".svc", appUser, appPassword, func(c *mysql.Config) {
		c.Timeout, c.ReadTimeout, c.WriteTimeout = time.Second, 2*time.Second, 2*time.Second
		c.Logger = &mysql.NopLogger{} // what the driver would say is in the errors
	})
	w := &writer{db: db, table: appDatabase + "." + table, done: make(chan struct{}), errors: map[string]int{}}
	eventually(t, t.Context(), "the primary's Service to take a CREATE TABLE", func(ctx context.Context) (bool, string, error) {
		_, err := w.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+w.table+" (n BIGINT PRIMARY KEY)")
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
	var conn *sql.Conn
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		conn = w.write(ctx, conn, n)
	}
}

// write writes a row and returns the connection for the next one; nil if that needs a new one.
func (w *writer) write(ctx context.Context, conn *sql.Conn, n int) *sql.Conn {
	var err error
	if conn == nil {
		if conn, err = w.db.Conn(ctx); err != nil {
			w.failed(err)
			return nil
		}
	}
	if _, err = conn.ExecContext(ctx, "INSERT INTO "+w.table+" VALUES (?)", n); err != nil {
		w.failed(err)
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the pool is not to hand it out again
		_ = conn.Close()
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, ack{n, time.Now()})
	return conn
}

func (w *writer) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, _, _ := strings.Cut(err.Error(), "->") // the port differs each time
	w.errors[text]++
}

// acknowledged returns what has been acknowledged so far.
func (w *writer) acknowledged() []ack {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acked[:len(w.acked):len(w.acked)]
}

// mark is called before something is done to the cluster.
func (w *writer) mark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = len(w.acked)
	clear(w.errors)
}

// gap tells of the longest time without an acknowledgement since the mark, and of the errors.
func (w *writer) gap() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var longest time.Duration
	for i := max(w.since, 1); i < len(w.acked); i++ {
		longest = max(longest, w.acked[i].at.Sub(w.acked[i-1].at))
	}
	return fmt.Sprintf("longest time without an acknowledged write: %v; %d acknowledged, errors: %v", longest.Round(time.Millisecond),
		len(w.acked)-w.since, w.errors)
}

// waitForProgress waits until some more writes have been acknowledged.
func (w *writer) waitForProgress(t *testing.T) {
	t.Helper()
	from := len(w.acknowledged())
	eventually(t, t.Context(), "new writes to be acknowledged", func(context.Context) (bool, string, error) {
		now := len(w.acknowledged())
		return now > from+5, fmt.Sprintf("%d acknowledged, %s", now, w.gap()), nil
	})
}

// verify stops the writer and checks that each acknowledged row is on each of the pods.
func (w *writer) verify(t *testing.T, namespace, cluster string, pods []string) {
	t.Helper()
	w.stop()
	<-w.done
	w.check(t, namespace, cluster, pods)
}

// check checks that each row that has been acknowledged up to now is on each of the pods.
func (w *writer) check(t *testing.T, namespace, cluster string, pods []string) {
	t.Helper()
	acked := w.acknowledged()
	if len(acked) == 0 {
		t.Fatal("no write was ever acknowledged")
	}
	t.Log(w.gap())
	for _, pod := range pods {
		db := openPod(t, namespace, cluster, pod)
		eventually(t, t.Context(), "all acknowledged rows on "+pod, func(ctx context.Context) (bool, string, error) {
			missing, err := w.missing(ctx, db, acked)
			return err == nil && len(missing) == 0, fmt.Sprintf("%d rows missing: %v", len(missing), missing), err
		})
	}
}

func (w *writer) missing(ctx context.Context, db *sql.DB, acked []ack) ([]ack, error) {
	rows, err := db.QueryContext(ctx, "SELECT n FROM "+w.table)
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
	var missing []ack
	for _, a := range acked {
		if !found[a.n] {
			missing = append(missing, a)
		}
	}
	return missing, rows.Err()
}
