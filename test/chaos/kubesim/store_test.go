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

package kubesim

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
)

var applied = metav1.ApplyOptions{FieldManager: "test", Force: true}

func newKube(t *testing.T) *Kube {
	t.Helper()
	kube, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return kube
}

func TestAppliedObjectsAreMadeAndOnlyChangesCount(t *testing.T) {
	kube := newKube(t)
	sets := kube.Client(nil).AppsV1().StatefulSets("ns")
	wanted := func(replicas int32) *appsv1ac.StatefulSetApplyConfiguration {
		return appsv1ac.StatefulSet("db", "ns").WithLabels(map[string]string{"a": "b"}).WithSpec(appsv1ac.StatefulSetSpec().WithReplicas(replicas))
	}
	changes := 0
	kube.OnChange(func() { changes++ })
	first, err := sets.Apply(t.Context(), wanted(2), applied)
	if err != nil {
		t.Fatal(err)
	}
	if first.UID == "" || first.ResourceVersion == "" || first.Generation != 1 || first.Labels["a"] != "b" {
		t.Errorf("made: %+v", first)
	}
	same, err := sets.Apply(t.Context(), wanted(2), applied)
	if err != nil || same.ResourceVersion != first.ResourceVersion || changes != 1 {
		t.Errorf("applied again, after %d changes: %v %+v", changes, err, same)
	}
	changed, err := sets.Apply(t.Context(), wanted(3), applied)
	if err != nil || changed.UID != first.UID || changed.Generation != 2 || changed.ResourceVersion == first.ResourceVersion || *changed.Spec.Replicas != 3 {
		t.Errorf("changed: %v %+v", err, changed)
	}
	changed.Status.ObservedGeneration = 2
	if status, err := sets.UpdateStatus(t.Context(), changed, metav1.UpdateOptions{}); err != nil || status.Generation != 2 {
		t.Errorf("a status is no other generation: %v %+v", err, status)
	}
	if _, err := sets.Update(t.Context(), first, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an outdated update: %v", err)
	}
}

func TestMetadataOfServicesCanBeSeen(t *testing.T) {
	kube := newKube(t)
	service := corev1ac.Service("db", "ns").WithLabels(map[string]string{"a": "b"})
	if _, err := kube.Client(nil).CoreV1().Services("ns").Apply(t.Context(), service, applied); err != nil {
		t.Fatal(err)
	}
	seen, err := kube.Metadata().Resource(corev1.SchemeGroupVersion.WithResource("services")).Namespace("ns").Get(t.Context(), "db", metav1.GetOptions{})
	if err != nil || seen.UID == "" || seen.Labels["a"] != "b" {
		t.Errorf("seen: %v %+v", err, seen)
	}
}

func TestPodsAreDeletedGracefullyOrAtOnce(t *testing.T) {
	kube := newKube(t)
	pods := kube.Client(nil).CoreV1().Pods("ns")
	pod, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "db-0"}, Spec: corev1.PodSpec{TerminationGracePeriodSeconds: ptr.To[int64](9)}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(types.UID("other"))}}
	if err := pods.Delete(t.Context(), "db-0", other); !apierrors.IsConflict(err) {
		t.Errorf("the deletion of another pod: %v", err)
	}
	if err := pods.Delete(t.Context(), "db-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	marked, err := pods.Get(t.Context(), "db-0", metav1.GetOptions{})
	if err != nil || marked.DeletionTimestamp == nil || *marked.DeletionGracePeriodSeconds != 9 || marked.UID != pod.UID {
		t.Errorf("marked: %v %+v", err, marked)
	}
	if err := pods.Delete(t.Context(), "db-0", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	if _, err := pods.Get(t.Context(), "db-0", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("without grace: %v", err)
	}
}

func TestPatchOfAnotherPodIsRefused(t *testing.T) {
	kube := newKube(t)
	pods := kube.Client(nil).CoreV1().Pods("ns")
	if _, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "db-0"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := func(text string) error {
		_, err := pods.Patch(t.Context(), "db-0", types.MergePatchType, []byte(text), metav1.PatchOptions{})
		return err
	}
	if err := patch(`{"metadata":{"uid":"other","labels":{"a":"b"}}}`); !apierrors.IsConflict(err) {
		t.Errorf("the patch of another pod: %v", err)
	}
	if err := patch(`{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Error(err)
	}
}

func TestGateStopsRequestsAndIsToldOfTheirEnd(t *testing.T) {
	kube := newKube(t)
	refuse, ended := false, 0
	pods := kube.Client(func(verb, resource string) (func(), error) {
		if refuse {
			return nil, errors.New("no: " + verb + " " + resource)
		}
		return func() { ended++ }, nil
	}).CoreV1().Pods("ns")
	if _, err := pods.List(t.Context(), metav1.ListOptions{}); err != nil || ended != 1 {
		t.Errorf("after %d ends: %v", ended, err)
	}
	refuse = true
	if _, err := pods.List(t.Context(), metav1.ListOptions{}); err == nil || err.Error() != "no: list pods" {
		t.Errorf("refused: %v", err)
	}
}
