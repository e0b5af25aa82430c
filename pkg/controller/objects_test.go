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
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

var (
	secretsResource      = corev1.SchemeGroupVersion.WithResource("secrets")
	statefulSetsResource = appsv1.SchemeGroupVersion.WithResource("statefulsets")
)

// stored is the object as the API server has it.
func (h *harness) stored(resource schema.GroupVersionResource, name string) runtime.Object {
	h.t.Helper()
	object, err := h.kube.Tracker().Get(resource, namespace, name)
	if err != nil {
		h.t.Fatal(err)
	}
	return object
}

func (h *harness) store(resource schema.GroupVersionResource, object runtime.Object) {
	h.t.Helper()
	if err := h.kube.Tracker().Create(resource, object, namespace); err != nil {
		h.t.Fatal(err)
	}
}

// requests counts the requests that were made.
func (h *harness) requests(verb, resource string) int {
	n := 0
	for _, action := range h.kube.Actions() {
		if action.Matches(verb, resource) {
			n++
		}
	}
	return n
}

func TestObjectOfNobodyIsLeftAloneAndReported(t *testing.T) {
	their := func(name string, labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: namespace, UID: "theirs", Labels: labels}
	}
	helm, another := map[string]string{"app.kubernetes.io/managed-by": "Helm"}, map[string]string{v1alpha1.LabelCluster: "another"}
	set := workload.StatefulSetName(name)
	for what, test := range map[string]struct {
		resource schema.GroupVersionResource
		object   runtime.Object
	}{
		"Service": {servicesResource, &corev1.Service{
			ObjectMeta: their(workload.AllServiceName(name), helm), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "old"}},
		}},
		"Service of another cluster": {servicesResource, &corev1.Service{ObjectMeta: their(workload.PrimaryServiceName(name), another)}},
		"ConfigMap":                  {configMapsResource, &corev1.ConfigMap{ObjectMeta: their(set, helm), Data: map[string]string{"my.cnf": "old"}}},
		"ServiceAccount":             {serviceAccountsResource, &corev1.ServiceAccount{ObjectMeta: their(set, nil)}},
		"PodDisruptionBudget":        {budgetsResource, &policyv1.PodDisruptionBudget{ObjectMeta: their(set, helm)}},
		"StatefulSet": {statefulSetsResource, &appsv1.StatefulSet{
			ObjectMeta: their(set, helm), Spec: appsv1.StatefulSetSpec{Replicas: ptr.To[int32](1), ServiceName: "old"},
		}},
		"Secret with passwords":    {secretsResource, &corev1.Secret{ObjectMeta: their(workload.OperatedSecretName(name), nil)}},
		"Secret of the authority":  {secretsResource, &corev1.Secret{ObjectMeta: their(workload.CASecretName(name), helm)}},
		"Secret with certificates": {secretsResource, &corev1.Secret{ObjectMeta: their(workload.TLSSecretName(name), helm)}},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHarness(t, newCluster())
			h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
			h.cached()
			// The real cache has what has our label only; the fake server's watch does not filter.
			h.c.statefulSets = appslisters.NewStatefulSetLister(cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{}))
			h.store(test.resource, test.object)
			object, err := meta.Accessor(test.object)
			if err != nil {
				t.Fatal(err)
			}
			before := h.stored(test.resource, object.GetName())
			if _, err := h.c.reconcile(h.ctx, namespace, name); !errors.Is(err, apply.ErrNameTaken) {
				t.Errorf("the error is %v", err)
			}
			if got := h.stored(test.resource, object.GetName()); !apiequality.Semantic.DeepEqual(got, before) {
				t.Errorf("it was changed to %+v", got)
			}
			got := h.condition(v1alpha1.ConditionReconciled)
			if got.Status != metav1.ConditionFalse || !strings.Contains(got.Message, object.GetName()) || !strings.Contains(got.Message, "delete or rename it") {
				t.Errorf("the condition is %+v", got)
			}
		})
	}
}

func TestObjectsThatTheCacheLacksAreStillOurs(t *testing.T) {
	h := newHarness(t, newCluster())
	// One that a cluster of this name has left, and one that has lost its label.
	h.store(servicesResource, &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Name: workload.AllServiceName(name), Namespace: namespace, Labels: map[string]string{v1alpha1.LabelCluster: name},
	}})
	h.store(configMapsResource, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: workload.StatefulSetName(name), Namespace: namespace,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(newCluster(), v1alpha1.SchemeGroupVersion.WithKind("MysqlCluster"))},
	}})
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	// The cache of Services never learns of any here: each time it is as late as it can be.
	h.mustReconcile()
	h.mustReconcile()
	service, ok := h.stored(servicesResource, workload.AllServiceName(name)).(*corev1.Service)
	if !ok || !metav1.IsControlledBy(service, newCluster()) || len(service.Spec.Selector) == 0 {
		t.Errorf("the Service is %+v", service)
	}
	configMap, ok := h.stored(configMapsResource, workload.StatefulSetName(name)).(*corev1.ConfigMap)
	if !ok || configMap.Labels[v1alpha1.LabelCluster] != name || len(configMap.Data) == 0 {
		t.Errorf("the ConfigMap is %+v", configMap)
	}
}

func TestNothingIsAppliedOverWhatCanNotBeLookedFor(t *testing.T) {
	h := newHarness(t, newCluster())
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	h.fail("get", "services", errors.New("not now"))
	if err := h.reconcile(); err == nil || !strings.Contains(err.Error(), "not now") {
		t.Errorf("the error is %v", err)
	}
	if services := h.requests("patch", "services"); services != 0 {
		t.Errorf("%d Services were applied", services)
	}
}

func TestCachedObjectsAreNotLookedFor(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	before := h.requests("get", "statefulsets")
	h.mustReconcile()
	if after := h.requests("get", "statefulsets"); before != 1 || after != before {
		t.Errorf("the StatefulSet was read %d times until it was made, and %d times later", before, after-before)
	}
}

// TestNodesCertificateIsNotTheControllers is about a cluster whose name is the one by which agents know the controller.
func TestNodesCertificateIsNotTheControllers(t *testing.T) {
	h := newHarness(t, newCluster())
	cluster := newCluster()
	cluster.Name = api.ControllerCommonName
	if _, _, err := h.c.ensureCertificates(h.ctx, cluster); err != nil {
		t.Fatal(err)
	}
	secret, ok := h.stored(secretsResource, workload.TLSSecretName(cluster.Name)).(*corev1.Secret)
	if !ok {
		t.Fatal("there is no Secret")
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if leaf.Subject.CommonName == api.ControllerCommonName || leaf.Subject.CommonName == "" {
		t.Errorf("the common name is %q", leaf.Subject.CommonName)
	}
	if want := workload.DNSNames(cluster.Name, namespace); !slices.Equal(leaf.DNSNames, want) {
		t.Errorf("it is for %v, not for %v", leaf.DNSNames, want)
	}
}
