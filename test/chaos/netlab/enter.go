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

// Package netlab makes a network of its own for tests: a hub, in which the program itself runs, and sandboxes, each with a network
// namespace and an address, whose processes see only themselves. Any direction between two of them can be cut.
//
// Nothing of it is visible outside, and all of it ends with the program.
package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// envStage tells the program which part of the lab it is.
const (
	envStage   = "NETLAB_STAGE"
	stageHub   = "hub"
	stageInner = "sandbox"
)

// Main runs the function in a hub, and returns the exit code for the program. The program starts itself again for it, in namespaces of
// its own; so this has to be the first thing that it does.
func Main(run func(*Hub) int) int {
	switch os.Getenv(envStage) {
	case stageInner:
		fmt.Fprintln(os.Stderr, "netlab:", enterSandbox())
		return 1
	case stageHub:
		hub, err := newHub()
		if err != nil {
			fmt.Fprintln(os.Stderr, "netlab:", err)
			return 1
		}
		return run(hub)
	}
	code, err := startHub()
	if err != nil {
		fmt.Fprintln(os.Stderr, "netlab:", err)
		return 1
	}
	return code
}

// startHub runs the program in new namespaces: as root, or as an ordinary user in a user namespace, who is root there.
func startHub() (int, error) {
	// The hub's death signal is tied to this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), envStage+"="+stageHub)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("make namespaces: %w (this needs root, or user namespaces for ordinary users: "+
			"sysctl user.max_user_namespaces, and kernel.unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns where they exist)", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() < 0 {
			return 1, fmt.Errorf("the hub: %w", err)
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// privateMounts makes mounts invisible outside, and /proc show the processes of the present namespace.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}
