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

// Package process runs child processes that must not outlive the agent, and reaps orphans when the agent is PID 1.
package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a running child.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// own are the PIDs that somebody waits for; the reaper leaves them alone.
var own = struct {
	sync.Mutex
	pids map[int]struct{}
}{pids: map[int]struct{}{}}

// Start runs argv with additional environment variables ("NAME=value"). onLine gets each line that the child writes, from one
// goroutine. The kernel kills the child when the agent dies.
func Start(argv, env []string, onLine func(line string)) (*Process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	lines := &lineWriter{onLine: onLine}
	cmd.Stdout, cmd.Stderr = lines, lines
	// A grandchild that keeps the pipe open must not keep us waiting for the end of the output.
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal comes when the *thread* that started the child ends: keep it until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := startRegistered(cmd)
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		own.Lock()
		delete(own.pids, cmd.Process.Pid)
		own.Unlock()
		lines.flush()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return p, nil
}

func startRegistered(cmd *exec.Cmd) error {
	own.Lock()
	defer own.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	own.pids[cmd.Process.Pid] = struct{}{}
	return nil
}

// PID returns the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and all its lines have been delivered.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode returns the child's exit code, or -1 if a signal ended it. Only after Done.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Exit describes how the child ended: "exit status 1", "signal: killed". Only after Done.
func (p *Process) Exit() string { return p.cmd.ProcessState.String() }

// Succeeded tells whether the child ended with exit code 0. Only after Done.
func (p *Process) Succeeded() bool { return p.cmd.ProcessState.Success() }

// Signal sends a signal; a child that has ended already is no error.
func (p *Process) Signal(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal)
}

// lineWriter cuts a stream into lines.
type lineWriter struct {
	onLine func(string)
	rest   []byte
}

// longestLine bounds the memory for output without line breaks.
const longestLine = 64 << 10

func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found && len(w.rest) < longestLine {
			return len(data), nil
		}
		w.onLine(string(bytes.TrimSuffix(line, []byte("\r"))))
		w.rest = append([]byte(nil), rest...)
	}
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.onLine(string(w.rest))
		w.rest = nil
	}
}
