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

package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sleeper is a program that runs until it is stopped.
func sleeper(t *testing.T, args ...string) Command {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if len(args) == 0 {
		args = []string{"1000"}
	}
	return Command{Name: "sleeper", Argv: append([]string{sleep}, args...), Log: filepath.Join(t.TempDir(), "logs", "sleeper.log")}
}

func ensure(t *testing.T, table Table, c Command) (p *Process, started bool) {
	t.Helper()
	p, started, err := table.Ensure(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Stop(context.Background(), p.Identity, 0); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return p, started
}

func TestEnsureLeavesARunningProgramAlone(t *testing.T) {
	table := Table{Dir: t.TempDir()}
	c := sleeper(t)
	first, started := ensure(t, table, c)
	if !started {
		t.Error("the first Ensure did not start it")
	}
	second, started := ensure(t, table, c)
	if started || second.Identity != first.Identity {
		t.Errorf("the second Ensure started %+v beside %+v", second.Identity, first.Identity)
	}
}

func TestEnsureRestartsOnChange(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	table := Table{Dir: t.TempDir()}
	c := sleeper(t)
	c.Files = []string{config}
	first, _ := ensure(t, table, c)

	write("two")
	second, started := ensure(t, table, c)
	if !started || first.Identity.Alive() {
		t.Errorf("after a change of its file: started %v, the old one alive %v", started, first.Identity.Alive())
	}
	c.Argv = append(c.Argv[:1:1], "2000")
	_, started = ensure(t, table, c)
	if !started || second.Identity.Alive() {
		t.Errorf("after a change of its arguments: started %v, the old one alive %v", started, second.Identity.Alive())
	}
}

func TestEnsureReplacesAKilledProgram(t *testing.T) {
	table := Table{Dir: t.TempDir()}
	c := sleeper(t)
	first, _ := ensure(t, table, c)
	if err := Stop(context.Background(), first.Identity, 0); err != nil {
		t.Fatal(err)
	}
	<-first.Done
	if _, started := ensure(t, table, c); !started {
		t.Error("a program that was killed was not started again")
	}
}

// A record may name a PID that the kernel has given to another process since: it must neither count as ours nor be killed.
func TestStopSparesAReusedPID(t *testing.T) {
	table := Table{Dir: t.TempDir()}
	c := sleeper(t)
	stranger, _ := ensure(t, table, c)

	for name, change := range map[string]func(*Identity){
		"other start": func(id *Identity) { id.Start-- },
		"other boot":  func(id *Identity) { id.Boot = "00000000-0000-0000-0000-000000000000" },
	} {
		stale := stranger.Identity
		change(&stale)
		if stale.Alive() {
			t.Errorf("%s: counts as alive", name)
		}
		if err := Stop(context.Background(), stale, time.Minute); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !stranger.Identity.Alive() {
		t.Error("the process that has the PID now was killed")
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	c := Command{Name: "deaf", Log: log, Argv: []string{sh, "-c", "trap '' TERM; echo deaf; while :; do sleep 1000; done"}}
	p, _ := ensure(t, Table{Dir: t.TempDir()}, c)
	await(t, func() bool { return len(Tail(log, 1)) == 1 && Tail(log, 1)[0] == "deaf" })
	if err := Stop(context.Background(), p.Identity, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if p.Identity.Alive() {
		t.Error("it is alive")
	}
}

// await asks until it is so; the test's own deadline is the limit.
func await(t *testing.T, so func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-t.Context().Done():
			t.Fatal("the test is over")
		case <-ticker.C:
		}
	}
}

func TestEnsureReportsWhatCannotStart(t *testing.T) {
	c := sleeper(t)
	c.Argv[0] = filepath.Join(t.TempDir(), "nothing")
	_, _, err := Table{Dir: t.TempDir()}.Ensure(context.Background(), c)
	if err == nil || !strings.Contains(err.Error(), "start sleeper") {
		t.Errorf("got %v", err)
	}
}

func TestParseStat(t *testing.T) {
	rest := " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for name, test := range map[string]struct {
		stat  string
		state byte
		start uint64
		fails bool
	}{
		"plain":              {stat: "7 (kubelet) S" + rest, state: 'S', start: 4711},
		"parentheses inside": {stat: "7 (a) R (b) S) Z" + rest, state: 'Z', start: 4711},
		"no name":            {stat: "7", fails: true},
		"too short":          {stat: "7 (kubelet) S 1 2 3", fails: true},
		"start not a number": {stat: "7 (kubelet) S" + strings.Replace(rest, "4711", "x", 1), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			state, start, err := parseStat([]byte(test.stat))
			if (err != nil) != test.fails || state != test.state || start != test.start {
				t.Errorf("got %c %d %v", state, start, err)
			}
		})
	}
}

func TestIdentifyFindsItself(t *testing.T) {
	id, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !id.Alive() {
		t.Errorf("%+v is not alive", id)
	}
}

func TestTailReturnsTheLastLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	var text strings.Builder
	for i := range 20000 {
		text.WriteString("line " + strconv.Itoa(i) + "\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(Tail(file, 2), ","); got != "line 19998,line 19999" {
		t.Errorf("got %s", got)
	}
	if got := Tail(file+".missing", 2); got != nil {
		t.Errorf("got %v of a file that is not there", got)
	}
}
