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

package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/kubectl/pkg/polymorphichelpers"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// state tells how far an object is: whether it is what is waited for, and what it still lacks.
type state func(o *unstructured.Unstructured) (done bool, lacks string, err error)

// Notify is told what is still lacking, each time that this changes.
type Notify func(lacks string)

// Node waits until the node is ready, as reported not before the given time.
func (c *Client) Node(ctx context.Context, since time.Time) error {
	return c.await(ctx, nodes, "", layout.NodeName, nil, func(o *unstructured.Unstructured) (bool, string, error) {
		ready := condition(o, "Ready")
		if ready.status != "True" {
			return false, "the node is not ready: " + ready.text(), nil
		}
		beat, err := time.Parse(time.RFC3339, ready.heartbeat)
		if err != nil || beat.Before(since.Truncate(time.Second)) {
			return false, "the node has not reported yet", nil
		}
		return true, "", nil
	})
}

// Accounts waits until pods can be created: the controller manager has made the default service account.
func (c *Client) Accounts(ctx context.Context) error {
	return c.await(ctx, accounts, metav1.NamespaceDefault, "default", nil, func(*unstructured.Unstructured) (bool, string, error) {
		return true, "", nil
	})
}

// Rollout waits until every Deployment and StatefulSet of the product runs as it was applied, and its API is served.
func (c *Client) Rollout(ctx context.Context, notify Notify) error {
	for _, resource := range []schema.GroupVersionResource{deployments, statefulSets} {
		list, err := c.dynamic.Resource(resource).Namespace(Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list the %s: %w", resource.Resource, err)
		}
		for _, o := range list.Items {
			if err := c.await(ctx, resource, Namespace, o.GetName(), notify, rolledOut); err != nil {
				return c.withPods(err)
			}
		}
	}
	err := c.await(ctx, apiServices, "", APIService, notify, func(o *unstructured.Unstructured) (bool, string, error) {
		available := condition(o, "Available")
		return available.status == "True", "APIService " + APIService + " is not available: " + available.text(), nil
	})
	if err == nil {
		err = c.served(ctx)
	}
	if err != nil {
		return c.withPods(err)
	}
	return nil
}

// served waits until a request gets through. kube-apiserver's proxy learns by a watch of its own, a moment later than we, that the API is
// available, and answers 503 until then.
func (c *Client) served(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, last = c.dynamic.Resource(clusters).List(ctx, metav1.ListOptions{Limit: 1})
		if apierrors.IsServiceUnavailable(last) {
			return false, nil
		}
		return last == nil, last
	})
	if err != nil {
		return fmt.Errorf("list the clusters: %w", errors.Join(err, last))
	}
	return nil
}

func rolledOut(o *unstructured.Unstructured) (bool, string, error) {
	viewer, err := polymorphichelpers.StatusViewerFor(o.GroupVersionKind().GroupKind())
	if err != nil {
		return false, "", err
	}
	message, done, err := viewer.Status(o, 0)
	return done, strings.TrimSpace(message), err
}

// Clusters waits until each of the named MySQL clusters (namespace/name) is ready.
func (c *Client) Clusters(ctx context.Context, names []string, notify Notify) error {
	for _, full := range names {
		namespace, name, _ := strings.Cut(full, "/")
		err := c.await(ctx, clusters, namespace, name, notify, func(o *unstructured.Unstructured) (bool, string, error) {
			observed, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
			ready := condition(o, "Ready")
			if observed < o.GetGeneration() {
				return false, "the controller has not seen it yet", nil
			}
			return ready.status == "True", ready.text(), nil
		})
		if err != nil {
			return c.withPods(err, namespace)
		}
	}
	return nil
}

// await watches one object until it is what is waited for.
func (c *Client) await(ctx context.Context, resource schema.GroupVersionResource, namespace, name string, notify Notify, is state) error {
	lacks := "there is no such object"
	selector := fields.OneTermEqualSelector("metadata.name", name).String()
	objects := c.dynamic.Resource(resource).Namespace(namespace)
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return objects.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return objects.Watch(ctx, o)
		},
	}
	_, err := watchtools.UntilWithSync(ctx, source, &unstructured.Unstructured{}, nil, func(event watch.Event) (bool, error) {
		o, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == watch.Deleted {
			return false, nil
		}
		done, now, err := is(o)
		if err != nil || done {
			return done, err
		}
		if now != lacks && notify != nil {
			notify(now)
		}
		lacks = now
		return false, nil
	})
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errors.New("the time is over")
	}
	return fmt.Errorf("wait for %s %s: %w; %s", strings.TrimSuffix(resource.Resource, "s"), name, err, lacks)
}

type conditionOf struct{ status, reason, message, heartbeat string }

func (c conditionOf) text() string {
	if c.status == "" {
		return "nothing is reported"
	}
	return strings.TrimSpace(c.reason + ": " + c.message)
}

func condition(o *unstructured.Unstructured, kind string) conditionOf {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok || fields["type"] != kind {
			continue
		}
		text := func(key string) string { s, _ := fields[key].(string); return s }
		return conditionOf{text("status"), text("reason"), text("message"), text("lastHeartbeatTime")}
	}
	return conditionOf{}
}

// withPods adds to an error what the pods that are not ready say. It has a time of its own: the caller's may be over.
func (c *Client) withPods(err error, namespaces ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var lines []string
	for _, namespace := range append(namespaces, Namespace) {
		pods, listErr := c.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if listErr != nil {
			continue
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; !podReady(pod) {
				lines = append(lines, c.describe(ctx, pod)...)
			}
		}
	}
	if len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w\n%s", err, strings.Join(lines, "\n"))
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// describe tells why a pod is not ready: its containers' states and the last lines that they wrote.
func (c *Client) describe(ctx context.Context, pod *corev1.Pod) []string {
	lines := []string{fmt.Sprintf("pod %s/%s is %s", pod.Namespace, pod.Name, pod.Status.Phase)}
	for _, condition := range pod.Status.Conditions {
		line := "  " + condition.Message
		if condition.Status != corev1.ConditionTrue && condition.Message != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	const tail = 8
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if s.Ready {
			continue
		}
		if w := s.State.Waiting; w != nil {
			lines = append(lines, fmt.Sprintf("  container %s waits: %s %s", s.Name, w.Reason, w.Message))
		}
		log, err := c.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name,
			&corev1.PodLogOptions{Container: s.Name, TailLines: new(int64(tail))}).DoRaw(ctx)
		if err != nil || len(log) == 0 {
			continue
		}
		for line := range strings.Lines(string(log)) {
			lines = append(lines, "    "+strings.TrimRight(line, "\n"))
		}
	}
	return lines
}
