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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// newborn is how every start of mysqld has to look: read-only, without a role, following nobody.
func newborn(s api.State) bool {
	return running(s) && s.SuperReadOnly && s.Role == api.RoleNone && !s.SemiSync.SourceEnabled &&
		(s.Replication == nil || s.Replication.ReceiverState == api.ReceiverOff && !s.Replication.ApplierRunning)
}

// TestEveryStartIsReadOnlyAndFollowsNobody guards safety rule 1.
func TestEveryStartIsReadOnlyAndFollowsNobody(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	// Not even a persisted variable makes a node start otherwise.
	primary.exec("SET PERSIST super_read_only = OFF", "SET PERSIST read_only = OFF", "SET PERSIST rpl_semi_sync_source_enabled = ON",
		"CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	rows := 0

	restarts := []struct {
		name    string
		restart func(n *node)
	}{
		{"mysqld gets SIGTERM", func(n *node) { n.signalMysqld(syscall.SIGTERM) }},
		{"mysqld gets SIGKILL", func(n *node) { n.signalMysqld(syscall.SIGKILL) }},
		{"the agent gets SIGTERM", func(n *node) { n.signal(syscall.SIGTERM); n.start() }},
		{"the agent gets SIGKILL", func(n *node) { n.signal(syscall.SIGKILL); n.start() }},
	}
	for _, test := range restarts {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			rows++
			primary.exec(fmt.Sprintf("INSERT INTO app_db.t VALUES (%d)", rows))
			for _, n := range []*node{primary, replica} {
				before := n.last()
				test.restart(n)
				n.waitFor("a newborn server", func(s api.State) bool {
					return newborn(s) && (s.LastExit != before.LastExit || s.AgentStart != before.AgentStart || s.Sequence > before.Sequence && s.LastExit != "")
				})
				if got := n.query("SELECT CONCAT(@@global.super_read_only, @@global.read_only)"); got != "11" {
					t.Errorf("%s has started with super_read_only, read_only = %s", n.name, got)
				}
				state := n.last()
				if state.Term != 1 || !state.HasData || state.ServerUUID != before.ServerUUID {
					t.Errorf("%s has forgotten who it is: %s", n.name, asJSON(state))
				}
				if n == primary {
					n.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 1}, api.OutcomeDone)
					replica.waitFor("the replica to be connected again", replicating)
					n.promote(1, 1)
				} else {
					n.follow(1, primary)
				}
			}
			want := fmt.Sprint(rows)
			if got := primary.query("SELECT COUNT(*) FROM app_db.t"); got != want {
				t.Errorf("the primary has %s rows, want %s", got, want)
			}
			replica.eventually("the rows on the replica", func() bool { return replica.query("SELECT COUNT(*) FROM app_db.t") == want })
		})
	}
	c.t = t
}

func TestTheEndOfMysqldIsReported(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	n.promote(1, 0)
	n.signalMysqld(syscall.SIGKILL)
	state := n.waitFor("the end of mysqld", func(s api.State) bool { return s.LastExit != "" })
	if !strings.Contains(state.LastExit, "killed") || state.Role != api.RoleNone {
		t.Errorf("after SIGKILL the state is %s", asJSON(state))
	}
	n.waitFor("mysqld to run again", newborn)
	n.refuses(api.Order{Kind: api.OrderPromote, Term: 0}, api.RefusedInvalid)
}

func TestAHungMysqldIsReported(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	n.promote(1, 0)
	n.signalMysqld(syscall.SIGSTOP)
	state := n.waitFor("mysqld to be reported as hung", func(s api.State) bool { return s.Phase == api.PhaseHung })
	if state.GTIDExecuted != "" || state.Message == "" {
		t.Errorf("a hung mysqld is reported as %s", asJSON(state))
	}
	n.refuses(api.Order{Kind: api.OrderPromote, Term: 1}, api.RefusedBusy)
	n.signalMysqld(syscall.SIGCONT)
	n.waitFor("mysqld to answer again", writable)
}

// TestAHungMysqldIsKilledByTheOrderToStepDown: whoever is to be fenced is, also when it does not answer; and it comes back read-only.
func TestAHungMysqldIsKilledByTheOrderToStepDown(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]api.Order{
		"demote": {Kind: api.OrderDemote, Term: 2},
		"follow": {Kind: api.OrderFollow, Term: 2, Source: &api.Endpoint{Host: "127.0.0.1", Port: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, nil)
			n := c.addInitialized()
			n.waitFor("mysqld to run", running)
			n.promote(1, 0)
			n.signalMysqld(syscall.SIGSTOP)
			hung := n.waitFor("mysqld to be reported as hung", func(s api.State) bool { return s.Phase == api.PhaseHung })
			n.waitFor("heartbeats to go on", func(s api.State) bool { return s.Phase == api.PhaseHung && s.Sequence > hung.Sequence+1 })
			if result := n.order(order, api.OutcomeDone); result.State.Term != 2 {
				t.Errorf("the term is not kept: %s", asJSON(result))
			}
			state := n.waitFor("mysqld to run again", newborn)
			if !strings.Contains(state.LastExit, "killed") || state.Term != 2 {
				t.Errorf("after the order the node reports %s", asJSON(state))
			}
		})
	}
}

// TestAnOrderThatHangsWithMysqldDoesNotKeepTheTurn: the order that ends the hang must not wait for it.
func TestAnOrderThatHangsWithMysqldDoesNotKeepTheTurn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	n.promote(1, 0)
	n.signalMysqld(syscall.SIGSTOP)
	stuck := n.sendAsync(api.Order{Kind: api.OrderDemote, Term: 2})
	n.waitFor("the order to be under way", func(s api.State) bool { return s.Term == 2 })
	n.waitFor("mysqld to be reported as hung", func(s api.State) bool { return s.Phase == api.PhaseHung })
	if result := <-stuck; result.Outcome != api.OutcomeFailed {
		t.Errorf("an order that hung with mysqld: %s", asJSON(result))
	}
	n.order(api.Order{Kind: api.OrderDemote, Term: 2}, api.OutcomeDone)
	n.waitFor("mysqld to run again", newborn)
}

// TestANewerTermInterruptsAnOrder: a promotion that waits for its applier does not keep the node from obeying the next decision.
func TestANewerTermInterruptsAnOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	replica.waitFor("the table", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
	replica.exec("STOP REPLICA SQL_THREAD", "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 3600", "START REPLICA SQL_THREAD")
	primary.exec("INSERT INTO app_db.t VALUES (1)")
	promotion := replica.sendAsync(api.Order{Kind: api.OrderPromote, Term: 2})
	replica.waitFor("the order to be under way", func(s api.State) bool { return s.Term == 2 && s.Replication.ReceiverState == api.ReceiverOff })
	replica.refuses(api.Order{Kind: api.OrderFollow, Term: 3, Source: primary.endpoint(), Basis: "1-1"}, api.RefusedOutdated)
	select {
	case result := <-promotion:
		t.Fatalf("a refused order has ended the promotion: %s", asJSON(result))
	default:
	}
	replica.order(api.Order{Kind: api.OrderFollow, Term: 3, Source: primary.endpoint()}, api.OutcomeDone)
	if result := <-promotion; result.Outcome != api.OutcomeFailed {
		t.Errorf("the promotion that was overtaken: %s", asJSON(result))
	}
	replica.waitFor("replication with acknowledgements", replicating)
}

func TestMysqldDiesWithTheAgent(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	pid := n.mysqldPID()
	n.signal(syscall.SIGKILL)
	n.eventually("the end of mysqld", func() bool { return !processRuns(pid) })
}

func TestAWrongSettingIsReportedAndMended(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.config.MysqlConf["no-such-setting"] = "1"
	c.writeConfig()
	n := c.addInitialized()
	state := n.waitFor("mysqld to give up", func(s api.State) bool { return s.Phase == api.PhaseStopped && s.LastExit != "" })
	if !strings.Contains(state.LastExit, "no_such_setting") {
		t.Errorf("the exit is reported as %q, without the name of the setting", state.LastExit)
	}
	delete(c.config.MysqlConf, "no-such-setting")
	c.config.MysqlConf["super-read-only"] = "OFF"
	c.writeConfig()
	n.signal(syscall.SIGTERM)
	n.start()
	n.waitFor("the reserved setting to be refused", func(s api.State) bool {
		return s.Phase == api.PhaseStopped && strings.Contains(s.Message, "super-read-only is reserved")
	})
	delete(c.config.MysqlConf, "super-read-only")
	c.writeConfig()
	n.signal(syscall.SIGTERM)
	n.start()
	n.waitFor("mysqld to run", newborn)
}

func TestAFailingStartStatementIsReported(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(config *api.NodeConfig) { config.InitFileExtraSQL = []string{"CREATE TABLE nowhere.t (i INT)"} })
	n := c.addInitialized()
	reported := func(s api.State) bool { return running(s) && strings.Contains(s.Message, "Unknown database 'nowhere'") }
	n.waitFor("the failure to be reported", reported)
	n.promote(1, 0)
	n.waitFor("the failure still to be reported", reported)
}

func TestMysqldThatWasShutDownIsStartedAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	for _, statement := range []string{"SHUTDOWN", "RESTART"} {
		before := n.last()
		pid := n.mysqldPID()
		n.exec(statement)
		n.eventually("the end of mysqld", func() bool { return !processRuns(pid) })
		n.waitFor("mysqld to run again", func(s api.State) bool {
			return newborn(s) && s.Sequence > before.Sequence && s.ServerUUID == before.ServerUUID
		})
	}
}

// TestAPrimaryThatWaitsForReplicasCanBeStopped: nothing may keep a pod from ending in its grace period.
func TestAPrimaryThatWaitsForReplicasCanBeStopped(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	replica.signal(syscall.SIGKILL)
	primary.waitFor("the replica to be gone", clients(0))
	committed := primary.execAsync("INSERT INTO app_db.t VALUES (1)")
	primary.waitFor("the commit to wait", func(s api.State) bool { return s.SemiSync.WaitSessions == 1 })
	primary.signal(syscall.SIGTERM)
	if err := <-committed; err == nil {
		t.Error("a commit that no replica has was acknowledged at the end of mysqld")
	}
	if !primary.output.contains("Shutdown complete") {
		t.Error("mysqld did not shut down orderly")
	}
}

// processRuns tells whether a process exists and is not a zombie.
func processRuns(pid int) bool {
	state, err := processState(pid)
	return err == nil && state != "Z"
}

// pause is for what must not happen: there is no event for that.
const pause = 2 * time.Second

// TestALockThatAKilledMysqldLeftIsRemoved: the lock of the socket survives the container, and names a process that may be any other by then.
func TestALockThatAKilledMysqldLeftIsRemoved(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	n.kill()
	// Somebody who is alive: this test.
	n.c.write(n.path("run/mysqld.sock.lock"), fmt.Sprintln(os.Getpid()))
	n.start()
	n.waitFor("mysqld to run again", newborn)
}
