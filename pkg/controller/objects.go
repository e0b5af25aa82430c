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
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// applyObjects applies the objects of a cluster besides its Secrets and its StatefulSet.
func (c *Controller) applyObjects(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster) error {
	var errs []error
	for _, service := range workload.Services(cluster) {
		errs = append(errs, c.applySimple(m, cluster, servicesResource, *service.Name, service, func() (metav1.Object, error) {
			return c.Kube.CoreV1().Services(cluster.Namespace).Apply(ctx, service, apply.Options)
		}))
	}
	configMap, err := workload.ConfigMap(cluster)
	if err != nil {
		return err
	}
	errs = append(errs, c.applySimple(m, cluster, configMapsResource, *configMap.Name, configMap, func() (metav1.Object, error) {
		return c.Kube.CoreV1().ConfigMaps(cluster.Namespace).Apply(ctx, configMap, apply.Options)
	}))
	if account := workload.ServiceAccount(cluster); account != nil {
		errs = append(errs, c.applySimple(m, cluster, serviceAccountsResource, *account.Name, account, func() (metav1.Object, error) {
			return c.Kube.CoreV1().ServiceAccounts(cluster.Namespace).Apply(ctx, account, apply.Options)
		}))
	}
	return errors.Join(append(errs, c.applyBudget(ctx, m, cluster))...)
}

// applyBudget applies the disruption budget, or removes the one that is not wanted any more.
func (c *Controller) applyBudget(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster) error {
	if budget := workload.PodDisruptionBudget(cluster); budget != nil {
		return c.applySimple(m, cluster, budgetsResource, *budget.Name, budget, func() (metav1.Object, error) {
			return c.Kube.PolicyV1().PodDisruptionBudgets(cluster.Namespace).Apply(ctx, budget, apply.Options)
		})
	}
	name := workload.StatefulSetName(cluster.Name)
	live, err := c.cached(budgetsResource, cluster.Namespace, name)
	if err != nil || live == nil || !metav1.IsControlledBy(live, cluster) {
		return err
	}
	err = c.Kube.PolicyV1().PodDisruptionBudgets(cluster.Namespace).Delete(ctx, name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(live.GetUID())}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the PodDisruptionBudget: %w", err)
	}
	return nil
}

// applySimple applies an object of which the cache has the metadata.
func (c *Controller) applySimple(m *memory, cluster *v1alpha1.MysqlCluster, resource schema.GroupVersionResource, name string, wanted any,
	do func() (metav1.Object, error),
) error {
	live, err := c.cached(resource, cluster.Namespace, name)
	if err != nil {
		return err
	}
	taken := live != nil && workload.ControlledByOther(live, cluster)
	return m.applied.Apply(resource.Resource+"/"+name, wanted, live, taken, c.Now(), do)
}

// cached returns the metadata of an object, or nil if there is none.
func (c *Controller) cached(resource schema.GroupVersionResource, namespace, name string) (metav1.Object, error) {
	object, err := c.simple[resource].ByNamespace(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s: %w", resource.Resource, name, err)
	}
	meta, ok := object.(metav1.Object)
	if !ok {
		return nil, fmt.Errorf("get %s %s: it is a %T", resource.Resource, name, object)
	}
	return meta, nil
}

// applyStatefulSet applies the StatefulSet, once everything that its pods mount is there.
func (c *Controller) applyStatefulSet(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster, size int, g *gathered) error {
	if m.secrets == nil || (g.set == nil && m.secrets.complaint != "") {
		return nil
	}
	image := cluster.Spec.Image
	if image == "" {
		var err error
		if image, err = c.Versions.Image(cluster.Spec.MysqlVersion); err != nil {
			return fmt.Errorf("choose the image of MySQL: %w", err)
		}
	}
	wanted, err := workload.StatefulSet(cluster, size, workload.Images{MySQL: image, Agent: c.AgentImage})
	if err != nil {
		return err
	}
	var live metav1.Object
	taken := false
	switch found, err := c.statefulSets.StatefulSets(cluster.Namespace).Get(*wanted.Name); {
	case err == nil:
		live, taken = found, workload.ControlledByOther(found, cluster)
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("get the StatefulSet %s: %w", *wanted.Name, err)
	}
	return m.applied.Apply("statefulsets/"+*wanted.Name, wanted, live, taken, c.Now(), func() (metav1.Object, error) {
		return c.Kube.AppsV1().StatefulSets(cluster.Namespace).Apply(ctx, wanted, apply.Options)
	})
}
