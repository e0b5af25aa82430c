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
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is a program to keep running.
type Command struct {
	// Name identifies it among the others, for example kubelet.
	Name string
	// Argv is the program's path and its arguments.
	Argv []string
	// Files are configuration files that it reads only at its start: it is started anew when one changes.
	Files []string
	// Log is the file that its output is appended to.
	Log string
}

// Table keeps the records of the running programs in a directory.
type Table struct {
	// Dir is where the records are.
	Dir string
	// Cgroups are the cgroup.procs files that each new process is entered into.
	Cgroups []string
}

// Process is one running program.
type Process struct {
	Name     string
	Identity Identity
	Log      string
	// Done is closed when it has ended.
	Done <-chan struct{}
}

type record struct {
	Identity
	// Spec is a digest of everything that the program was started with.
	Spec string   `json:"spec"`
	Argv []string `json:"argv"`
	Log  string   `json:"log"`
}

func (t Table) path(name string) string { return filepath.Join(t.Dir, name+".json") }

// Ensure makes the program run as described: it starts it, leaves it alone when it runs already, and starts it anew when it runs
// with other arguments, configuration or binary. The new process is in a session of its own and outlives the caller.
func (t Table) Ensure(ctx context.Context, c Command) (p *Process, started bool, err error) {
	spec, err := specOf(c)
	if err != nil {
		return nil, false, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if old, err := t.read(c.Name); err == nil && old.Alive() {
		if old.Spec == spec {
			done, err := watch(old.Identity)
			if err == nil {
				return &Process{Name: c.Name, Identity: old.Identity, Log: c.Log, Done: done}, false, nil
			}
		}
		if err := Stop(ctx, old.Identity, 20*time.Second); err != nil {
			return nil, false, fmt.Errorf("stop the previous %s: %w", c.Name, err)
		}
	}
	p, err = t.start(c, spec)
	if err != nil {
		return nil, false, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, true, nil
}

func (t Table) start(c Command, spec string) (*Process, error) {
	for _, dir := range []string{t.Dir, filepath.Dir(c.Log)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := rotate(c.Log); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// It must be waited for, or its identity would stay as a zombie for as long as this program runs.
	done := make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // how it ended is in its log
		close(done)
	}()
	id, err := t.adopt(cmd.Process.Pid)
	if err == nil {
		err = t.write(c.Name, record{Identity: id, Spec: spec, Argv: c.Argv, Log: c.Log})
	}
	if err != nil {
		cmd.Process.Kill() //nolint:errcheck // it may have ended by itself
		return nil, err
	}
	return &Process{Name: c.Name, Identity: id, Log: c.Log, Done: done}, nil
}

// adopt enters a new process into the control groups, so that whatever it starts in turn can be found there.
func (t Table) adopt(pid int) (Identity, error) {
	id, err := Identify(pid)
	if err != nil {
		return Identity{}, err
	}
	for _, procs := range t.Cgroups {
		if err := os.WriteFile(procs, []byte(strconv.Itoa(pid)), 0); err != nil {
			return Identity{}, fmt.Errorf("enter its control group: %w", err)
		}
	}
	return id, nil
}

// Find returns the identity under which the program was started last, and its log; fs.ErrNotExist if it never was.
func (t Table) Find(name string) (id Identity, log string, err error) {
	r, err := t.read(name)
	return r.Identity, r.Log, err
}

// Stop ends a program by its record and removes the record. One that does not run is no error.
func (t Table) Stop(ctx context.Context, name string, grace time.Duration) error {
	r, err := t.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := Stop(ctx, r.Identity, grace); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	return os.Remove(t.path(name))
}

// Stop asks a process to end, and kills it when it has not ended within the grace period.
func Stop(ctx context.Context, id Identity, grace time.Duration) error {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", id.PID, err)
	}
	defer unix.Close(fd)
	if !id.Alive() { // checked with the descriptor open: from here on it cannot be another one
		return nil
	}
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, 10 * time.Second}} {
		if err := unix.PidfdSendSignal(fd, step.signal, nil, 0); err != nil {
			if errors.Is(err, unix.ESRCH) {
				return nil
			}
			return fmt.Errorf("signal process %d: %w", id.PID, err)
		}
		ended, err := waitFD(ctx, fd, step.wait)
		if err != nil {
			return err
		}
		if ended {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", id.PID)
}

// watch returns a channel that is closed when a process that is not our child has ended.
func watch(id Identity) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err != nil {
		return nil, err
	}
	if !id.Alive() {
		unix.Close(fd)
		return nil, ErrGone
	}
	done := make(chan struct{})
	go func() {
		defer unix.Close(fd)
		waitFD(context.Background(), fd, -1) //nolint:errcheck // poll fails only for a bad descriptor
		close(done)
	}()
	return done, nil
}

// waitFD waits until the process behind a pidfd has ended, at most for the given time (for ever if it is negative).
func waitFD(ctx context.Context, fd int, limit time.Duration) (ended bool, err error) {
	deadline := time.Now().Add(limit)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		// In slices, because poll does not know of the context.
		slice := 200 * time.Millisecond
		if limit >= 0 {
			slice = min(slice, max(0, time.Until(deadline)))
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(slice.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("wait for a process: %w", err)
		}
		if n > 0 {
			return true, nil
		}
		if limit >= 0 && !time.Now().Before(deadline) {
			return false, nil
		}
	}
}

func (t Table) read(name string) (record, error) {
	var r record
	data, err := os.ReadFile(t.path(name))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", t.path(name), err)
	}
	return r, nil
}

// write replaces the record as a whole: a crash leaves the old or the new one.
func (t Table) write(name string, r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	temp := t.path(name) + ".tmp"
	if err := os.WriteFile(temp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, t.path(name))
}

// specOf digests what a program is started with. A binary counts by its content: go build gives an unchanged one a new time.
func specOf(c Command) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q\n", c.Argv)
	for _, file := range append([]string{c.Argv[0]}, c.Files...) {
		if err := digest(sum, file); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func digest(sum io.Writer, file string) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	if _, err := io.Copy(sum, content); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	_, err = fmt.Fprintf(sum, "\n%q\n", file)
	return err
}
