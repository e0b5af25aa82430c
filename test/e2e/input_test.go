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
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

const manifestHead = "apiVersion: mysql.presslabs.io/v1alpha1\nkind: MysqlCluster\nmetadata:\n  name: %s\nspec:\n"

// TestBadInputIsRefusedWithFieldAndReason applies, by kubectl through the aggregation layer, what people get wrong.
func TestBadInputIsRefusedWithFieldAndReason(t *testing.T) {
	ns := newNamespace(t)
	for _, test := range []struct {
		what, name, spec string
		want             []string
	}{
		{"a misspelt field", "bad", "  secretname: s\n", []string{"unknown field", "spec.secretname"}},
		{"a field of a later release", "bad", "  secretName: s\n  backupSchedule: '0 0 * * *'\n", []string{"unknown field", "spec.backupSchedule"}},
		{"no Secret", "bad", "  replicas: 1\n", []string{"spec.secretName", "Required"}},
		{"negative replicas", "bad", "  secretName: s\n  replicas: -1\n", []string{"spec.replicas", "-1"}},
		{"absurd replicas", "bad", "  secretName: s\n  replicas: 1000\n", []string{"spec.replicas", "1000"}},
		{"an unknown version", "bad", "  secretName: s\n  mysqlVersion: '5.7'\n", []string{"spec.mysqlVersion", "5.7", "9.7"}},
		{"a reserved setting", "bad", "  secretName: s\n  mysqlConf:\n    gtid_mode: 'OFF'\n", []string{"spec.mysqlConf", "gtid_mode"}},
		{"a reserved setting spelt otherwise", "bad", "  secretName: s\n  mysqlConf:\n    Super-Read-Only: 0\n", []string{"spec.mysqlConf"}},
		{"an impossible volume", "bad", "  secretName: s\n  volumeSpec:\n    persistentVolumeClaim:\n      accessModes: [ReadWriteOnce]\n      resources:\n        requests:\n          storage: -1Gi\n",
			[]string{"spec.volumeSpec.persistentVolumeClaim"}},
		{"an unknown durability", "bad", "  secretName: s\n  replication:\n    durability: Maybe\n", []string{"spec.replication.durability", "Strict", "Preferred"}},
		{"a name too long for its children", strings.Repeat("x", 47), "  secretName: s\n", []string{"metadata.name", "46"}},
	} {
		t.Run(strings.ReplaceAll(test.what, " ", "_"), func(t *testing.T) {
			out, err := kubectl(t, fmt.Sprintf(manifestHead, test.name)+test.spec, "-n", ns, "create", "-f", "-")
			if err == nil {
				t.Fatalf("accepted: %s", out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("the refusal does not mention %q: %s", want, out)
				}
			}
		})
	}
}

// TestMissingSecretIsNamedAndPickedUpOnceItIsThere makes a cluster without its Secret, then with half of it, then with all.
func TestMissingSecretIsNamedAndPickedUpOnceItIsThere(t *testing.T) {
	ns := newNamespace(t)
	_, err := api.MysqlV1alpha1().MysqlClusters(ns).Create(t.Context(), &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "waiting"},
		Spec:       v1alpha1.MysqlClusterSpec{SecretName: "late", Replicas: ptr.To[int32](1)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitSecretNotReady(t, ns, "late")
	secret, err := kube.CoreV1().Secrets(ns).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "late"}, StringData: map[string]string{"PASSWORD": "of nobody"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitSecretNotReady(t, ns, v1alpha1.SecretKeyRootPassword)
	eventually(t, t.Context(), "an Event that names the Secret", func(ctx context.Context) (bool, string, error) {
		events, err := kube.CoreV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=MysqlCluster,involvedObject.name=waiting"})
		if err != nil {
			return false, "", err
		}
		for _, event := range events.Items {
			if event.Type == corev1.EventTypeWarning && strings.Contains(event.Message, "late") {
				return true, "", nil
			}
		}
		return false, fmt.Sprintf("%d other events", len(events.Items)), nil
	})
	secret.StringData = map[string]string{v1alpha1.SecretKeyRootPassword: rootPassword, "USER": "", "PASSWORD": ""}
	if _, err := kube.CoreV1().Secrets(ns).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitReady(t, ns, "waiting", 1)
}

func waitSecretNotReady(t *testing.T, ns, word string) {
	t.Helper()
	eventually(t, t.Context(), "the condition SecretReady to be False and to mention "+word, func(ctx context.Context) (bool, string, error) {
		cluster, err := api.MysqlV1alpha1().MysqlClusters(ns).Get(ctx, "waiting", metav1.GetOptions{})
		if err != nil {
			return false, "", err
		}
		c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionSecretReady)
		return c != nil && c.Status == metav1.ConditionFalse && strings.Contains(c.Message, word), describe(cluster), nil
	})
}

// TestKeptVolumesAreTakenOverWithTheirData deletes a cluster that keeps its volumes and makes it again.
func TestKeptVolumesAreTakenOverWithTheirData(t *testing.T) {
	ns := newNamespace(t)
	spec := v1alpha1.MysqlClusterSpec{SecretName: "kept", Replicas: ptr.To[int32](1), VolumeSpec: v1alpha1.VolumeSpec{KeepAfterDelete: true}}
	createCluster(t, ns, "foo", spec)
	waitReady(t, ns, "foo", 1)
	w := startWriter(t, ns, "foo", "kept")
	w.waitForProgress(t)
	w.stop()
	<-w.done

	mustKubectl(t, "", "-n", ns, "delete", "mysqlcluster", "foo", "--wait")
	eventually(t, t.Context(), "only the volume to be left", func(ctx context.Context) (bool, string, error) {
		left, err := children(ctx, ns, clusterSelector("foo"))
		return err == nil && len(left) == 1 && left[0] == "persistentvolumeclaims/data-foo-mysql-0", strings.Join(left, ", "), err
	})
	if _, err := api.MysqlV1alpha1().MysqlClusters(ns).Create(t.Context(), &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "foo"}, Spec: spec,
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitReady(t, ns, "foo", 1)
	w.verify(t, ns, "foo", []string{"foo-mysql-0"})
}

// TestNamespaceWithAClusterIsDeletedWhole deletes the namespace of a running cluster.
func TestNamespaceWithAClusterIsDeletedWhole(t *testing.T) {
	ns := newNamespace(t)
	createCluster(t, ns, "foo", v1alpha1.MysqlClusterSpec{SecretName: "s", Replicas: ptr.To[int32](2)})
	waitReady(t, ns, "foo", 2)
	deleteNamespace(t, ns)
	if _, err := api.MysqlV1alpha1().MysqlClusters(ns).Get(t.Context(), "foo", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the cluster is still there: %v", err)
	}
}
