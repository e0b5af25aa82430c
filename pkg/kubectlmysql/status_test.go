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

package kubectlmysql_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

func TestStatusShowsWhatIsServed(t *testing.T) {
	for _, name := range []string{"healthy", "failing-over", "forced", "errant", "primary-lost", "waiting", "single"} {
		t.Run(name, func(t *testing.T) {
			p := newPlace()
			p.serve(t, name)
			p.expect(t, 0, p.golden(t, name+".txt"), "", "status", "foo")
			p.width = 44
			p.expect(t, 0, p.golden(t, name+".narrow.txt"), "", "status", "foo")
		})
	}
}

func TestStatusTellsProgramsTheSame(t *testing.T) {
	p := newPlace()
	want := report.Of(p.serve(t, "errant"))
	for format, unmarshal := range map[string]func([]byte, any) error{
		"json": json.Unmarshal,
		"yaml": func(text []byte, into any) error { return yaml.UnmarshalStrict(text, into) },
	} {
		code, out, complaints := p.run(t, "status", "foo", "-o", format)
		got := &report.Report{}
		if err := unmarshal([]byte(out), got); err != nil || code != 0 || complaints != "" {
			t.Fatalf("%s: code %d, %s, %v", format, code, complaints, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
	if n := want.Nodes[1]; n.Errant == nil || n.Errant.Count != 2 || n.Lacks == nil || n.Lacks.Count != 977 {
		t.Errorf("the node is %+v", n)
	}
}

func TestStatusFollowsChanges(t *testing.T) {
	p := newPlace()
	cluster := p.serve(t, "healthy")
	ctx, cancel := context.WithCancel(t.Context())
	k := p.start(ctx, "status", "foo", "--watch")
	k.out.waitFor(t, p.golden(t, "healthy.txt"))
	p.read(t, "errant").Status.DeepCopyInto(&cluster.Status)
	if _, err := p.clusters(t).UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	k.out.waitFor(t, "\n"+p.golden(t, "errant.txt"))
	cancel()
	if code := <-k.code; code != 0 {
		t.Errorf("exit code %d when it was interrupted", code)
	}
	differ(t, "the output", p.golden(t, "healthy.txt")+"\n2026-05-04T12:00:00Z\n"+p.golden(t, "errant.txt"), k.out.String())
	differ(t, "the complaints", "", k.complaints.String())
}

func TestStatusEndsWithItsCluster(t *testing.T) {
	p := newPlace()
	p.serve(t, "pending")
	k := p.start(t.Context(), "status", "foo", "--watch")
	k.out.waitFor(t, "Pending")
	if err := p.clusters(t).Delete(t.Context(), "foo", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := <-k.code; code != 1 {
		t.Errorf("exit code %d", code)
	}
	differ(t, "the complaints", "error: the cluster foo was deleted\n", k.complaints.String())
}

// A terminal shows one screen, however often it is drawn.
func TestStatusIsDrawnOverItself(t *testing.T) {
	p := newPlace()
	p.width = 44
	p.serve(t, "single")
	ctx, cancel := context.WithCancel(t.Context())
	k := p.start(ctx, "status", "foo", "--watch")
	screen := "\x1b[H\x1b[J\x1b[H" + strings.ReplaceAll(p.golden(t, "single.narrow.txt"), "\n", "\x1b[K\n") + "\x1b[J"
	k.out.waitFor(t, screen)
	cancel()
	<-k.code
	differ(t, "the output", screen, k.out.String())
}

// roundTripper is a function that is one.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whoever watches in an outage has to see what comes after it.
func TestStatusOutlivesOutages(t *testing.T) {
	p := newPlace()
	p.serve(t, "single")
	var down atomic.Bool
	watching := make(chan struct{}, 1)
	connection, hangUp := context.WithCancel(t.Context())
	p.wrap = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, context.DeadlineExceeded
			}
			if r.URL.Query().Get("watch") == "" || connection.Err() != nil {
				return next.RoundTrip(r)
			}
			ctx, cancel := context.WithCancel(r.Context())
			context.AfterFunc(connection, cancel)
			defer func() { watching <- struct{}{} }()
			return next.RoundTrip(r.WithContext(ctx))
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	k := p.start(ctx, "status", "foo", "--watch")
	<-watching
	down.Store(true)
	hangUp()
	k.complaints.waitFor(t, "trying again\n")
	cluster := p.get(t)
	cluster.Status.Phase = "Changed in the outage"
	if _, err := p.clusters(t).UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	down.Store(false)
	k.out.waitFor(t, p.namespace+"/foo: Changed in the outage")
	cancel()
	if code := <-k.code; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
