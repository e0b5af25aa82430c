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

package options_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/yaml"

	"github.com/presslabs/mysql-apiserver/pkg/apiserver/options"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// manifest reads the document of that kind and name from a file in artifacts/apiserver. A field that does not exist is an error.
func manifest[T any](t *testing.T, file, kind, name string) *T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "artifacts", "apiserver", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatal(err)
		}
		if head.Kind != kind || head.Metadata.Name != name {
			continue
		}
		object := new(T)
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		return object
	}
	t.Fatalf("%s has no %s %s", file, kind, name)
	return nil
}

// shipped are the options that the StatefulSet starts the server with.
func shipped(t *testing.T) *options.Options {
	t.Helper()
	set := manifest[appsv1.StatefulSet](t, "statefulset.yaml", "StatefulSet", "mysql-apiserver")
	args := set.Spec.Template.Spec.Containers[0].Args
	if len(args) == 0 || args[0] != "serve" {
		t.Fatalf("the arguments are %q", args)
	}
	o := options.New()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	o.AddFlags(flags)
	var resolved []string
	for _, arg := range args[1:] {
		resolved = append(resolved, strings.ReplaceAll(arg, "$(POD_NAMESPACE)", set.Namespace))
	}
	if err := flags.Parse(resolved); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestShippedFlagsAreValid(t *testing.T) {
	if err := shipped(t).Validate(); err != nil {
		t.Error(err)
	}
}

func TestShippedVersionsAreTheBuiltInOnes(t *testing.T) {
	config := manifest[corev1.ConfigMap](t, "versions.yaml", "ConfigMap", "mysql-versions")
	catalog, err := mysqlversion.Parse([]byte(config.Data["versions.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(catalog, mysqlversion.Builtin()) {
		t.Errorf("got %+v, want %+v", catalog, mysqlversion.Builtin())
	}
	if file := shipped(t).MysqlVersionsFile; filepath.Base(file) != "versions.yaml" {
		t.Errorf("the server reads %s", file)
	}
}

func TestShippedNamesAgree(t *testing.T) {
	cert := shipped(t).ServingCert
	for _, name := range cert.APIServices {
		service := manifest[apiregistrationv1.APIService](t, "apiservice.yaml", "APIService", name)
		if service.Spec.Service.Name != cert.Service || service.Spec.Service.Namespace != cert.Namespace {
			t.Errorf("%s leads to %+v, the certificate is for %s in %s", name, service.Spec.Service, cert.Service, cert.Namespace)
		}
		if service.Name != service.Spec.Version+"."+service.Spec.Group {
			t.Errorf("%s is for %s %s", name, service.Spec.Group, service.Spec.Version)
		}
		if service.Spec.InsecureSkipTLSVerify || service.Spec.CABundle != nil {
			t.Errorf("%s does not leave trust to the server", name)
		}
	}
	service := manifest[corev1.Service](t, "service.yaml", "Service", cert.Service)
	set := manifest[appsv1.StatefulSet](t, "statefulset.yaml", "StatefulSet", "mysql-apiserver")
	if service.Namespace != cert.Namespace || !reflect.DeepEqual(service.Spec.Selector, set.Spec.Template.Labels) {
		t.Errorf("the Service in %s selects %v, the pods have %v", service.Namespace, service.Spec.Selector, set.Spec.Template.Labels)
	}
}

// The one on call may make another node the primary; who may edit clusters may not, because that can give up transactions.
func TestShippedRightToFailOverStandsAlone(t *testing.T) {
	want := []rbacv1.PolicyRule{{APIGroups: []string{"mysql.presslabs.io"}, Resources: []string{"mysqlclusters/failover"}, Verbs: []string{"create"}}}
	role := manifest[rbacv1.ClusterRole](t, "user-roles.yaml", "ClusterRole", "mysql-failover")
	if !reflect.DeepEqual(role.Rules, want) {
		t.Errorf("the role for failovers has %+v", role.Rules)
	}
	if role.Labels["rbac.authorization.k8s.io/aggregate-to-edit"] != "" || role.Labels["rbac.authorization.k8s.io/aggregate-to-admin"] != "true" {
		t.Errorf("the role for failovers is part of %v", role.Labels)
	}
	for _, name := range []string{"mysql-view", "mysql-edit"} {
		for _, rule := range manifest[rbacv1.ClusterRole](t, "user-roles.yaml", "ClusterRole", name).Rules {
			if slices.ContainsFunc(rule.Resources, func(r string) bool { return r == "mysqlclusters/failover" || strings.Contains(r, "*") }) {
				t.Errorf("%s includes %v", name, rule.Resources)
			}
		}
	}
}

func TestShippedRightsAreNoMoreThanNamed(t *testing.T) {
	cert := shipped(t).ServingCert
	role := manifest[rbacv1.Role](t, "role.yaml", "Role", "mysql-apiserver")
	if len(role.Rules) != 1 || !slices.Equal(role.Rules[0].ResourceNames, []string{cert.Secret}) || !slices.Equal(role.Rules[0].Resources, []string{"secrets"}) {
		t.Errorf("in its namespace the server may %+v", role.Rules)
	}
	cluster := manifest[rbacv1.ClusterRole](t, "role.yaml", "ClusterRole", "mysql-apiserver")
	readable := map[string]bool{}
	for _, rule := range cluster.Rules {
		for _, resource := range rule.Resources {
			readable[resource] = true
			writes := slices.ContainsFunc(rule.Verbs, func(verb string) bool { return verb != "get" && verb != "list" && verb != "watch" })
			if writes && (resource != "apiservices" || !slices.Equal(rule.ResourceNames, cert.APIServices)) {
				t.Errorf("the server may %v %s %v", rule.Verbs, resource, rule.ResourceNames)
			}
		}
	}
	// Without one of these, the admission plugins never get ready and every write is refused.
	for _, needed := range []string{
		"namespaces", "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies",
		"validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "flowschemas", "prioritylevelconfigurations",
	} {
		if !readable[needed] {
			t.Errorf("the server may not read %s", needed)
		}
	}
}
