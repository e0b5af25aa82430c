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
)

// TestANodeWhoseMachineCrashedIsJoining: relay logs are not flushed with each transaction, so it may lack what it has acknowledged.
func TestANodeWhoseMachineCrashedIsJoining(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	steps := []struct {
		name    string
		signal  syscall.Signal
		boot    string
		joining bool
	}{
		{"the agent and mysqld are killed", syscall.SIGKILL, "first", false},
		{"the node is stopped, and its machine restarted", syscall.SIGTERM, "second", false},
		{"the machine loses its power", syscall.SIGKILL, "third", true},
		{"it is stopped before it has caught up", syscall.SIGTERM, "fourth", true},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			c.t = t
			replica.signal(step.signal)
			replica.boot(step.boot)
			replica.start()
			if state := replica.waitFor("mysqld to run again", newborn); state.Joining != step.joining {
				t.Errorf("the node reports %s, want joining: %t", asJSON(state), step.joining)
			}
			replica.follow(1, primary)
			if state := replica.last(); state.Joining != step.joining {
				t.Errorf("a node that follows reports %s, want joining: %t", asJSON(state), step.joining)
			}
		})
	}
	c.t = t
	replica.order(api.Order{Kind: api.OrderFollow, Term: 1, Source: primary.endpoint(), Joined: true}, api.OutcomeDone)
	replica.waitFor("having joined", func(s api.State) bool { return replicating(s) && !s.Joining })

	// What the primary has is the truth.
	primary.kill()
	primary.boot("second")
	primary.start()
	primary.waitFor("mysqld to run again", func(s api.State) bool { return newborn(s) && s.Joining })
	primary.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 1}, api.OutcomeDone)
	primary.waitFor("having joined", func(s api.State) bool { return running(s) && !s.Joining })
	primary.kill()
	primary.start()
	if state := primary.waitFor("mysqld to run again", newborn); state.Joining {
		t.Errorf("what the order has cleared is back: %s", asJSON(state))
	}
}
