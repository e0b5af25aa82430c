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

package mysqlcluster

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	auditapi "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// failoverStorage has the serving cluster in it.
func failoverStorage(t *testing.T) *Storage {
	t.Helper()
	storage := newStorage(t)
	wanted := serving(t)
	if _, err := storage.Cluster.Create(requestContext(""), internalCluster(t), rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := storage.Status.Update(requestContext("status"), "foo", rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
		cluster := old.DeepCopyObject().(*mysql.MysqlCluster)
		cluster.Status = wanted.Status
		return cluster, nil
	}), rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return storage
}

// graceful is a request as it is after defaulting.
func graceful() *mysql.MysqlFailover {
	return &mysql.MysqlFailover{Spec: mysql.MysqlFailoverSpec{Mode: mysql.FailoverGraceful}}
}

func recorded(t *testing.T, storage *Storage) *mysql.MysqlClusterOperation {
	t.Helper()
	obj, err := storage.Cluster.Get(requestContext(""), "foo", &metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return obj.(*mysql.MysqlCluster).Status.Operation
}

func TestFailoverAsksAdmissionFirst(t *testing.T) {
	storage := failoverStorage(t)
	ctx := genericapirequest.WithUser(requestContext("failover"), &user.DefaultInfo{Name: "alice"})
	no := errors.New("a policy forbids it")
	asked := func(_ context.Context, obj runtime.Object) error {
		if obj.(*mysql.MysqlFailover).Name != "foo" {
			t.Errorf("admission is asked about %+v", obj)
		}
		return no
	}
	if _, err := storage.Failover.Create(ctx, "foo", graceful(), asked, &metav1.CreateOptions{}); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if o := recorded(t, storage); o != nil {
		t.Errorf("recorded all the same: %+v", o)
	}
	// A status that the client made up is not looked at.
	request := graceful()
	request.Status.Operation = mysql.MysqlClusterOperation{Type: "x", RequestedBy: "bob"}
	request.Status.Steps = []string{"made up"}
	if _, err := storage.Failover.Create(ctx, "foo", request, rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if o := recorded(t, storage); o == nil || o.RequestedBy != "alice" || o.Type != mysql.OperationSwitchover || o.UID == "" {
		t.Errorf("recorded is %+v", o)
	}
}

func TestFailoverKnowsWhoAsks(t *testing.T) {
	storage := failoverStorage(t)
	if _, err := storage.Failover.Create(requestContext("failover"), "foo", graceful(), nil, &metav1.CreateOptions{}); !apierrors.IsInternalError(err) {
		t.Errorf("a request of nobody: got %v", err)
	}
	ctx := genericapirequest.WithUser(requestContext("failover"), &user.DefaultInfo{Name: "alice"})
	if _, err := storage.Failover.Create(ctx, "foo", &mysql.MysqlCluster{}, nil, &metav1.CreateOptions{}); !apierrors.IsBadRequest(err) {
		t.Errorf("a cluster instead of a request: got %v", err)
	}
	if o := recorded(t, storage); o != nil {
		t.Errorf("recorded all the same: %+v", o)
	}
}

// The audit log tells what was asked for even where it leaves out bodies. A dry run asks for nothing.
func TestFailoverIsAudited(t *testing.T) {
	storage := failoverStorage(t)
	logged := func(options *metav1.CreateOptions) string {
		ctx := audit.WithAuditContext(genericapirequest.WithUser(requestContext("failover"), &user.DefaultInfo{Name: "alice"}))
		if err := audit.AuditContextFrom(ctx).Init(audit.RequestAuditConfig{Level: auditapi.LevelMetadata}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := storage.Failover.Create(ctx, "foo", graceful(), rest.ValidateAllObjectFunc, options); err != nil {
			t.Fatal(err)
		}
		annotation, _ := audit.AuditContextFrom(ctx).GetEventAnnotation("failover.mysql.presslabs.io/recorded")
		return annotation
	}
	if got := logged(&metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); got != "" {
		t.Errorf("a dry run is logged as %q", got)
	}
	if got := logged(&metav1.CreateOptions{}); got != "Graceful Switchover from foo-mysql-0 to foo-mysql-1 in term 7" {
		t.Errorf("logged is %q", got)
	}
}

// Admission may take its time. What counts is the cluster after it.
func TestFailoverDecidesOnWhatIsStored(t *testing.T) {
	storage := failoverStorage(t)
	ctx := genericapirequest.WithUser(requestContext("failover"), &user.DefaultInfo{Name: "alice"})
	meanwhile := func(context.Context, runtime.Object) error {
		_, _, err := storage.Status.Update(requestContext("status"), "foo", rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
			cluster := old.DeepCopyObject().(*mysql.MysqlCluster)
			cluster.Status.Primary, cluster.Status.Term = "foo-mysql-1", 8
			cluster.Status.Nodes[0].Role, cluster.Status.Nodes[0].LagSeconds = mysql.NodeRoleReplica, ptr.To[int64](0)
			cluster.Status.Nodes[1].Role = mysql.NodeRolePrimary
			return cluster, nil
		}), rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{})
		return err
	}
	obj, err := storage.Failover.Create(ctx, "foo", graceful(), meanwhile, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if o := obj.(*mysql.MysqlFailover).Status.Operation; o.From != "foo-mysql-1" || o.To != "foo-mysql-0" {
		t.Errorf("decided on what is outdated: %+v", o)
	}
}
