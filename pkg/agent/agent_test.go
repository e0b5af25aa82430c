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

package agent

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func TestStatementsOfTheStartAreNotReplicated(t *testing.T) {
	for name, text := range map[string]string{
		"start":      startStatements(credentials{"a", "r", "c"}, []string{"SELECT 1"}),
		"initialise": initializeStatements(credentials{"a", "r", "c"}, userSecret{rootPassword: "x"}),
	} {
		if !strings.HasPrefix(text, "SET SESSION sql_log_bin = 0;\n") {
			t.Errorf("%s: the first statement has to turn off the binary log:\n%s", name, text)
		}
	}
}

func TestStartStatementsEndTheUsersOnes(t *testing.T) {
	text := startStatements(credentials{"a", "r", "c"}, []string{" SELECT 1; ", "", ";\n", "SELECT 2 -- two"})
	if !strings.HasSuffix(text, "SELECT 1\n;\nSELECT 2 -- two\n;\n") {
		t.Errorf("the user's statements are written as:\n%s", text)
	}
}

func TestInitializeStatementsQuoteWhatIsInTheSecret(t *testing.T) {
	text := initializeStatements(credentials{"a", "r", "c"}, userSecret{
		rootPassword: `'; DROP TABLE x; \`, user: `o'brien`, password: "p\nq", database: "a`b_%",
	})
	for _, want := range []string{
		`ALTER USER 'root'@'localhost' IDENTIFIED WITH caching_sha2_password BY '''; DROP TABLE x; \\';`,
		"CREATE DATABASE `a``b_%`;",
		`CREATE USER 'o''brien'@'%' IDENTIFIED WITH caching_sha2_password BY 'p\nq';`,
		"GRANT ALL PRIVILEGES ON `a``b\\_\\%`.* TO 'o''brien'@'%';",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s in:\n%s", want, text)
		}
	}
}

func TestInitializeStatementsLeaveReservedAccountsAlone(t *testing.T) {
	for _, user := range []string{"root", api.AccountAgent, "mysql.sys", ""} {
		text := initializeStatements(credentials{"a", "r", "c"}, userSecret{rootPassword: "x", user: user, password: "user-secret", database: "d"})
		if strings.Contains(text, "user-secret") {
			t.Errorf("USER=%q changes an account that is not the application's", user)
		}
	}
}

func TestOutputKeepsWhatWentWrong(t *testing.T) {
	o := &outputLog{}
	for _, line := range []string{
		"2026-11-20T23:43:38.439332Z 6 [ERROR] [MY-000061] [Server] 1049  Unknown database 'nowhere'.",
		"2026-11-20T23:43:38.439332Z 0 [Warning] [MY-010068] [Server] CA certificate is self signed.",
		"2026-11-20T23:43:38.5Z 0 [ERROR] [MY-000067] [Server] unknown variable 'x=1'.",
		"2026-11-20T23:43:38.6Z 0 [ERROR] [MY-010119] [Server] Aborting",
	} {
		o.line(line)
	}
	if got := o.lastError(); got != "[MY-000067] [Server] unknown variable 'x=1'." {
		t.Errorf("lastError = %q", got)
	}
	if got := o.startProblem(); !strings.Contains(got, "Unknown database 'nowhere'") {
		t.Errorf("startProblem = %q", got)
	}
}

func TestBoardTellsOfChangesOnly(t *testing.T) {
	b := newBoard(api.State{Node: "n"})
	_, changed := b.read()
	b.update(func(s *api.State) { s.Node = "n" })
	select {
	case <-changed:
		t.Error("an update that changes nothing is told")
	default:
	}
	b.update(func(s *api.State) { s.Replication = &api.Replication{SourceHost: "x"} })
	select {
	case <-changed:
	default:
		t.Error("a change is not told")
	}
	first, _ := b.read()
	second, _ := b.read()
	if second.Sequence <= first.Sequence {
		t.Errorf("the sequence does not grow: %d, %d", first.Sequence, second.Sequence)
	}
}

func TestNextPauseGrowsWithFailures(t *testing.T) {
	tests := []struct {
		pause, ran time.Duration
		wanted     bool
		want       time.Duration
	}{
		{0, time.Hour, false, 0},
		{0, 10 * time.Second, false, 0},
		{0, time.Second, false, time.Second},
		{time.Second, 10 * time.Second, false, 2 * time.Second},
		{16 * time.Second, time.Second, false, 30 * time.Second},
		{30 * time.Second, time.Second, false, 30 * time.Second},
		{30 * time.Second, 2 * time.Minute, false, 0},
		{30 * time.Second, time.Second, true, 0},
	}
	for _, test := range tests {
		if got := nextPause(test.pause, test.ran, test.wanted); got != test.want {
			t.Errorf("nextPause(%s, %s, %t) = %s, want %s", test.pause, test.ran, test.wanted, got, test.want)
		}
	}
}

func TestOptionsComeFromTheEnvironment(t *testing.T) {
	env := map[string]string{
		api.EnvPodName: "foo-mysql-2", api.EnvPodUID: "u", api.EnvOrdinal: "2", api.EnvMemoryRequest: "1073741824", api.EnvCPULimit: "500", api.EnvPodIP: "10.0.0.7",
	}
	o, err := NewOptions(func(name string) string { return env[name] })
	if err != nil || o.PodName != "foo-mysql-2" || o.Ordinal != 2 || o.MemoryBytes != 1<<30 || o.CPUMillis != 500 || o.VolumeDir != api.VolumeDir || o.AdminHost != "10.0.0.7" || o.AdminPort != api.AdminPort {
		t.Errorf("NewOptions = %+v, %v", o, err)
	}
	for name, value := range map[string]string{api.EnvPodName: "", api.EnvOrdinal: "", api.EnvMemoryRequest: "1Gi", api.EnvCPULimit: "-1"} {
		_, err := NewOptions(func(n string) string {
			if n == name {
				return value
			}
			return env[n]
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: %v, want an error that names the variable", name, value, err)
		}
	}
}

func TestPushesComeAtGreaterAndGreaterIntervals(t *testing.T) {
	now := time.Now()
	waiting := api.State{GTIDExecuted: "u:1", SemiSync: api.SemiSync{SourceEnabled: true, WaitSessions: 1}}
	var w stall
	var pushes []int
	for second := range 70 {
		at := now.Add(time.Duration(second) * time.Second)
		w.note(waiting, at)
		if w.pushDue(at) {
			pushes = append(pushes, second)
		}
	}
	if want := []int{1, 4, 10, 22, 46}; !slices.Equal(pushes, want) {
		t.Errorf("pushes after %v seconds, want %v", pushes, want)
	}
	at := now.Add(70 * time.Second)
	waiting.GTIDExecuted = "u:1-2"
	w.note(waiting, at)
	if w.lasts(pushAfter, at) || w.pushDue(at) {
		t.Error("a wait is long in which something has just moved")
	}
	if at = at.Add(pushAfter); !w.lasts(pushAfter, at) || !w.pushDue(at) {
		t.Error("a wait in which something had moved is not long after some time")
	}
	w.note(api.State{GTIDExecuted: "u:1-2", SemiSync: api.SemiSync{SourceEnabled: true}}, at)
	if w.lasts(0, at.Add(time.Hour)) {
		t.Error("nothing waits, and it is taken for a long wait")
	}
}
