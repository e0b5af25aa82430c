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

package controller

import (
	"fmt"
	"net"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/agents"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// gathered is what was found of a cluster, from caches and agents only.
type gathered struct {
	observed topology.Observed
	set      *appsv1.StatefulSet
	pods     map[string]*corev1.Pod
	claims   map[string]*corev1.PersistentVolumeClaim
	// listening is true while nothing has been heard of a ready node because the controller has only just begun to listen. What
	// would be told of the cluster then is not news of the cluster.
	listening bool
}

// listenTime is how long a ready node may be silent after the controller has begun to listen, before it is called silent.
const listenTime = 5 * time.Second

func (c *Controller) gather(m *memory, cluster *v1alpha1.MysqlCluster) (*gathered, error) {
	hash, err := workload.ConfigHash(cluster)
	if err != nil {
		return nil, err
	}
	g := &gathered{pods: map[string]*corev1.Pod{}, claims: map[string]*corev1.PersistentVolumeClaim{}}
	if err := c.gatherObjects(g, cluster); err != nil {
		return nil, err
	}
	replicas := workload.Replicas(cluster)
	g.observed = topology.Observed{
		Now:        c.Now(),
		ClusterUID: string(cluster.UID),
		Spec: topology.Spec{
			Replicas:   replicas,
			Durability: topology.EffectiveDurability(replicas, topology.Durability(cluster.Spec.Replication.Durability)),
			ReadOnly:   cluster.Spec.ReadOnly,
			ConfigHash: hash,

			PauseRollout:  cluster.Spec.PauseRollout,
			RebuildErrant: cluster.Spec.Replication.ErrantNodePolicy == v1alpha1.ErrantNodeRebuild,
			MaxLag:        ptr.Deref(cluster.Spec.MaxSlaveLatency, 0),
		},
		Record: topology.Record{
			Primary:      cluster.Status.Primary,
			Term:         cluster.Status.Term,
			RequiredAcks: int(cluster.Status.RequiredAcknowledgements),
			Initialized:  cluster.Status.InitializedAt != nil,
			Members:      cluster.Status.Members,
			Operation:    operationOf(cluster.Status.Operation),
		},
		GaveUpAt: gaveUpAt(&cluster.Status),
	}
	if g.set != nil {
		if g.set.Spec.Replicas != nil {
			g.observed.Size = int(*g.set.Spec.Replicas)
		}
		g.observed.TemplateApplied = g.set.Spec.Template.Annotations[v1alpha1.AnnotationConfigHash] == hash &&
			g.set.Status.ObservedGeneration >= g.set.Generation
	}
	c.track(m, cluster, g)
	for ordinal := range workload.MaxReplicas {
		name := workload.NodeName(cluster.Name, ordinal)
		pod, claim := g.pods[name], g.claims[name]
		if pod == nil && claim == nil && ordinal >= replicas {
			continue
		}
		n := c.node(cluster, g.set, ordinal, pod, claim)
		g.observed.Nodes = append(g.observed.Nodes, n)
		if pod != nil && n.Ready && n.State == nil && c.Now().Sub(c.agents.Observe(pod.UID).Since) < listenTime {
			g.listening = true
		}
	}
	return g, nil
}

// gatherObjects finds the StatefulSet, the pods and the claims.
func (c *Controller) gatherObjects(g *gathered, cluster *v1alpha1.MysqlCluster) error {
	set, err := c.statefulSets.StatefulSets(cluster.Namespace).Get(workload.StatefulSetName(cluster.Name))
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("get the StatefulSet: %w", err)
	case !workload.ControlledByOther(set, cluster):
		g.set = set
	}
	for ordinal := range workload.MaxReplicas {
		name := workload.NodeName(cluster.Name, ordinal)
		pod, err := c.pods.Pods(cluster.Namespace).Get(name)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("get pod %s: %w", name, err)
		}
		if err == nil && ofSet(pod, g.set) {
			g.pods[name] = pod
		}
		claim, err := c.claims.PersistentVolumeClaims(cluster.Namespace).Get(workload.ClaimName(name))
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("get the claim of %s: %w", name, err)
		}
		if err == nil {
			g.claims[name] = claim
		}
	}
	return nil
}

// ofSet is true when the pod is one of the StatefulSet's.
func ofSet(pod *corev1.Pod, set *appsv1.StatefulSet) bool {
	controller := metav1.GetControllerOf(pod)
	return set != nil && controller != nil && controller.UID == set.UID
}

// node describes one node.
func (c *Controller) node(cluster *v1alpha1.MysqlCluster, set *appsv1.StatefulSet, ordinal int, pod *corev1.Pod, claim *corev1.PersistentVolumeClaim) topology.Node {
	n := topology.Node{Name: workload.NodeName(cluster.Name, ordinal), Ordinal: ordinal}
	n.Host = workload.Host(n.Name, cluster.Name, cluster.Namespace)
	if claim != nil {
		n.VolumeExists = true
		n.VolumeKept = claim.Annotations[workload.AnnotationClusterUID] != string(cluster.UID)
	}
	n.Problem = problem(set, pod, claim)
	if pod == nil {
		return n
	}
	n.Exists = true
	n.PodUID = string(pod.UID)
	n.Terminating = pod.DeletionTimestamp != nil
	n.Ready = isReady(pod)
	n.Served = pod.Labels[v1alpha1.LabelHealthy] == v1alpha1.HealthyLabelYes
	n.Drained = c.drained(pod)
	n.ConfigHash = pod.Annotations[v1alpha1.AnnotationConfigHash]
	seen := c.agents.Observe(pod.UID)
	n.State, n.Connected, n.Memory = seen.State, seen.Connected, seen.Memory
	return n
}

// track keeps up the streams to the agents of the cluster's pods.
func (c *Controller) track(m *memory, cluster *v1alpha1.MysqlCluster, g *gathered) {
	if m.secrets == nil || m.secrets.client == nil {
		return
	}
	var targets []agents.Target
	for name, pod := range g.pods {
		if pod.Status.PodIP == "" {
			continue
		}
		targets = append(targets, agents.Target{
			Node:    name,
			PodUID:  pod.UID,
			Address: net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(api.ControlPort)),
			TLS:     m.secrets.clientFor(workload.Host(name, cluster.Name, cluster.Namespace)),
		})
	}
	c.agents.Track(cache.NewObjectName(cluster.Namespace, cluster.Name).String(), targets)
}

// drained is true when the machine that the pod runs on is to be emptied.
func (c *Controller) drained(pod *corev1.Pod) bool {
	machine, err := c.nodes.Get(pod.Spec.NodeName)
	return err == nil && machine.Spec.Unschedulable
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
