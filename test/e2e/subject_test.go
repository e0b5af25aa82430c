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
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// A subject is a cluster that things are done to while an application writes to it.
type subject struct {
	ns, name string
	nodes    int32
	w        *writer
}

// createSubject makes a cluster. Its Secret has to exist.
func createSubject(t *testing.T, ns, name string, spec v1alpha1.MysqlClusterSpec) *subject {
	t.Helper()
	_, err := api.MysqlV1alpha1().MysqlClusters(ns).Create(t.Context(), &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create cluster %s: %v", name, err)
	}
	return &subject{ns: ns, name: name, nodes: *spec.Replicas}
}

// start waits for the cluster and lets an application write to it until the end of the test.
func (s *subject) start(t *testing.T) {
	t.Helper()
	waitReady(t, s.ns, s.name, s.nodes)
	s.w = startWriter(t, s.ns, s.name, strings.ToLower(strings.NewReplacer("/", "_", "Test", "").Replace(t.Name())))
}

// A change is what is expected of the record of a change of the primary.
type change struct {
	// kind may be empty if it is a matter of luck.
	kind v1alpha1.OperationType
	// reasons are those that may have been recorded: which witness is the first is a matter of luck. A part of the text is enough.
	reasons []string
	// by is the user who asked for it, to the target; both empty for what the controller does by itself.
	by, target string
}

var (
	crash    = change{kind: v1alpha1.OperationFailover, reasons: []string{"mysqld has ended: signal: killed"}}
	hang     = change{kind: v1alpha1.OperationFailover, reasons: []string{"MySQL hangs"}}
	silence  = change{kind: v1alpha1.OperationFailover, reasons: []string{"the replicas have lost it too"}}
	stopping = change{kind: v1alpha1.OperationSwitchover, reasons: []string{"its pod is being stopped"}}
)

// disturb does something to the cluster that makes another node the primary, exactly once, and checks that this is recorded as expected,
// that the old primary is a healthy replica again, and that each acknowledged row is on all nodes.
func (s *subject) disturb(t *testing.T, want change, action func(t *testing.T, primary string)) {
	t.Helper()
	before := waitReady(t, s.ns, s.name, s.nodes)
	s.w.waitForProgress(t)
	s.w.mark()
	action(t, before.Status.Primary)
	s.waitChanged(t, before)
	s.checkChange(t, before, waitReady(t, s.ns, s.name, s.nodes), want)
	s.check(t)
}

// undisturbed does something to the cluster that must not change the primary.
func (s *subject) undisturbed(t *testing.T, action func(t *testing.T)) {
	t.Helper()
	before := waitReady(t, s.ns, s.name, s.nodes)
	s.w.waitForProgress(t)
	s.w.mark()
	action(t)
	after := waitReady(t, s.ns, s.name, s.nodes)
	if changes := newChanges(before, after); len(changes) > 0 || after.Status.Term != before.Status.Term {
		t.Errorf("term %d, was %d; changes of the primary: %+v", after.Status.Term, before.Status.Term, changes)
	}
	s.check(t)
}

// waitChanged waits for the end of a change of the primary.
func (s *subject) waitChanged(t *testing.T, before *v1alpha1.MysqlCluster) {
	t.Helper()
	eventually(t, t.Context(), "a change of the primary to be recorded", func(ctx context.Context) (bool, string, error) {
		cluster, err := api.MysqlV1alpha1().MysqlClusters(s.ns).Get(ctx, s.name, metav1.GetOptions{})
		if err != nil {
			return false, "", err
		}
		return cluster.Status.Operation == nil && len(newChanges(before, cluster)) > 0, describe(cluster), nil
	})
}

// newChanges are the changes of the primary that ended between two states of a cluster.
func newChanges(before, after *v1alpha1.MysqlCluster) []v1alpha1.MysqlClusterOperation {
	return slices.DeleteFunc(slices.Clone(after.Status.LastFailovers), func(o v1alpha1.MysqlClusterOperation) bool {
		return slices.ContainsFunc(before.Status.LastFailovers, func(old v1alpha1.MysqlClusterOperation) bool { return old.UID == o.UID })
	})
}

func (s *subject) checkChange(t *testing.T, before, after *v1alpha1.MysqlCluster, want change) {
	t.Helper()
	changes := newChanges(before, after)
	if len(changes) != 1 {
		t.Errorf("%d changes of the primary, not one: %+v", len(changes), changes)
		return
	}
	o := changes[0]
	if o.FinishedAt == nil {
		t.Fatalf("it has ended without a time: %+v", o)
	}
	t.Logf("%s from %s to %s in term %d, decided within %v: %s", o.Type, o.From, o.To, o.Term, o.FinishedAt.Sub(o.StartedAt.Time).Round(time.Millisecond), o.Reason)
	if want.kind != "" && o.Type != want.kind || o.Outcome != v1alpha1.OperationSucceeded || o.RequestedBy != want.by || o.GivenUpGTIDs != "" {
		t.Errorf("recorded: %+v, want a %s that succeeded, asked for by %q", o, want.kind, want.by)
	}
	if !slices.ContainsFunc(want.reasons, func(reason string) bool { return strings.Contains(o.Reason, reason) }) {
		t.Errorf("the recorded reason is %q, want one of %q", o.Reason, want.reasons)
	}
	if o.From != before.Status.Primary || o.To != after.Status.Primary || o.From == o.To || want.target != "" && o.To != want.target {
		t.Errorf("recorded: from %s to %s, but the primary was %s and is %s, and was to be %q", o.From, o.To, before.Status.Primary, after.Status.Primary,
			want.target)
	}
	if o.Term != after.Status.Term || o.Term <= before.Status.Term {
		t.Errorf("the change was to term %d; the cluster's term was %d, is %d", o.Term, before.Status.Term, after.Status.Term)
	}
	for _, node := range after.Status.Nodes {
		if node.Name == before.Status.Primary && (node.Role != v1alpha1.NodeRoleReplica || node.Health != v1alpha1.NodeHealthy) {
			t.Errorf("the old primary is no healthy replica: %+v", node)
		}
	}
}

// check checks a cluster that is Ready: one node takes writes, it is the only one that is labelled as the primary, and no acknowledged row
// is missing anywhere.
func (s *subject) check(t *testing.T) {
	t.Helper()
	s.w.waitForProgress(t)
	cluster := getCluster(t, s.ns, s.name)
	eventually(t, t.Context(), "the label of the primary to be on "+cluster.Status.Primary+" alone", func(ctx context.Context) (bool, string, error) {
		labelled, err := kube.CoreV1().Pods(s.ns).List(ctx, metav1.ListOptions{
			LabelSelector: clusterSelector(s.name) + "," + v1alpha1.LabelRole + "=" + v1alpha1.RoleLabelPrimary,
		})
		if err != nil {
			return false, "", err
		}
		var names []string
		for _, pod := range labelled.Items {
			names = append(names, pod.Name)
		}
		return slices.Equal(names, []string{cluster.Status.Primary}), strings.Join(names, ", "), nil
	})
	for _, node := range nodeNames(cluster) {
		want := "1"
		if node == cluster.Status.Primary {
			want = "0"
		}
		readOnly, err := query(t.Context(), openPod(t, s.ns, s.name, node), "SELECT @@super_read_only")
		if err != nil || readOnly != want {
			t.Errorf("%s: super_read_only is %q (%v), the primary is %s", node, readOnly, err, cluster.Status.Primary)
		}
	}
	s.w.check(t, s.ns, s.name, nodeNames(cluster))
}

// replica returns a node that is not the primary.
func (s *subject) replica(t *testing.T) string {
	t.Helper()
	cluster := getCluster(t, s.ns, s.name)
	for _, node := range slices.Backward(cluster.Status.Nodes) {
		if node.Name != cluster.Status.Primary {
			return node.Name
		}
	}
	t.Fatalf("no replica: %s", describe(cluster))
	return ""
}

// signal sends a signal to a program in a pod of the cluster and returns its process ID.
func (s *subject) signal(t *testing.T, signal syscall.Signal, program, pod string) int {
	t.Helper()
	p, err := kube.CoreV1().Pods(s.ns).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get pod %s: %v", pod, err)
	}
	pids := signalProcesses(t, signal, program, string(p.UID))
	if len(pids) != 1 {
		t.Errorf("%d processes of %s in %s: %v", len(pids), program, pod, pids)
	}
	return pids[0]
}

// waitEnded waits until a process does not exist any more.
func waitEnded(t *testing.T, pid int) {
	t.Helper()
	eventually(t, t.Context(), fmt.Sprintf("process %d to end", pid), func(context.Context) (bool, string, error) {
		err := syscall.Kill(pid, 0)
		return err == syscall.ESRCH, fmt.Sprint(err), nil
	})
}
