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
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/apiservertest"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	typed "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/typed/mysql/v1alpha1"
)

// crashDir, when it is set, makes this test binary the server that TestKilledServerKeepsObjects kills.
const crashDir = "APISERVER_TEST_CRASH_DIR"

// server is shared by the tests of this package. Each works in a namespace of its own.
var server *apiservertest.Server

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if dir := os.Getenv(crashDir); dir != "" {
		return serveUntilKilled(dir)
	}
	dir, err := os.MkdirTemp("", "apiserver-test-")
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

// namespaces holds the namespace of each test, by its *testing.T: a test that is run again gets another.
var (
	namespaces     sync.Map
	namespacesMade atomic.Int64
)

// namespace is a namespace for the test alone.
func namespace(t *testing.T) string {
	name, found := namespaces.Load(t)
	if !found {
		name, _ = namespaces.LoadOrStore(t, fmt.Sprintf("test-%d", namespacesMade.Add(1)))
	}
	return name.(string)
}

func clusters(t *testing.T, config *rest.Config) typed.MysqlClusterInterface {
	t.Helper()
	client, err := versioned.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client.MysqlV1alpha1().MysqlClusters(namespace(t))
}

func dynamicClusters(t *testing.T) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(v1alpha1.SchemeGroupVersion.WithResource("mysqlclusters")).Namespace(namespace(t))
}

// newCluster is a valid cluster with some changes.
func newCluster(name string, changes ...func(*v1alpha1.MysqlCluster)) *v1alpha1.MysqlCluster {
	cluster := &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.MysqlClusterSpec{Replicas: ptr.To[int32](3), SecretName: "the-secret"},
	}
	for _, change := range changes {
		change(cluster)
	}
	return cluster
}

// create makes the cluster on the shared server.
func create(t *testing.T, cluster *v1alpha1.MysqlCluster) *v1alpha1.MysqlCluster {
	t.Helper()
	created, err := clusters(t, server.Config).Create(t.Context(), cluster, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}
