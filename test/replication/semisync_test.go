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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// mustNotReturn checks that a statement still waits after a while.
func mustNotReturn(t *testing.T, what string, outcome <-chan error) {
	t.Helper()
	select {
	case err := <-outcome:
		t.Fatalf("%s has returned: %v", what, err)
	case <-time.After(pause):
	}
}

// mustReturn waits for the outcome of a statement.
func mustReturn(t *testing.T, what string, outcome <-chan error) error {
	t.Helper()
	select {
	case err := <-outcome:
		return err
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
		return nil
	}
}

// TestACommitWithoutReplicaIsNotAcknowledged guards safety rule 3.
func TestACommitWithoutReplicaIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	replica.signalMysqld(syscall.SIGSTOP)
	stopped := primary.execAsync("INSERT INTO app_db.t VALUES (1)")
	mustNotReturn(t, "a commit while the replica hangs", stopped)
	replica.signalMysqld(syscall.SIGCONT)
	if err := mustReturn(t, "a commit after the replica woke up", stopped); err != nil {
		t.Errorf("a commit that waited for a replica failed: %v", err)
	}

	replica.signal(syscall.SIGKILL)
	primary.waitFor("the replica to be gone", clients(0))
	gone := primary.execAsync("INSERT INTO app_db.t VALUES (2)")
	mustNotReturn(t, "a commit without a replica", gone)
	if state := primary.last(); !writable(state) || state.SemiSync.WaitSessions != 1 {
		t.Errorf("a primary whose commits wait reports %s", asJSON(state))
	}
	replica.start()
	replica.waitFor("the replica to run again", newborn)
	replica.follow(1, primary)
	if err := mustReturn(t, "a commit after the replica came back", gone); err != nil {
		t.Errorf("a commit that waited for a replica failed: %v", err)
	}

	// The controller may give up the second copy, and only it.
	replica.signal(syscall.SIGKILL)
	primary.waitFor("the replica to be gone", clients(0))
	alone := primary.execAsync("INSERT INTO app_db.t VALUES (3)")
	mustNotReturn(t, "a commit without a replica", alone)
	primary.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 0}, api.OutcomeDone)
	if err := mustReturn(t, "a commit after the controller let it go", alone); err != nil {
		t.Errorf("a commit that needs no replica failed: %v", err)
	}
	if state := primary.last(); state.SemiSync.SourceEnabled || state.SemiSync.RequiredAcks != 0 {
		t.Errorf("without required acknowledgements the primary reports %s", asJSON(state))
	}
}

// TestAcknowledgedCommitsSurviveThePrimary guards safety rules 3 and 4: writers go on until the primary is killed, and everything that
// they were told has been committed is on the promoted replica.
func TestAcknowledgedCommitsSurviveThePrimary(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id BIGINT PRIMARY KEY)")
	const writers = 4
	type report struct{ acknowledged, last int }
	reports := make(chan report)
	enough := make(chan struct{}, writers)
	for w := range writers {
		db := primary.root()
		go func() {
			r := report{}
			for i := w; ; i += writers {
				if _, err := db.Exec("INSERT INTO app_db.t VALUES (?)", i); err != nil {
					r.last = i
					reports <- r
					return
				}
				if r.acknowledged++; r.acknowledged == 50 {
					enough <- struct{}{}
				}
			}
		}()
	}
	for range writers {
		<-enough
	}
	primary.signal(syscall.SIGKILL)
	acknowledged := map[int]bool{}
	for range writers {
		r := <-reports
		for i := r.last - writers; i >= 0; i -= writers {
			acknowledged[i] = true
		}
	}
	replica.waitFor("the receiver to notice", func(s api.State) bool { return s.Replication.ReceiverState != api.ReceiverOn })
	replica.order(api.Order{Kind: api.OrderPromote, Term: 2}, api.OutcomeDone)
	replica.waitFor("being writable", writable)
	missing := len(acknowledged)
	rows, err := replica.root().Query("SELECT id FROM app_db.t")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		if acknowledged[id] {
			missing--
		}
	}
	if err := rows.Err(); err != nil || missing != 0 || len(acknowledged) < 50*writers {
		t.Errorf("%d of %d acknowledged rows are missing on the new primary (%v)", missing, len(acknowledged), err)
	}
}

func TestAPrimaryWaitsReadOnlyForItsReplicas(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	result := n.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 1}, api.OutcomeDone)
	if s := result.State; !s.SuperReadOnly || s.Role != api.RolePrimary || !s.SemiSync.SourceEnabled || s.SemiSync.RequiredAcks != 1 ||
		!strings.Contains(result.Message, "read-only until 1 replicas") || s.Message != result.Message {
		t.Errorf("a primary without its replica reports %s", asJSON(result))
	}
	n.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 0, ReadOnly: true}, api.OutcomeDone)
	if s := n.last(); !s.SuperReadOnly {
		t.Errorf("a primary that is to be read-only reports %s", asJSON(s))
	}
	n.promote(1, 0)
	result = n.order(api.Order{Kind: api.OrderPromote, Term: 1, RequiredAcks: 0, ReadOnly: true}, api.OutcomeDone)
	if !result.State.SuperReadOnly {
		t.Errorf("a primary that is to be read-only again reports %s", asJSON(result))
	}
}

// TestAnAccountStatementCannotLockOutTheReplicas: CREATE USER waits for a replica while nobody can log in, that replica neither.
func TestAnAccountStatementCannotLockOutTheReplicas(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	replica.signal(syscall.SIGKILL)
	primary.waitFor("the replica to be gone", clients(0))
	insert := primary.execAsync("INSERT INTO app_db.t VALUES (1)")
	primary.waitFor("the commit to wait", func(s api.State) bool { return s.SemiSync.WaitSessions == 1 })
	create := primary.execAsync("CREATE USER somebody IDENTIFIED BY 'x'")
	primary.waitFor("the primary to be read-only", func(s api.State) bool {
		return running(s) && s.SuperReadOnly && s.Role == api.RolePrimary && strings.Contains(s.Message, "account-management")
	})
	for what, outcome := range map[string]<-chan error{"INSERT": insert, "CREATE USER": create} {
		if err := mustReturn(t, what, outcome); err == nil {
			t.Errorf("%s was acknowledged without a replica", what)
		}
	}
	replica.start()
	replica.waitFor("the replica to run again", newborn)
	replica.follow(1, primary)
	primary.promote(1, 1)
	primary.exec("INSERT INTO app_db.t VALUES (2)")
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	replica.waitFor("the replica to have everything", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Equal(want) })
}

// TestDemotingCutsOffClientsWithoutAnAnswer: the commits that wait end, and nobody is told that they succeeded.
func TestDemotingCutsOffClientsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	// A connection with a transaction that is not committed yet, and an idle one.
	open, err := primary.root().Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Exec("INSERT INTO app_db.t VALUES (100)"); err != nil {
		t.Fatal(err)
	}
	replica.signal(syscall.SIGKILL)
	primary.waitFor("the replica to be gone", clients(0))
	const commits = 10
	var outcomes []<-chan error
	for i := range commits {
		outcomes = append(outcomes, primary.execAsync(fmt.Sprintf("INSERT INTO app_db.t VALUES (%d)", i)))
	}
	primary.waitFor("commits to wait", func(s api.State) bool { return s.SemiSync.WaitSessions > 0 })
	result := primary.order(api.Order{Kind: api.OrderDemote, Term: 2}, api.OutcomeDone)
	if s := result.State; !s.SuperReadOnly || s.Role != api.RoleNone || s.SemiSync.SourceEnabled || s.SemiSync.WaitSessions != 0 {
		t.Errorf("a demoted primary reports %s", asJSON(s))
	}
	for _, outcome := range outcomes {
		if err := mustReturn(t, "a commit", outcome); err == nil {
			t.Error("a commit that no replica has was acknowledged by the demotion")
		}
	}
	if err := open.Commit(); err == nil {
		t.Error("a transaction of before was committed after the demotion")
	}
	if _, err := primary.root().Exec("INSERT INTO app_db.t VALUES (200)"); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write on a demoted primary: %v", err)
	}
	primary.order(api.Order{Kind: api.OrderDemote, Term: 2}, api.OutcomeDone) // once more changes nothing
}

func TestRolesCanBeExchanged(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	for round := range 3 {
		term := int64(2 + round)
		primary.exec(fmt.Sprintf("INSERT INTO app_db.t VALUES (%d)", round))
		demoted := primary.order(api.Order{Kind: api.OrderDemote, Term: term}, api.OutcomeDone).State
		replica.waitFor("everything to be received", func(s api.State) bool {
			return gtid.MustParse(s.GTIDExecuted).Contains(gtid.MustParse(demoted.GTIDExecuted))
		})
		replica.order(api.Order{Kind: api.OrderPromote, Term: term, RequiredAcks: 1}, api.OutcomeDone)
		primary.follow(term, replica)
		replica.promote(term, 1)
		if s := replica.last(); s.Replication != nil {
			t.Errorf("a primary still has a source: %s", asJSON(s))
		}
		primary.refuses(api.Order{Kind: api.OrderPromote, Term: term - 1}, api.RefusedOldTerm)
		primary, replica = replica, primary
	}
	if got := primary.query("SELECT COUNT(*) FROM app_db.t"); got != "3" {
		t.Errorf("the primary has %s rows, want 3", got)
	}
}

// TestReceivedTransactionsSurviveARestart guards safety rule 4: what a replica has received and not applied may be the only copy of an
// acknowledged commit.
func TestReceivedTransactionsSurviveARestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	other := c.addInitialized()
	other.waitFor("mysqld to run", running)
	other.follow(1, primary)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	other.waitFor("the table", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
	replica.waitFor("the table", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })

	// The other one lags behind: it receives and acknowledges, and does not apply.
	other.exec("STOP REPLICA SQL_THREAD")
	replica.signal(syscall.SIGKILL)
	primary.waitFor("one replica to be gone", clients(1))
	primary.exec("INSERT INTO app_db.t VALUES (1)")
	primary.signal(syscall.SIGKILL)
	received := gtid.MustParse(other.waitFor("the receiver to notice", func(s api.State) bool {
		return running(s) && s.Replication.ReceiverState != api.ReceiverOn
	}).Replication.GTIDRetrieved)

	other.signalMysqld(syscall.SIGKILL)
	state := other.waitFor("mysqld to run again", func(s api.State) bool { return newborn(s) && s.LastExit != "" })
	if pending := received.Subtract(gtid.MustParse(state.GTIDExecuted)); pending.Count() != 1 {
		t.Fatalf("the test needs one transaction that has been received and not applied, and has %q", pending)
	}
	if state.Replication == nil || !gtid.MustParse(state.Replication.GTIDRetrieved).Contains(received) {
		t.Fatalf("the restart has thrown away received transactions: %q, were %q", asJSON(state.Replication), received)
	}
	// A new source does not throw them away either. (That it is the dead primary's address does not matter.)
	result := other.send(api.Order{Kind: api.OrderFollow, Term: 2, Source: replica.endpoint()})
	if result.Outcome != api.OutcomeDone {
		t.Fatalf("Follow is %s: %s", result.Outcome, result.Message)
	}
	other.order(api.Order{Kind: api.OrderPromote, Term: 2}, api.OutcomeDone)
	other.waitFor("being writable", writable)
	if got := other.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
		t.Errorf("the promoted replica has %s rows, want the acknowledged one", got)
	}
}

// TestADamagedRelayLogIsFetchedAgain: the crash of a machine can lose the end of a file, or a file.
func TestADamagedRelayLogIsFetchedAgain(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(file string) error{
		"lost":      os.Remove,
		"cut short": func(file string) error { return os.Truncate(file, 300) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, nil)
			primary, replica := newPair(c)
			primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
			// Received and not applied yet, so that the applier needs the file after the crash.
			replica.exec("STOP REPLICA SQL_THREAD")
			primary.exec("INSERT INTO app_db.t VALUES (1)", "INSERT INTO app_db.t VALUES (2)")
			replica.signal(syscall.SIGKILL)
			files, err := filepath.Glob(filepath.Join(replica.absolute("volume"), "data", "relay-log.0*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no relay log: %v", err)
			}
			for _, file := range files {
				if err := damage(file); err != nil {
					t.Fatal(err)
				}
			}
			replica.start()
			replica.waitFor("mysqld to run again", newborn)
			want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
			// The applier notices when it comes to the damaged place: like the controller, repeat the order until it holds.
			replica.eventually("everything to be applied", func() bool {
				replica.send(api.Order{Kind: api.OrderFollow, Term: 1, Source: primary.endpoint()})
				return gtid.MustParse(replica.last().GTIDExecuted).Equal(want)
			})
			if got := replica.query("SELECT COUNT(*) FROM app_db.t"); got != "2" {
				t.Errorf("the replica has %s rows, want 2", got)
			}
			state := replica.waitFor("replication with acknowledgements", replicating)
			// It had acknowledged what it then lost, so it must not count. (One that is cut short can look whole: the boot ID tells.)
			if name == "lost" && !state.Joining {
				t.Errorf("a node that has lost its relay log reports %s", asJSON(state))
			}
		})
	}
}

// TestAClientsLockDoesNotHoldUpAPromotion: it is cut off together with its lock.
func TestAClientsLockDoesNotHoldUpAPromotion(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	replica.waitFor("the table", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
	backup := replica.lock("FLUSH TABLES WITH READ LOCK")
	primary.exec("INSERT INTO app_db.t VALUES (1)")
	primary.kill()
	replica.order(api.Order{Kind: api.OrderPromote, Term: 2}, api.OutcomeDone)
	replica.waitFor("being writable", writable)
	if got := replica.query("SELECT COUNT(*) FROM app_db.t"); got != "1" {
		t.Errorf("the promoted replica has %s rows, want the acknowledged one", got)
	}
	if err := backup.Close(); err == nil {
		t.Error("the client's lock was there all the time")
	}
}

// TestPromotionWaitsForTheApplier: a replica that cannot apply what it has received is not opened for writes.
func TestPromotionWaitsForTheApplier(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
	replica.waitFor("the table", func(s api.State) bool { return gtid.MustParse(s.GTIDExecuted).Contains(want) })
	// Somebody has written on the replica, behind everybody's back: the next row collides.
	replica.exec("SET GLOBAL super_read_only = OFF", "INSERT INTO app_db.t VALUES (1)", "SET GLOBAL super_read_only = ON")
	primary.exec("INSERT INTO app_db.t VALUES (1)")
	replica.waitFor("the applier to give up", func(s api.State) bool {
		return running(s) && !s.Replication.ApplierRunning && s.Replication.LastError != ""
	})
	result := replica.send(api.Order{Kind: api.OrderPromote, Term: 2})
	if result.Outcome != api.OutcomeFailed || !strings.Contains(result.Message, "cannot be applied") || !result.State.SuperReadOnly {
		t.Errorf("the promotion of a replica that lacks a transaction: %s", asJSON(result))
	}
	if result.State.Term != 2 {
		t.Errorf("the term of an order that failed is not kept: %s", asJSON(result))
	}
}
