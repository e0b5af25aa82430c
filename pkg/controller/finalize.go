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
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// ensureFinalizer makes sure that the controller is asked before a deleted cluster goes.
func (c *Controller) ensureFinalizer(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster) (*v1alpha1.MysqlCluster, error) {
	if slices.Contains(cluster.Finalizers, v1alpha1.FinalizerVolumes) {
		return cluster, nil
	}
	patched, err := c.patchFinalizers(ctx, cluster, append(slices.Clone(cluster.Finalizers), v1alpha1.FinalizerVolumes))
	if err != nil {
		return nil, fmt.Errorf("add the finalizer: %w", err)
	}
	m.newest, m.newestAt = patched, c.Now()
	return patched, nil
}

func (c *Controller) patchFinalizers(ctx context.Context, cluster *v1alpha1.MysqlCluster, finalizers []string) (*v1alpha1.MysqlCluster, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": cluster.UID, "resourceVersion": cluster.ResourceVersion, "finalizers": finalizers,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode finalizers: %w", err)
	}
	return c.MySQL.MysqlV1alpha1().MysqlClusters(cluster.Namespace).Patch(ctx, cluster.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: apply.FieldManager})
}

// finalize deletes the nodes and volumes of a cluster that is being deleted, unless they are to be kept, and lets it go. The garbage
// collector does the rest. Claims have no owner, so that nothing but a person who deletes the cluster ever deletes them.
func (c *Controller) finalize(ctx context.Context, cluster *v1alpha1.MysqlCluster) error {
	if !slices.Contains(cluster.Finalizers, v1alpha1.FinalizerVolumes) {
		return nil
	}
	// With --cascade=orphan, the user wants all that belongs to the cluster to stay.
	if !slices.Contains(cluster.Finalizers, metav1.FinalizerOrphanDependents) {
		if err := c.deleteNodes(ctx, cluster); err != nil {
			return err
		}
	}
	rest := slices.DeleteFunc(slices.Clone(cluster.Finalizers), func(f string) bool { return f == v1alpha1.FinalizerVolumes })
	if _, err := c.patchFinalizers(ctx, cluster, rest); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove the finalizer: %w", err)
	}
	return nil
}

// deleteNodes deletes the nodes of a cluster, and their volumes unless they are to be kept.
func (c *Controller) deleteNodes(ctx context.Context, cluster *v1alpha1.MysqlCluster) error {
	// Without its StatefulSet, no new claim comes into being.
	set, err := c.statefulSets.StatefulSets(cluster.Namespace).Get(workload.StatefulSetName(cluster.Name))
	if err == nil && metav1.IsControlledBy(set, cluster) && set.DeletionTimestamp == nil {
		err = c.Kube.AppsV1().StatefulSets(cluster.Namespace).Delete(ctx, set.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: ptr.To(set.UID)}, PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
		})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the StatefulSet: %w", err)
	}
	if cluster.Spec.VolumeSpec.KeepAfterDelete {
		return nil
	}
	return c.deleteClaims(ctx, cluster)
}

// deleteClaims deletes the cluster's claims. Kubernetes lets them go when no pod uses them any more.
func (c *Controller) deleteClaims(ctx context.Context, cluster *v1alpha1.MysqlCluster) error {
	selector := labels.Set{v1alpha1.LabelCluster: cluster.Name}.String()
	claims, err := c.Kube.CoreV1().PersistentVolumeClaims(cluster.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("list the claims: %w", err)
	}
	var errs []error
	for i := range claims.Items {
		if claim := &claims.Items[i]; claim.DeletionTimestamp == nil {
			errs = append(errs, c.deleteClaim(ctx, cluster, claim, "the cluster was deleted"))
		}
	}
	return errors.Join(errs...)
}
