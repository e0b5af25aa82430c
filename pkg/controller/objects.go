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
		errs = append(errs, applyCached(ctx, c, m, cluster, servicesResource, service, c.Kube.CoreV1().Services(cluster.Namespace)))
	}
	configMap, err := workload.ConfigMap(cluster)
	if err != nil {
		return err
	}
	errs = append(errs, applyCached(ctx, c, m, cluster, configMapsResource, configMap, c.Kube.CoreV1().ConfigMaps(cluster.Namespace)))
	if account := workload.ServiceAccount(cluster); account != nil {
		errs = append(errs, applyCached(ctx, c, m, cluster, serviceAccountsResource, account, c.Kube.CoreV1().ServiceAccounts(cluster.Namespace)))
	}
	return errors.Join(append(errs, c.applyBudget(ctx, m, cluster))...)
}

// applyBudget applies the disruption budget, or removes the one that is not wanted any more.
func (c *Controller) applyBudget(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster) error {
	if budget := workload.PodDisruptionBudget(cluster); budget != nil {
		return applyCached(ctx, c, m, cluster, budgetsResource, budget, c.Kube.PolicyV1().PodDisruptionBudgets(cluster.Namespace))
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

// client is what is needed of a typed client for one kind of objects in one namespace.
type client[T metav1.Object, A any] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Apply(ctx context.Context, wanted A, options metav1.ApplyOptions) (T, error)
}

type named interface{ GetName() *string }

// applyCached applies an object of which the cache has the metadata.
func applyCached[T metav1.Object, A named](ctx context.Context, c *Controller, m *memory, cluster *v1alpha1.MysqlCluster,
	resource schema.GroupVersionResource, wanted A, client client[T, A],
) error {
	live, err := c.cached(resource, cluster.Namespace, *wanted.GetName())
	if err != nil {
		return err
	}
	return applyOwn(ctx, c, m, cluster, resource.Resource, live, wanted, client)
}

// applyOwn applies an object unless one of that name exists that is not the cluster's. live is the object as cached, nil if the cache does
// not have it. The caches hold what has our label only, so that one is looked for then: to apply means to take over.
func applyOwn[T metav1.Object, A named](ctx context.Context, c *Controller, m *memory, cluster *v1alpha1.MysqlCluster, resource string,
	live metav1.Object, wanted A, client client[T, A],
) error {
	name := *wanted.GetName()
	taken := false
	if live != nil {
		taken = foreign(live, cluster)
	} else {
		switch found, err := client.Get(ctx, name, metav1.GetOptions{}); {
		case err == nil:
			taken = foreign(found, cluster)
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("get %s %s: %w", resource, name, err)
		}
	}
	return m.applied.Apply(resource+"/"+name, wanted, live, taken, c.Now(), func() (metav1.Object, error) {
		return client.Apply(ctx, wanted, apply.Options)
	})
}

// foreign is true for an object that is not the cluster's: it has another controller, or neither a controller nor the cluster's label. The
// label alone is enough, for what a cluster of the same name left behind when it was deleted without its objects.
func foreign(o metav1.Object, cluster *v1alpha1.MysqlCluster) bool {
	if metav1.IsControlledBy(o, cluster) {
		return false
	}
	return workload.ControlledByOther(o, cluster) || o.GetLabels()[v1alpha1.LabelCluster] != cluster.Name
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
	switch found, err := c.statefulSets.StatefulSets(cluster.Namespace).Get(*wanted.Name); {
	case err == nil:
		live = found
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("get the StatefulSet %s: %w", *wanted.Name, err)
	}
	return applyOwn(ctx, c, m, cluster, "statefulsets", live, wanted, c.Kube.AppsV1().StatefulSets(cluster.Namespace))
}
