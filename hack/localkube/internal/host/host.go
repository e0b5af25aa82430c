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

// Package host remembers what of the machine itself is about to change (kernel settings, directories that are fixed in other
// people's programs), so that it can be put back.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// settings are the kernel settings, below /proc/sys, that we, the CNI plugins, the kubelet or kube-proxy change.
var settings = []string{
	"net/ipv4/ip_forward",
	"net/ipv4/conf/all/route_localnet",
	"net/netfilter/nf_conntrack_tcp_be_liberal",
	"vm/overcommit_memory",
	"vm/panic_on_oom",
	"kernel/panic",
	"kernel/panic_on_oops",
	"kernel/keys/root_maxkeys",
	"kernel/keys/root_maxbytes",
}

// directories are made at fixed places by containerd (shims' sockets), libcni (results) and the kubelet (device plugins' socket,
// links to logs).
var directories = []string{
	"/run/containerd",
	"/run/containerd/s",
	"/var/lib/cni",
	"/var/lib/cni/results",
	"/var/lib/kubelet",
	"/var/lib/kubelet/device-plugins",
	"/var/log/containers",
}

// Before is the machine as it was.
type Before struct {
	// Boot is the boot that Settings were read in.
	Boot string `json:"boot"`
	// Settings are kernel settings by their path below /proc/sys.
	Settings map[string]string `json:"settings"`
	// Absent are directories that did not exist.
	Absent []string `json:"absent"`
}

// Remember records the machine as it is in a file, unless the file holds a record of this boot already: then what the machine is
// now is our own doing.
func Remember(file string) error {
	boot, err := process.BootID()
	if err != nil {
		return err
	}
	old, err := read(file)
	if err == nil && old.Boot == boot {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A directory that was ours before a reboot is ours still.
	before := Before{Boot: boot, Settings: map[string]string{}, Absent: old.Absent}
	for _, name := range settings {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err == nil {
			before.Settings[name] = strings.TrimSpace(string(value))
		}
	}
	for _, dir := range directories {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !slices.Contains(before.Absent, dir) {
			before.Absent = append(before.Absent, dir)
		}
	}
	data, err := json.MarshalIndent(before, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func read(file string) (Before, error) {
	var before Before
	data, err := os.ReadFile(file)
	if err != nil {
		return before, err
	}
	if err := json.Unmarshal(data, &before); err != nil {
		return before, fmt.Errorf("read %s: %w", file, err)
	}
	return before, nil
}

// Restore puts back what Remember recorded. Without a record it does nothing.
func Restore(file string) error {
	before, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	boot, err := process.BootID()
	if err != nil {
		return err
	}
	var errs []error
	if before.Boot == boot {
		for name, value := range before.Settings {
			errs = append(errs, set(name, value))
		}
	}
	for _, dir := range before.Absent {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

func set(name, value string) error {
	path := filepath.Join("/proc/sys", name)
	if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == value {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s to %s: %w", name, value, err)
	}
	return nil
}

// EnableForwarding lets the kernel pass packets between pods.
func EnableForwarding() error { return set("net/ipv4/ip_forward", "1") }

// Unmount removes every mount at or below a directory.
func Unmount(ctx context.Context, dir string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, target := range mountsBelow(table, dir) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", target, err)
		}
	}
	return nil
}

// mountsBelow returns the mount points at or below a directory, the last made first.
func mountsBelow(mountinfo []byte, dir string) []string {
	var found []string
	for line := range strings.Lines(string(mountinfo)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		target := unescape.Replace(fields[4])
		if target == dir || strings.HasPrefix(target, dir+"/") {
			found = append(found, target)
		}
	}
	slices.Reverse(found)
	return found
}

// unescape undoes how the kernel writes white space and backslashes.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
