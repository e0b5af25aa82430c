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
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ReapOrphans waits for orphans that the kernel hands to PID 1 (what is left over of commands that people execute in the
// container), so that they do not stay as zombies. It returns when ctx ends, or at once where we are not PID 1.
func ReapOrphans(ctx context.Context) {
	if os.Getpid() != 1 {
		return
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			reapOnce("/proc", os.Getpid())
		}
	}
}

// reapOnce waits for each zombie child that nobody else waits for. Waiting for any child would steal the exit status of our own.
func reapOnce(proc string, parent int) {
	own.Lock()
	defer own.Unlock()
	stats, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat"))
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone in between
		}
		pid, zombie := zombieOf(string(text), parent)
		if _, ours := own.pids[pid]; zombie && !ours {
			var status syscall.WaitStatus
			_, _ = syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		}
	}
}

// zombieOf reads a line of /proc/<pid>/stat, "pid (name) state ppid …"; the name can hold anything, brackets too.
func zombieOf(stat string, parent int) (pid int, zombie bool) {
	open, end := strings.Index(stat, " ("), strings.LastIndex(stat, ") ")
	if open < 0 || end < 0 {
		return 0, false
	}
	pid, err := strconv.Atoi(stat[:open])
	fields := strings.Fields(stat[end+2:])
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	return pid, fields[0] == "Z" && fields[1] == strconv.Itoa(parent)
}
