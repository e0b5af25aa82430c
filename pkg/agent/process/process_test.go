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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestStartDeliversLinesAndTheExit(t *testing.T) {
	var lines []string
	p, err := Start([]string{"sh", "-c", `echo one; echo "$GREETING" >&2; printf three; exit 3`}, []string{"GREETING=two"}, func(line string) {
		lines = append(lines, line)
	})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if want := []string{"one", "two", "three"}; !slices.Equal(lines, want) {
		t.Errorf("lines are %q, want %q", lines, want)
	}
	if p.ExitCode() != 3 || p.Succeeded() || p.Exit() != "exit status 3" {
		t.Errorf("the exit is %d, %q", p.ExitCode(), p.Exit())
	}
}

func TestStartReportsAMissingProgram(t *testing.T) {
	if _, err := Start([]string{filepath.Join(t.TempDir(), "none")}, nil, func(string) {}); err == nil {
		t.Error("a program that is not there has been started")
	}
}

func TestSignalEndsTheChild(t *testing.T) {
	p, err := Start([]string{"sleep", "1000"}, nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGKILL)
	<-p.Done()
	if p.ExitCode() != -1 || p.Exit() != "signal: killed" {
		t.Errorf("the exit is %d, %q", p.ExitCode(), p.Exit())
	}
	p.Signal(syscall.SIGKILL) // too late, and no harm
}

func TestLongLinesAreCut(t *testing.T) {
	var lines []string
	w := &lineWriter{onLine: func(line string) { lines = append(lines, line) }}
	fmt.Fprint(w, strings.Repeat("x", longestLine+1))
	fmt.Fprint(w, "rest\r\n\n")
	w.flush()
	if len(lines) != 3 || lines[1] != "rest" || lines[2] != "" {
		t.Errorf("%d lines, the last ones %q", len(lines), lines[1:])
	}
}

func TestZombieOf(t *testing.T) {
	tests := map[string]bool{
		"7 (sleep) Z 42 7 7 0 -1":     true,
		"7 (a) Z 1 (b) Z 42 7 7 0 -1": true, // a name that imitates the rest of the line
		"7 (sleep) S 42 7 7 0 -1":     false,
		"7 (sleep) Z 43 7 7 0 -1":     false,
		"7 (sleep) Z":                 false,
		"":                            false,
		"x (sleep) Z 42 7":            false,
	}
	for line, want := range tests {
		if pid, got := zombieOf(line, 42); got != want || got && pid != 7 {
			t.Errorf("zombieOf(%q) = %d, %t, want %t", line, pid, got, want)
		}
	}
}

// TestReapOnceLeavesOurChildrenAlone makes two zombies, of which somebody waits for one.
func TestReapOnceLeavesOurChildrenAlone(t *testing.T) {
	zombie := func() int {
		cmd := exec.Command("true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Wait for the end without reaping.
		for {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			if _, ended := zombieOf(string(text), os.Getpid()); ended {
				return cmd.Process.Pid
			}
		}
	}
	orphan, ours := zombie(), zombie()
	own.Lock()
	own.pids[ours] = struct{}{}
	own.Unlock()
	defer func() {
		own.Lock()
		delete(own.pids, ours)
		own.Unlock()
	}()
	reapOnce("/proc", os.Getpid())
	if _, err := os.Stat("/proc/" + strconv.Itoa(orphan)); !os.IsNotExist(err) {
		t.Errorf("the orphan is still there: %v", err)
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(ours, &status, 0, nil); pid != ours || err != nil {
		t.Errorf("our own child has been reaped: %d, %v", pid, err)
	}
}
