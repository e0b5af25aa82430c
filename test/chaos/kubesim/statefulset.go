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
	"context"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// runSets does what the controller of StatefulSets does.
func (m *Machine) runSets(ctx context.Context) error {
	sets, err := m.client.AppsV1().StatefulSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the StatefulSets: %w", err)
	}
	for i := range sets.Items {
		if err := m.runSet(ctx, &sets.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) runSet(ctx context.Context, set *appsv1.StatefulSet) error {
	if set.Status.ObservedGeneration != set.Generation {
		updated := set.DeepCopy()
		updated.Status.ObservedGeneration = set.Generation
		_, err := m.client.AppsV1().StatefulSets(set.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{})
		if err != nil && !apierrors.IsConflict(err) {
			return fmt.Errorf("observe the StatefulSet %s: %w", set.Name, err)
		}
	}
	size := 0
	if set.Spec.Replicas != nil {
		size = int(*set.Spec.Replicas)
	}
	for ordinal := range size {
		if err := m.ensurePod(ctx, set, ordinal); err != nil {
			return err
		}
	}
	pods, err := m.client.CoreV1().Pods(set.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		ordinal, err := strconv.Atoi(pod.Labels[appsv1.PodIndexLabel])
		if err != nil || ordinal < size || !metav1.IsControlledBy(pod, set) || pod.DeletionTimestamp != nil {
			continue
		}
		if err := m.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete pod %s: %w", pod.Name, err)
		}
	}
	return nil
}

// ensurePod makes a pod and its claim unless they are there.
func (m *Machine) ensurePod(ctx context.Context, set *appsv1.StatefulSet, ordinal int) error {
	name := fmt.Sprintf("%s-%d", set.Name, ordinal)
	_, err := m.client.CoreV1().Pods(set.Namespace).Get(ctx, name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	pod := &corev1.Pod{ObjectMeta: *set.Spec.Template.ObjectMeta.DeepCopy(), Spec: *set.Spec.Template.Spec.DeepCopy()}
	pod.Name, pod.Namespace = name, set.Namespace
	pod.Labels = maps.Clone(pod.Labels)
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal)
	pod.Labels[appsv1.StatefulSetPodNameLabel] = name
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
	if pod.Spec.NodeName, err = m.schedule(ctx, ordinal); err != nil {
		return err
	}
	for _, template := range set.Spec.VolumeClaimTemplates {
		claim := template.DeepCopy()
		claim.Name, claim.Namespace = template.Name+"-"+name, set.Namespace
		claim.Status.Phase = corev1.ClaimBound
		_, err := m.client.CoreV1().PersistentVolumeClaims(set.Namespace).Create(ctx, claim, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make the claim %s: %w", claim.Name, err)
		}
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: template.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
	}
	if _, err := m.client.CoreV1().Pods(set.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make pod %s: %w", name, err)
	}
	return nil
}

// schedule names a machine for a pod: its usual one, or another one while that is to be emptied. It makes those that do not exist.
func (m *Machine) schedule(ctx context.Context, ordinal int) (string, error) {
	for _, name := range []string{fmt.Sprintf("machine-%d", ordinal), fmt.Sprintf("spare-%d", ordinal)} {
		machine, err := m.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			machine, err = m.client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		}
		if err != nil {
			return "", fmt.Errorf("find a machine: %w", err)
		}
		if !machine.Spec.Unschedulable {
			return name, nil
		}
	}
	return "", fmt.Errorf("no machine takes pods of ordinal %d", ordinal)
}

// setReady records whether a pod is ready.
func setReady(pod *corev1.Pod, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "mysql", Ready: ready, Started: ptr.To(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
}

// IsReady tells whether a pod is ready.
func IsReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
