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
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// volumeEntries lists the volume's directory.
func (n *node) volumeEntries() []string {
	n.c.t.Helper()
	entries, err := os.ReadDir(n.absolute("volume"))
	if err != nil {
		n.c.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestACloneFromAReplicaJoinsUnderLoad: the primary keeps writing while a new node is cloned from a replica, whose own replication
// settings come along in the copy.
func TestACloneFromAReplicaJoinsUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
	stop := make(chan struct{})
	written := make(chan int)
	db := primary.root()
	go func() {
		count := 0
		defer func() { written <- count }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := db.Exec("INSERT INTO app_db.t VALUES ()"); err != nil {
				t.Errorf("a write during the cloning: %v", err)
				return
			}
			count++
		}
	}()
	third := c.add()
	third.waitFor("an empty volume", empty)
	third.order(api.Order{Kind: api.OrderClone, Term: 1, Source: replica.endpoint()}, api.OutcomeAccepted)
	third.order(api.Order{Kind: api.OrderClone, Term: 1, Source: replica.endpoint()}, api.OutcomeAccepted) // said twice, done once
	third.refuses(api.Order{Kind: api.OrderInitialize, Term: 1}, api.RefusedBusy)
	state := third.waitFor("a cloned server", running)
	if !newborn(state) || state.Replication != nil || !state.HasData || state.ClusterUID != "uid-1" || state.ServerID != 102 ||
		state.ServerUUID == replica.last().ServerUUID || state.GTIDExecuted == "" {
		t.Errorf("a cloned server reports %s", asJSON(state))
	}
	if !state.Joining {
		t.Errorf("a cloned server is not said to be joining: %s", asJSON(state))
	}
	third.follow(1, primary)
	close(stop)
	count := <-written
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	third.waitFor("everything to be applied", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Equal(want) })
	if got := third.query("SELECT COUNT(*) FROM app_db.t"); got != fmt.Sprint(count) {
		t.Errorf("the third node has %s rows, want %d", got, count)
	}
	primary.waitFor("both replicas to acknowledge", clients(2))
	for _, name := range third.volumeEntries() {
		if strings.Contains(name, "unfinished") {
			t.Errorf("the cloning has left %s behind", name)
		}
	}
}

// TestAClonedNodeJoinsWhenTheControllerSaysSo: until then it may lack what it had acknowledged with the data that it lost.
func TestAClonedNodeJoinsWhenTheControllerSaysSo(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	donor := c.addInitialized()
	donor.waitFor("mysqld to run", running)
	donor.promote(1, 0)
	n := c.add()
	n.clone(1, donor)
	joining := func(s api.State) bool { return newborn(s) && s.Joining }
	n.waitFor("the copy to be joining", joining)
	n.follow(1, donor)
	n.kill()
	n.start()
	n.waitFor("the node to know it after a restart", joining)
	result := n.order(api.Order{Kind: api.OrderFollow, Term: 1, Source: donor.endpoint(), Joined: true}, api.OutcomeDone)
	if result.State.Joining {
		t.Errorf("a node that has joined reports %s", asJSON(result.State))
	}
	n.kill()
	n.start()
	if state := n.waitFor("mysqld to run again", newborn); state.Joining {
		t.Errorf("after a restart a node that has joined reports %s", asJSON(state))
	}
	n.order(api.Order{Kind: api.OrderClone, Term: 2, Source: donor.endpoint(), Discard: true}, api.OutcomeAccepted)
	n.waitFor("another copy to be joining", func(s api.State) bool { return joining(s) && s.LastExit != "" })
	if donor.last().Joining {
		t.Errorf("an initialised server reports %s", asJSON(donor.last()))
	}
}

// TestALostVolumeIsClonedAndNeverInitialised guards safety rule 7, as far as it is the agent's: an empty volume waits for an order.
func TestALostVolumeIsClonedAndNeverInitialised(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)", "INSERT INTO app_db.t VALUES (1)")
	replica.signal(syscall.SIGKILL)
	replica.loseVolume()
	replica.start()
	state := replica.waitFor("the lost volume to be reported", empty)
	if state.HasData || state.Term != 0 || state.ServerUUID != "" {
		t.Errorf("a node with a lost volume reports %s", asJSON(state))
	}
	replica.refuses(api.Order{Kind: api.OrderFollow, Term: 1, Source: primary.endpoint()}, api.RefusedNoData)
	replica.refuses(api.Order{Kind: api.OrderPromote, Term: 1}, api.RefusedNoData)
	if has := strings.Join(replica.volumeEntries(), " "); strings.Contains(has, "data") {
		t.Errorf("the node has made data by itself: %s", has)
	}
	replica.clone(2, primary)
	replica.follow(2, primary)
	if got := replica.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
		t.Errorf("the cloned node has %s rows, want 1", got)
	}
	primary.waitFor("the replica to acknowledge", clients(1))
}

// TestAHalfFinishedCloneIsNoData: the agent is killed in the middle, at several points.
func TestAHalfFinishedCloneIsNoData(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(config *api.NodeConfig) {
		config.MysqlConf["loose-clone-donor-timeout-after-network-failure"] = "0" // do not wait for the recipient that was killed
	})
	donor := c.addInitialized()
	donor.waitFor("mysqld to run", running)
	donor.promote(1, 0)
	donor.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY, filling LONGBLOB)", "INSERT INTO app_db.t VALUES (1, REPEAT('x', 30000000))")
	// Slow enough to be caught in the middle.
	donor.exec("SET GLOBAL clone_max_data_bandwidth = 1", "SET GLOBAL clone_autotune_concurrency = OFF")
	n := c.add()
	for _, directory := range []string{"scratch.unfinished", "clone.unfinished"} {
		n.waitFor("an empty volume", empty)
		n.order(api.Order{Kind: api.OrderClone, Term: 1, Source: donor.endpoint()}, api.OutcomeAccepted)
		n.waitFor("the cloning to begin", func(s api.State) bool { return s.Phase == api.PhaseCloning && !s.HasData })
		n.eventually(directory, func() bool {
			_, err := os.Stat(filepath.Join(n.absolute("volume"), directory))
			return err == nil
		})
		n.signal(syscall.SIGKILL)
		n.start()
		state := n.waitFor("the half of a copy to be gone", empty)
		if state.HasData || state.Term != 1 {
			t.Errorf("after an interrupted cloning the node reports %s", asJSON(state))
		}
		if has := strings.Join(n.volumeEntries(), " "); strings.Contains(has, "unfinished") || strings.Contains(has, "data") {
			t.Errorf("after an interrupted cloning there is: %s", has)
		}
	}
	donor.exec("SET GLOBAL clone_max_data_bandwidth = 0")
	n.clone(1, donor)
	if got := n.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
		t.Errorf("the copy has %s rows, want 1", got)
	}
}

// TestAHalfFinishedInitialisationIsNoData: the same for an empty server.
func TestAHalfFinishedInitialisationIsNoData(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.add()
	n.waitFor("an empty volume", empty)
	n.order(api.Order{Kind: api.OrderInitialize, Term: 1}, api.OutcomeAccepted)
	n.eventually("the initialisation to begin", func() bool {
		_, err := os.Stat(filepath.Join(n.absolute("volume"), "initialize.unfinished", "mysql.ibd"))
		return err == nil
	})
	n.signal(syscall.SIGTERM)
	n.start()
	n.waitFor("the half of a server to be gone", empty)
	if has := strings.Join(n.volumeEntries(), " "); strings.Contains(has, "unfinished") || strings.Contains(has, "data") {
		t.Errorf("after an interrupted initialisation there is: %s", has)
	}
	n.initialize(1)
}

// TestTwoNodesAreClonedFromOneDonor: a donor serves one at a time, and the other one waits.
func TestTwoNodesAreClonedFromOneDonor(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	donor := c.addInitialized()
	donor.waitFor("mysqld to run", running)
	donor.promote(1, 0)
	donor.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY, filling LONGBLOB)", "INSERT INTO app_db.t VALUES (1, REPEAT('x', 30000000))",
		"SET GLOBAL clone_max_data_bandwidth = 1", "SET GLOBAL clone_autotune_concurrency = OFF")
	first, second := c.add(), c.add()
	for _, n := range []*node{first, second} {
		n.waitFor("an empty volume", empty)
		n.order(api.Order{Kind: api.OrderClone, Term: 1, Source: donor.endpoint()}, api.OutcomeAccepted)
	}
	waits := func(n *node) bool { return strings.Contains(n.last().Message, "waiting for the donor") }
	first.eventually("one of the nodes to wait", func() bool { return waits(first) || waits(second) })
	donor.exec("SET GLOBAL clone_max_data_bandwidth = 0")
	for _, n := range []*node{first, second} {
		n.waitFor("a cloned server", running)
	}
}

func TestAFailedCloneIsReportedAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.add()
	n.waitFor("an empty volume", empty)
	n.order(api.Order{Kind: api.OrderClone, Term: 1, Source: &api.Endpoint{Host: "127.0.0.1", Port: freePort(t)}}, api.OutcomeAccepted)
	n.waitFor("the failure", func(s api.State) bool { return empty(s) && strings.Contains(s.Message, "connect to the donor") })
	n.initialize(1)
}

// TestDataAreReplacedOnlyByOrderAndFromALivingDonor guards safety rules 6 and 7, as far as they are the agent's.
func TestDataAreReplacedOnlyByOrderAndFromALivingDonor(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	donor, n := c.addInitialized(), c.addInitialized()
	for i, node := range []*node{donor, n} {
		node.waitFor("mysqld to run", running)
		node.promote(1, 0)
		node.exec(fmt.Sprintf("CREATE TABLE app_db.of_%d (id INT PRIMARY KEY)", i))
	}
	has := func(table string) bool {
		return n.query("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = '"+table+"'") == "1"
	}
	n.refuses(api.Order{Kind: api.OrderClone, Term: 2, Source: donor.endpoint()}, api.RefusedHasData)
	uuid := n.last().ServerUUID

	nobody := &api.Endpoint{Host: "127.0.0.1", Port: freePort(t)}
	n.order(api.Order{Kind: api.OrderClone, Term: 2, Source: nobody, Discard: true}, api.OutcomeAccepted)
	n.waitFor("mysqld to run with the old data", func(s api.State) bool { return running(s) && s.LastExit != "" && s.ServerUUID == uuid })
	if !has("of_1") {
		t.Error("the data have been given up for a donor that does not answer")
	}

	discard := api.Order{Kind: api.OrderClone, Term: 3, Source: donor.endpoint(), Discard: true}
	n.order(discard, api.OutcomeAccepted)
	state := n.waitFor("mysqld to run with the new data", func(s api.State) bool { return newborn(s) && s.ServerUUID != uuid })
	if has("of_1") || !has("of_0") {
		t.Error("the data have not been replaced")
	}
	n.order(discard, api.OutcomeDone) // once more changes nothing
	if s := n.last(); s.ServerUUID != state.ServerUUID {
		t.Errorf("repeating the order has replaced the data again: %s", asJSON(s))
	}
}
