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
	"maps"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/operation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/install"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

func testScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	return scheme
}

// requestContext is the context of a request for our resource; the declarative validation learns from it what to validate.
func requestContext(subresource string) context.Context {
	ctx := genericapirequest.WithNamespace(context.Background(), metav1.NamespaceDefault)
	return genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{
		IsResourceRequest: true, APIGroup: mysql.GroupName, APIVersion: v1alpha1.SchemeGroupVersion.Version,
		Namespace: metav1.NamespaceDefault, Resource: "mysqlclusters", Subresource: subresource,
	})
}

func internalCluster(t *testing.T, changes ...func(*mysql.MysqlCluster)) *mysql.MysqlCluster {
	t.Helper()
	scheme := testScheme()
	versioned := &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: metav1.NamespaceDefault},
		Spec:       v1alpha1.MysqlClusterSpec{Replicas: ptr.To[int32](3), SecretName: "s", MysqlVersion: "9.7"},
	}
	scheme.Default(versioned)
	cluster := &mysql.MysqlCluster{}
	if err := scheme.Convert(versioned, cluster, nil); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(cluster)
	}
	return cluster
}

// stored is a cluster as it comes from the storage.
func stored(t *testing.T, changes ...func(*mysql.MysqlCluster)) *mysql.MysqlCluster {
	return internalCluster(t, append([]func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) {
		c.ResourceVersion, c.UID, c.Generation = "7", "some-uid", 4
		c.Status.Phase, c.Status.Term = "fine", 3
	}}, changes...)...)
}

func faults(errs field.ErrorList) []string {
	var fields []string
	for _, err := range errs {
		fields = append(fields, err.Field)
	}
	return fields
}

func TestPrepareForCreate(t *testing.T) {
	s := newStrategy(testScheme(), mysqlversion.Catalog{Default: "8.4", Versions: []mysqlversion.Version{{Name: "8.4", Image: "i"}, {Name: "9.7", Image: "i"}}})
	for wanted, filledIn := range map[string]string{"": "8.4", "9.7": "9.7"} {
		cluster := internalCluster(t, func(c *mysql.MysqlCluster) {
			c.Spec.MysqlVersion = wanted
			c.Status.Phase, c.Generation = "made up", 12
		})
		rest.FillObjectMetaSystemFields(cluster)
		if err := rest.BeforeCreate(s, requestContext(""), cluster); err != nil {
			t.Fatal(err)
		}
		if cluster.Spec.MysqlVersion != filledIn {
			t.Errorf("the version %q became %q, want %q", wanted, cluster.Spec.MysqlVersion, filledIn)
		}
		if cluster.Status.Phase != "" || cluster.Generation != 1 {
			t.Errorf("status %+v, generation %d", cluster.Status, cluster.Generation)
		}
	}
}

func TestPrepareForUpdate(t *testing.T) {
	s := newStrategy(testScheme(), mysqlversion.Builtin())
	cases := []struct {
		name       string
		change     func(*mysql.MysqlCluster)
		generation int64
	}{
		{"nothing", func(*mysql.MysqlCluster) {}, 4},
		{"a label", func(c *mysql.MysqlCluster) { c.Labels = map[string]string{"a": "b"} }, 4},
		{"the generation itself", func(c *mysql.MysqlCluster) { c.Generation = 99 }, 4},
		{"status", func(c *mysql.MysqlCluster) { c.Status.Phase = "overwritten" }, 4},
		{"an empty instead of no map", func(c *mysql.MysqlCluster) { c.Spec.MysqlConf = map[string]intstr.IntOrString{} }, 4},
		{"the version left out", func(c *mysql.MysqlCluster) { c.Spec.MysqlVersion = "" }, 4},
		{"spec", func(c *mysql.MysqlCluster) { c.Spec.ReadOnly = true }, 5},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cluster, old := stored(t, c.change), stored(t)
			if err := rest.BeforeUpdate(s, requestContext(""), cluster, old); err != nil {
				t.Fatal(err)
			}
			if cluster.Generation != c.generation {
				t.Errorf("the generation is %d, want %d", cluster.Generation, c.generation)
			}
			if cluster.Status.Phase != "fine" || cluster.Spec.MysqlVersion != "9.7" {
				t.Errorf("status %q, version %q", cluster.Status.Phase, cluster.Spec.MysqlVersion)
			}
		})
	}
}

func TestStatusUpdateTouchesStatusOnly(t *testing.T) {
	s := statusStrategy{newStrategy(testScheme(), mysqlversion.Builtin())}
	old := stored(t)
	cluster := stored(t, func(c *mysql.MysqlCluster) {
		c.Spec.ReadOnly, c.Spec.SecretName = true, ""
		c.Labels, c.Finalizers = map[string]string{"a": "b"}, []string{"a.example/b"}
		c.Status.Phase, c.Status.Term = "better", 4
	})
	if err := rest.BeforeUpdate(s, requestContext("status"), cluster, old); err != nil {
		t.Fatal(err)
	}
	if cluster.Spec.ReadOnly || cluster.Spec.SecretName != "s" || cluster.Labels != nil || cluster.Finalizers != nil || cluster.Generation != 4 {
		t.Errorf("more than status changed: %+v", cluster)
	}
	if cluster.Status.Phase != "better" || cluster.Status.Term != 4 {
		t.Errorf("status is %+v", cluster.Status)
	}
}

// The generated rules and those written by hand both have to be heard, on each way in.
func TestBothKindsOfValidationAreHeard(t *testing.T) {
	s := newStrategy(testScheme(), mysqlversion.Builtin())
	wrong := func(c *mysql.MysqlCluster) {
		c.Spec.Replicas = ptr.To[int32](100)
		c.Spec.MysqlVersion = "5.7"
	}
	want := []string{"spec.mysqlVersion", "spec.replicas"}

	ctx, cluster := requestContext(""), internalCluster(t, wrong)
	errs := s.ValidateDeclaratively(ctx, cluster, nil, s.Validate(ctx, cluster), operation.Create, s.DeclarativeValidationConfig(ctx, cluster, nil))
	if got := slices.Sorted(slices.Values(faults(errs))); !slices.Equal(got, want) {
		t.Errorf("on creation the faults are in %v, want %v", got, want)
	}
	rest.FillObjectMetaSystemFields(cluster)
	if err := rest.BeforeCreate(s, ctx, cluster); !apierrors.IsInvalid(err) {
		t.Errorf("the creation is not refused: %v", err)
	}
	for _, subresource := range []string{"", "scale"} {
		if err := rest.BeforeUpdate(s, requestContext(subresource), stored(t, wrong), stored(t)); !apierrors.IsInvalid(err) {
			t.Errorf("the update through %q is not refused: %v", subresource, err)
		}
	}
	// What was accepted once stays editable elsewhere.
	if err := rest.BeforeUpdate(s, requestContext(""), stored(t, wrong, func(c *mysql.MysqlCluster) { c.Spec.ReadOnly = true }), stored(t, wrong)); err != nil {
		t.Errorf("an old object can not be edited: %v", err)
	}

	status := statusStrategy{s}
	err := rest.BeforeUpdate(status, requestContext("status"), stored(t, func(c *mysql.MysqlCluster) { c.Status.Term = 1 }), stored(t))
	if !apierrors.IsInvalid(err) {
		t.Errorf("the rules of status are not heard: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	s := newStrategy(testScheme(), mysqlversion.Builtin())
	ctx := context.Background()
	if !s.NamespaceScoped() || s.AllowCreateOnUpdate(ctx) || !s.AllowUnconditionalUpdate(ctx) {
		t.Error("clusters are in namespaces, a PUT does not create, and may come without a resourceVersion")
	}
	if got := s.DefaultGarbageCollectionPolicy(ctx); got != rest.DeleteDependents {
		t.Errorf("by default, deletion does with dependents: %s", got)
	}
	for name, c := range map[string]struct {
		got  map[fieldpath.APIVersion]*fieldpath.Set
		want *fieldpath.Set
	}{
		"spec":   {s.GetResetFields(), fieldpath.NewSet(fieldpath.MakePathOrDie("status"))},
		"status": {statusStrategy{s}.GetResetFields(), fieldpath.NewSet(fieldpath.MakePathOrDie("metadata"), fieldpath.MakePathOrDie("spec"))},
	} {
		versions := slices.Collect(maps.Keys(c.got))
		if len(versions) != 1 || versions[0] != "mysql.presslabs.io/v1alpha1" || !c.got[versions[0]].Equals(c.want) {
			t.Errorf("%s resets %v", name, c.got)
		}
	}
}

func TestWarningsComeWithSpec(t *testing.T) {
	s := newStrategy(testScheme(), mysqlversion.Builtin())
	single := func(c *mysql.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](1) }
	if got := s.WarningsOnCreate(requestContext(""), internalCluster(t, single)); len(got) != 1 {
		t.Errorf("creating a single node warns of %q", got)
	}
	if got := s.WarningsOnUpdate(requestContext(""), stored(t, single), stored(t, single)); len(got) != 0 {
		t.Errorf("leaving a single node as it is warns of %q", got)
	}
	changed := stored(t, single)
	changed.Generation++
	if got := s.WarningsOnUpdate(requestContext(""), changed, stored(t, single)); len(got) != 1 {
		t.Errorf("changing a single node warns of %q", got)
	}
}
