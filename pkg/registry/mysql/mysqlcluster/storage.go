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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// Storage holds what serves mysqlclusters and its subresources. All of them work on one store, and so on one watch cache.
type Storage struct {
	Cluster  *REST
	Status   *StatusREST
	Scale    *ScaleREST
	Failover *FailoverREST
}

// NewStorage makes the storage of mysqlclusters with what options says about etcd, for the versions of MySQL in catalog.
func NewStorage(scheme *runtime.Scheme, options generic.RESTOptionsGetter, catalog mysqlversion.Catalog) (*Storage, error) {
	strategy := newStrategy(scheme, catalog)
	store := &genericregistry.Store{
		NewFunc:                   func() runtime.Object { return &mysql.MysqlCluster{} },
		NewListFunc:               func() runtime.Object { return &mysql.MysqlClusterList{} },
		DefaultQualifiedResource:  mysql.Resource("mysqlclusters"),
		SingularQualifiedResource: mysql.Resource("mysqlcluster"),

		CreateStrategy:      strategy,
		UpdateStrategy:      strategy,
		DeleteStrategy:      strategy,
		ResetFieldsStrategy: strategy,

		TableConvertor: tableConvertor{},
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: options}); err != nil {
		return nil, fmt.Errorf("set up the storage of mysqlclusters: %w", err)
	}
	statusStore := *store
	statusStore.UpdateStrategy = statusStrategy{strategy}
	statusStore.ResetFieldsStrategy = statusStrategy{strategy}
	return &Storage{
		Cluster:  &REST{store},
		Status:   &StatusREST{&statusStore},
		Scale:    &ScaleREST{store},
		Failover: &FailoverREST{&statusStore, rest.DeclarativeValidation{Scheme: scheme}},
	}, nil
}

// REST serves mysqlclusters.
type REST struct {
	*genericregistry.Store
}

var (
	_ rest.StandardStorage      = &REST{}
	_ rest.ShortNamesProvider   = &REST{}
	_ rest.CategoriesProvider   = &REST{}
	_ rest.SingularNameProvider = &REST{}
)

// ShortNames implements rest.ShortNamesProvider.
func (*REST) ShortNames() []string { return []string{"mysql"} }

// Categories implements rest.CategoriesProvider. The category "all" is left out on purpose: `kubectl delete all --all` is a common way to
// clear a namespace, and it must not take databases along.
func (*REST) Categories() []string { return []string{"presslabs"} }

// StatusREST serves mysqlclusters/status.
type StatusREST struct {
	store *genericregistry.Store
}

var (
	_ rest.Patcher             = &StatusREST{}
	_ rest.ResetFieldsStrategy = &StatusREST{}
	_ rest.TableConvertor      = &StatusREST{}
)

// New implements rest.Storage.
func (*StatusREST) New() runtime.Object { return &mysql.MysqlCluster{} }

// Destroy implements rest.Storage. The store is destroyed by REST.
func (*StatusREST) Destroy() {}

// Get implements rest.Patcher.
func (r *StatusREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return r.store.Get(ctx, name, options)
}

// Update implements rest.Patcher. A subresource never creates the object.
func (r *StatusREST) Update(ctx context.Context, name string, objInfo rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions,
) (runtime.Object, bool, error) {
	return r.store.Update(ctx, name, objInfo, createValidation, updateValidation, false, options)
}

// GetResetFields implements rest.ResetFieldsStrategy.
func (r *StatusREST) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return r.store.GetResetFields()
}

// ConvertToTable implements rest.TableConvertor.
func (r *StatusREST) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return r.store.ConvertToTable(ctx, object, options)
}
