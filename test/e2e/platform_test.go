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

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAPIServiceIsAvailableAndVerified checks how our API server is registered.
func TestAPIServiceIsAvailableAndVerified(t *testing.T) {
	var service struct {
		Spec struct {
			CABundle              []byte `json:"caBundle"`
			InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
		} `json:"spec"`
		Status struct {
			Conditions []struct{ Type, Status string } `json:"conditions"`
		} `json:"status"`
	}
	out := mustKubectl(t, "", "get", "apiservice", "v1alpha1.mysql.presslabs.io", "-o", "json")
	if err := json.Unmarshal([]byte(out), &service); err != nil {
		t.Fatal(err)
	}
	if service.Spec.InsecureSkipTLSVerify || !bytes.Contains(service.Spec.CABundle, []byte("BEGIN CERTIFICATE")) {
		t.Errorf("our server's certificate is not verified: %s", out)
	}
	for _, c := range service.Status.Conditions {
		if c.Type == "Available" && c.Status == "True" {
			return
		}
	}
	t.Errorf("not Available: %s", out)
}

// TestKubectlKnowsTheAPI tries what people type first.
func TestKubectlKnowsTheAPI(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"api-resources", "--api-group=mysql.presslabs.io"}, []string{"mysqlclusters", "mysql ", "MysqlCluster", "true"}},
		{[]string{"explain", "mysqlcluster.spec", "--recursive"}, []string{"secretName", "durability", "persistentVolumeClaim", "-required-"}},
		{[]string{"explain", "mysqlcluster.spec.replication.durability"}, []string{"Strict", "Preferred", "enum"}},
		{[]string{"get", "mysql", "-A"}, []string{"NAME"}},
	} {
		out := mustKubectl(t, "", test.args...)
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("kubectl %s does not show %q:\n%s", strings.Join(test.args, " "), want, out)
			}
		}
	}
}

// TestOurPartsAskForNoRightThatTheyLack looks for refusals in the logs of our API server and controller: the manifests must grant
// what the programs use.
func TestOurPartsAskForNoRightThatTheyLack(t *testing.T) {
	pods, err := kube.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) < 2 {
		t.Fatalf("%d pods in %s (%v)", len(pods.Items), systemNamespace, err)
	}
	for _, pod := range pods.Items {
		if pod.Spec.SecurityContext == nil {
			t.Errorf("%s has no security context", pod.Name)
		}
		eventually(t, t.Context(), "the log of "+pod.Name, func(ctx context.Context) (bool, string, error) {
			raw, err := kube.CoreV1().Pods(systemNamespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
			if err != nil {
				return false, "", err
			}
			for line := range strings.Lines(string(raw)) {
				// So begins what authorization says; "is forbidden" alone is also what a namespace says that is being deleted.
				if strings.Contains(line, "is forbidden: User ") {
					t.Errorf("%s: %s", pod.Name, line)
				}
			}
			return true, "", nil
		})
	}
}
