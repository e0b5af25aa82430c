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
	"syscall"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// TestFailover takes primaries away in all ways, from clusters of each size, with an application writing through the Service.
func TestFailover(t *testing.T) {
	ns := newNamespace(t)
	spec := func(replicas int32) v1alpha1.MysqlClusterSpec {
		return v1alpha1.MysqlClusterSpec{
			SecretName: "s", Replicas: &replicas,
			// What a crashed primary had not yet got acknowledged is on no other node: under load, each crash may leave some.
			Replication: v1alpha1.ReplicationSpec{ErrantNodePolicy: v1alpha1.ErrantNodeRebuild},
		}
	}
	createSecret(t, ns, "s")
	three := createSubject(t, ns, "three", spec(3))
	two := createSubject(t, ns, "two", spec(2))
	one := createSubject(t, ns, "one", spec(1))
	t.Run("Nodes", func(t *testing.T) {
		t.Run("Three", func(t *testing.T) { t.Parallel(); three.start(t); failThree(t, three) })
		t.Run("Two", func(t *testing.T) { t.Parallel(); two.start(t); failTwo(t, two) })
		t.Run("One", func(t *testing.T) { t.Parallel(); one.start(t); failOne(t, one) })
	})
	if t.Failed() {
		return
	}
	// What concerns all clusters is done when nothing else goes on.
	three.start(t)
	failControlPlane(t, three)
}

// A step is a part of a test that can be run by its name.
type step struct {
	name string
	run  func(*testing.T)
}

// runSteps runs steps until one fails: the later ones need what it should have left.
func runSteps(t *testing.T, steps []step) {
	t.Helper()
	for _, step := range steps {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

func failThree(t *testing.T, s *subject) {
	if cluster := getCluster(t, s.ns, s.name); cluster.Status.Durability != v1alpha1.DurabilityStrict {
		t.Errorf("three nodes have durability %q, not Strict", cluster.Status.Durability)
	}
	runSteps(t, []step{
		{"MysqldKilled", func(t *testing.T) {
			s.disturb(t, crash, func(t *testing.T, primary string) { s.signal(t, syscall.SIGKILL, "mysqld", primary) })
		}},
		{"MysqldHangs", func(t *testing.T) {
			s.disturb(t, hang, func(t *testing.T, primary string) { waitEnded(t, s.signal(t, syscall.SIGSTOP, "mysqld", primary)) })
		}},
		{"AgentKilled", func(t *testing.T) {
			s.disturb(t, silence, func(t *testing.T, primary string) { waitEnded(t, s.signal(t, syscall.SIGKILL, "agent", primary)) })
		}},
		{"PodDeleted", func(t *testing.T) {
			s.disturb(t, stopping, func(t *testing.T, primary string) { deletePod(t, s.ns, primary, metav1.DeleteOptions{}) })
		}},
		{"PodDeletedWithoutGrace", func(t *testing.T) {
			// Who is faster: the end, or the wish to hand over before.
			s.disturb(t, change{reasons: []string{"the replicas have lost it too", "mysqld has ended", "its pod is being stopped"}},
				func(t *testing.T, primary string) {
					deletePod(t, s.ns, primary, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
				})
		}},
		{"PodAndVolumeDeleted", func(t *testing.T) { s.disturb(t, stopping, s.deleteWithVolume) }},
		{"PodEvicted", func(t *testing.T) { s.disturb(t, stopping, s.evict) }},
		{"AllKilled", func(t *testing.T) { killAll(t, s) }},
		{"Requests", func(t *testing.T) { requestFailovers(t, s) }},
		{"Rollout", func(t *testing.T) { rollOut(t, s) }},
		{"Forced", func(t *testing.T) { forcedFailover(t, s) }},
	})
}

// killAll kills all agents, and with them all of MySQL, at once. Whoever is the primary then, the cluster comes back with all that was acknowledged.
func killAll(t *testing.T, s *subject) {
	before := waitReady(t, s.ns, s.name, s.nodes)
	s.w.mark()
	for _, node := range nodeNames(before) {
		s.signal(t, syscall.SIGKILL, "agent", node)
	}
	s.w.waitForProgress(t)
	after := waitReady(t, s.ns, s.name, s.nodes)
	for _, o := range newChanges(before, after) {
		t.Logf("%s from %s to %s in term %d: %s", o.Type, o.From, o.To, o.Term, o.Reason)
	}
	s.check(t)
}

// deleteWithVolume deletes a pod and its volume, and waits for new ones.
func (s *subject) deleteWithVolume(t *testing.T, node string) {
	claims := kube.CoreV1().PersistentVolumeClaims(s.ns)
	old, err := claims.Get(t.Context(), "data-"+node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The claim stays until its pod is gone, and both come anew.
	if err := claims.Delete(t.Context(), old.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	deletePod(t, s.ns, node, metav1.DeleteOptions{})
	eventually(t, t.Context(), "a new volume", func(ctx context.Context) (bool, string, error) {
		claim, err := claims.Get(ctx, old.Name, metav1.GetOptions{})
		return err == nil && claim.UID != old.UID, "", err
	})
}

// evict evicts a pod, as kubectl drain does, and waits for the new one.
func (s *subject) evict(t *testing.T, node string) {
	pod, err := kube.CoreV1().Pods(s.ns).Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, t.Context(), "the PodDisruptionBudget to allow an eviction", func(ctx context.Context) (bool, string, error) {
		err := kube.PolicyV1().Evictions(s.ns).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: node, Namespace: s.ns}})
		if apierrors.IsTooManyRequests(err) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
	waitPodReplaced(t, s.ns, pod)
}

// rollOut changes my.cnf: nothing happens while the rollout is paused, and then the primary is the last.
func rollOut(t *testing.T, s *subject) {
	set := func(value int32) map[string]intstr.IntOrString {
		return map[string]intstr.IntOrString{"back_log": intstr.FromInt32(value)}
	}
	s.disturb(t, change{kind: v1alpha1.OperationSwitchover, reasons: []string{"its pod is the last one to be updated"}}, func(t *testing.T, primary string) {
		before := podUIDs(t, s.ns, s.name)
		generation := updateSpec(t, s.ns, s.name, func(spec *v1alpha1.MysqlClusterSpec) { spec.PauseRollout, spec.MysqlConf = true, set(234) })
		eventually(t, t.Context(), "the rollout to be paused", func(ctx context.Context) (bool, string, error) {
			cluster, err := api.MysqlV1alpha1().MysqlClusters(s.ns).Get(ctx, s.name, metav1.GetOptions{})
			if err != nil {
				return false, "", err
			}
			c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionProgressing)
			return c != nil && c.ObservedGeneration == generation && c.Reason == "Paused" && strings.Contains(c.Message, "0 of 3"), describe(cluster), nil
		})
		waitReady(t, s.ns, s.name, s.nodes)
		if now := podUIDs(t, s.ns, s.name); fmt.Sprint(now) != fmt.Sprint(before) {
			t.Errorf("the pods changed from %v to %v although the rollout is paused", before, now)
		}
		updateSpec(t, s.ns, s.name, func(spec *v1alpha1.MysqlClusterSpec) { spec.PauseRollout = false })
		s.waitReplaced(t, before)
	})
	cluster := getCluster(t, s.ns, s.name)
	o := cluster.Status.LastFailovers[0]
	for _, node := range nodeNames(cluster) {
		pod, err := kube.CoreV1().Pods(s.ns).Get(t.Context(), node, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// Kubernetes tells whole seconds.
		if created := pod.CreationTimestamp.Time; node != o.From && created.After(o.StartedAt.Time) ||
			node == o.From && created.Before(o.FinishedAt.Truncate(time.Second)) {
			t.Errorf("%s was created at %v, the switchover from %s began at %v and ended at %v", node, created, o.From, o.StartedAt, o.FinishedAt)
		}
		if value, err := query(t.Context(), openPod(t, s.ns, s.name, node), "SELECT @@back_log"); err != nil || value != "234" {
			t.Errorf("%s: back_log is %q (%v)", node, value, err)
		}
	}
	if cluster.Status.UpdatedNodes != s.nodes {
		t.Errorf("%d of %d nodes are updated", cluster.Status.UpdatedNodes, s.nodes)
	}
}

// waitReplaced waits until all pods are new.
func (s *subject) waitReplaced(t *testing.T, before map[string]string) {
	t.Helper()
	eventually(t, t.Context(), "all pods to be new", func(ctx context.Context) (bool, string, error) {
		now := podUIDs(t, s.ns, s.name)
		replaced := 0
		for name, uid := range now {
			if before[name] != uid {
				replaced++
			}
		}
		return replaced == int(s.nodes), fmt.Sprintf("%d of %d replaced", replaced, s.nodes), nil
	})
}
