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
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/presslabs/mysql-apiserver/test/chaos/history"
)

// Load is what clients do to a cluster.
type Load struct {
	// Writers is how many write; each numbers its writes.
	Writers int
	// FirstWriter is the number of the first of them. No two of a cluster's life may be the same.
	FirstWriter int
	// Pause is between the writes of one writer.
	Pause time.Duration
	// Patience is how long a client waits for an answer.
	Patience time.Duration
	// Readers has somebody read each node.
	Readers bool
}

// Clients are at work until Stop is called.
type Clients struct {
	cluster *Cluster
	load    Load
	cancel  context.CancelFunc
	running sync.WaitGroup
	// reads counts those that succeeded.
	reads atomic.Int64
}

// registerEvery is how many writes of a writer there are for one that replaces its register.
const registerEvery = 5

// StartClients starts clients.
func (c *Cluster) StartClients(load Load) *Clients {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Clients{cluster: c, load: load, cancel: cancel}
	for i := range load.Writers {
		s.running.Go(func() { s.write(ctx, load.FirstWriter+i) })
	}
	if load.Readers {
		for _, node := range c.Nodes() {
			s.running.Go(func() { s.read(ctx, node) })
		}
	}
	return s
}

// Stop ends the clients and waits for them.
func (s *Clients) Stop() {
	s.cancel()
	s.running.Wait()
}

// Reads is the number of reads that succeeded.
func (s *Clients) Reads() int64 { return s.reads.Load() }

// write writes until ctx ends: it connects to where the Service of the primary leads, and again whenever something fails.
func (s *Clients) write(ctx context.Context, writer int) {
	var c *conn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for seq := int64(1); ctx.Err() == nil; {
		if c == nil {
			var err error
			if c, err = s.connectToPrimary(ctx); err != nil {
				pause(ctx, 10*time.Millisecond)
				continue
			}
		}
		w := history.Write{Writer: writer, Seq: seq, Register: seq%registerEvery == 0, Node: c.node, Start: time.Now()}
		err := writeOne(ctx, c, w, s.load.Patience)
		w.End, w.Outcome = time.Now(), outcome(err)
		if err != nil {
			w.Error = err.Error()
		}
		s.cluster.History.AddWrite(w)
		seq++
		if err != nil {
			c.close()
			c = nil
			pause(ctx, 5*time.Millisecond)
			continue
		}
		pause(ctx, s.load.Pause)
	}
}

func (s *Clients) connectToPrimary(ctx context.Context) (*conn, error) {
	pod := s.cluster.PrimaryEndpoint()
	if pod == nil {
		return nil, errors.New("the Service leads nowhere")
	}
	ctx, cancel := within(ctx, min(s.load.Patience, time.Second))
	defer cancel()
	return s.cluster.connect(ctx, pod)
}

// writeOne makes one write, and waits for its answer no longer than the client's patience lasts.
func writeOne(ctx context.Context, c *conn, w history.Write, patience time.Duration) error {
	ctx, cancel := within(ctx, patience)
	defer cancel()
	statement := "INSERT INTO rows_of (writer, seq) VALUES (?, ?)"
	if w.Register {
		statement = "INSERT INTO registers (writer, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)"
	}
	_, err := c.ExecContext(ctx, statement, w.Writer, w.Seq)
	return err
}

// read reads one node, whenever it is behind the Service of the replicas, until ctx ends.
func (s *Clients) read(ctx context.Context, node string) {
	for ctx.Err() == nil {
		if pod := s.cluster.replicaEndpoint(node); pod != nil {
			if c, err := s.cluster.connectBriefly(ctx, node); err == nil {
				s.readFrom(ctx, c)
				c.close()
			}
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func (c *Cluster) connectBriefly(ctx context.Context, node string) (*conn, error) {
	pod := c.replicaEndpoint(node)
	if pod == nil {
		return nil, fmt.Errorf("the Service does not lead to %s", node)
	}
	ctx, cancel := within(ctx, time.Second)
	defer cancel()
	return c.connect(ctx, pod)
}

// readFrom reads over one connection while the Service leads to its node.
func (s *Clients) readFrom(ctx context.Context, c *conn) {
	for ctx.Err() == nil && s.cluster.replicaEndpoint(c.node) != nil {
		r := history.Read{Node: c.node, Start: time.Now()}
		var err error
		if r.Highest, err = s.highest(ctx, c); err != nil {
			return
		}
		r.End = time.Now()
		s.cluster.History.AddRead(r)
		s.reads.Add(1)
		pause(ctx, 20*time.Millisecond)
	}
}

func (s *Clients) highest(ctx context.Context, c *conn) (map[int]int64, error) {
	ctx, cancel := within(ctx, s.load.Patience)
	defer cancel()
	rows, err := c.QueryContext(ctx, "SELECT writer, MAX(seq) FROM rows_of GROUP BY writer")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	highest := map[int]int64{}
	for rows.Next() {
		var writer int
		var seq int64
		if err := rows.Scan(&writer, &seq); err != nil {
			return nil, err
		}
		highest[writer] = seq
	}
	return highest, rows.Err()
}
