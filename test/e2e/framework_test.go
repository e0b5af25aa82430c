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

// Package e2e tries the whole product on the local Kubernetes that "make up" starts: our API server and controller as pods, real MySQL.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
)

const (
	systemNamespace = "mysql-system"
	// patience is how long anything may take before the test gives up on it. It is no claim about speed.
	patience = 5 * time.Minute
	interval = 500 * time.Millisecond
)

// The clients of the local Kubernetes, set by TestMain.
var (
	config     *rest.Config
	kube       kubernetes.Interface
	api        versioned.Interface
	kubectlBin string
	kubeconfig string
)

func TestMain(m *testing.M) {
	if err := connect(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\nremedy: run \"make up\" first\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func connect() error {
	work, err := filepath.Abs(filepath.Join("..", "..", ".work"))
	if err != nil {
		return err
	}
	kubectlBin = filepath.Join(work, "bin", "kubectl")
	// Not $KUBECONFIG: these tests kill what they find.
	kubeconfig = filepath.Join(work, "kube", "kubeconfig")
	if config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return fmt.Errorf("no local Kubernetes: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	if kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if api, err = versioned.NewForConfig(config); err != nil {
		return err
	}
	if _, err := api.MysqlV1alpha1().MysqlClusters("default").List(context.Background(), metav1.ListOptions{}); err != nil {
		return fmt.Errorf("our API does not answer: %w", err)
	}
	return nil
}

// newNamespace makes a namespace that enforces the restricted Pod Security level, and removes it after the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	ns, err := kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create namespace: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			dump(t, ns.Name)
		}
		deleteNamespace(t, ns.Name)
	})
	return ns.Name
}

// deleteNamespace deletes a namespace and waits until it is gone.
func deleteNamespace(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("delete namespace %s: %v", name, err)
		return
	}
	eventually(t, ctx, "namespace "+name+" to be gone", func(ctx context.Context) (bool, string, error) {
		ns, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		return false, fmt.Sprintf("%+v", ns.Status.Conditions), nil
	})
}

// eventually waits for check to return true; the last state that check told of is in the failure.
func eventually(t *testing.T, ctx context.Context, what string, check func(context.Context) (bool, string, error)) {
	t.Helper()
	state := ""
	var lastErr error
	err := wait.PollUntilContextTimeout(ctx, interval, patience, true, func(ctx context.Context) (bool, error) {
		done, now, err := check(ctx)
		if err != nil {
			// What is being tried here takes servers away; only the end counts. That the time is over tells nothing.
			if lastErr == nil || ctx.Err() == nil {
				lastErr = err
			}
			return false, nil
		}
		state, lastErr = now, nil
		return done, nil
	})
	if err != nil {
		t.Fatalf("waited in vain for %s: %v; last state: %s; last error: %v", what, err, state, lastErr)
	}
}

// createCluster makes a Secret and a MysqlCluster.
func createCluster(t *testing.T, namespace, name string, spec v1alpha1.MysqlClusterSpec) *v1alpha1.MysqlCluster {
	t.Helper()
	createSecret(t, namespace, spec.SecretName)
	cluster, err := api.MysqlV1alpha1().MysqlClusters(namespace).Create(t.Context(), &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       spec,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create cluster %s: %v", name, err)
	}
	return cluster
}

func createSecret(t *testing.T, namespace, name string) {
	t.Helper()
	_, err := kube.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		StringData: map[string]string{
			v1alpha1.SecretKeyRootPassword: rootPassword,
			v1alpha1.SecretKeyUser:         appUser,
			v1alpha1.SecretKeyPassword:     appPassword,
			v1alpha1.SecretKeyDatabase:     appDatabase,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create secret %s: %v", name, err)
	}
}

func getCluster(t *testing.T, namespace, name string) *v1alpha1.MysqlCluster {
	t.Helper()
	cluster, err := api.MysqlV1alpha1().MysqlClusters(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get cluster %s: %v", name, err)
	}
	return cluster
}

// updateSpec changes the spec of a cluster, again if somebody else was faster, and returns the new generation.
func updateSpec(t *testing.T, namespace, name string, change func(*v1alpha1.MysqlClusterSpec)) int64 {
	t.Helper()
	var generation int64
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		cluster := getCluster(t, namespace, name)
		change(&cluster.Spec)
		updated, err := api.MysqlV1alpha1().MysqlClusters(namespace).Update(t.Context(), cluster, metav1.UpdateOptions{})
		if err == nil {
			generation = updated.Generation
		}
		return err
	})
	if err != nil {
		t.Fatalf("update the spec of %s: %v", name, err)
	}
	return generation
}

// waitReady waits until the controller has seen the present spec, the cluster is Ready with that many nodes, whose pods are ready, and no
// change is on its way.
func waitReady(t *testing.T, namespace, name string, nodes int32) *v1alpha1.MysqlCluster {
	t.Helper()
	var last *v1alpha1.MysqlCluster
	eventually(t, t.Context(), fmt.Sprintf("cluster %s to be Ready with %d nodes", name, nodes), func(ctx context.Context) (bool, string, error) {
		cluster, err := api.MysqlV1alpha1().MysqlClusters(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, "", err
		}
		last = cluster
		if !isReady(cluster, nodes) {
			return false, describe(cluster), nil
		}
		pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: clusterSelector(name)})
		if err != nil {
			return false, "", err
		}
		ready := 0
		for _, pod := range pods.Items {
			if podReady(&pod) {
				ready++
			}
		}
		return ready == int(nodes) && len(pods.Items) == ready, fmt.Sprintf("%d of %d pods ready; %s", ready, len(pods.Items), describe(cluster)), nil
	})
	return last
}

func isReady(cluster *v1alpha1.MysqlCluster, nodes int32) bool {
	ready := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == cluster.Generation &&
		cluster.Status.ObservedGeneration == cluster.Generation &&
		!meta.IsStatusConditionTrue(cluster.Status.Conditions, v1alpha1.ConditionProgressing) && cluster.Status.Operation == nil &&
		cluster.Status.ReadyNodes == nodes && len(cluster.Status.Nodes) == int(nodes)
}

func describe(cluster *v1alpha1.MysqlCluster) string {
	text := fmt.Sprintf("generation %d/%d, phase %q, primary %s, term %d, ready %d", cluster.Generation,
		cluster.Status.ObservedGeneration, cluster.Status.Phase, cluster.Status.Primary, cluster.Status.Term, cluster.Status.ReadyNodes)
	for _, c := range cluster.Status.Conditions {
		text += fmt.Sprintf("; %s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message)
	}
	for _, n := range cluster.Status.Nodes {
		text += fmt.Sprintf("; node %s %s %s %s", n.Name, n.Role, n.Health, n.Message)
	}
	return text
}
