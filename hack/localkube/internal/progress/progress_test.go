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

package progress

import (
	"strings"
	"testing"
	"time"
)

func TestReportShowsStagesWithTheirTimes(t *testing.T) {
	var out strings.Builder
	clock := time.Unix(0, 0)
	r := New(&out)
	r.start, r.now = clock, func() time.Time { return clock }
	pass := func(d time.Duration) { clock = clock.Add(d) }

	s := r.Begin("network")
	pass(1500 * time.Millisecond)
	s.Done("ready")
	s = r.Begin("control plane")
	pass(time.Second)
	s.Note("etcd is slow")
	pass(10 * time.Second)
	s.Done("ready at %d", 6443)

	want := `[  0.0s] network … ready (1.5s)
[  1.5s] control plane …
[  2.5s]   control plane: etcd is slow
[ 12.5s] control plane … ready at 6443 (11.0s)
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
