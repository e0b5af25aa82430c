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

package netlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Place is a network namespace with an address.
type Place struct {
	IP netip.Addr

	ns, hub netns.NsHandle
	handle  *netlink.Handle
	link    netlink.Link
}

// nowhere is a hardware address that nobody has.
var nowhere = net.HardwareAddr{0x02, 0xde, 0xad, 0xde, 0xad, 0x00}

// Cut makes everything vanish that this place sends to an address. What comes from there still arrives.
func (p *Place) Cut(to netip.Addr) error {
	err := p.handle.NeighSet(&netlink.Neigh{
		LinkIndex: p.link.Attrs().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT, IP: to.AsSlice(), HardwareAddr: nowhere,
	})
	if err != nil {
		return fmt.Errorf("cut %s off from %s: %w", to, p.IP, err)
	}
	return nil
}

// Heal undoes Cut.
func (p *Place) Heal(to netip.Addr) error {
	err := p.handle.NeighDel(&netlink.Neigh{LinkIndex: p.link.Attrs().Index, Family: netlink.FAMILY_V4, IP: to.AsSlice()})
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("let %s reach %s again: %w", p.IP, to, err)
	}
	return nil
}

// Dial connects from this place.
func (p *Place) Dial(ctx context.Context, address string) (net.Conn, error) {
	var conn net.Conn
	err := inNamespace(p.ns, p.hub, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
		return err
	})
	return conn, err
}

// Close removes the place, once nothing runs there any more.
func (p *Place) Close() error {
	if p.handle != nil {
		p.handle.Close()
	}
	return p.ns.Close()
}

// Program is what runs in a place, in a container of its own: it sees no process but its own children, which end with it.
type Program struct {
	// Argv are the command's words, Env its whole environment.
	Argv, Env []string
	// Mounts are files or directories that are seen elsewhere: by the path where, the path of what.
	Mounts map[string]string
	// Output gets what it writes.
	Output *os.File
}

// Start starts a program in this place. The caller has to wait for the returned command.
func (p *Place) Start(program Program) (*exec.Cmd, error) {
	text, err := json.Marshal(program)
	if err != nil {
		return nil, fmt.Errorf("describe a program: %w", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{envStage + "=" + stageInner, envProgram + "=" + string(text)}
	cmd.Stdout, cmd.Stderr = program.Output, program.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	// A process is born into the network namespace of the thread that starts it.
	if err := inNamespace(p.ns, p.hub, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", program.Argv[0], err)
	}
	return cmd, nil
}

const envProgram = "NETLAB_PROGRAM"

// enterSandbox turns the process into the program that it was started for. It returns only if that fails.
func enterSandbox() error {
	var program Program
	if err := json.Unmarshal([]byte(os.Getenv(envProgram)), &program); err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	if err := privateMounts(); err != nil {
		return err
	}
	for where, what := range program.Mounts {
		if err := unix.Mount(what, where, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", what, where, err)
		}
	}
	if err := syscall.Exec(program.Argv[0], program.Argv, program.Env); err != nil {
		return fmt.Errorf("run %s: %w", program.Argv[0], err)
	}
	return nil
}
