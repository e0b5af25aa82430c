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

package install

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/managedfields"
	apiopenapi "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/kube-openapi/pkg/builder3"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/openapi"
)

const ourModels = "io.presslabs.mysql.v1alpha1."

func definitions() map[string]common.OpenAPIDefinition {
	return openapi.GetOpenAPIDefinitions(func(name string) spec.Ref { return spec.MustCreateRef("#/components/schemas/" + name) })
}

// models returns the published schemas of our kinds and of all that they refer to, as the server builds them.
func models(t *testing.T) map[string]*spec.Schema {
	t.Helper()
	config := &common.OpenAPIV3Config{
		Info:              &spec.Info{},
		GetDefinitions:    openapi.GetOpenAPIDefinitions,
		GetDefinitionName: apiopenapi.NewDefinitionNamer(newScheme()).GetDefinitionName,
	}
	schemas, err := builder3.BuildOpenAPIDefinitionsForResources(config, ourModels+"MysqlCluster", ourModels+"MysqlClusterList", ourModels+"MysqlFailover")
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}

// A name with a slash makes the document of version 2 unreadable, and with it `kubectl explain` and server-side apply.
func TestOpenAPINamesHaveNoSlash(t *testing.T) {
	for name := range definitions() {
		if strings.Contains(name, "/") {
			t.Errorf("%s: its package lacks a model package", name)
		}
	}
}

func TestOpenAPIKindsAreTold(t *testing.T) {
	schemas := models(t)
	for _, kind := range []string{"MysqlCluster", "MysqlClusterList", "MysqlFailover"} {
		schema, ok := schemas[ourModels+kind]
		if !ok {
			t.Errorf("%s has no schema", kind)
			continue
		}
		gvks, ok := schema.Extensions["x-kubernetes-group-version-kind"].([]any)
		if !ok || len(gvks) != 1 {
			t.Errorf("%s: x-kubernetes-group-version-kind is %v", kind, schema.Extensions)
			continue
		}
		gvk := gvks[0].(map[string]any)
		if gvk["group"] != "mysql.presslabs.io" || gvk["version"] != "v1alpha1" || gvk["kind"] != kind {
			t.Errorf("%s: x-kubernetes-group-version-kind is %v", kind, gvk)
		}
	}
}

// TestOpenAPIExplainsEachField looks for what `kubectl explain` shows: that each of our types and fields is described, in words that
// start with the name that people type.
func TestOpenAPIExplainsEachField(t *testing.T) {
	types, fields := 0, 0
	for name, definition := range definitions() {
		if !strings.HasPrefix(name, ourModels) {
			continue
		}
		types++
		if definition.Schema.Description == "" {
			t.Errorf("%s is not described", name)
		}
		for field, property := range definition.Schema.Properties {
			fields++
			switch {
			case field == "kind" || field == "apiVersion": // described by apimachinery
			case !strings.HasPrefix(property.Description, field+" "):
				t.Errorf("%s.%s: the description %q does not start with the field's name", name, field, property.Description)
			}
		}
	}
	if types < 15 || fields < 100 {
		t.Errorf("found only %d types with %d fields", types, fields)
	}
}

func TestOpenAPIPublishesLimitsAndDefaults(t *testing.T) {
	clusterSpec := definitions()[ourModels+"MysqlClusterSpec"].Schema
	replicas := clusterSpec.Properties["replicas"]
	if ptr.Deref(replicas.Minimum, -1) != 0 || ptr.Deref(replicas.Maximum, -1) != 32 || replicas.Default == nil {
		t.Errorf("replicas: minimum %v, maximum %v, default %v", replicas.Minimum, replicas.Maximum, replicas.Default)
	}
	durability := definitions()[ourModels+"ReplicationSpec"].Schema.Properties["durability"]
	if len(durability.Enum) != 2 || !strings.Contains(durability.Description, "Possible enum values") {
		t.Errorf("durability: %v %q", durability.Enum, durability.Description)
	}
	if len(clusterSpec.Required) != 1 || clusterSpec.Required[0] != "secretName" {
		t.Errorf("required are %v", clusterSpec.Required)
	}
}

// TestServerSideApplyKnowsTheTypes builds what the server tracks the owners of fields with, from the published schemas.
func TestServerSideApplyKnowsTheTypes(t *testing.T) {
	converter, err := managedfields.NewTypeConverter(models(t), false)
	if err != nil {
		t.Fatal(err)
	}
	cluster := &v1alpha1.MysqlCluster{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "MysqlCluster"},
		Spec: v1alpha1.MysqlClusterSpec{
			MinAvailable: ptr.To(intstr.FromString("50%")),
			MysqlConf:    map[string]intstr.IntOrString{"max_connections": intstr.FromInt32(1)},
			PodSpec:      v1alpha1.PodSpec{Containers: []corev1.Container{{Name: "exporter"}}},
		},
		Status: v1alpha1.MysqlClusterStatus{
			Nodes:      []v1alpha1.NodeStatus{{Name: "foo-mysql-0"}},
			Conditions: []metav1.Condition{{Type: "Ready"}},
		},
	}
	typed, err := converter.ObjectToTyped(runtime.Object(cluster))
	if err != nil {
		t.Fatal(err)
	}
	fields, err := typed.ToFieldSet()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		`.status.nodes[name="foo-mysql-0"].name`, `.status.conditions[type="Ready"].type`, `.spec.podSpec.containers[name="exporter"].name`,
		`.spec.mysqlConf.max_connections`, `.spec.minAvailable`,
	} {
		if !strings.Contains(fields.String(), path) {
			t.Errorf("%s is not a field of its own in\n%s", path, fields)
		}
	}
}
