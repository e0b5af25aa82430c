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

package servingcert

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2/ktesting"
)

// listener tells that it was called.
type listener chan struct{}

func (l listener) Enqueue() { l <- struct{}{} }

func TestRunReactsToEventsAndTime(t *testing.T) {
	w := newWorld() // not registered yet
	m := w.manager()
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	// The fake clients forget what happens between a list and the watch that follows, so wait for both watches.
	watching := make(chan struct{}, 10)
	watch := func(tracker clienttesting.ObjectTracker) clienttesting.WatchReactionFunc {
		return func(action clienttesting.Action) (bool, watch.Interface, error) {
			w, err := tracker.Watch(action.GetResource(), action.GetNamespace())
			watching <- struct{}{}
			return true, w, err
		}
	}
	w.kube.PrependWatchReactor("secrets", watch(w.kube.Tracker()))
	w.aggregator.PrependWatchReactor("apiservices", watch(w.aggregator.Tracker()))
	patched := make(chan struct{}, 10)
	w.aggregator.PrependReactor("patch", "apiservices", func(clienttesting.Action) (bool, runtime.Object, error) {
		patched <- struct{}{}
		return false, nil, nil
	})
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	renewed := make(listener, 10)
	m.AddListener(renewed)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()

	wait := func(what string, event <-chan struct{}) {
		t.Helper()
		select {
		case <-event:
		case <-time.After(time.Minute):
			t.Fatalf("nothing happens: %s", what)
		}
	}
	wait("the watches begin", watching)
	wait("the watches begin", watching)
	if _, err := w.aggregator.ApiregistrationV1().APIServices().Create(ctx, registration(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait("the registration came into being", patched)

	service := w.registered(t)
	service.Spec.CABundle = nil
	if _, err := w.aggregator.ApiregistrationV1().APIServices().Update(ctx, service, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait("caBundle was removed", patched)

	if err := w.kube.CoreV1().Secrets("ours").Delete(ctx, "ca", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wait("the authority was removed", renewed)
	wait("the authority was removed", patched)

	// Time alone is enough, too. The timer is set after the work is done, so step until it rings.
	for rung := false; !rung; {
		w.clock.Step(time.Hour)
		select {
		case <-renewed:
			rung = true
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestStartWaitsForItsRights(t *testing.T) {
	w := newWorld(registration())
	refuse := true
	w.kube.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		if refuse {
			refuse = false
			return true, nil, errors.New("forbidden")
		}
		return false, nil, nil
	})
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := w.manager()
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if cert, _ := m.CurrentCertKeyContent(); cert == nil {
				t.Error("there is no certificate")
			}
			return
		case <-time.After(10 * time.Millisecond):
			w.clock.Step(retryAfter)
		}
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	w := newWorld()
	w.kube.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("forbidden") })
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.manager().Start(ctx); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("got %v, want the reason", err)
	}
}
