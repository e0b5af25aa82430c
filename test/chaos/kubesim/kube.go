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
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/metadata"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Kube is Kubernetes' API server.
type Kube struct {
	store    *store
	metadata *metadatafake.FakeMetadataClient

	mu       sync.Mutex
	watchers []func()
}

// Gate is asked before each request of a client. It may hold the request up, and refuse it; what it returns is called after the request.
type Gate func(verb, resource string) (after func(), err error)

// watchedByMetadata are the kinds of which the metadata can be watched alone, with their names.
var watchedByMetadata = map[schema.GroupVersionResource]string{
	corev1.SchemeGroupVersion.WithResource("services"):                 "Service",
	corev1.SchemeGroupVersion.WithResource("configmaps"):               "ConfigMap",
	corev1.SchemeGroupVersion.WithResource("serviceaccounts"):          "ServiceAccount",
	{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}: "PodDisruptionBudget",
}

// New returns an empty Kubernetes.
func New() (*Kube, error) {
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		return nil, err
	}
	k := &Kube{store: newStore(), metadata: metadatafake.NewSimpleMetadataClient(scheme)}
	k.store.stored = k.stored
	return k, nil
}

// OnChange has a function called after each change of an object. It must not block.
func (k *Kube) OnChange(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watchers = append(k.watchers, f)
}

// stored tells of a change, and shows it to those that watch metadata.
func (k *Kube) stored(gvr schema.GroupVersionResource, ns, name string, object runtime.Object) {
	if kind, watched := watchedByMetadata[gvr]; watched {
		k.mirror(gvr, kind, ns, name, object)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.watchers {
		f()
	}
}

func (k *Kube) mirror(gvr schema.GroupVersionResource, kind, ns, name string, object runtime.Object) {
	tracker := k.metadata.Tracker()
	if object == nil {
		_ = tracker.Delete(gvr, ns, name)
		return
	}
	m, err := meta.Accessor(object)
	if err != nil {
		return
	}
	partial := meta.AsPartialObjectMetadata(m)
	partial.SetGroupVersionKind(gvr.GroupVersion().WithKind(kind))
	if apierrors.IsAlreadyExists(tracker.Create(gvr, partial, ns)) {
		_ = tracker.Update(gvr, partial, ns)
	}
}

// Metadata is a client that sees metadata only.
func (k *Kube) Metadata() metadata.Interface { return k.metadata }

// Client is a client whose requests pass a gate; nil lets all pass.
func (k *Kube) Client(gate Gate) kubernetes.Interface {
	client := kubefake.NewClientset()
	react := clienttesting.ObjectReaction(k.store)
	client.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if gate != nil {
			after, err := gate(action.GetVerb(), action.GetResource().Resource)
			if err != nil {
				return true, nil, err
			}
			if after != nil {
				defer after()
			}
		}
		handled, object, err := react(action)
		patch, isPatch := action.(clienttesting.PatchAction)
		// A patch is meant for the object as it is, not as it was when it was read for it.
		for range 10 {
			if !isPatch || patch.GetPatchType() == types.ApplyPatchType || !apierrors.IsConflict(err) {
				break
			}
			handled, object, err = react(action)
		}
		return handled, object, err
	})
	client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		var options metav1.ListOptions
		if a, ok := action.(clienttesting.WatchActionImpl); ok {
			options = a.ListOptions
		}
		if gate != nil {
			if _, err := gate("watch", action.GetResource().Resource); err != nil {
				return true, nil, err
			}
		}
		w, err := k.store.Watch(action.GetResource(), action.GetNamespace(), options)
		return true, w, err
	})
	return client
}
