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

package deploy

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// Names in the product's manifests.
const (
	// Namespace is where the product runs.
	Namespace = "mysql-system"
	// APIService is the name of its registration.
	APIService = "v1alpha1.mysql.presslabs.io"
	// clusterKind is the kind of object that is waited for in the example.
	clusterKind = "MysqlCluster"
)

var (
	nodes        = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	accounts     = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	statefulSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	apiServices  = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	clusters     = schema.GroupVersionResource{Group: "mysql.presslabs.io", Version: "v1alpha1", Resource: "mysqlclusters"}
)

//go:embed cluster.yaml
var clusterManifest []byte

// Client deploys as the administrator.
type Client struct {
	layout  layout.Layout
	dynamic dynamic.Interface
	typed   kubernetes.Interface
}

// NewClient reads the administrator's kubeconfig; nothing is sent yet.
func NewClient(l layout.Layout) (*Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1 // one user, on one machine
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	t, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Client{layout: l, dynamic: d, typed: t}, nil
}

// Ready returns nil when the API server is ready.
func (c *Client) Ready(ctx context.Context) error {
	return c.typed.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// Cluster applies what every local cluster has.
func (c *Client) Cluster(ctx context.Context) error {
	_, err := c.kubectl(ctx, bytes.NewReader(clusterManifest), "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// Product applies the manifests of the repository with the given tag of the image.
func (c *Client) Product(ctx context.Context, image, tag string) error {
	dir := c.layout.Kube("deploy")
	text, err := Kustomization(dir, Manifests(c.layout), image, tag)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), text, 0o644); err != nil {
		return err
	}
	_, err = c.kubectl(ctx, nil, "apply", "--server-side", "--force-conflicts", "-k", dir)
	return err
}

// Manifests is the directory of the product's manifests for a local Kubernetes.
func Manifests(l layout.Layout) string { return filepath.Join(l.Repo, "artifacts", "local") }

// Example applies a file, unless the clusters that it describes are there: a cluster that its user has changed stays as it is. It returns the
// clusters' names as namespace/name.
func (c *Client) Example(ctx context.Context, file string) (names []string, created bool, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, false, err
	}
	objects, err := decode(data)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", file, err)
	}
	missing := false
	for _, o := range objects {
		if o.GetKind() != clusterKind {
			continue
		}
		if o.GetNamespace() == "" {
			o.SetNamespace(metav1.NamespaceDefault)
		}
		names = append(names, o.GetNamespace()+"/"+o.GetName())
		_, err := c.dynamic.Resource(clusters).Namespace(o.GetNamespace()).Get(ctx, o.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			missing = true
		} else if err != nil {
			return nil, false, fmt.Errorf("look for the cluster %s: %w", o.GetName(), err)
		}
	}
	if !missing {
		return names, false, nil
	}
	_, err = c.kubectl(ctx, nil, "apply", "--server-side", "-f", file)
	return names, true, err
}

// Show returns what kubectl prints of the clusters.
func (c *Client) Show(ctx context.Context) (string, error) {
	return c.kubectl(ctx, nil, "get", "mysqlclusters", "--all-namespaces")
}

func decode(data []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if o.Object != nil {
			objects = append(objects, o)
		}
	}
}

// kubectl runs the kubectl that people use too.
func (c *Client) kubectl(ctx context.Context, in io.Reader, args ...string) (string, error) {
	args = append([]string{"--kubeconfig=" + c.layout.Kubeconfig(), "--cache-dir=" + c.layout.Kube("run", "kubectl-cache")}, args...)
	cmd := exec.CommandContext(ctx, c.layout.Bin("kubectl"), args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args[2:], " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}
