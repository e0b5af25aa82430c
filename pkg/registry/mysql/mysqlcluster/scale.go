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

package mysqlcluster

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// ScaleREST serves mysqlclusters/scale: the number of nodes in the form that `kubectl scale` and autoscalers know.
type ScaleREST struct {
	store *genericregistry.Store
}

var (
	_ rest.Patcher                  = &ScaleREST{}
	_ rest.GroupVersionKindProvider = &ScaleREST{}
	_ rest.TableConvertor           = &ScaleREST{}
)

// replicasPaths tells, by version, where a MysqlCluster keeps what Scale calls spec.replicas, so that the ownership of the field by
// server-side apply carries over.
var replicasPaths = managedfields.ResourcePathMappings{
	v1alpha1.SchemeGroupVersion.String(): fieldpath.MakePathOrDie("spec", "replicas"),
}

// GroupVersionKind implements rest.GroupVersionKindProvider.
func (*ScaleREST) GroupVersionKind(schema.GroupVersion) schema.GroupVersionKind {
	return autoscalingv1.SchemeGroupVersion.WithKind("Scale")
}

// New implements rest.Storage.
func (*ScaleREST) New() runtime.Object { return &autoscalingv1.Scale{} }

// Destroy implements rest.Storage. The store is destroyed by REST.
func (*ScaleREST) Destroy() {}

// Get implements rest.Patcher.
func (r *ScaleREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	obj, err := r.store.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	return scaleFromCluster(obj.(*mysql.MysqlCluster)), nil
}

// Update implements rest.Patcher. A subresource never creates the object.
func (r *ScaleREST) Update(ctx context.Context, name string, objInfo rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions,
) (runtime.Object, bool, error) {
	obj, _, err := r.store.Update(ctx, name, &scaleUpdatedObjectInfo{name: name, scale: objInfo},
		func(ctx context.Context, obj runtime.Object) error {
			return createValidation(ctx, scaleFromCluster(obj.(*mysql.MysqlCluster)))
		},
		func(ctx context.Context, obj, old runtime.Object) error {
			return updateValidation(ctx, scaleFromCluster(obj.(*mysql.MysqlCluster)), scaleFromCluster(old.(*mysql.MysqlCluster)))
		},
		false, options)
	if err != nil {
		return nil, false, err
	}
	return scaleFromCluster(obj.(*mysql.MysqlCluster)), false, nil
}

// ConvertToTable implements rest.TableConvertor.
func (r *ScaleREST) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return rest.NewDefaultTableConvertor(mysql.Resource("mysqlclusters/scale")).ConvertToTable(ctx, object, options)
}

func scaleFromCluster(cluster *mysql.MysqlCluster) *autoscalingv1.Scale {
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{
			Name:              cluster.Name,
			Namespace:         cluster.Namespace,
			UID:               cluster.UID,
			ResourceVersion:   cluster.ResourceVersion,
			CreationTimestamp: cluster.CreationTimestamp,
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: ptr.Deref(cluster.Spec.Replicas, 1)},
		Status: autoscalingv1.ScaleStatus{Replicas: cluster.Status.Replicas, Selector: cluster.Status.Selector},
	}
}

// scaleUpdatedObjectInfo turns an update of a Scale into one of the MysqlCluster: the stored cluster becomes a Scale, the request is applied
// to that, and the result is carried back.
type scaleUpdatedObjectInfo struct {
	name  string
	scale rest.UpdatedObjectInfo
}

// Preconditions implements rest.UpdatedObjectInfo.
func (i *scaleUpdatedObjectInfo) Preconditions() *metav1.Preconditions {
	return i.scale.Preconditions()
}

// UpdatedObject implements rest.UpdatedObjectInfo.
func (i *scaleUpdatedObjectInfo) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	cluster, ok := old.DeepCopyObject().(*mysql.MysqlCluster)
	if !ok {
		return nil, errors.NewBadRequest(fmt.Sprintf("expected a MysqlCluster, got %T", old))
	}
	if cluster.ResourceVersion == "" { // a zero value: the object does not exist
		return nil, errors.NewNotFound(mysql.Resource("mysqlclusters/scale"), i.name)
	}
	version, err := requestVersion(ctx)
	if err != nil {
		return nil, errors.NewInternalError(err)
	}
	managed := managedfields.NewScaleHandler(cluster.ManagedFields, version, replicasPaths)
	oldScale := scaleFromCluster(cluster)
	if oldScale.ManagedFields, err = managed.ToSubresource(); err != nil {
		return nil, err
	}

	obj, err := i.scale.UpdatedObject(ctx, oldScale)
	if err != nil {
		return nil, err
	}
	scale, ok := obj.(*autoscalingv1.Scale)
	if !ok {
		return nil, errors.NewBadRequest(fmt.Sprintf("expected a Scale, got %T", obj))
	}
	if scale.Spec.Replicas < 0 {
		return nil, errors.NewInvalid(autoscalingv1.SchemeGroupVersion.WithKind("Scale").GroupKind(), i.name, field.ErrorList{
			field.Invalid(field.NewPath("spec", "replicas"), scale.Spec.Replicas, "must be greater than or equal to 0").WithOrigin("minimum"),
		})
	}
	if scale.UID != "" && scale.UID != cluster.UID {
		return nil, errors.NewConflict(mysql.Resource("mysqlclusters/scale"), i.name,
			fmt.Errorf("the UID in the request is %s, that of the object is %s", scale.UID, cluster.UID))
	}

	cluster.Spec.Replicas = ptr.To(scale.Spec.Replicas)
	cluster.ResourceVersion = scale.ResourceVersion
	if cluster.ManagedFields, err = managed.ToParent(scale.ManagedFields); err != nil {
		return nil, err
	}
	return cluster, nil
}

// requestVersion is the version of our group that the request speaks.
func requestVersion(ctx context.Context) (schema.GroupVersion, error) {
	info, ok := genericapirequest.RequestInfoFrom(ctx)
	if !ok {
		return schema.GroupVersion{}, fmt.Errorf("the request does not tell its version")
	}
	version := schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}
	if _, known := replicasPaths[version.String()]; !known {
		return schema.GroupVersion{}, fmt.Errorf("scale does not know the version %s", version)
	}
	return version, nil
}
