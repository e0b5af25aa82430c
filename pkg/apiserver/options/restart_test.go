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

package options_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/presslabs/mysql-apiserver/pkg/apiserver/apiservertest"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/options"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
)

func TestObjectsAreProtobufInEtcd(t *testing.T) {
	create(t, newCluster("foo"))
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"unix://" + filepath.Join(server.DataDir, "etcd", "sockets", "client.sock")}, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	key := "/registry/mysql.presslabs.io/mysqlclusters/" + namespace(t) + "/foo"
	got, err := client.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Kvs) != 1 {
		t.Fatalf("nothing is stored at %s", key)
	}
	value := got.Kvs[0].Value
	if !bytes.HasPrefix(value, []byte("k8s\x00")) {
		t.Errorf("the stored object starts with %q", value[:min(8, len(value))])
	}
	if !bytes.Contains(value, []byte("mysql.presslabs.io/v1alpha1")) {
		t.Error("the stored object does not tell its version")
	}
}

func TestRestartKeepsObjectsAndUsers(t *testing.T) {
	dir := t.TempDir()
	first, err := apiservertest.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	made, err := clusters(t, first.Config).Create(t.Context(), newCluster("foo"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second, err := apiservertest.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
	}()
	// The old client goes on, at the new address.
	config := *first.Config
	config.Host = second.Config.Host
	got, err := clusters(t, &config).Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.UID != made.UID || got.ResourceVersion != made.ResourceVersion {
		t.Errorf("got %v, want %v", got.ObjectMeta, made.ObjectMeta)
	}
}

func TestSecondServerOnTheSameDataIsRefused(t *testing.T) {
	o := options.NewStandalone()
	o.DataDir = server.DataDir
	before, err := os.ReadFile(server.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.NewServer(t.Context()); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
	after, err := os.ReadFile(server.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("the refused server changed the kubeconfig of the running one")
	}
}

func TestKilledServerKeepsObjects(t *testing.T) {
	dir := t.TempDir()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), crashDir+"="+dir)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	// The process tells each object that the server acknowledged. Kill it in the middle.
	last := -1
	for {
		var n int
		if _, err := fmt.Fscanln(out, &n); err != nil {
			break
		}
		if last = n; n == 20 {
			if err := process.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = process.Wait()
	if last < 20 {
		t.Fatalf("the server ended by itself after object %d", last)
	}

	again, err := apiservertest.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := again.Stop(); err != nil {
			t.Error(err)
		}
	}()
	client, err := versioned.NewForConfig(again.Config)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.MysqlV1alpha1().MysqlClusters("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, cluster := range list.Items {
		found[cluster.Name] = true
	}
	for n := range last + 1 {
		if name := fmt.Sprintf("c%d", n); !found[name] {
			t.Errorf("the acknowledged object %s is lost", name)
		}
	}
}

// serveUntilKilled runs a server as a user would, and tells each object that it acknowledged.
func serveUntilKilled(dir string) int {
	ctx := context.Background()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := options.NewStandalone()
	o.DataDir = dir
	s, err := o.NewServer(ctx)
	if err != nil {
		return fail(err)
	}
	created := make(chan error, 1)
	err = s.WhenReady(func() {
		config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
		if err != nil {
			created <- err
			return
		}
		config.QPS = -1
		client, err := versioned.NewForConfig(config)
		for n := 0; err == nil; n++ {
			if _, err = client.MysqlV1alpha1().MysqlClusters("default").Create(ctx, newCluster(fmt.Sprintf("c%d", n)), metav1.CreateOptions{}); err == nil {
				fmt.Println(n)
			}
		}
		created <- err
	})
	if err != nil {
		return fail(err)
	}
	go func() { os.Exit(fail(<-created)) }()
	return fail(s.Run(ctx))
}
