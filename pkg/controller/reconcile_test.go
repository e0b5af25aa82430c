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

package controller

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

func TestMissingSecretIsToldAndPickedUpWhenItAppears(t *testing.T) {
	h := newHarness(t, newCluster())
	h.mustReconcile()
	if got := h.condition(v1alpha1.ConditionSecretReady); got.Status != metav1.ConditionFalse || !strings.Contains(got.Message, "create it with the key ROOT_PASSWORD") {
		t.Errorf("the condition is %+v", got)
	}
	if phase := h.cluster().Status.Phase; !strings.Contains(phase, "the Secret the-secret does not exist in namespace shop") {
		t.Errorf("the phase is %q", phase)
	}
	if h.set() != nil {
		t.Error("a StatefulSet exists whose pods can not start")
	}

	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: nil})
	h.advance(missingInterval)
	h.mustReconcile()
	if got := h.condition(v1alpha1.ConditionSecretReady); !strings.Contains(got.Message, "lacks the key ROOT_PASSWORD, or it is empty") {
		t.Errorf("the condition is %+v", got)
	}

	secret, err := h.kube.CoreV1().Secrets(namespace).Get(h.ctx, "the-secret", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret.Data = map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("x"), v1alpha1.SecretKeyUser: []byte("u"), v1alpha1.SecretKeyPassword: []byte("p")}
	if _, err := h.kube.CoreV1().Secrets(namespace).Update(h.ctx, secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.advance(missingInterval)
	h.mustReconcile()
	if got := h.condition(v1alpha1.ConditionSecretReady); got.Status != metav1.ConditionTrue {
		t.Errorf("the condition is %+v", got)
	}
	if h.set() == nil {
		t.Error("there is no StatefulSet although the Secret is complete")
	}
}

func TestSecretThatCannotBeReadIsUnknown(t *testing.T) {
	h := newHarness(t, newCluster())
	h.fail("get", "secrets", errors.New("not now"))
	if err := h.reconcile(); err == nil {
		t.Error("nothing was said")
	}
	if got := h.condition(v1alpha1.ConditionSecretReady); got.Status != metav1.ConditionUnknown {
		t.Errorf("the condition is %+v", got)
	}
}

func TestRefusalBehindAConflictIsReported(t *testing.T) {
	h := newHarness(t, newCluster())
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	for resource, err := range map[string]error{
		"services":     apierrors.NewConflict(schema.GroupResource{Resource: "services"}, "a", errors.New("changed")),
		"statefulsets": apierrors.NewForbidden(schema.GroupResource{Resource: "statefulsets"}, "b", errors.New("no right")),
	} {
		h.fail("patch", resource, err)
	}
	if err := h.reconcile(); err == nil || isConflict(err) {
		t.Errorf("the error is %v", err)
	}
	if got := h.condition(v1alpha1.ConditionReconciled); got.Status != metav1.ConditionFalse || !strings.Contains(got.Message, "no right") {
		t.Errorf("the condition is %+v", got)
	}
}

func TestSecretsOfOurOwnAreMadeOnce(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	secret := func(name string) *corev1.Secret {
		s, err := h.kube.CoreV1().Secrets(namespace).Get(h.ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	names := []string{workload.OperatedSecretName(name), workload.CASecretName(name), workload.TLSSecretName(name)}
	before := map[string]*corev1.Secret{}
	for _, n := range names {
		before[n] = secret(n)
	}
	h.advance(secretsInterval)
	h.mustReconcile()
	for _, n := range names {
		for key, value := range before[n].Data {
			if string(secret(n).Data[key]) != string(value) {
				t.Errorf("%s of %s was made anew", key, n)
			}
		}
	}

	// Two thirds of the certificate's year are over.
	h.advance(leafValidity * 3 / 4)
	h.mustReconcile()
	if string(secret(names[2]).Data[corev1.TLSCertKey]) == string(before[names[2]].Data[corev1.TLSCertKey]) {
		t.Error("the certificate was not renewed")
	}
	if string(secret(names[1]).Data[workload.CACertKey]) != string(before[names[1]].Data[workload.CACertKey]) {
		t.Error("the authority was made anew")
	}
}

// TestDecisionIsStoredBeforeItsOrder guards safety rule 2.
func TestDecisionIsStoredBeforeItsOrder(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	h.report(0, api.State{Phase: api.PhaseEmpty, Sequence: 1})

	h.fail("update", "mysqlclusters", errors.New("the API server is down"))
	if err := h.reconcile(); err == nil {
		t.Error("the status could not be written, and nothing was said")
	}
	h.noOrder()

	h.fail("update", "mysqlclusters", nil)
	h.mustReconcile()
	got := h.order()
	if got.addr != addr(0) || got.order.Kind != api.OrderInitialize || got.order.Term != 1 || got.order.ClusterUID != "cluster-uid" {
		t.Errorf("the order is %+v", got)
	}
	if got.status.Primary != workload.NodeName(name, 0) || got.status.Term != 1 {
		t.Errorf("when the order was sent, the status was %+v", got.status)
	}

	h.report(0, api.State{Phase: api.PhaseRunning, HasData: true, SuperReadOnly: true, Term: 1, ClusterUID: "cluster-uid", Sequence: 2,
		ServerUUID: "3e11fa47-71ca-11e1-9e33-c80aa9429562"})
	h.mustReconcile()
	got = h.order()
	if got.order.Kind != api.OrderPromote || got.status.InitializedAt == nil {
		t.Errorf("the order is %+v, sent with the status %+v", got.order, got.status)
	}
}

func TestPrimaryLabelMovesInOneReconciliation(t *testing.T) {
	cluster := newCluster()
	cluster.Status.InitializedAt = ptr.To(metav1.Now())
	cluster.Status.Primary, cluster.Status.Term = workload.NodeName(name, 1), 2
	h := newHarness(t, cluster)
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	h.mustReconcile()
	h.runPods()
	old, err := h.kube.CoreV1().Pods(namespace).Get(h.ctx, workload.NodeName(name, 0), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old.Labels[v1alpha1.LabelRole] = v1alpha1.RoleLabelPrimary
	if _, err := h.kube.CoreV1().Pods(namespace).Update(h.ctx, old, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.cached()
	h.kube.ClearActions()
	h.mustReconcile()
	var patched []string
	for _, action := range h.kube.Actions() {
		if patch, ok := action.(clienttesting.PatchAction); ok && action.GetResource().Resource == "pods" {
			patched = append(patched, patch.GetName()+" "+string(patch.GetPatch()))
		}
	}
	slices.Sort(patched)
	if len(patched) != 2 || !strings.HasPrefix(patched[0], workload.NodeName(name, 0)) || !strings.Contains(patched[0], `"mysql.presslabs.io/role":"replica"`) ||
		!strings.Contains(patched[1], `"mysql.presslabs.io/role":"primary"`) {
		t.Errorf("the patches are %q", patched)
	}
}

func TestSilentNodeKeepsItsHealthLabel(t *testing.T) {
	cluster := newCluster()
	cluster.Status.InitializedAt = ptr.To(metav1.Now())
	cluster.Status.Primary, cluster.Status.Term = workload.NodeName(name, 0), 1
	h := newHarness(t, cluster)
	h.running()
	if _, labelled := h.pod(0).Labels[v1alpha1.LabelHealthy]; labelled {
		t.Error("the health of a node that never reported is labelled")
	}
	h.report(0, api.State{Phase: api.PhaseStarting, HasData: true, Sequence: 1})
	h.mustReconcile()
	if got := h.pod(0).Labels[v1alpha1.LabelHealthy]; got != "no" {
		t.Errorf("a node that starts is labelled %q", got)
	}
}

func (h *harness) pod(ordinal int) *corev1.Pod {
	h.t.Helper()
	pod, err := h.kube.CoreV1().Pods(namespace).Get(h.ctx, workload.NodeName(name, ordinal), metav1.GetOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return pod
}

func TestDeletionTakesTheVolumesOfTheClusterOnly(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	stranger := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Name: "data-db-mysql-7", Namespace: namespace, UID: "stranger", Labels: map[string]string{v1alpha1.LabelCluster: name},
		Annotations: map[string]string{workload.AnnotationClusterUID: "an earlier cluster"},
	}}
	if _, err := h.kube.CoreV1().PersistentVolumeClaims(namespace).Create(h.ctx, stranger, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(h.cluster().Finalizers, v1alpha1.FinalizerVolumes) {
		t.Fatal("the cluster has no finalizer")
	}
	h.markDeleted(false)
	h.mustReconcile()
	if got := h.claims(); !slices.Equal(got, []string{"data-db-mysql-7"}) {
		t.Errorf("these claims are left: %v", got)
	}
	if h.set() != nil {
		t.Error("the StatefulSet is left, and would make new claims")
	}
	if slices.Contains(h.cluster().Finalizers, v1alpha1.FinalizerVolumes) {
		t.Error("the finalizer was not removed")
	}
}

func TestDeletionKeepsVolumesIfAskedTo(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	h.markDeleted(true)
	h.mustReconcile()
	if got := h.claims(); len(got) != 2 {
		t.Errorf("these claims are left: %v", got)
	}
	if len(h.cluster().Finalizers) > 0 {
		t.Error("the finalizer was not removed")
	}
}

// TestFinalizerStaysWhileKubernetesDoesNotAnswer: what was not deleted is not let go of.
func TestFinalizerStaysWhileKubernetesDoesNotAnswer(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	h.markDeleted(false)
	h.fail("delete", "persistentvolumeclaims", errors.New("not now"))
	if err := h.reconcile(); err == nil {
		t.Error("the claims could not be deleted, and nothing was said")
	}
	if len(h.cluster().Finalizers) == 0 {
		t.Error("the cluster was let go with its claims undeleted")
	}
}

func (h *harness) claims() []string {
	h.t.Helper()
	claims, err := h.kube.CoreV1().PersistentVolumeClaims(namespace).List(h.ctx, metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, claim := range claims.Items {
		names = append(names, claim.Name)
	}
	return names
}

func (h *harness) markDeleted(keep bool) {
	h.t.Helper()
	cluster := h.cluster()
	cluster.DeletionTimestamp = ptr.To(metav1.Now())
	cluster.Spec.VolumeSpec.KeepAfterDelete = keep
	if _, err := h.mysql.MysqlV1alpha1().MysqlClusters(namespace).Update(h.ctx, cluster, metav1.UpdateOptions{}); err != nil {
		h.t.Fatal(err)
	}
}

func TestObjectOfAnotherControllerIsLeftAloneAndReported(t *testing.T) {
	h := newHarness(t, newCluster())
	set := typedSet("somebody")
	if _, err := h.kube.AppsV1().StatefulSets(namespace).Create(h.ctx, set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	if err := h.reconcile(); err == nil {
		t.Error("nothing was said")
	}
	if got := h.set(); got.Spec.ServiceName != "theirs" {
		t.Errorf("the StatefulSet of another controller was changed: %+v", got.Spec)
	}
	if got := h.condition(v1alpha1.ConditionReconciled); got.Status != metav1.ConditionFalse || !strings.Contains(got.Message, "not the cluster's") {
		t.Errorf("the condition is %+v", got)
	}
}

func TestStatusIsNotWrittenForEachTransaction(t *testing.T) {
	cluster := newCluster()
	cluster.Spec.Replicas = ptr.To[int32](1)
	h := newHarness(t, cluster)
	h.running()
	state := api.State{Phase: api.PhaseRunning, HasData: true, Term: 1, Role: api.RolePrimary, ClusterUID: "cluster-uid",
		ServerUUID: "3e11fa47-71ca-11e1-9e33-c80aa9429562", GTIDExecuted: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"}
	h.report(0, api.State{Phase: api.PhaseEmpty, Sequence: 1})
	h.mustReconcile()
	for seq, gtids := range []string{"1-5", "1-6"} {
		state.Sequence, state.GTIDExecuted = int64(seq+2), state.ServerUUID+":"+gtids
		h.report(0, state)
		h.mustReconcile()
	}
	if got := h.cluster().Status.Nodes[0].GTIDExecuted; !strings.HasSuffix(got, ":1-5") {
		t.Errorf("the status was written for one transaction: %s", got)
	}
	h.advance(progressWriteInterval + time.Second)
	h.mustReconcile()
	if got := h.cluster().Status.Nodes[0].GTIDExecuted; !strings.HasSuffix(got, ":1-6") {
		t.Errorf("the status stays behind: %s", got)
	}
	if got := h.condition(v1alpha1.ConditionReady); got.Status != metav1.ConditionTrue {
		t.Errorf("a single node that takes writes is not ready: %+v", got)
	}
}

// A controller that has just been started knows nothing yet, and says nothing.
func TestStatusStaysWhileTheControllerBeginsToListen(t *testing.T) {
	cluster := newCluster()
	cluster.Status.InitializedAt = ptr.To(metav1.Now())
	cluster.Status.Primary, cluster.Status.Term, cluster.Status.Phase = workload.NodeName(name, 0), 1, "as before"
	h := newHarness(t, cluster)
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	h.mustReconcile()
	h.runPods()
	for i := range 2 {
		pod := h.pod(i)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		if _, err := h.kube.CoreV1().Pods(namespace).UpdateStatus(h.ctx, pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	before := h.cluster().Status
	h.mustReconcile()
	if after := h.cluster().Status; after.Phase != before.Phase || after.ReadyNodes != before.ReadyNodes || len(after.Nodes) != len(before.Nodes) {
		t.Errorf("the status has become %+v", after)
	}
	h.advance(listenTime)
	h.mustReconcile()
	if got := h.condition(v1alpha1.ConditionReady); got.Status != metav1.ConditionFalse || got.Reason != "PrimaryNotReady" {
		t.Errorf("nodes that stay silent are not told of: %+v", got)
	}
}

func TestPodOfAnotherStatefulSetIsNoNode(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	foreign := h.pod(0)
	foreign.OwnerReferences[0].UID = types.UID("other-set")
	if _, err := h.kube.CoreV1().Pods(namespace).Update(h.ctx, foreign, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.mustReconcile()
	if got := h.cluster().Status.Replicas; got != 1 {
		t.Errorf("%d nodes are counted", got)
	}
}
