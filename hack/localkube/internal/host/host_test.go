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

package host

import (
	"slices"
	"testing"
)

func TestMountsBelowFindsOursAndNoOthers(t *testing.T) {
	table := []byte(`22 1 0:20 / / rw - ext4 /dev/vda rw
30 22 0:31 / /repo/kube/a rw - tmpfs tmpfs rw
31 30 0:32 / /repo/kube/a/b\040c rw - overlay overlay rw
32 22 0:33 / /repo/kubernetes rw - tmpfs tmpfs rw
33 22 0:34 / /repo/kube rw - tmpfs tmpfs rw
`)
	got := mountsBelow(table, "/repo/kube")
	want := []string{"/repo/kube", "/repo/kube/a/b c", "/repo/kube/a"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
