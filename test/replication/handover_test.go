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
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// TestAPrimaryThatIsToEndHandsOver: it serves until another node is the primary, and loses nothing.
func TestAPrimaryThatIsToEndHandsOver(t *testing.T) {
	t.Parallel()
	for name, acks := range map[string]int{"lossless": 1, "with asynchronous replicas": 0} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, nil)
			primary, replica := c.addInitialized(), c.addInitialized()
			primary.handover = patience
			primary.waitFor("mysqld to run", running)
			primary.kill()
			primary.start() // with the longer patience
			joinPair(primary, replica)
			primary.promote(1, acks)
			primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")

			primary.waitFor("the replica", clients(1))
			primary.tell(syscall.SIGTERM)
			primary.waitFor("the wish to end", func(s api.State) bool { return s.Stopping && writable(s) })
			primary.exec("INSERT INTO app_db.t VALUES (1)")
			demoted := primary.order(api.Order{Kind: api.OrderFollow, Term: 2, Source: replica.endpoint()}, api.OutcomeDone).State
			replica.waitFor("everything to be received", func(s api.State) bool {
				return gtid.MustParse(s.GTIDExecuted).Contains(gtid.MustParse(demoted.GTIDExecuted))
			})
			primary.signal(syscall.SIGTERM) // once more, to wait for its end
			primary.eventually("the last State", ended(primary))
			replica.promote(2, 0)
			if got := replica.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
				t.Errorf("the new primary has %s rows, want 1", got)
			}
		})
	}
}

// TestANodeThatNobodyCouldReplaceEndsAtOnce: waiting would help nobody.
func TestANodeThatNobodyCouldReplaceEndsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := c.addInitialized(), c.addInitialized()
	for _, n := range []*node{primary, replica} {
		n.handover = 10 * patience
		n.waitFor("mysqld to run", running)
		n.kill()
		n.start()
	}
	joinPair(primary, replica)
	primary.tell(syscall.SIGTERM)
	primary.waitFor("the wish to end", func(s api.State) bool { return s.Stopping && writable(s) })
	replica.signal(syscall.SIGTERM)
	primary.signal(syscall.SIGTERM) // ends because its replica has
	for _, n := range []*node{primary, replica} {
		n.eventually("the last State", ended(n))
	}
}

// ended tells whether a node has said that mysqld ended because it had to.
func ended(n *node) func() bool {
	return func() bool {
		s := n.last()
		return s.Phase == api.PhaseStopped && s.Stopping
	}
}
