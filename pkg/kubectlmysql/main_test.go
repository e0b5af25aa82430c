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
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/apiservertest"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	typed "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/typed/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql"
)

// server is the real API server, shared by all tests. Each works in a namespace of its own.
var server *apiservertest.Server

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kubectl-mysql-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		server, err = apiservertest.New(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// now is the time on the terminals of the tests: the one of the golden files.
var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// place is a namespace of the server, with somebody who types there.
type place struct {
	namespace string
	// typed is what is typed; nobody is there if it is empty. Before that, beforeTyping happens.
	typed        string
	beforeTyping func()
	// width is that of the terminal; 0 is a file.
	width int
	// wrap, if it is set, stands between the commands and the server.
	wrap func(http.RoundTripper) http.RoundTripper
}

var places atomic.Int64

// newPlace is an empty namespace. Its name is as long as that of the golden files, so that lines are broken at the same places.
func newPlace() *place { return &place{namespace: fmt.Sprintf("t-%05d", places.Add(1))} }

// kubectl is a command that runs.
type kubectl struct {
	out, complaints *output
	code            chan int
}

// start runs a command in the background.
func (p *place) start(ctx context.Context, args ...string) *kubectl {
	k := &kubectl{out: newOutput(), complaints: newOutput(), code: make(chan int, 1)}
	keys := strings.NewReader(p.typed)
	terminal := &kubectlmysql.Terminal{
		In: reader(func(b []byte) (int, error) {
			if p.beforeTyping != nil {
				p.beforeTyping()
			}
			return keys.Read(b)
		}), Interactive: p.typed != "", Out: k.out, ErrOut: k.complaints,
		Width: func() int { return p.width }, Now: func() time.Time { return now },
	}
	args = append(args, "--kubeconfig", server.Kubeconfig, "--namespace", p.namespace)
	go func() {
		if p.wrap != nil {
			k.code <- kubectlmysql.ExecuteThrough(ctx, args, terminal, p.wrap)
		} else {
			k.code <- kubectlmysql.Execute(ctx, args, terminal)
		}
	}()
	return k
}

// reader is a function that is one.
type reader func([]byte) (int, error)

func (f reader) Read(b []byte) (int, error) { return f(b) }

// run runs a command to its end.
func (p *place) run(t *testing.T, args ...string) (code int, out, complaints string) {
	t.Helper()
	k := p.start(t.Context(), args...)
	code = <-k.code
	return code, k.out.String(), k.complaints.String()
}

// expect runs a command and compares all that comes of it.
func (p *place) expect(t *testing.T, code int, out, complaints string, args ...string) {
	t.Helper()
	gotCode, gotOut, gotComplaints := p.run(t, args...)
	if gotCode != code {
		t.Errorf("kubectl mysql %s: exit code %d, want %d", strings.Join(args, " "), gotCode, code)
	}
	differ(t, "the output", out, gotOut)
	differ(t, "the complaints", complaints, gotComplaints)
}

func differ(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (p *place) clusters(t *testing.T) typed.MysqlClusterInterface {
	t.Helper()
	client, err := versioned.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	return client.MysqlV1alpha1().MysqlClusters(p.namespace)
}

// read returns the cluster of a file of render's golden tests.
func (p *place) read(t *testing.T, file string) *v1alpha1.MysqlCluster {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("render", "testdata", file+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cluster := &v1alpha1.MysqlCluster{}
	if err := yaml.UnmarshalStrict([]byte(p.localize(text)), cluster); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// serve makes such a cluster on the server.
func (p *place) serve(t *testing.T, file string) *v1alpha1.MysqlCluster {
	t.Helper()
	cluster := p.read(t, file)
	cluster.ObjectMeta = metav1.ObjectMeta{Name: cluster.Name}
	status := cluster.Status
	cluster, err := p.clusters(t).Create(t.Context(), cluster, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Status = status
	if cluster, err = p.clusters(t).UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return cluster
}

func (p *place) get(t *testing.T) *v1alpha1.MysqlCluster {
	t.Helper()
	cluster, err := p.clusters(t).Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

// golden is a file of render's golden tests, as it is in this namespace.
func (p *place) golden(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("render", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return p.localize(text)
}

func (p *place) localize(text []byte) string {
	return strings.ReplaceAll(string(text), "default", p.namespace)
}

// output is what a command prints, while it prints.
type output struct {
	lock    sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.String()
}

// waitFor returns when the text has been printed.
func (o *output) waitFor(t *testing.T, text string) {
	t.Helper()
	for {
		o.lock.Lock()
		found, changed := strings.Contains(o.text.String(), text), o.changed
		o.lock.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-time.After(time.Minute): // far more than it takes
			t.Fatalf("%q was not printed, but\n%s", text, o)
		}
	}
}
