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

// Package mysqlcluster serves the resource mysqlclusters: what may be written to it, where it is kept, and how it is shown.
package mysqlcluster

import (
	"context"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/validation"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// strategy says what happens to a MysqlCluster that is created, updated or deleted. The generated validation runs by virtue of
// DeclarativeValidation, beside what Validate and ValidateUpdate add.
type strategy struct {
	rest.DeclarativeValidation
	names.NameGenerator
	catalog mysqlversion.Catalog
}

var (
	_ rest.RESTCreateStrategy              = strategy{}
	_ rest.RESTUpdateStrategy              = strategy{}
	_ rest.RESTDeleteStrategy              = strategy{}
	_ rest.GarbageCollectionDeleteStrategy = strategy{}
	_ rest.ResetFieldsStrategy             = strategy{}
	_ rest.DeclarativeValidationStrategy   = strategy{}
)

func newStrategy(scheme *runtime.Scheme, catalog mysqlversion.Catalog) strategy {
	return strategy{
		DeclarativeValidation: rest.DeclarativeValidation{Scheme: scheme},
		NameGenerator:         names.SimpleNameGenerator,
		catalog:               catalog,
	}
}

// NamespaceScoped implements rest.RESTCreateStrategy.
func (strategy) NamespaceScoped() bool { return true }

// DefaultGarbageCollectionPolicy implements rest.GarbageCollectionDeleteStrategy: what makes up a cluster goes with it.
func (strategy) DefaultGarbageCollectionPolicy(context.Context) rest.GarbageCollectionPolicy {
	return rest.DeleteDependents
}

// GetResetFields tells server-side apply that nobody gets to own status by applying the main resource.
func (strategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields("status")
}

// PrepareForCreate drops the status that the client sent, fills in the administrator's version of MySQL, and starts counting generations.
func (s strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	cluster := obj.(*mysql.MysqlCluster)
	cluster.Spec.MysqlVersion = s.catalog.OrDefault(cluster.Spec.MysqlVersion)
	cluster.Status = mysql.MysqlClusterStatus{}
	cluster.Generation = 1
}

// Validate adds to the declarative rules those that they can not express.
func (s strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return validation.ValidateMysqlCluster(obj.(*mysql.MysqlCluster), s.catalog)
}

// WarningsOnCreate tells what is allowed but risky.
func (strategy) WarningsOnCreate(_ context.Context, obj runtime.Object) []string {
	return validation.Warnings(obj.(*mysql.MysqlCluster))
}

// Canonicalize implements rest.RESTCreateStrategy. There is nothing that could be written in two ways.
func (strategy) Canonicalize(runtime.Object) {}

// AllowCreateOnUpdate implements rest.RESTUpdateStrategy: a PUT to a name that does not exist is a mistake.
func (strategy) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate implements rest.RESTUpdateStrategy. As for the workloads of Kubernetes itself, a manifest without a
// resourceVersion may replace the object: that is what `kubectl replace -f` sends. Who has to guard against concurrent writers, as the
// controller has, sends the resourceVersion.
func (strategy) AllowUnconditionalUpdate(context.Context) bool { return true }

// PrepareForUpdate keeps the status, and counts a generation when spec changes.
func (strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	cluster, oldCluster := obj.(*mysql.MysqlCluster), old.(*mysql.MysqlCluster)
	cluster.Status = oldCluster.Status
	if cluster.Spec.MysqlVersion == "" {
		// Replacing the object by its original manifest must not undo the default that was filled in when it was created.
		cluster.Spec.MysqlVersion = oldCluster.Spec.MysqlVersion
	}
	cluster.Generation = oldCluster.Generation
	if !apiequality.Semantic.DeepEqual(cluster.Spec, oldCluster.Spec) {
		cluster.Generation++
	}
}

// ValidateUpdate adds to the declarative rules those that they can not express.
func (s strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateMysqlClusterUpdate(obj.(*mysql.MysqlCluster), old.(*mysql.MysqlCluster), s.catalog)
}

// WarningsOnUpdate tells what is allowed but risky, when spec changes; who labels a cluster is not to be bothered.
func (strategy) WarningsOnUpdate(_ context.Context, obj, old runtime.Object) []string {
	cluster, oldCluster := obj.(*mysql.MysqlCluster), old.(*mysql.MysqlCluster)
	if cluster.Generation == oldCluster.Generation {
		return nil
	}
	return validation.Warnings(cluster)
}

// statusStrategy says what an update of the subresource status may do.
type statusStrategy struct {
	strategy
}

// GetResetFields tells server-side apply that nobody gets to own anything but status by applying the subresource.
func (statusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields("metadata", "spec")
}

// AllowUnconditionalUpdate implements rest.RESTUpdateStrategy. Who replaces a status has to say which one: else a controller could wipe out
// a request that an action subresource has recorded since it looked.
func (statusStrategy) AllowUnconditionalUpdate(context.Context) bool { return false }

// PrepareForUpdate keeps everything but the status.
func (statusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	cluster, oldCluster := obj.(*mysql.MysqlCluster), old.(*mysql.MysqlCluster)
	cluster.Spec = oldCluster.Spec
	metav1.ResetObjectMetaForStatus(&cluster.ObjectMeta, &oldCluster.ObjectMeta)
}

// ValidateUpdate adds to the declarative rules those that they can not express.
func (s statusStrategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateMysqlClusterStatusUpdate(obj.(*mysql.MysqlCluster), old.(*mysql.MysqlCluster))
}

// WarningsOnUpdate implements rest.RESTUpdateStrategy. Who writes a status can not mend spec.
func (statusStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

func resetFields(names ...string) map[fieldpath.APIVersion]*fieldpath.Set {
	set := fieldpath.NewSet()
	for _, name := range names {
		set.Insert(fieldpath.MakePathOrDie(name))
	}
	return map[fieldpath.APIVersion]*fieldpath.Set{fieldpath.APIVersion(v1alpha1.SchemeGroupVersion.String()): set}
}
