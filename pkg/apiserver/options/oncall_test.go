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
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/options"
	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

// shippedRoles are ClusterRoles of artifacts, by the user who has them and nothing else.
type shippedRoles map[string]*rbacv1.ClusterRole

// authorize allows what the roles do, as Kubernetes' RBAC would. Administrators may do everything.
func (roles shippedRoles) authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if slices.Contains(a.GetUser().GetGroups(), "system:masters") {
		return authorizer.DecisionAllow, "", nil
	}
	resource := a.GetResource()
	if a.GetSubresource() != "" {
		resource += "/" + a.GetSubresource()
	}
	if role := roles[a.GetUser().GetName()]; role != nil && a.IsResourceRequest() {
		for _, rule := range role.Rules {
			if slices.Contains(rule.APIGroups, a.GetAPIGroup()) && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, a.GetVerb()) {
				return authorizer.DecisionAllow, "", nil
			}
		}
	}
	return authorizer.DecisionNoOpinion, "no role allows it", nil
}

// startWithRoles runs a server of its own until the test ends. It returns the configuration of its administrator, and its directory.
func startWithRoles(t *testing.T, roles shippedRoles) (*rest.Config, string) {
	t.Helper()
	o := options.NewStandalone()
	o.DataDir = t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	running, err := o.NewServerWithAuthorizer(ctx, authorizer.AuthorizerFunc(roles.authorize))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ready := make(chan struct{})
	if err := running.WhenReady(func() { close(ready) }); err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the API server failed: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the API server ended while it started: %v", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", running.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config, o.DataDir
}

// The one on call needs no other right than the one to create mysqlclusters/failover; and nobody has that by way of editing clusters.
func TestRightToFailOverSufficesAlone(t *testing.T) {
	admin, dir := startWithRoles(t, shippedRoles{
		"oncall": manifest[rbacv1.ClusterRole](t, "user-roles.yaml", "ClusterRole", "mysql-failover"),
		"editor": manifest[rbacv1.ClusterRole](t, "user-roles.yaml", "ClusterRole", "mysql-edit"),
	})
	pki := filepath.Join(dir, "pki")
	cert, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(pki, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := certs.LoadCA(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, admin, "foo")

	editor := clusters(t, withCertificate(t, admin, ca, "editor"))
	if _, err := editor.Failover(t.Context(), "foo", &v1alpha1.MysqlFailover{}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("who edits clusters: got %v, want forbidden", err)
	}
	oncall := clusters(t, withCertificate(t, admin, ca, "oncall"))
	if _, err := oncall.Get(t.Context(), "foo", metav1.GetOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("get: got %v, want forbidden", err)
	}
	if _, err := oncall.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"status":{"operation":null}}`), metav1.PatchOptions{}, "status"); !apierrors.IsForbidden(err) {
		t.Errorf("patch of status: got %v, want forbidden", err)
	}
	answer, err := oncall.Failover(t.Context(), "foo", &v1alpha1.MysqlFailover{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := clusters(t, admin).Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if o := cluster.Status.Operation; o == nil || o.RequestedBy != "oncall" || o.UID != answer.Status.Operation.UID {
		t.Errorf("recorded is %+v", o)
	}
}
