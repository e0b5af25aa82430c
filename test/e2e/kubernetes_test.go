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
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// kubectl runs the real kubectl and returns what it printed.
func kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), kubectlBin, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func mustKubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := kubectl(t, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// deletePod deletes a pod and waits until another one of the same name has taken its place.
func deletePod(t *testing.T, namespace, name string, options metav1.DeleteOptions) {
	t.Helper()
	pod, err := kube.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get pod %s: %v", name, err)
	}
	if err := kube.CoreV1().Pods(namespace).Delete(t.Context(), name, options); err != nil {
		t.Fatalf("delete pod %s: %v", name, err)
	}
	waitPodReplaced(t, namespace, pod)
}

func waitPodReplaced(t *testing.T, namespace string, old *corev1.Pod) {
	t.Helper()
	eventually(t, t.Context(), "a new pod "+old.Name, func(ctx context.Context) (bool, string, error) {
		pod, err := kube.CoreV1().Pods(namespace).Get(ctx, old.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, "not there", nil
		}
		if err != nil {
			return false, "", err
		}
		return pod.UID != old.UID, string(pod.Status.Phase), nil
	})
}

// waitPodsReady waits until all pods that the selector finds are ready.
func waitPodsReady(t *testing.T, namespace, selector string) {
	t.Helper()
	eventually(t, t.Context(), "pods "+selector+" to be ready", func(ctx context.Context) (bool, string, error) {
		pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return false, "", err
		}
		ready := 0
		for _, pod := range pods.Items {
			if podReady(&pod) {
				ready++
			}
		}
		return len(pods.Items) > 0 && ready == len(pods.Items), fmt.Sprintf("%d of %d", ready, len(pods.Items)), nil
	})
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

func clusterSelector(name string) string {
	return labels.Set{v1alpha1.LabelCluster: name}.String()
}

// podUIDs returns the UIDs of a cluster's pods by name.
func podUIDs(t *testing.T, namespace, cluster string) map[string]string {
	t.Helper()
	pods, err := kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: clusterSelector(cluster)})
	if err != nil {
		t.Fatalf("list pods: %v", err)
	}
	uids := map[string]string{}
	for _, pod := range pods.Items {
		uids[pod.Name] = string(pod.UID)
	}
	return uids
}

// findProcesses returns the processes of this machine, which is the node, that run a program in a pod.
func findProcesses(program, podUID string) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range dirs {
		argv, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		cgroups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil || !strings.Contains(string(cgroups), podUID) {
			continue
		}
		argv0, _, _ := strings.Cut(string(argv), "\x00")
		if filepath.Base(argv0) != program {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// signalProcesses sends a signal to a program in a pod and returns the process IDs. It fails the test if there is none.
func signalProcesses(t *testing.T, signal syscall.Signal, program, podUID string) []int {
	t.Helper()
	pids, err := findProcesses(program, podUID)
	if err != nil || len(pids) == 0 {
		t.Fatalf("no %s in pod %s to send %s to (%v)", program, podUID, signal, err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatalf("send %s to %d: %v", signal, pid, err)
		}
	}
	return pids
}

func apiserverPodUID(t *testing.T) string {
	t.Helper()
	pods, err := kube.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=mysql-apiserver"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("one pod of the API server expected: %d, %v", len(pods.Items), err)
	}
	return string(pods.Items[0].UID)
}

// children lists what a selector finds in a namespace of all kinds of objects that a cluster consists of.
func children(ctx context.Context, ns, selector string) ([]string, error) {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, kind := range []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "persistentvolumeclaims"},
		{Version: "v1", Resource: "services"},
		{Version: "v1", Resource: "secrets"},
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "serviceaccounts"},
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
		{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	} {
		list, err := client.Resource(kind).Namespace(ns).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kind.Resource, err)
		}
		for _, object := range list.Items {
			left = append(left, kind.Resource+"/"+object.Name)
		}
	}
	return left, nil
}

// dump prints what one needs to understand a failure in a namespace.
func dump(t *testing.T, namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, args := range [][]string{
		{"get", "mysqlclusters", "-o", "yaml"}, {"get", "pods,pvc,svc,endpointslices", "-o", "wide"}, {"get", "events", "--sort-by=.lastTimestamp"},
	} {
		cmd := exec.CommandContext(ctx, kubectlBin, append([]string{"-n", namespace}, args...)...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		out, err := cmd.CombinedOutput()
		t.Logf("kubectl %s (%v):\n%s", strings.Join(args, " "), err, out)
	}
	for _, ns := range []string{namespace, systemNamespace} {
		pods, err := kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Logf("list pods of %s: %v", ns, err)
			continue
		}
		for _, pod := range pods.Items {
			t.Logf("log of %s/%s:\n%s", ns, pod.Name, podLog(ctx, &pod))
		}
	}
}

func podLog(ctx context.Context, pod *corev1.Pod) string {
	lines := int64(60)
	stream, err := kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &lines}).Stream(ctx)
	if err != nil {
		return err.Error()
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
