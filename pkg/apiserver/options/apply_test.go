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
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	applyv1alpha1 "github.com/presslabs/mysql-apiserver/pkg/generated/applyconfiguration/mysql/v1alpha1"
)

// managedFields is what the manager owns of the object, as JSON; empty if it owns nothing.
func managedFields(object metav1.Object, manager, subresource string) string {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == manager && entry.Subresource == subresource {
			return entry.FieldsV1.GetRawString()
		}
	}
	return ""
}

func TestApplyMergesAndDetectsConflicts(t *testing.T) {
	client := clusters(t, server.Config)
	ns := namespace(t)
	spec := func() *applyv1alpha1.MysqlClusterSpecApplyConfiguration {
		return applyv1alpha1.MysqlClusterSpec().WithSecretName("s").WithReplicas(3)
	}
	if _, err := client.Apply(t.Context(), applyv1alpha1.MysqlCluster("foo", ns).WithSpec(spec()), metav1.ApplyOptions{FieldManager: "one"}); err != nil {
		t.Fatal(err)
	}
	other := applyv1alpha1.MysqlCluster("foo", ns).WithSpec(applyv1alpha1.MysqlClusterSpec().WithReadOnly(true))
	got, err := client.Apply(t.Context(), other, metav1.ApplyOptions{FieldManager: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Spec.ReadOnly || *got.Spec.Replicas != 3 {
		t.Errorf("the two were not merged: %+v", got.Spec)
	}
	other.Spec.WithReplicas(5)
	if _, err := client.Apply(t.Context(), other, metav1.ApplyOptions{FieldManager: "two"}); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), ".spec.replicas") {
		t.Errorf("got %v, want a conflict about .spec.replicas", err)
	}
	// What one leaves out next time goes away.
	if _, err := client.Apply(t.Context(), applyv1alpha1.MysqlCluster("foo", ns), metav1.ApplyOptions{FieldManager: "two"}); err != nil {
		t.Fatal(err)
	}
	if got, err = client.Get(t.Context(), "foo", metav1.GetOptions{}); err != nil || got.Spec.ReadOnly {
		t.Errorf("readOnly is %v after its owner left it out (%v)", got.Spec.ReadOnly, err)
	}
}

func TestApplyOwnsOnlyWhatItsEndpointWrites(t *testing.T) {
	client := clusters(t, server.Config)
	create(t, newCluster("foo"))
	full := func() *applyv1alpha1.MysqlClusterApplyConfiguration {
		return applyv1alpha1.MysqlCluster("foo", namespace(t)).
			WithSpec(applyv1alpha1.MysqlClusterSpec().WithReadOnly(true)).
			WithStatus(applyv1alpha1.MysqlClusterStatus().WithPhase("fine"))
	}
	got, err := client.Apply(t.Context(), full(), metav1.ApplyOptions{FieldManager: "spec-writer"})
	if err != nil {
		t.Fatal(err)
	}
	if owned := managedFields(got, "spec-writer", ""); !strings.Contains(owned, "f:readOnly") || strings.Contains(owned, "f:status") {
		t.Errorf("who applies the main resource owns %s", owned)
	}
	got, err = client.ApplyStatus(t.Context(), full(), metav1.ApplyOptions{FieldManager: "status-writer"})
	if err != nil {
		t.Fatal(err)
	}
	if owned := managedFields(got, "status-writer", "status"); !strings.Contains(owned, "f:phase") || strings.Contains(owned, "f:spec") {
		t.Errorf("who applies status owns %s", owned)
	}
}

func TestApplyMergesNodesAndConditionsByKey(t *testing.T) {
	client := clusters(t, server.Config)
	create(t, newCluster("foo"))
	for _, name := range []string{"a", "b"} {
		status := applyv1alpha1.MysqlClusterStatus().WithNodes(applyv1alpha1.NodeStatus().WithName(name).WithRole(v1alpha1.NodeRoleReplica))
		if _, err := client.ApplyStatus(t.Context(), applyv1alpha1.MysqlCluster("foo", namespace(t)).WithStatus(status), metav1.ApplyOptions{FieldManager: name}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := client.Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Status.Nodes) != 2 {
		t.Errorf("the nodes of two managers were not merged: %+v", got.Status.Nodes)
	}
}

func TestScaleSpeaksForReplicas(t *testing.T) {
	client := clusters(t, server.Config)
	cluster := create(t, newCluster("foo"))
	cluster.Status.Replicas, cluster.Status.Selector = 2, "a=b"
	if _, err := client.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	scale, err := client.GetScale(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if scale.Spec.Replicas != 3 || scale.Status != (autoscalingv1.ScaleStatus{Replicas: 2, Selector: "a=b"}) || scale.UID != cluster.UID {
		t.Errorf("got %+v", scale)
	}

	scale.Spec.Replicas = 5
	if scale, err = client.UpdateScale(t.Context(), "foo", scale, metav1.UpdateOptions{FieldManager: "scaler"}); err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if *got.Spec.Replicas != 5 || scale.Spec.Replicas != 5 {
		t.Errorf("scaled to %d, the answer says %d", *got.Spec.Replicas, scale.Spec.Replicas)
	}
	if owned := managedFields(got, "scaler", "scale"); owned != `{"f:spec":{"f:replicas":{}}}` {
		t.Errorf("who scales owns %q", owned)
	}
	// An owner by apply has to give way on purpose, even to scale.
	_, err = client.Apply(t.Context(), applyv1alpha1.MysqlCluster("foo", namespace(t)).WithSpec(applyv1alpha1.MysqlClusterSpec().WithReplicas(1)), metav1.ApplyOptions{FieldManager: "applier"})
	if !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict with the scaler", err)
	}
}

func TestScaleRefusesWhatTheClusterWould(t *testing.T) {
	client := clusters(t, server.Config)
	create(t, newCluster("foo"))
	for _, replicas := range []int32{-1, 33} {
		_, err := client.UpdateScale(t.Context(), "foo", &autoscalingv1.Scale{
			ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: namespace(t)}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
		}, metav1.UpdateOptions{})
		if got := causes(t, err); len(got) != 1 || got[0] != "spec.replicas" {
			t.Errorf("scale to %d: the faults are in %v", replicas, got)
		}
	}
	scale, err := client.GetScale(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	scale.UID = "another"
	if _, err := client.UpdateScale(t.Context(), "foo", scale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("another UID: got %v, want a conflict", err)
	}
	scale.UID, scale.ResourceVersion = "", "1"
	if _, err := client.UpdateScale(t.Context(), "foo", scale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an old resourceVersion: got %v, want a conflict", err)
	}
	if _, err := client.GetScale(t.Context(), "other", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the scale of no cluster: got %v", err)
	}
	scale.Name, scale.ResourceVersion = "other", ""
	if _, err := client.UpdateScale(t.Context(), "other", scale, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("scaling no cluster: got %v", err)
	}
}

func TestPatchesOfAllTypes(t *testing.T) {
	client := clusters(t, server.Config)
	create(t, newCluster("foo"))
	patches := map[types.PatchType]string{
		types.MergePatchType:          `{"spec":{"replicas":4}}`,
		types.JSONPatchType:           `[{"op":"replace","path":"/spec/replicas","value":4}]`,
		types.StrategicMergePatchType: `{"spec":{"replicas":4}}`,
		types.ApplyYAMLPatchType:      "apiVersion: mysql.presslabs.io/v1alpha1\nkind: MysqlCluster\nspec: {replicas: 4}",
	}
	for kind, patch := range patches {
		options := metav1.PatchOptions{FieldManager: "test"}
		if kind == types.ApplyYAMLPatchType {
			options.Force = new(bool)
			*options.Force = true
		}
		got, err := client.Patch(t.Context(), "foo", kind, []byte(patch), options)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if *got.Spec.Replicas != 4 {
			t.Errorf("%s: replicas is %d", kind, *got.Spec.Replicas)
		}
		if _, err := client.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
