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
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

func failControlPlane(t *testing.T, s *subject) {
	runSteps(t, []step{
		{"ControllersGoneDuringAFailover", func(t *testing.T) {
			// A start of MySQL that nobody has seen crash is all that the next controller may know.
			s.disturb(t, change{kind: v1alpha1.OperationFailover, reasons: append(crash.reasons, "MySQL starts")}, func(t *testing.T, primary string) {
				s.signal(t, syscall.SIGKILL, "mysqld", primary)
				deleteControllers(t)
			})
		}},
		{"APIServerGoneWhenItIsNeeded", func(t *testing.T) {
			s.disturb(t, hang, func(t *testing.T, primary string) { hangWithoutAPIServer(t, s, primary) })
		}},
		{"TheOnlyMachineIsCordoned", func(t *testing.T) {
			s.undisturbed(t, func(t *testing.T) {
				node := getPod(t, s.ns, s.replica(t)).Spec.NodeName
				t.Cleanup(func() { cordon(t, node, false) })
				cordon(t, node, true)
				// Each change of spec makes the controller look again.
				for latency := range int64(3) {
					updateSpec(t, s.ns, s.name, func(spec *v1alpha1.MysqlClusterSpec) { spec.MaxSlaveLatency = ptr.To(20 + latency) })
					waitReady(t, s.ns, s.name, s.nodes)
				}
			})
		}},
	})
}

// deleteControllers ends all controllers at once.
func deleteControllers(t *testing.T) {
	t.Helper()
	if err := kube.CoreV1().Pods(systemNamespace).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)},
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=mysql-controller"}); err != nil {
		t.Fatalf("delete the controllers: %v", err)
	}
}

// hangWithoutAPIServer makes the primary hang while the API server is away, in which each decision has to be written down first.
func hangWithoutAPIServer(t *testing.T, s *subject, primary string) {
	t.Cleanup(func() { scaleAPIServer(t, 1) })
	scaleAPIServer(t, 0)
	eventually(t, t.Context(), "the API server to be gone", func(ctx context.Context) (bool, string, error) {
		pods, err := kube.CoreV1().Pods(systemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=mysql-apiserver"})
		return err == nil && len(pods.Items) == 0, "", err
	})
	pid := s.signal(t, syscall.SIGSTOP, "mysqld", primary)
	eventually(t, t.Context(), primary+" to be not ready", func(ctx context.Context) (bool, string, error) {
		pod, err := kube.CoreV1().Pods(s.ns).Get(ctx, primary, metav1.GetOptions{})
		return err == nil && !podReady(pod), "", err
	})
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("MySQL was ended (%v) although no decision could be written down", err)
	}
	scaleAPIServer(t, 1)
	waitEnded(t, pid)
}

// scaleAPIServer starts or stops the API server. It works after the test's end, too.
func scaleAPIServer(t *testing.T, replicas int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	if _, err := kube.AppsV1().StatefulSets(systemNamespace).Patch(ctx, "mysql-apiserver", types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{}); err != nil {
		t.Fatalf("scale the API server: %v", err)
	}
}

func getPod(t *testing.T, ns, name string) *corev1.Pod {
	t.Helper()
	pod, err := kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get pod %s: %v", name, err)
	}
	return pod
}

// cordon makes a machine take no new pods, or take them again. It works after the test's end, too.
func cordon(t *testing.T, node string, on bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, on)
	if _, err := kube.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatalf("cordon %s: %v", node, err)
	}
}
