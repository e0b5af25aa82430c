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
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// TestAnnouncement walks the whole life of the cluster of the announcement, with an application writing through every disturbance.
func TestAnnouncement(t *testing.T) {
	ns := newNamespace(t)
	example, err := os.ReadFile(filepath.Join("..", "..", "artifacts", "examples", "announcement.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The example's passwords are changed for those that the test uses; all else is applied as it is.
	manifest := strings.NewReplacer("also-not-so-secure", appPassword, "not-so-secure", rootPassword).Replace(string(example))
	mustKubectl(t, manifest, "-n", ns, "apply", "-f", "-")
	cluster := waitReady(t, ns, "foo", 3)
	if cluster.Status.Durability != v1alpha1.DurabilityStrict {
		t.Errorf("three nodes have durability %q, not Strict", cluster.Status.Durability)
	}
	t.Logf("kubectl get mysqlclusters:\n%s", mustKubectl(t, "", "-n", ns, "get", "mysqlclusters", "-o", "wide"))

	steps := []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"ReplicationIsLosslessAndReplicasAreReadOnly", checkReplication},
		{"RowsWrittenToThePrimaryAreReadFromTheReplicas", readFromReplicas},
		{"DeletedReplicaComesBack", func(t *testing.T, ns string) { disturb(t, ns, deleteNode(v1alpha1.NodeRoleReplica, false)) }},
		{"DeletedPrimaryHandsOverAndComesBack", func(t *testing.T, ns string) { disturb(t, ns, deleteNode(v1alpha1.NodeRolePrimary, false)) }},
		{"ReplicaWithLostVolumeIsClonedAgain", func(t *testing.T, ns string) { disturb(t, ns, deleteNode(v1alpha1.NodeRoleReplica, true)) }},
		{"ChangedSettingIsRolledOut", func(t *testing.T, ns string) { disturb(t, ns, changeSetting) }},
		{"ScaleDownAndUp", func(t *testing.T, ns string) { disturb(t, ns, scaleDownAndUp) }},
		{"APIServerRestart", func(t *testing.T, ns string) {
			disturb(t, ns, restartSystemPods("app.kubernetes.io/name=mysql-apiserver"))
		}},
		{"ControllerRestart", func(t *testing.T, ns string) {
			disturb(t, ns, restartSystemPods("app.kubernetes.io/name=mysql-controller"))
		}},
		{"KilledEmbeddedEtcdKeepsAcknowledgedObjects", killEtcd},
		{"DeletedClusterLeavesNothing", deleteCluster},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, ns) }) {
			return // the later steps need what this one should have left
		}
	}
}

// disturb runs an action while an application writes, and then checks that the cluster is Ready again without losing a write.
func disturb(t *testing.T, ns string, action func(*testing.T, string)) {
	t.Helper()
	before := getCluster(t, ns, "foo")
	w := startWriter(t, ns, "foo", fmt.Sprintf("w%d", before.Generation*1000+int64(len(t.Name()))))
	w.waitForProgress(t)
	action(t, ns)
	after := waitReady(t, ns, "foo", 3)
	w.waitForProgress(t)
	w.verify(t, ns, "foo", nodeNames(after))
	if after.Status.Term < before.Status.Term {
		t.Errorf("the term went back from %d to %d", before.Status.Term, after.Status.Term)
	}
}

func nodeNames(cluster *v1alpha1.MysqlCluster) []string {
	var names []string
	for _, node := range cluster.Status.Nodes {
		names = append(names, node.Name)
	}
	return names
}

// nodeWithRole returns the last node of a role.
func nodeWithRole(t *testing.T, ns string, role v1alpha1.NodeRole) string {
	t.Helper()
	cluster := getCluster(t, ns, "foo")
	for _, node := range slices.Backward(cluster.Status.Nodes) {
		if node.Role == role {
			return node.Name
		}
	}
	t.Fatalf("no node is %s: %s", role, describe(cluster))
	return ""
}

func checkReplication(t *testing.T, ns string) {
	cluster := getCluster(t, ns, "foo")
	for _, node := range cluster.Status.Nodes {
		db := openPod(t, ns, "foo", node.Name)
		readOnly, err := query(t.Context(), db, "SELECT @@super_read_only")
		if err != nil {
			t.Fatalf("%s: %v", node.Name, err)
		}
		if node.Role == v1alpha1.NodeRolePrimary {
			if readOnly != "0" {
				t.Errorf("the primary %s has super_read_only=%s", node.Name, readOnly)
			}
			expectStatus(t, ns, node.Name, "Rpl_semi_sync_source_clients", "2")
			expectStatus(t, ns, node.Name, "Rpl_semi_sync_source_status", "ON")
			wait, err := query(t.Context(), db, "SELECT @@rpl_semi_sync_source_wait_point")
			if err != nil || wait != "AFTER_SYNC" {
				t.Errorf("wait point %q, error %v: replication is not lossless", wait, err)
			}
			continue
		}
		if readOnly != "1" {
			t.Errorf("the replica %s has super_read_only=%s", node.Name, readOnly)
		}
		expectStatus(t, ns, node.Name, "Rpl_semi_sync_replica_status", "ON")
		if _, err := db.ExecContext(t.Context(), "CREATE DATABASE not_on_a_replica"); err == nil {
			t.Errorf("the replica %s takes writes from root", node.Name)
		}
	}
}

func expectStatus(t *testing.T, ns, pod, name, want string) {
	t.Helper()
	got, err := query(t.Context(), openPod(t, ns, "foo", pod), "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = ?", name)
	if err != nil || got != want {
		t.Errorf("%s: %s is %q, want %q (%v)", pod, name, got, want, err)
	}
}

func readFromReplicas(t *testing.T, ns string) {
	primary := openService(t, ns, "foo", "foo-mysql-master", appUser, appPassword)
	for _, statement := range []string{"CREATE TABLE " + appDatabase + ".hello (t VARCHAR(20))", "INSERT INTO " + appDatabase + ".hello VALUES ('world')"} {
		if _, err := primary.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for _, service := range []string{"foo-mysql-replicas", "foo-mysql"} {
		db := openService(t, ns, "foo", service, appUser, appPassword)
		eventually(t, t.Context(), "the row to be read through "+service, func(ctx context.Context) (bool, string, error) {
			row, err := query(ctx, db, "SELECT t FROM "+appDatabase+".hello")
			return row == "world", row, err
		})
	}
	replicas := openService(t, ns, "foo", "foo-mysql-replicas", "root", rootPassword)
	for range 10 {
		if readOnly, err := query(t.Context(), replicas, "SELECT @@super_read_only"); err != nil || readOnly != "1" {
			t.Fatalf("the replicas' Service led to a node with super_read_only=%q (%v)", readOnly, err)
		}
	}
}

// deleteNode deletes the pod of a role, with its volume if asked.
func deleteNode(role v1alpha1.NodeRole, withVolume bool) func(*testing.T, string) {
	return func(t *testing.T, ns string) {
		node := nodeWithRole(t, ns, role)
		if withVolume {
			// The claim stays until its pod is gone, and both come anew.
			if err := kube.CoreV1().PersistentVolumeClaims(ns).Delete(t.Context(), "data-"+node, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		deletePod(t, ns, node, metav1.DeleteOptions{})
	}
}

func changeSetting(t *testing.T, ns string) {
	before := podUIDs(t, ns, "foo")
	generation := updateSpec(t, ns, "foo", func(spec *v1alpha1.MysqlClusterSpec) {
		spec.MysqlConf = map[string]intstr.IntOrString{"max_connections": intstr.FromInt32(321)}
	})
	eventually(t, t.Context(), "all pods to be new", func(ctx context.Context) (bool, string, error) {
		now := podUIDs(t, ns, "foo")
		replaced := 0
		for name, uid := range now {
			if before[name] != uid {
				replaced++
			}
		}
		return replaced == 3, fmt.Sprintf("%d of 3 replaced for generation %d", replaced, generation), nil
	})
	for _, node := range nodeNames(waitReady(t, ns, "foo", 3)) {
		if value, err := query(t.Context(), openPod(t, ns, "foo", node), "SELECT @@max_connections"); err != nil || value != "321" {
			t.Errorf("%s: max_connections is %q (%v)", node, value, err)
		}
	}
}

func scaleDownAndUp(t *testing.T, ns string) {
	mustKubectl(t, "", "-n", ns, "scale", "mysqlcluster", "foo", "--replicas=2")
	two := waitReady(t, ns, "foo", 2)
	if two.Status.Durability != v1alpha1.DurabilityPreferred {
		t.Errorf("two nodes have durability %q, not Preferred", two.Status.Durability)
	}
	eventually(t, t.Context(), "the volume of the removed node to be gone", func(ctx context.Context) (bool, string, error) {
		_, err := kube.CoreV1().PersistentVolumeClaims(ns).Get(ctx, "data-foo-mysql-2", metav1.GetOptions{})
		return apierrors.IsNotFound(err), "still there", nil
	})
	scale, err := api.MysqlV1alpha1().MysqlClusters(ns).GetScale(t.Context(), "foo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	scale.Spec.Replicas = 3
	if _, err := api.MysqlV1alpha1().MysqlClusters(ns).UpdateScale(t.Context(), "foo", scale, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func restartSystemPods(selector string) func(*testing.T, string) {
	return func(t *testing.T, ns string) {
		before, term := podUIDs(t, ns, "foo"), getCluster(t, ns, "foo").Status.Term
		pods, err := kube.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil || len(pods.Items) == 0 {
			t.Fatalf("pods %s: %d found, %v", selector, len(pods.Items), err)
		}
		for _, pod := range pods.Items {
			if err := kube.CoreV1().Pods(systemNamespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, t.Context(), "the old pods to be gone", func(ctx context.Context) (bool, string, error) {
			now, err := kube.CoreV1().Pods(systemNamespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return false, "", err
			}
			for _, pod := range now.Items {
				for _, old := range pods.Items {
					if pod.UID == old.UID {
						return false, pod.Name + " is still there", nil
					}
				}
			}
			return true, "", nil
		})
		waitPodsReady(t, systemNamespace, selector)
		if after := waitReady(t, ns, "foo", 3); after.Status.Term != term {
			t.Errorf("restarting %s moved the primary: term %d, was %d", selector, after.Status.Term, term)
		}
		if after := podUIDs(t, ns, "foo"); !maps.Equal(before, after) {
			t.Errorf("restarting %s changed MySQL's pods from %v to %v", selector, before, after)
		}
	}
}

// killEtcd kills the process of the API server, in which its etcd lives, while objects are being created.
func killEtcd(t *testing.T, ns string) {
	before := getCluster(t, ns, "foo")
	var acknowledged []string
	for round := range 3 {
		for n := range 5 {
			name := fmt.Sprintf("k%d-%d", round, n)
			// The Secret does not exist: the object is stored, but nothing is started for it.
			_, err := api.MysqlV1alpha1().MysqlClusters(ns).Create(t.Context(), &v1alpha1.MysqlCluster{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec:       v1alpha1.MysqlClusterSpec{SecretName: "none", Replicas: ptr.To[int32](1)},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatalf("create %s: %v", name, err)
			}
			acknowledged = append(acknowledged, name)
		}
		signalProcesses(t, syscall.SIGKILL, "apiserver", apiserverPodUID(t))
		eventually(t, t.Context(), "the API to answer again", func(ctx context.Context) (bool, string, error) {
			_, err := api.MysqlV1alpha1().MysqlClusters(ns).Get(ctx, "foo", metav1.GetOptions{})
			return err == nil, "", err
		})
	}
	list, err := api.MysqlV1alpha1().MysqlClusters(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, cluster := range list.Items {
		found[cluster.Name] = true
	}
	for _, name := range acknowledged {
		if !found[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
		if err := api.MysqlV1alpha1().MysqlClusters(ns).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if after := waitReady(t, ns, "foo", 3); after.UID != before.UID {
		t.Errorf("the cluster is another one: %s, was %s", after.UID, before.UID)
	}
}

func deleteCluster(t *testing.T, ns string) {
	selector := clusterSelector("foo")
	if before, err := children(t.Context(), ns, selector); err != nil || len(before) < 15 {
		t.Fatalf("the cluster has only these children: %v (%v)", before, err)
	}
	mustKubectl(t, "", "-n", ns, "delete", "mysqlcluster", "foo", "--wait")
	eventually(t, t.Context(), "all children to be gone", func(ctx context.Context) (bool, string, error) {
		left, err := children(ctx, ns, selector)
		return err == nil && len(left) == 0, strings.Join(left, ", "), err
	})
	if _, err := kube.CoreV1().Secrets(ns).Get(t.Context(), "the-secret", metav1.GetOptions{}); err != nil {
		t.Errorf("the user's Secret: %v", err)
	}
}
