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
	"encoding/json"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
)

func TestDiscoveryNamesTheResources(t *testing.T) {
	client := discovery.NewDiscoveryClientForConfigOrDie(server.Config)
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]metav1.APIResource{}
	for _, list := range lists {
		if list.GroupVersion == v1alpha1.SchemeGroupVersion.String() {
			for _, resource := range list.APIResources {
				found[resource.Name] = resource
			}
		}
	}
	main := found["mysqlclusters"]
	if main.SingularName != "mysqlcluster" || !slices.Equal(main.ShortNames, []string{"mysql"}) || main.Kind != "MysqlCluster" || !main.Namespaced {
		t.Errorf("mysqlclusters is %+v", main)
	}
	if !slices.Contains(main.Categories, "presslabs") {
		t.Errorf("the categories are %v", main.Categories)
	}
	if slices.Contains(main.Categories, "all") {
		t.Error("`kubectl delete all --all` would delete databases")
	}
	for _, verb := range []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} {
		if !slices.Contains(main.Verbs, verb) {
			t.Errorf("the verb %s is missing", verb)
		}
	}
	if scale := found["mysqlclusters/scale"]; scale.Group != "autoscaling" || scale.Version != "v1" || scale.Kind != "Scale" {
		t.Errorf("mysqlclusters/scale is %+v", scale)
	}
	if status := found["mysqlclusters/status"]; status.Kind != "MysqlCluster" {
		t.Errorf("mysqlclusters/status is %+v", status)
	}
	if failover := found["mysqlclusters/failover"]; failover.Kind != "MysqlFailover" || !slices.Equal(failover.Verbs, []string{"create"}) || !failover.Namespaced {
		t.Errorf("mysqlclusters/failover is %+v", failover)
	}
}

func TestOpenAPIExplainsTheFields(t *testing.T) {
	client := discovery.NewDiscoveryClientForConfigOrDie(server.Config)
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	path, ok := paths["apis/mysql.presslabs.io/v1alpha1"]
	if !ok {
		t.Fatalf("our group is not among the documents")
	}
	raw, err := path.Schema("application/json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Description string
					Maximum     *float64
				}
				GVK []metav1.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
			}
		}
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	schemas := document.Components.Schemas
	for name := range schemas {
		if strings.Contains(name, "/") {
			t.Errorf("%q is a path of Go, not the name of a model", name)
		}
	}
	if gvk := schemas["io.presslabs.mysql.v1alpha1.MysqlCluster"].GVK; len(gvk) != 1 || gvk[0].Kind != "MysqlCluster" {
		t.Errorf("the kind of MysqlCluster is %v", gvk)
	}
	replicas := schemas["io.presslabs.mysql.v1alpha1.MysqlClusterSpec"].Properties["replicas"]
	if !strings.HasPrefix(replicas.Description, "replicas is the number of MySQL nodes") || replicas.Maximum == nil || *replicas.Maximum != 32 {
		t.Errorf("spec.replicas is %+v", replicas)
	}
	if _, err := client.OpenAPISchema(); err != nil {
		t.Errorf("the second version of OpenAPI: %v", err)
	}
}

func TestTableShowsTheColumns(t *testing.T) {
	create(t, newCluster("foo"))
	client, err := versioned.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string) *metav1.Table {
		table := &metav1.Table{}
		request := client.MysqlV1alpha1().RESTClient().Get().Namespace(namespace(t)).Resource("mysqlclusters").
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
		if name != "" {
			request = request.Name(name)
		}
		raw, err := request.Do(t.Context()).Raw()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, table); err != nil {
			t.Fatal(err)
		}
		return table
	}
	for _, table := range []*metav1.Table{get(""), get("foo")} {
		var narrow, all []string
		for _, column := range table.ColumnDefinitions {
			all = append(all, column.Name)
			if column.Priority == 0 {
				narrow = append(narrow, column.Name)
			}
		}
		if got, want := strings.Join(narrow, " "), "Name Ready Primary Status Version Age"; got != want {
			t.Errorf("the columns are %q, want %q", got, want)
		}
		if len(table.Rows) != 1 || len(table.Rows[0].Cells) != len(all) {
			t.Errorf("the rows are %v", table.Rows)
			continue
		}
		if cells := table.Rows[0].Cells; cells[0] != "foo" || cells[1] != "0/3" {
			t.Errorf("the cells are %v", cells)
		}
		if table.ResourceVersion == "" {
			t.Error("a watch could not go on from the table: it has no resourceVersion")
		}
	}
}

func TestServerTellsAVersionThatClientsUnderstand(t *testing.T) {
	info, err := discovery.NewDiscoveryClientForConfigOrDie(rest.CopyConfig(server.Config)).ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if info.Major != "1" || !strings.HasPrefix(info.GitVersion, "v1."+info.Minor+".") {
		t.Errorf("the version is %+v", info)
	}
}
