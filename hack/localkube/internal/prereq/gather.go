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

// Package prereq finds out whether this machine can run the local Kubernetes, installs what is only a package away, and says in plain
// words what is in the way of the rest.
package prereq

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/cgroup"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/network"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/parts"
)

// Machine is what was found out.
type Machine struct {
	Root bool
	// Apt tells whether Debian's packages can be installed by apt-get.
	Apt bool
	// MissingCapabilities are capabilities of root that this (container's) root lacks.
	MissingCapabilities []string
	// MissingTools are entries of Tools that are not installed.
	MissingTools []Tool
	// MissingBinaries are programs that make should have built.
	MissingBinaries []string
	// MissingControllers are control group controllers.
	MissingControllers []string
	// CgroupError and SysctlError say why control groups or kernel settings cannot be written.
	CgroupError, SysctlError error
	// OtherOwner is the directory of another local Kubernetes that runs on this machine.
	OtherOwner string
	// Conflict describes a network of this machine that overlaps with ours.
	Conflict string
	// SocketPath is the longest path of a socket that will be made.
	SocketPath string
	// FreeBytes is the space left where the state will be.
	FreeBytes uint64
	// Overlay tells whether overlayfs works there.
	Overlay bool
}

// Tool is a program of another project.
type Tool struct {
	Name string
	// Package is the Debian package that holds it.
	Package string
	// Purpose is what it is needed for.
	Purpose string
}

// Tools are what is needed beside what make builds. A name with a slash is a path.
var Tools = []Tool{
	{"runc", "runc", "starts containers"},
	{parts.CNIPlugins + "/ptp", "containernetworking-plugins", "connects pods"},
	{parts.CNIPlugins + "/host-local", "containernetworking-plugins", "gives pods their addresses"},
	{parts.CNIPlugins + "/loopback", "containernetworking-plugins", "gives pods their loopback"},
	{"nft", "nftables", "makes Services' addresses work"},
	{"mount", "mount", "mounts pods' volumes"},
}

// Binaries are what make builds into the bin directory.
var Binaries = []string{"kube", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
	"containerd", "containerd-shim-runc-v2", "coredns", "pause", "localkube"}

// Gather looks at the machine. The work directory must exist; nothing is changed.
func Gather(l layout.Layout) (Machine, error) {
	m := Machine{Root: os.Geteuid() == 0, SocketPath: l.LongestSocket()}
	_, err := exec.LookPath("apt-get")
	m.Apt = err == nil
	m.MissingTools = missingTools()
	for _, name := range Binaries {
		if _, err := os.Stat(l.Bin(name)); err != nil {
			m.MissingBinaries = append(m.MissingBinaries, name)
		}
	}
	if !m.Root {
		return m, nil // the rest needs root to find out
	}
	if m.MissingCapabilities, err = missingCapabilities(); err != nil {
		return m, err
	}
	groups, err := cgroup.Inspect()
	if err != nil {
		m.CgroupError = err
	} else {
		m.MissingControllers = groups.Missing()
		for _, h := range groups.Hierarchies {
			if err := unix.Access(h, unix.W_OK); err != nil {
				m.CgroupError = fmt.Errorf("%s: %w", h, err)
			}
		}
	}
	if err := unix.Access("/proc/sys/net/ipv4/ip_forward", unix.W_OK); err != nil {
		m.SysctlError = err
	}
	owner, err := network.Owner()
	if err != nil {
		return m, err
	}
	if owner != l.Work {
		m.OtherOwner = owner
	}
	if m.Conflict, err = network.Conflict(); err != nil {
		return m, err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(l.Work, &fs); err != nil {
		return m, fmt.Errorf("look at the space in %s: %w", l.Work, err)
	}
	m.FreeBytes = fs.Bavail * uint64(fs.Bsize)
	m.Overlay = overlayWorks(l.Work)
	return m, nil
}

func missingTools() []Tool {
	var missing []Tool
	for _, tool := range Tools {
		if _, err := exec.LookPath(tool.Name); err != nil {
			missing = append(missing, tool)
		}
	}
	return missing
}

// needed are the capabilities without which nothing works. CAP_SYS_RESOURCE is not among them.
var needed = map[uint]string{
	unix.CAP_NET_ADMIN:  "CAP_NET_ADMIN",
	unix.CAP_SYS_ADMIN:  "CAP_SYS_ADMIN",
	unix.CAP_SYS_CHROOT: "CAP_SYS_CHROOT",
	unix.CAP_MKNOD:      "CAP_MKNOD",
	unix.CAP_SETUID:     "CAP_SETUID",
	unix.CAP_CHOWN:      "CAP_CHOWN",
}

func missingCapabilities() ([]string, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil, fmt.Errorf("look at the capabilities: %w", err)
	}
	var missing []string
	for bit := uint(0); bit < 64; bit++ {
		if name, ok := needed[bit]; ok && data[bit/32].Effective&(1<<(bit%32)) == 0 {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// overlayWorks tries an overlay mount: whether it works depends on the kernel, on the container and on the file system below.
func overlayWorks(dir string) bool {
	probe, err := os.MkdirTemp(dir, "overlay-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(probe)
	path := func(name string) string { return filepath.Join(probe, name) }
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(path(name), 0o755); err != nil {
			return false
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", path("lower"), path("upper"), path("work"))
	if err := unix.Mount("overlay", path("merged"), "overlay", 0, options); err != nil {
		return false
	}
	err = unix.Unmount(path("merged"), 0)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(path("merged"), unix.MNT_DETACH)
	}
	return err == nil
}
