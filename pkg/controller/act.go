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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// order sends the decided orders to the agents.
func (c *Controller) order(d topology.Decision, g *gathered) {
	for _, o := range d.Orders {
		if pod := g.pods[o.Node]; pod != nil {
			c.agents.Order(pod.UID, o.Order)
		}
	}
}

// label makes the pods' labels follow the nodes' roles; the Services select by them. All change at once: who routes the Services' traffic
// takes a second until the next change counts. That a Service leads to both primaries for a moment does no harm: one of them is read-only.
func (c *Controller) label(ctx context.Context, cluster *v1alpha1.MysqlCluster, d topology.Decision, g *gathered) error {
	var patching sync.WaitGroup
	errs := make([]error, len(d.Status.Nodes))
	for i, n := range d.Status.Nodes {
		pod := g.pods[n.Name]
		if pod == nil {
			continue
		}
		change := map[string]any{}
		for name, value := range roleLabels(n, cluster.Status.InitializedAt != nil) {
			if pod.Labels[name] != value {
				change[name] = value
			}
		}
		if len(change) > 0 {
			patching.Go(func() { errs[i] = c.patchPod(ctx, pod, change) })
		}
	}
	patching.Wait()
	return errors.Join(errs...)
}

// roleLabels are the labels of a node's pod. Of a node that is not heard of, health stays what it was: readiness keeps a dead pod out of
// the Services, and an outage of our own must not empty them.
func roleLabels(n topology.NodeStatus, initialized bool) map[string]string {
	labels := map[string]string{}
	switch {
	case !initialized:
	case n.Role == topology.RolePrimary:
		labels[v1alpha1.LabelRole] = v1alpha1.RoleLabelPrimary
	default:
		labels[v1alpha1.LabelRole] = v1alpha1.RoleLabelReplica
	}
	switch n.Health {
	case topology.Healthy:
		labels[v1alpha1.LabelHealthy] = v1alpha1.HealthyLabelYes
	case topology.Unhealthy:
		labels[v1alpha1.LabelHealthy] = v1alpha1.HealthyLabelNo
	}
	return labels
}

// patchPod changes labels of exactly this pod, not of one of the same name that has followed it.
func (c *Controller) patchPod(ctx context.Context, pod *corev1.Pod, labels map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID, "labels": labels}})
	if err != nil {
		return fmt.Errorf("encode labels: %w", err)
	}
	_, err = c.Kube.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: apply.FieldManager})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("label pod %s: %w", pod.Name, err)
	}
	return nil
}

// replacePod deletes the pod that is to come back with another configuration.
func (c *Controller) replacePod(ctx context.Context, cluster *v1alpha1.MysqlCluster, d topology.Decision, g *gathered) error {
	pod := g.pods[d.Replace]
	if d.Replace == "" || pod == nil {
		return nil
	}
	err := c.Kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete pod %s, to replace it: %w", pod.Name, err)
	}
	c.Events.Eventf(cluster, corev1.EventTypeNormal, "PodReplaced", "pod %s was deleted, to come back with the wanted configuration", pod.Name)
	return nil
}

// volumes adopts the volumes that have become the cluster's own, and deletes those of removed nodes.
func (c *Controller) volumes(ctx context.Context, cluster *v1alpha1.MysqlCluster, d topology.Decision, g *gathered) error {
	var errs []error
	for _, node := range d.AdoptVolumes {
		if claim := g.claims[node]; claim != nil {
			errs = append(errs, c.adoptClaim(ctx, cluster, claim))
		}
	}
	for _, node := range d.ReleaseVolumes {
		if claim := g.claims[node]; claim != nil && claim.DeletionTimestamp == nil {
			errs = append(errs, c.deleteClaim(ctx, cluster, claim, node+" was removed and the cluster is healthy without it"))
		}
	}
	return errors.Join(errs...)
}

func (c *Controller) adoptClaim(ctx context.Context, cluster *v1alpha1.MysqlCluster, claim *corev1.PersistentVolumeClaim) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         claim.UID,
		"labels":      map[string]string{v1alpha1.LabelCluster: cluster.Name},
		"annotations": map[string]string{workload.AnnotationClusterUID: string(cluster.UID)},
	}})
	if err != nil {
		return fmt.Errorf("encode the mark of a claim: %w", err)
	}
	_, err = c.Kube.CoreV1().PersistentVolumeClaims(claim.Namespace).Patch(ctx, claim.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: apply.FieldManager})
	if err != nil {
		return fmt.Errorf("adopt claim %s: %w", claim.Name, err)
	}
	c.Events.Eventf(cluster, corev1.EventTypeNormal, "VolumeAdopted", "claim %s of an earlier cluster belongs to this one now", claim.Name)
	return nil
}

// deleteClaim deletes exactly this claim, and only if the cluster made or adopted it.
func (c *Controller) deleteClaim(ctx context.Context, cluster *v1alpha1.MysqlCluster, claim *corev1.PersistentVolumeClaim, why string) error {
	if claim.Annotations[workload.AnnotationClusterUID] != string(cluster.UID) {
		return nil
	}
	err := c.Kube.CoreV1().PersistentVolumeClaims(claim.Namespace).Delete(ctx, claim.Name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(claim.UID)}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete claim %s: %w", claim.Name, err)
	}
	klog.FromContext(ctx).Info("Deleted a claim", "claim", claim.Name, "why", why)
	c.Events.Eventf(cluster, corev1.EventTypeNormal, "VolumeDeleted", "claim %s was deleted: %s", claim.Name, why)
	return nil
}
