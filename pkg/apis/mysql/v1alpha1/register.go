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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the name of the API group.
const GroupName = "mysql.presslabs.io"

// SchemeGroupVersion is the group and version of the types in this package.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

var (
	// SchemeBuilder collects what registers this package's types, defaults, conversions and validations.
	SchemeBuilder runtime.SchemeBuilder
	// The generated files add their functions to localSchemeBuilder, hence the pointer.
	localSchemeBuilder = &SchemeBuilder
	// AddToScheme registers the types, with their defaults, conversions and validations.
	AddToScheme = localSchemeBuilder.AddToScheme
)

func init() {
	// Only what is written by hand is registered here. The generated files register themselves, so that the package
	// compiles without them too.
	localSchemeBuilder.Register(addKnownTypes, addDefaultingFuncs)
}

// Kind returns the group-qualified kind of that name.
func Kind(kind string) schema.GroupKind {
	return SchemeGroupVersion.WithKind(kind).GroupKind()
}

// Resource returns the group-qualified resource of that name.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&MysqlCluster{},
		&MysqlClusterList{},
		&MysqlFailover{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
