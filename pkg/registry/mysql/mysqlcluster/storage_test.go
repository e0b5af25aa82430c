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
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistrytest "k8s.io/apiserver/pkg/registry/generic/testing"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/klog/v2/ktesting"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/etcd"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// newStorage makes the storage on an embedded etcd of its own.
func newStorage(t *testing.T) *Storage {
	t.Helper()
	_, ctx := ktesting.NewTestContext(t)
	server, err := etcd.Start(ctx, etcd.Options{DataDir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)

	scheme := testScheme()
	codecs := serializer.NewCodecFactory(scheme)
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	if !ok {
		t.Fatal("there is no protobuf")
	}
	codec := codecs.CodecForVersions(info.Serializer, codecs.UniversalDeserializer(), v1alpha1.SchemeGroupVersion, mysql.SchemeGroupVersion)
	config := storagebackend.NewDefaultConfig("/registry/mysql.presslabs.io", codec)
	config.Transport.ServerList = server.Endpoints()
	storage, err := NewStorage(scheme, generic.RESTOptions{
		StorageConfig: config.ForResource(mysql.Resource("mysqlclusters")), Decorator: generic.UndecoratedStorage,
		DeleteCollectionWorkers: 1, EnableGarbageCollection: true, ResourcePrefix: "mysqlclusters",
	}, mysqlversion.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.Cluster.Destroy)
	return storage
}

// The generic tester tries what all resources have to do. Each part wants an empty store.
func TestStore(t *testing.T) {
	parts := map[string]func(*testing.T, *genericregistrytest.Tester){
		"Create": func(t *testing.T, tester *genericregistrytest.Tester) {
			there := func(c *mysql.MysqlCluster) { c.Namespace = tester.TestNamespace() }
			tester.TestCreate(internalCluster(t, there), internalCluster(t, there, func(c *mysql.MysqlCluster) { c.Spec.SecretName = "" }))
		},
		"Update": func(t *testing.T, tester *genericregistrytest.Tester) {
			tester.TestUpdate(internalCluster(t), func(obj runtime.Object) runtime.Object {
				obj.(*mysql.MysqlCluster).Spec.ReadOnly = true
				return obj
			}, func(obj runtime.Object) runtime.Object {
				obj.(*mysql.MysqlCluster).Spec.Replicas = ptr.To[int32](-1)
				return obj
			})
		},
		"Delete": func(t *testing.T, tester *genericregistrytest.Tester) { tester.TestDelete(internalCluster(t)) },
		"Get":    func(t *testing.T, tester *genericregistrytest.Tester) { tester.TestGet(internalCluster(t)) },
		"List":   func(t *testing.T, tester *genericregistrytest.Tester) { tester.TestList(internalCluster(t)) },
		"Watch": func(t *testing.T, tester *genericregistrytest.Tester) {
			tester.TestWatch(internalCluster(t, func(c *mysql.MysqlCluster) { c.Labels = map[string]string{"a": "b"} }),
				[]labels.Set{{}, {"a": "b"}}, []labels.Set{{"a": "c"}, {"x": "y"}},
				[]fields.Set{{}, {"metadata.name": "foo"}}, []fields.Set{{"metadata.name": "bar"}})
		},
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			part(t, genericregistrytest.New(t, newStorage(t).Cluster.Store))
		})
	}
}

func TestSubresourcesShareTheStore(t *testing.T) {
	storage := newStorage(t)
	ctx := requestContext("")
	if _, err := storage.Cluster.Create(ctx, internalCluster(t), rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	update := func(change func(*mysql.MysqlCluster)) rest.UpdatedObjectInfo {
		return rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
			cluster := old.DeepCopyObject().(*mysql.MysqlCluster)
			change(cluster)
			return cluster, nil
		})
	}
	_, created, err := storage.Status.Update(requestContext("status"), "foo", update(func(c *mysql.MysqlCluster) {
		c.Status.Replicas, c.Status.Selector, c.Spec.ReadOnly = 2, "a=b", true
	}), rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, true, &metav1.UpdateOptions{})
	if err != nil || created {
		t.Fatalf("created %v, %v", created, err)
	}
	scale, err := storage.Scale.Get(ctx, "foo", &metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := scale.(*autoscalingv1.Scale); got.Spec.Replicas != 3 || got.Status.Replicas != 2 || got.Status.Selector != "a=b" {
		t.Errorf("the scale is %+v", got)
	}
	obj, err := storage.Cluster.Get(ctx, "foo", &metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if obj.(*mysql.MysqlCluster).Spec.ReadOnly {
		t.Error("an update of status changed spec")
	}
	_, _, err = storage.Status.Update(requestContext("status"), "other", update(func(*mysql.MysqlCluster) {}),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, true, &metav1.UpdateOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the status of no cluster: got %v, want not found", err)
	}
}
