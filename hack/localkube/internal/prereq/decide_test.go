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

package prereq

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// good is a machine on which everything is as it should be.
func good() Machine {
	return Machine{Root: true, Apt: true, FreeBytes: 100 << 30, Overlay: true, SocketPath: "/repo/.work/kube/x.sock"}
}

func TestDecideAcceptsAGoodMachine(t *testing.T) {
	plan := Decide(good())
	if len(plan.Refusals)+len(plan.Install)+len(plan.Notes) > 0 || plan.Snapshotter != "overlayfs" {
		t.Errorf("got %+v", plan)
	}
}

func TestDecideNamesEachObstacleAndItsRemedy(t *testing.T) {
	runc := []Tool{{"runc", "runc", "starts containers"}}
	for name, test := range map[string]struct {
		change func(*Machine)
		says   []string
	}{
		"not root": {func(m *Machine) { m.Root = false }, []string{"root", "make up", "make run"}},
		"not root, a package missing": {func(m *Machine) { m.Root, m.MissingTools = false, runc },
			[]string{"runc (starts containers)", "sudo apt-get install runc"}},
		"no apt":       {func(m *Machine) { m.Apt, m.MissingTools = false, runc }, []string{"runc (starts containers)", "no apt-get"}},
		"not built":    {func(m *Machine) { m.MissingBinaries = []string{"kube"} }, []string{"kube", "make kube-binaries"}},
		"capabilities": {func(m *Machine) { m.MissingCapabilities = []string{"CAP_NET_ADMIN"} }, []string{"CAP_NET_ADMIN", "privileged"}},
		"cgroups":      {func(m *Machine) { m.CgroupError = errors.New("read-only") }, []string{"read-only", "privileged"}},
		"controllers":  {func(m *Machine) { m.MissingControllers = []string{"cpuset"} }, []string{"cpuset", "command line"}},
		"settings":     {func(m *Machine) { m.SysctlError = errors.New("read-only") }, []string{"/proc/sys", "read-only", "privileged"}},
		"another one":  {func(m *Machine) { m.OtherOwner = "/other/.work" }, []string{"/other/.work", "make down"}},
		"addresses":    {func(m *Machine) { m.Conflict = "10.0.0.0/8 at tun0" }, []string{"10.0.0.0/8 at tun0"}},
		"long path":    {func(m *Machine) { m.SocketPath = strings.Repeat("x", 108) }, []string{"108 bytes", "shorter path"}},
		"full disk":    {func(m *Machine) { m.FreeBytes = 1 << 30 }, []string{"1.0 GiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			machine := good()
			test.change(&machine)
			plan := Decide(machine)
			if len(plan.Refusals) == 0 {
				t.Fatal("not refused")
			}
			all := strings.Join(plan.Refusals, "\n")
			for _, want := range test.says {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not in: %s", want, all)
				}
			}
			if len(plan.Install) > 0 {
				t.Errorf("it would install %v on a machine that it refuses", plan.Install)
			}
		})
	}
}

func TestDecideInstallsEachPackageOnce(t *testing.T) {
	machine := good()
	machine.MissingTools = Tools
	plan := Decide(machine)
	want := []string{"runc", "containernetworking-plugins", "nftables", "mount"}
	if !slices.Equal(plan.Install, want) || len(plan.Refusals) > 0 {
		t.Errorf("got %v and %v", plan.Install, plan.Refusals)
	}
}

func TestDecideCopiesImagesWithoutOverlayfs(t *testing.T) {
	machine := good()
	machine.Overlay = false
	plan := Decide(machine)
	if plan.Snapshotter != "native" || len(plan.Notes) != 1 || len(plan.Refusals) > 0 {
		t.Errorf("got %+v", plan)
	}
}
