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

// Package kubesim plays the parts of Kubernetes that a cluster of MySQL nodes lives on: an API server that holds objects in memory, the
// controller of StatefulSets, and a kubelet that runs each pod as real processes in a network namespace of its own.
package kubesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

// store holds the objects. In contrast to the tracker that it is built on it gives UIDs, resource versions and generations, refuses
// conflicting writes, makes objects when they are applied, and deletes pods gracefully.
type store struct {
	clienttesting.ObjectTracker
	// stored is called, with the lock held, after each change; with a nil object when one was removed.
	stored func(gvr schema.GroupVersionResource, ns, name string, object runtime.Object)

	mu      sync.Mutex
	version int64
}

func newStore() *store {
	return &store{
		ObjectTracker: clienttesting.NewObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder()),
		stored:        func(schema.GroupVersionResource, string, string, runtime.Object) {},
		version:       1,
	}
}

func (s *store) nextVersion() string {
	s.version++
	return strconv.FormatInt(s.version, 10)
}

// Create implements ObjectTracker.
func (s *store) Create(gvr schema.GroupVersionResource, object runtime.Object, ns string, _ ...metav1.CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.create(gvr, object, ns)
}

func (s *store) create(gvr schema.GroupVersionResource, object runtime.Object, ns string) error {
	object = object.DeepCopyObject()
	m, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	m.SetUID(uuid.NewUUID())
	m.SetResourceVersion(s.nextVersion())
	m.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
	m.SetNamespace(ns)
	if _, ok := object.(*appsv1.StatefulSet); ok {
		m.SetGeneration(1)
	}
	if err := s.ObjectTracker.Create(gvr, object, ns); err != nil {
		return err
	}
	s.stored(gvr, ns, m.GetName(), object)
	return nil
}

// Update implements ObjectTracker.
func (s *store) Update(gvr schema.GroupVersionResource, object runtime.Object, ns string, _ ...metav1.UpdateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(gvr, object, ns)
}

// Patch implements ObjectTracker. The object has been patched already, as it was some time ago.
func (s *store) Patch(gvr schema.GroupVersionResource, object runtime.Object, ns string, _ ...metav1.PatchOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(gvr, object, ns)
}

func (s *store) update(gvr schema.GroupVersionResource, object runtime.Object, ns string) error {
	object = object.DeepCopyObject()
	m, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	old, err := s.Get(gvr, ns, m.GetName())
	if err != nil {
		return err
	}
	was, err := meta.Accessor(old)
	if err != nil {
		return err
	}
	if m.GetUID() != "" && m.GetUID() != was.GetUID() {
		return apierrors.NewConflict(gvr.GroupResource(), m.GetName(), fmt.Errorf("its UID is %s, not %s", was.GetUID(), m.GetUID()))
	}
	if m.GetResourceVersion() != "" && m.GetResourceVersion() != was.GetResourceVersion() {
		return apierrors.NewConflict(gvr.GroupResource(), m.GetName(), errors.New("it has changed since"))
	}
	m.SetUID(was.GetUID())
	m.SetCreationTimestamp(was.GetCreationTimestamp())
	m.SetGeneration(was.GetGeneration())
	if set, ok := object.(*appsv1.StatefulSet); ok && !apiequality.Semantic.DeepEqual(set.Spec, old.(*appsv1.StatefulSet).Spec) {
		m.SetGeneration(was.GetGeneration() + 1)
	}
	m.SetResourceVersion(was.GetResourceVersion())
	if apiequality.Semantic.DeepEqual(object, old) {
		return nil
	}
	m.SetResourceVersion(s.nextVersion())
	if err := s.ObjectTracker.Update(gvr, object, ns); err != nil {
		return err
	}
	s.stored(gvr, ns, m.GetName(), object)
	return nil
}

// Apply implements ObjectTracker. Nobody else sets the fields that are applied, so it needs no record of who did.
func (s *store) Apply(gvr schema.GroupVersionResource, configuration runtime.Object, ns string, _ ...metav1.PatchOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := meta.Accessor(configuration)
	if err != nil {
		return err
	}
	object, err := s.Get(gvr, ns, m.GetName())
	missing := apierrors.IsNotFound(err)
	if missing {
		object, err = scheme.Scheme.New(configuration.GetObjectKind().GroupVersionKind())
	}
	if err != nil {
		return err
	}
	old, err := json.Marshal(object)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(configuration)
	if err != nil {
		return err
	}
	merged, err := strategicpatch.StrategicMergePatch(old, patch, object)
	if err != nil {
		return err
	}
	result, err := scheme.Scheme.New(configuration.GetObjectKind().GroupVersionKind())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(merged, result); err != nil {
		return err
	}
	if missing {
		return s.create(gvr, result, ns)
	}
	return s.update(gvr, result, ns)
}

// Delete implements ObjectTracker. A pod is only marked, unless it is deleted without grace: its kubelet removes it once it has ended.
func (s *store) Delete(gvr schema.GroupVersionResource, ns, name string, options ...metav1.DeleteOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	object, err := s.Get(gvr, ns, name)
	if err != nil {
		return err
	}
	m, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	var o metav1.DeleteOptions
	if len(options) > 0 {
		o = options[0]
	}
	if p := o.Preconditions; p != nil && p.UID != nil && *p.UID != m.GetUID() {
		return apierrors.NewConflict(gvr.GroupResource(), name, fmt.Errorf("its UID is %s, not %s", m.GetUID(), *p.UID))
	}
	if pod, ok := object.(*corev1.Pod); ok && (o.GracePeriodSeconds == nil || *o.GracePeriodSeconds > 0) {
		if pod.DeletionTimestamp != nil {
			return nil
		}
		grace := o.GracePeriodSeconds
		if grace == nil {
			grace = pod.Spec.TerminationGracePeriodSeconds
		}
		if grace != nil {
			at := metav1.NewTime(time.Now().Add(time.Duration(*grace) * time.Second))
			pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, grace
			return s.update(gvr, pod, ns)
		}
	}
	if err := s.ObjectTracker.Delete(gvr, ns, name); err != nil {
		return err
	}
	s.stored(gvr, ns, name, nil)
	return nil
}
