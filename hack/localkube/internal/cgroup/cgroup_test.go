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

package cgroup

import (
	"slices"
	"testing"
)

func TestMountsOfTellsTheVersionsApart(t *testing.T) {
	table := []byte(`tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
`)
	if got, want := mountsOf(table, "cgroup"), []string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := mountsOf(table, "cgroup2"), []string{"/sys/fs/cgroup/unified"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrackingPrefersAHierarchyWithoutLimits(t *testing.T) {
	m := Machine{Hierarchies: []string{"/c/memory", "/c/cpu,cpuacct", "/c/pids"}}
	if got := m.tracking(); got != "/c/pids" {
		t.Errorf("got %s", got)
	}
	m.Hierarchies = []string{"/c/cpu,cpuacct", "/c/memory"}
	if got := m.tracking(); got != "/c/memory" {
		t.Errorf("got %s", got)
	}
}
