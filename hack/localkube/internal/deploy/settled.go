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
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// Settled returns nil once what the API server says of the node's pods is of the kubelet that runs now, and not what was true before a
// reboot or a crash: the kubelet knows every pod, and every container that is said to run is among the running ones (by identifier).
func (c *Client) Settled(ctx context.Context, running map[string]bool) error {
	said, err := c.typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", layout.NodeName).String(),
	})
	if err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	data, err := c.typed.CoreV1().RESTClient().Get().Resource("nodes").Name(layout.NodeName).SubResource("proxy").Suffix("pods").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("ask the kubelet for its pods: %w", err)
	}
	var known corev1.PodList
	if err := json.Unmarshal(data, &known); err != nil {
		return fmt.Errorf("ask the kubelet for its pods: %w", err)
	}
	return settled(said.Items, known.Items, running)
}

func settled(said, known []corev1.Pod, running map[string]bool) error {
	ids := map[types.UID]bool{}
	for i := range known {
		ids[known[i].UID] = true
	}
	for i := range said {
		pod := &said[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		if !ids[pod.UID] {
			return fmt.Errorf("the kubelet does not know the pod %s/%s yet", pod.Namespace, pod.Name)
		}
		for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			_, id, _ := strings.Cut(s.ContainerID, "://")
			if s.State.Running != nil && !running[id] {
				return fmt.Errorf("the container %s of the pod %s/%s runs no more", s.Name, pod.Namespace, pod.Name)
			}
		}
	}
	return nil
}
