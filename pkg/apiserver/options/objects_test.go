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
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

func TestCreateFillsInDefaults(t *testing.T) {
	got := create(t, newCluster("foo", func(c *v1alpha1.MysqlCluster) {
		c.Spec.Replicas = nil
		c.Status.Phase = "made up"
	}))
	if ptr.Deref(got.Spec.Replicas, 0) != 1 || ptr.Deref(got.Spec.ServerIDOffset, 0) != 100 {
		t.Errorf("defaults are missing: %+v", got.Spec)
	}
	if want := mysqlversion.Builtin().Default; got.Spec.MysqlVersion != want {
		t.Errorf("the version is %q, want the administrator's default %q", got.Spec.MysqlVersion, want)
	}
	if got.Generation != 1 {
		t.Errorf("the generation is %d", got.Generation)
	}
	if got.Status.Phase != "" {
		t.Errorf("the client's status was taken: %+v", got.Status)
	}
}

func TestGenerationFollowsSpecOnly(t *testing.T) {
	client := clusters(t, server.Config)
	create(t, newCluster("foo"))
	patches := []struct {
		name, patch string
		subresource []string
		want        int64
	}{
		{"label", `{"metadata":{"labels":{"a":"b"}}}`, nil, 1},
		{"spec", `{"spec":{"readOnly":true}}`, nil, 2},
		{"spec again", `{"spec":{"readOnly":true}}`, nil, 2},
		{"status", `{"status":{"phase":"fine"}}`, []string{"status"}, 2},
		{"scale", `{"spec":{"replicas":2}}`, []string{"scale"}, 3},
	}
	for _, p := range patches {
		if _, err := dynamicClusters(t).Patch(t.Context(), "foo", types.MergePatchType, []byte(p.patch), metav1.PatchOptions{}, p.subresource...); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		got, err := client.Get(t.Context(), "foo", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Generation != p.want {
			t.Errorf("after a patch of %s the generation is %d, want %d", p.name, got.Generation, p.want)
		}
	}
}

func TestStatusAndSpecAreApart(t *testing.T) {
	client := clusters(t, server.Config)
	cluster := create(t, newCluster("foo"))

	cluster.Status.Phase, cluster.Spec.ReadOnly = "fine", true
	cluster.Labels = map[string]string{"from": "status"}
	cluster, err := client.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if cluster.Status.Phase != "fine" || cluster.Spec.ReadOnly || cluster.Labels != nil {
		t.Errorf("an update of status left status %q, readOnly %v, labels %v", cluster.Status.Phase, cluster.Spec.ReadOnly, cluster.Labels)
	}

	cluster.Status.Phase, cluster.Spec.ReadOnly = "overwritten", true
	cluster, err = client.Update(t.Context(), cluster, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if cluster.Status.Phase != "fine" || !cluster.Spec.ReadOnly {
		t.Errorf("an update left status %q, readOnly %v", cluster.Status.Phase, cluster.Spec.ReadOnly)
	}
}

func TestReplaceWithoutResourceVersion(t *testing.T) {
	client := clusters(t, server.Config)
	created := create(t, newCluster("foo", func(c *v1alpha1.MysqlCluster) { c.Spec.MysqlVersion = "8.4" }))
	replaced, err := client.Update(t.Context(), newCluster("foo", func(c *v1alpha1.MysqlCluster) { c.Spec.ReadOnly = true }), metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !replaced.Spec.ReadOnly || replaced.UID != created.UID {
		t.Errorf("not replaced: %+v", replaced)
	}
	if replaced.Spec.MysqlVersion != "8.4" {
		t.Errorf("the version that the manifest leaves out became %q", replaced.Spec.MysqlVersion)
	}

	created.Spec.ReadOnly = false
	if _, err := client.Update(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an update with an old resourceVersion: got %v, want a conflict", err)
	}
	if _, err := client.Update(t.Context(), newCluster("other"), metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("an update of what is not there: got %v", err)
	}
}

func TestDeleteHonoursFinalizers(t *testing.T) {
	client := clusters(t, server.Config)
	create(t, newCluster("foo", func(c *v1alpha1.MysqlCluster) { c.Finalizers = []string{v1alpha1.FinalizerVolumes} }))
	if err := client.Delete(t.Context(), "foo", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)}); err != nil {
		t.Fatal(err)
	}
	cluster, err := client.Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatalf("gone in spite of its finalizer: %v", err)
	}
	if cluster.DeletionTimestamp == nil || !slices.Contains(cluster.Finalizers, metav1.FinalizerDeleteDependents) {
		t.Errorf("deletionTimestamp %v, finalizers %v", cluster.DeletionTimestamp, cluster.Finalizers)
	}
	cluster.Finalizers = nil
	if _, err := client.Update(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), "foo", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("without a finalizer: got %v, want not found", err)
	}
}

func TestDeleteCollectionHeedsSelectors(t *testing.T) {
	client := clusters(t, server.Config)
	for _, name := range []string{"a", "b", "c"} {
		create(t, newCluster(name, func(c *v1alpha1.MysqlCluster) { c.Labels = map[string]string{"name": name} }))
	}
	if err := client.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "name in (a,b)"}); err != nil {
		t.Fatal(err)
	}
	list, err := client.List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name!=x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Name != "c" {
		t.Errorf("left: %v", list.Items)
	}
}

func TestWatchTellsEachChange(t *testing.T) {
	client := clusters(t, server.Config)
	w, err := client.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	create(t, newCluster("foo"))
	if _, err := client.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"status":{"phase":"fine"}}`), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), "foo", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted} {
		event := <-w.ResultChan()
		if cluster, ok := event.Object.(*v1alpha1.MysqlCluster); !ok || event.Type != want || cluster.Name != "foo" {
			t.Fatalf("got %s %+v, want %s", event.Type, event.Object, want)
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	client := clusters(t, server.Config)
	got, err := client.Create(t.Context(), newCluster("foo"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
	if got.UID == "" || got.Spec.MysqlVersion == "" {
		t.Errorf("the answer is not what would have been made: %+v", got)
	}
	if _, err := client.Get(t.Context(), "foo", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run created the object: %v", err)
	}
	create(t, newCluster("foo"))
	dry := metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}
	for _, subresource := range []string{"", "scale"} {
		if _, err := dynamicClusters(t).Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), dry, subresource); err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := client.Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if *cluster.Spec.Replicas != 3 {
		t.Errorf("a dry run scaled to %d", *cluster.Spec.Replicas)
	}
}
