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

package apiserver

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"

	generatedopenapi "github.com/presslabs/mysql-apiserver/pkg/generated/openapi"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
	mysqlrest "github.com/presslabs/mysql-apiserver/pkg/registry/mysql/rest"
)

// Name is what the server calls itself in logs and metrics.
const Name = "mysql-apiserver"

// Config is all that the server needs to know.
type Config struct {
	Generic *genericapiserver.RecommendedConfig
	// Catalog is the versions of MySQL that clusters may ask for.
	Catalog mysqlversion.Catalog
}

// NewConfig makes a configuration that lacks what options have to say.
func NewConfig() *Config {
	generic := genericapiserver.NewRecommendedConfig(Codecs)
	namer := openapi.NewDefinitionNamer(Scheme)
	generic.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(generatedopenapi.GetOpenAPIDefinitions, namer)
	generic.OpenAPIConfig.Info.Title = "MySQL API server"
	generic.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(generatedopenapi.GetOpenAPIDefinitions, namer)
	generic.OpenAPIV3Config.Info.Title = "MySQL API server"
	return &Config{Generic: generic, Catalog: mysqlversion.Builtin()}
}

// completedConfig can only be made by Complete.
type completedConfig struct {
	generic genericapiserver.CompletedConfig
	catalog mysqlversion.Catalog
}

// CompletedConfig is a Config in which nothing is left open.
type CompletedConfig struct {
	*completedConfig
}

// Complete fills in what can be derived from the rest.
func (c *Config) Complete() CompletedConfig {
	c.Generic.EffectiveVersion = servedVersion{c.Generic.EffectiveVersion}
	return CompletedConfig{&completedConfig{generic: c.Generic.Complete(), catalog: c.Catalog}}
}

// New makes the server. It opens the storage, so etcd has to be there.
func (c CompletedConfig) New() (*genericapiserver.GenericAPIServer, error) {
	server, err := c.generic.New(Name, genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	group, err := mysqlrest.NewAPIGroup(Scheme, Codecs, c.generic.RESTOptionsGetter, c.catalog)
	if err != nil {
		return nil, err
	}
	if err := server.InstallAPIGroup(group); err != nil {
		return nil, fmt.Errorf("install the API group %s: %w", group.PrioritizedVersions[0].Group, err)
	}
	return server, nil
}

// StorageMediaType is the form in which objects are kept in etcd.
const StorageMediaType = runtime.ContentTypeProtobuf
