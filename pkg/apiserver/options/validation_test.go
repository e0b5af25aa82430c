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
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// causes are the fields that an error finds fault with.
func causes(t *testing.T, err error) []string {
	t.Helper()
	status, ok := err.(apierrors.APIStatus)
	if !ok || !apierrors.IsInvalid(err) {
		t.Fatalf("got %v, want an error of kind Invalid", err)
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		fields = append(fields, cause.Field)
	}
	return fields
}

func TestInvalidClustersAreRefused(t *testing.T) {
	cases := []struct {
		name   string
		change func(*v1alpha1.MysqlCluster)
		field  string
	}{
		{"negative replicas", func(c *v1alpha1.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](-1) }, "spec.replicas"},
		{"absurd replicas", func(c *v1alpha1.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](1000) }, "spec.replicas"},
		{"no secret", func(c *v1alpha1.MysqlCluster) { c.Spec.SecretName = "" }, "spec.secretName"},
		{"unknown version", func(c *v1alpha1.MysqlCluster) { c.Spec.MysqlVersion = "5.7" }, "spec.mysqlVersion"},
		{"reserved setting", func(c *v1alpha1.MysqlCluster) {
			c.Spec.MysqlConf = map[string]intstr.IntOrString{"gtid-mode": intstr.FromString("OFF")}
		}, "spec.mysqlConf[gtid-mode]"},
		{"long name", func(c *v1alpha1.MysqlCluster) { c.Name = strings.Repeat("a", 60) }, "metadata.name"},
		{"unknown durability", func(c *v1alpha1.MysqlCluster) { c.Spec.Replication.Durability = "Loose" }, "spec.replication.durability"},
	}
	client := clusters(t, server.Config)
	create(t, newCluster("valid"))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := client.Create(t.Context(), newCluster("foo", c.change), metav1.CreateOptions{})
			if got := causes(t, err); len(got) != 1 || got[0] != c.field {
				t.Errorf("on creation, the faults are in %v, want one in %s (%v)", got, c.field, err)
			}
			if c.field == "metadata.name" {
				return
			}
			_, err = client.Update(t.Context(), newCluster("valid", c.change), metav1.UpdateOptions{})
			if got := causes(t, err); len(got) != 1 || got[0] != c.field {
				t.Errorf("on update, the faults are in %v, want one in %s (%v)", got, c.field, err)
			}
		})
	}
}

func TestUnknownFieldsAreRefusedWhenStrict(t *testing.T) {
	client := dynamicClusters(t)
	cluster := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "mysql.presslabs.io/v1alpha1", "kind": "MysqlCluster",
		"metadata": map[string]any{"name": "foo"},
		"spec":     map[string]any{"secretName": "s", "backupSchedule": "@daily"},
	}}
	_, err := client.Create(t.Context(), cluster, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.backupSchedule"`) {
		t.Errorf("got %v", err)
	}
	create(t, newCluster("foo"))
	_, err = client.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"spec":{"replica":5}}`), metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict})
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.replica"`) {
		t.Errorf("got %v", err)
	}
}

// warnings collects the warnings that a client gets.
type warnings []string

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { *w = append(*w, text) }

func TestRiskyChoicesAreWarnedOf(t *testing.T) {
	var got warnings
	config := rest.CopyConfig(server.Config)
	config.WarningHandler = &got
	client := clusters(t, config)
	if _, err := client.Create(t.Context(), newCluster("foo", func(c *v1alpha1.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](1) }), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !strings.Contains(got[0], "spec.replicas") {
		t.Errorf("creating a single node: got the warnings %q", got)
	}
	got = nil
	if _, err := client.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Errorf("labelling a single node: got the warnings %q", got)
	}
	if _, err := client.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"spec":{"readOnly":true}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Errorf("changing a single node: got the warnings %q", got)
	}
}

func TestStatusKeepsWhatSafetyRestsOn(t *testing.T) {
	client := clusters(t, server.Config)
	cluster := create(t, newCluster("foo"))
	cluster.Status.Term = 5
	cluster, err := client.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Status.Term = 4
	_, err = client.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{})
	if got := causes(t, err); len(got) != 1 || got[0] != "status.term" {
		t.Errorf("a term that goes back: the faults are in %v", got)
	}
	if code := err.(apierrors.APIStatus).Status().Code; code != http.StatusUnprocessableEntity {
		t.Errorf("the code is %d", code)
	}
}
