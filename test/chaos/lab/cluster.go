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

package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/kubesim"
)

// Cluster is one MySQL cluster, with the Kubernetes and the controller that it has to itself.
type Cluster struct {
	Config   ClusterConfig
	History  *history.History
	Timeline *Timeline
	Control  *Control
	// LogDir holds the logs of all parts.
	LogDir string

	lab       *Lab
	kube      *kubesim.Kube
	client    kubernetes.Interface
	mysql     versioned.Interface
	machine   *kubesim.Machine
	witnesses *witnesses

	stop    context.CancelFunc
	running sync.WaitGroup
	logs    []*os.File

	mu        sync.Mutex
	clientTLS *tls.Config
	names     struct{ ca string }
}

// ClusterConfig describes a cluster.
type ClusterConfig struct {
	Name       string
	Replicas   int
	Durability v1alpha1.Durability
	// ErrantNodePolicy is Keep or Rebuild.
	ErrantNodePolicy v1alpha1.ErrantNodePolicy
	// Fast trades the durability against a crash of the machine, which never happens here, for speed.
	Fast bool
}

// redoLog is small to spare memory.
const redoLog = "32M"

const (
	namespace  = "chaos"
	secretName = "passwords"
	appUser    = "app"
	database   = "app"
	// Passwords are for a network that nobody else reaches.
	appPassword  = "app-secret"
	rootPassword = "root-secret"
)

// NewCluster starts a cluster, without waiting for it. The caller has to call Close.
func (l *Lab) NewCluster(config ClusterConfig) (*Cluster, error) {
	c := &Cluster{Config: config, lab: l, History: &history.History{}, LogDir: filepath.Join(l.logDir, config.Name)}
	c.names.ca = workload.CASecretName(config.Name)
	c.Timeline = newTimeline(c)
	if err := os.MkdirAll(c.LogDir, 0o755); err != nil {
		return nil, fmt.Errorf("make a directory for logs: %w", err)
	}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	var err error
	if c.kube, err = kubesim.New(); err != nil {
		return err
	}
	c.client = c.kube.Client(nil)
	if c.mysql, err = versioned.NewForConfig(c.lab.server.Config); err != nil {
		return fmt.Errorf("make a client of the API: %w", err)
	}
	if err := c.createObjects(ctx); err != nil {
		return err
	}
	dir := filepath.Join(c.lab.dir, c.Config.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the cluster's directory: %w", err)
	}
	log, file, err := c.lab.logger(c.LogDir, "machine.log")
	if err != nil {
		return err
	}
	c.logs = append(c.logs, file)
	var wait func()
	c.machine, wait, err = kubesim.StartMachine(ctx, c.kube, c.lab.Hub, kubesim.MachineConfig{
		Dir: dir, VolumeBytes: c.lab.volumeBytes, LogDir: c.LogDir, Command: c.lab.command,
	}, log)
	if err != nil {
		return err
	}
	c.running.Go(wait)
	c.witnesses = &witnesses{cluster: c, streams: map[types.UID]context.CancelFunc{}, states: map[types.UID]api.State{}}
	c.running.Go(func() { c.witnesses.follow(ctx) })
	c.running.Go(func() { c.Timeline.watch(ctx) })
	c.kube.OnChange(c.Timeline.look)

	controllerLog, err := os.OpenFile(filepath.Join(c.LogDir, "controller.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("log the controller: %w", err)
	}
	c.Control = &Control{cluster: c, file: controllerLog, kubeChanged: make(chan struct{})}
	return c.Control.Start()
}

// command runs the agent in the place of a pod's container, with the directories that are mounted there.
func (l *Lab) command(_ *corev1.Pod, mounted func(string) string) []string {
	argv := []string{
		l.agent, "run",
		"--config", filepath.Join(mounted(api.ConfigDir), api.ConfigFile),
		"--tls-dir", mounted(api.TLSDir),
		"--credentials-dir", mounted(api.CredentialsDir),
		"--user-secret-dir", mounted(api.UserSecretDir),
		"--volume-dir", mounted(api.VolumeDir),
		"--run-dir", mounted(api.RunDir),
		"--mysqld-option", "--user=root",
	}
	for _, word := range l.mysql.Mysqld() {
		argv = append(argv, "--mysqld", word)
	}
	for _, option := range l.mysql.MysqldOptions() {
		argv = append(argv, "--mysqld-option", option)
	}
	return argv
}

func (c *Cluster) createObjects(ctx context.Context) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secretName, Namespace: namespace},
		Data: map[string][]byte{
			v1alpha1.SecretKeyRootPassword: []byte(rootPassword), v1alpha1.SecretKeyUser: []byte(appUser),
			v1alpha1.SecretKeyPassword: []byte(appPassword), v1alpha1.SecretKeyDatabase: []byte(database),
		},
	}
	if _, err := c.client.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make the Secret: %w", err)
	}
	cluster := &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: c.Config.Name, Namespace: namespace},
		Spec: v1alpha1.MysqlClusterSpec{
			Replicas: ptr.To(int32(c.Config.Replicas)), SecretName: secretName,
			Replication: v1alpha1.ReplicationSpec{Durability: c.Config.Durability, ErrantNodePolicy: c.Config.ErrantNodePolicy},
			PodSpec: v1alpha1.PodSpec{Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
			}},
			MysqlConf: map[string]intstr.IntOrString{"innodb-redo-log-capacity": intstr.FromString(redoLog)},
		},
	}
	if c.Config.Fast {
		for name, value := range map[string]string{"innodb_flush_method": "nosync", "innodb_doublewrite": "OFF", "sync-binlog": "0", "innodb_flush_log_at_trx_commit": "2"} {
			cluster.Spec.MysqlConf[name] = intstr.FromString(value)
		}
	}
	if _, err := c.mysql.MysqlV1alpha1().MysqlClusters(namespace).Create(ctx, cluster, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make the cluster: %w", err)
	}
	return nil
}

// Close ends all of the cluster.
func (c *Cluster) Close() error {
	var errs []error
	if c.Control != nil {
		c.Control.SetKube(Refuse)
		errs = append(errs, c.Control.close())
	}
	c.lab.API.Set(Pass)
	c.stop()
	c.running.Wait()
	errs = append(errs, c.deleteObject())
	for _, file := range c.logs {
		errs = append(errs, file.Close())
	}
	if c.machine != nil {
		errs = append(errs, c.removeVolumes())
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(c.lab.dir, c.Config.Name)))...)
}

func (c *Cluster) removeVolumes() error {
	claims, err := c.client.CoreV1().PersistentVolumeClaims(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the claims: %w", err)
	}
	var errs []error
	for i := range claims.Items {
		errs = append(errs, c.machine.RemoveVolume(&claims.Items[i]))
	}
	return errors.Join(errs...)
}

// deleteObject removes the cluster's object, so that the next cluster's controller does not find it.
func (c *Cluster) deleteObject() error {
	ctx, cancel := within(context.Background(), time.Minute)
	defer cancel()
	clusters := c.mysql.MysqlV1alpha1().MysqlClusters(namespace)
	_, err := clusters.Patch(ctx, c.Config.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err == nil {
		err = clusters.Delete(ctx, c.Config.Name, metav1.DeleteOptions{})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove the cluster's object: %w", err)
	}
	return nil
}

// Get reads the cluster's object.
func (c *Cluster) Get(ctx context.Context) (*v1alpha1.MysqlCluster, error) {
	cluster, err := c.mysql.MysqlV1alpha1().MysqlClusters(namespace).Get(ctx, c.Config.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the cluster: %w", err)
	}
	return cluster, nil
}

// notYet says why a cluster is not at rest and healthy; empty if it is.
func (c *Cluster) notYet(cluster *v1alpha1.MysqlCluster) string {
	s := &cluster.Status
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionDurable} {
		condition := meta.FindStatusCondition(s.Conditions, kind)
		if condition == nil {
			return "there is no condition " + kind
		}
		if condition.Status != metav1.ConditionTrue {
			return fmt.Sprintf("%s is %s: %s: %s", kind, condition.Status, condition.Reason, condition.Message)
		}
	}
	switch {
	case int(s.ReadyNodes) != c.Config.Replicas:
		return fmt.Sprintf("%d nodes are ready", s.ReadyNodes)
	case s.Operation != nil && s.Operation.Outcome == "":
		return fmt.Sprintf("operation %s is %s: %s", s.Operation.Type, s.Operation.Phase, s.Operation.Message)
	}
	for _, state := range c.States() {
		if state.Joining {
			return state.Node + " is joining"
		}
		if state.Term != s.Term {
			return fmt.Sprintf("%s is in term %d", state.Node, state.Term)
		}
	}
	ready := 0
	for _, pod := range c.pods() {
		if kubesim.IsReady(pod) && pod.DeletionTimestamp == nil {
			ready++
		}
	}
	if ready != c.Config.Replicas {
		return fmt.Sprintf("%d pods are ready", ready)
	}
	return ""
}

// WaitReady waits until the cluster is healthy and at rest.
func (c *Cluster) WaitReady(ctx context.Context) error {
	why := ""
	for {
		cluster, err := c.Get(ctx)
		if err == nil {
			if why = c.notYet(cluster); why == "" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not get ready: %s", why)
		case <-time.After(50 * time.Millisecond): // what is waited for comes from several places
		}
	}
}

// Nodes are the names of the cluster's nodes.
func (c *Cluster) Nodes() []string {
	var names []string
	for ordinal := range c.Config.Replicas {
		names = append(names, workload.NodeName(c.Config.Name, ordinal))
	}
	return names
}

// Replicas are the names of the nodes apart from the primary.
func (c *Cluster) Replicas(ctx context.Context) (primary string, replicas []string, err error) {
	cluster, err := c.Get(ctx)
	if err != nil {
		return "", nil, err
	}
	primary = cluster.Status.Primary
	return primary, slices.DeleteFunc(c.Nodes(), func(name string) bool { return name == primary }), nil
}

// Pod is the running pod of a node, or nil.
func (c *Cluster) Pod(node string) *kubesim.Pod { return c.machine.Pod(node) }

// Pods are all running pods.
func (c *Cluster) Pods() []*kubesim.Pod { return c.machine.Pods() }

func (c *Cluster) host(node string) string { return workload.Host(node, c.Config.Name, namespace) }

func (c *Cluster) secret(name string) (map[string][]byte, error) {
	secret, err := c.client.CoreV1().Secrets(namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the Secret %s: %w", name, err)
	}
	return secret.Data, nil
}
