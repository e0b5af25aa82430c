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
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// problem says in plain words why a node's pod does not run, as far as Kubernetes tells; empty if it runs.
func problem(set *appsv1.StatefulSet, pod *corev1.Pod, claim *corev1.PersistentVolumeClaim) string {
	switch {
	case set == nil:
		return "the StatefulSet does not exist yet"
	case pod == nil:
		return fmt.Sprintf("its pod does not exist (kubectl describe statefulset %s tells why, if it stays so)", set.Name)
	case pod.Spec.NodeName == "":
		return notScheduled(pod, claim)
	case pod.Status.Phase == corev1.PodFailed:
		return strings.TrimSuffix("its pod has failed: "+pod.Status.Reason+": "+pod.Status.Message, ": ")
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			if text := containerProblem(&statuses[i]); text != "" {
				return text
			}
		}
	}
	if len(pod.Status.ContainerStatuses) == 0 {
		return "its pod is being started"
	}
	return ""
}

// notScheduled explains a pod without a machine.
func notScheduled(pod *corev1.Pod, claim *corev1.PersistentVolumeClaim) string {
	text := "its pod is being scheduled"
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			text = "its pod can not be scheduled: " + condition.Message
		}
	}
	if claim != nil && claim.Status.Phase == corev1.ClaimPending {
		class := "the default StorageClass"
		if claim.Spec.StorageClassName != nil && *claim.Spec.StorageClassName != "" {
			class = "StorageClass " + *claim.Spec.StorageClassName
		}
		text += fmt.Sprintf("; its claim %s has no volume of %s yet", claim.Name, class)
	}
	return text
}

// containerProblem explains a container that waits or keeps ending.
func containerProblem(s *corev1.ContainerStatus) string {
	waiting := s.State.Waiting
	if waiting == nil {
		return ""
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError":
		return fmt.Sprintf("image %s can not be pulled: %s", s.Image, waiting.Message)
	case "CrashLoopBackOff":
		text := fmt.Sprintf("container %s keeps ending", s.Name)
		if last := s.LastTerminationState.Terminated; last != nil {
			text += fmt.Sprintf(", last with exit code %d", last.ExitCode)
			if last.Message != "" {
				text += ": " + strings.TrimSpace(last.Message)
			}
		}
		return text
	case "", "ContainerCreating", "PodInitializing":
		return "its pod is being started"
	default:
		return fmt.Sprintf("container %s can not start: %s: %s", s.Name, waiting.Reason, waiting.Message)
	}
}
