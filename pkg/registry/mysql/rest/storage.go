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

// Package rest puts together what serves the API group mysql.presslabs.io.
package rest

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
	"github.com/presslabs/mysql-apiserver/pkg/registry/mysql/mysqlcluster"
)

// NewAPIGroup makes the group with its resources and subresources. Every served version shares the storage.
func NewAPIGroup(scheme *runtime.Scheme, codecs serializer.CodecFactory, options generic.RESTOptionsGetter,
	catalog mysqlversion.Catalog,
) (*genericapiserver.APIGroupInfo, error) {
	clusters, err := mysqlcluster.NewStorage(scheme, options, catalog)
	if err != nil {
		return nil, err
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(mysql.GroupName, scheme, metav1.ParameterCodec, codecs)
	group.VersionedResourcesStorageMap[v1alpha1.SchemeGroupVersion.Version] = map[string]rest.Storage{
		"mysqlclusters":          clusters.Cluster,
		"mysqlclusters/status":   clusters.Status,
		"mysqlclusters/scale":    clusters.Scale,
		"mysqlclusters/failover": clusters.Failover,
	}
	return &group, nil
}
