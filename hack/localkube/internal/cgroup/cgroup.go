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

// Package cgroup makes the control group that every process of the local Kubernetes lives in, in each hierarchy that the machine
// has, and ends whatever is still in it.
package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mountPoint is where control groups are on every distribution.
const mountPoint = "/sys/fs/cgroup"

// system is the group for our own daemons, beside the kubelet's group for the pods.
const system = "system"

// Machine is what the machine has of control groups.
type Machine struct {
	// Unified tells whether it is version 2.
	Unified bool
	// Hierarchies are the mount points: one for version 2, one for each controller for version 1.
	Hierarchies []string
	// beside is where version 2 is mounted beside version 1, without controllers. runc makes groups there too.
	beside []string
}

// Required are the version 1 controllers that the kubelet does not start without.
var Required = []string{"cpu", "cpuacct", "cpuset", "memory"}

// Inspect looks at the machine.
func Inspect() (Machine, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(mountPoint, &stat); err != nil {
		return Machine{}, fmt.Errorf("look at %s: %w", mountPoint, err)
	}
	if stat.Type == unix.CGROUP2_SUPER_MAGIC {
		return Machine{Unified: true, Hierarchies: []string{mountPoint}}, nil
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return Machine{}, err
	}
	return Machine{Hierarchies: mountsOf(mounts, "cgroup"), beside: mountsOf(mounts, "cgroup2")}, nil
}

// mountsOf takes the mount points of a file system from a table of mounts.
func mountsOf(mounts []byte, fsType string) []string {
	var found []string
	for line := range bytes.Lines(mounts) {
		fields := strings.Fields(string(line))
		if len(fields) > 2 && fields[2] == fsType && !slices.Contains(found, fields[1]) {
			found = append(found, fields[1])
		}
	}
	return found
}

// Missing returns the required controllers that the machine lacks.
func (m Machine) Missing() []string {
	var missing []string
	if m.Unified {
		have, _ := os.ReadFile(filepath.Join(mountPoint, "cgroup.controllers"))
		for _, c := range []string{"cpu", "cpuset", "memory", "pids"} {
			if !slices.Contains(strings.Fields(string(have)), c) {
				missing = append(missing, c)
			}
		}
		return missing
	}
	for _, c := range Required {
		if _, err := os.Stat(filepath.Join(mountPoint, c, "cgroup.procs")); err != nil {
			missing = append(missing, c)
		}
	}
	return missing
}

// Create makes the group everywhere, and returns the cgroup.procs files into which our daemons are to be entered.
func (m Machine) Create(name string) (procs []string, err error) {
	if m.Unified {
		if err := delegate(mountPoint); err != nil {
			return nil, err
		}
	}
	for _, h := range m.Hierarchies {
		group := filepath.Join(h, name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return nil, fmt.Errorf("make a control group: %w", err)
		}
		if m.Unified {
			if err := delegate(group); err != nil {
				return nil, err
			}
		} else if err := inheritCpuset(group); err != nil {
			return nil, err
		}
	}
	// One hierarchy is enough to find our daemons again, and leaves their share of CPU and memory alone.
	group := filepath.Join(m.tracking(), name, system)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	return []string{filepath.Join(group, "cgroup.procs")}, nil
}

// tracking is the hierarchy whose groups tell which processes are ours.
func (m Machine) tracking() string {
	for _, want := range []string{"pids", "freezer", "memory"} {
		for _, h := range m.Hierarchies {
			if slices.Contains(strings.Split(filepath.Base(h), ","), want) {
				return h
			}
		}
	}
	return m.Hierarchies[0]
}

// delegate hands every controller of a version 2 group down to its children.
func delegate(group string) error {
	controllers, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(controllers)) {
		err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+c), 0)
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("%s holds processes of its own, so that it cannot have children: in a container, start it with "+
				"the host's control groups (docker run --cgroupns=host) or move the processes into a child group first", group)
		}
		// A controller that cannot be handed down here (a threaded or a real-time one) is not needed.
	}
	return nil
}

// inheritCpuset fills a new version 1 cpuset, which begins empty and takes no process until it is filled.
func inheritCpuset(group string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := os.ReadFile(filepath.Join(group, file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another controller's hierarchy
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(have)) > 0 {
			continue
		}
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(group), file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(group, file), bytes.TrimSpace(parent), 0); err != nil {
			return fmt.Errorf("fill the control group's %s: %w", file, err)
		}
	}
	return nil
}

// Remove kills every process in the group and its children, and removes them. It is no error if there is none.
func (m Machine) Remove(ctx context.Context, name string) error {
	var errs []error
	for _, h := range slices.Concat(m.Hierarchies, m.beside) {
		errs = append(errs, removeTree(ctx, filepath.Join(h, name)))
	}
	return errors.Join(errs...)
}

func removeTree(ctx context.Context, root string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		groups, err := tree(root)
		if err != nil || len(groups) == 0 {
			return err
		}
		for _, group := range groups {
			for _, pid := range members(group) {
				unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // it may have ended meanwhile
			}
			thaw(group)
		}
		left := error(nil)
		for _, group := range groups { // children come before their parents
			if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
				left = err
			}
		}
		if left == nil {
			return nil
		}
		select { // the kernel tells of a group's last process in version 2 only
		case <-ctx.Done():
			return fmt.Errorf("remove the control group: %w", left)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// thaw lets a paused container take its SIGKILL.
func thaw(group string) {
	os.WriteFile(filepath.Join(group, "freezer.state"), []byte("THAWED"), 0) //nolint:errcheck // only where there is a freezer
	os.WriteFile(filepath.Join(group, "cgroup.freeze"), []byte("0"), 0)      //nolint:errcheck // likewise
}

// tree returns a group and all groups below it, children first; nothing if there is no such group.
func tree(root string) ([]string, error) {
	var groups []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	slices.Reverse(groups)
	return groups, err
}

func members(group string) []int {
	data, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, field := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
