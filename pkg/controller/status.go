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
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// progressWriteInterval is how often the status is written when nothing but the progress of replication has changed.
const progressWriteInterval = 10 * time.Second

// newStatus is the status of a cluster after a decision. applyErr is what Kubernetes refused.
func (c *Controller) newStatus(cluster *v1alpha1.MysqlCluster, m *memory, d topology.Decision, g *gathered, applyErr error) *v1alpha1.MysqlClusterStatus {
	now := metav1.NewTime(c.Now().Truncate(time.Second))
	s := cluster.Status.DeepCopy()
	s.ObservedGeneration = cluster.Generation
	if r := d.Record; r != nil {
		s.Primary, s.Term, s.RequiredAcknowledgements = r.Primary, r.Term, int32(r.RequiredAcks)
		if r.Initialized && s.InitializedAt == nil {
			s.InitializedAt = &now
		}
		s.Members = r.Members
		s.Operation = statusOperation(r.Operation)
		s.LastFailovers = withEnded(s.LastFailovers, d.Ended)
	}
	s.Phase = d.Status.Phase
	s.Replicas = int32(len(g.pods))
	s.ReadyNodes = int32(d.Status.ReadyNodes)
	s.UpdatedNodes = int32(d.Status.UpdatedNodes)
	s.Selector = workload.Selector(cluster.Name)
	s.Durability = v1alpha1.Durability(g.observed.Spec.Durability)
	s.Endpoints = workload.Endpoints(cluster.Name, cluster.Namespace)
	s.Nodes = nodeStatuses(cluster.Status.Nodes, d, g, now)
	for i := range s.Nodes {
		if s.Nodes[i].Name == s.Primary && s.Nodes[i].MysqlVersion != "" {
			s.MysqlVersion = s.Nodes[i].MysqlVersion
		}
	}
	c.setConditions(s, cluster, m, d, g, applyErr, now)
	return s
}

// setConditions also puts what a person has to mend into the phase line.
func (c *Controller) setConditions(s *v1alpha1.MysqlClusterStatus, cluster *v1alpha1.MysqlCluster, m *memory, d topology.Decision, g *gathered, applyErr error, now metav1.Time) {
	ready := d.Status.Ready
	complaint := ""
	if m.secrets != nil {
		complaint = m.secrets.complaint
	}
	waits := complaint != "" && g.set == nil
	if waits {
		ready = topology.Verdict{Reason: "SecretIncomplete", Message: complaint}
		s.Phase = "Waiting: " + complaint
	}
	set := func(kind string, v topology.Verdict) {
		status := metav1.ConditionFalse
		switch {
		case v.Unknown:
			status = metav1.ConditionUnknown
		case v.True:
			status = metav1.ConditionTrue
		}
		condition := metav1.Condition{Type: kind, Status: status, Reason: v.Reason, Message: cut(v.Message), ObservedGeneration: cluster.Generation}
		if old := meta.FindStatusCondition(s.Conditions, kind); old == nil || old.Status != status {
			condition.LastTransitionTime = now
		}
		meta.SetStatusCondition(&s.Conditions, condition)
	}
	set(v1alpha1.ConditionReady, ready)
	set(v1alpha1.ConditionInitialized, d.Status.Initialized)
	set(v1alpha1.ConditionReadOnly, d.Status.ReadOnly)
	set(v1alpha1.ConditionProgressing, d.Status.Progressing)
	if d.Status.Durable != nil {
		set(v1alpha1.ConditionDurable, *d.Status.Durable)
	} else {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionDurable)
	}
	switch {
	case m.secrets == nil:
		set(v1alpha1.ConditionSecretReady, topology.Verdict{Unknown: true, Reason: "Unknown", Message: "the Secret could not be read yet"})
	case complaint != "":
		set(v1alpha1.ConditionSecretReady, topology.Verdict{Reason: "Incomplete", Message: complaint})
	default:
		set(v1alpha1.ConditionSecretReady, topology.Verdict{True: true, Reason: "Complete", Message: "the Secret has all keys that are needed"})
	}
	if applyErr != nil && !isConflict(applyErr) {
		set(v1alpha1.ConditionReconciled, topology.Verdict{Reason: "Refused", Message: applyErr.Error()})
		if g.set == nil && !waits {
			s.Phase = "Waiting: " + cut(applyErr.Error())
		}
	} else {
		set(v1alpha1.ConditionReconciled, topology.Verdict{True: true, Reason: "Applied", Message: "all objects of the cluster are as they should be"})
	}
	s.Phase = cut(s.Phase)
}

// cut bounds a text that others have a part in.
func cut(text string) string {
	const limit = 1024
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

// nodeStatuses describe the nodes; Since stays while role and health do.
func nodeStatuses(before []v1alpha1.NodeStatus, d topology.Decision, g *gathered, now metav1.Time) []v1alpha1.NodeStatus {
	var nodes []v1alpha1.NodeStatus
	for _, n := range d.Status.Nodes {
		s := v1alpha1.NodeStatus{Name: n.Name, Role: v1alpha1.NodeRole(n.Role), Health: v1alpha1.NodeHealth(n.Health), Message: cut(n.Message), Since: &now,
			Joining: n.Joining}
		i := slices.IndexFunc(before, func(old v1alpha1.NodeStatus) bool { return old.Name == n.Name })
		if i >= 0 && before[i].Role == s.Role && before[i].Health == s.Health && before[i].Since != nil {
			s.Since = before[i].Since
		}
		if i >= 0 {
			// What a node reported last is worth knowing while it is silent.
			s.GTIDExecuted, s.MysqlVersion, s.ServerUUID = before[i].GTIDExecuted, before[i].MysqlVersion, before[i].ServerUUID
		}
		j := slices.IndexFunc(g.observed.Nodes, func(o topology.Node) bool { return o.Name == n.Name })
		if state := g.observed.Nodes[j].State; state != nil && g.observed.Nodes[j].Connected {
			s.GTIDExecuted, s.MysqlVersion, s.ServerUUID = state.GTIDExecuted, state.Version, state.ServerUUID
			if state.ServerUUID != "" {
				s.ReadOnly = ptr.To(state.SuperReadOnly)
			}
			if state.Replication != nil && n.Role != topology.RolePrimary {
				s.LagSeconds = state.Replication.LagSeconds
			}
		}
		nodes = append(nodes, s)
	}
	return nodes
}

// writeStatus writes the status if it has changed; at once if it is a record, or if more has changed than what was replicated.
func (c *Controller) writeStatus(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster, status *v1alpha1.MysqlClusterStatus, record, blocked bool) error {
	before := &cluster.Status
	if !record {
		if apiequality.Semantic.DeepEqual(before, status) {
			return nil
		}
		if left := m.statusWritten.Add(progressWriteInterval).Sub(c.Now()); left > 0 && apiequality.Semantic.DeepEqual(withoutProgress(before), withoutProgress(status)) {
			c.queue.AddAfter(cluster.Namespace+"/"+cluster.Name, left)
			return nil
		}
	}
	updated := cluster.DeepCopy()
	updated.Status = *status
	written, err := c.MySQL.MysqlV1alpha1().MysqlClusters(cluster.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{FieldManager: apply.FieldManager})
	if err != nil {
		m.newest = nil
		return fmt.Errorf("write the status: %w", err)
	}
	m.newest, m.newestAt, m.statusWritten = written, c.Now(), c.Now()
	c.announceReadiness(written, before, blocked)
	return nil
}

// announceReadiness sends an Event when a cluster becomes ready, when it is not any more, and when only a person can help it.
func (c *Controller) announceReadiness(cluster *v1alpha1.MysqlCluster, before *v1alpha1.MysqlClusterStatus, blocked bool) {
	now := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionReady)
	old := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady)
	wasReady := old != nil && old.Status == metav1.ConditionTrue
	switch {
	case now == nil || old != nil && old.Status == now.Status && old.Reason == now.Reason:
	case now.Status == metav1.ConditionTrue:
		c.Events.Event(cluster, corev1.EventTypeNormal, "Ready", now.Message)
	case wasReady || blocked:
		c.Events.Event(cluster, corev1.EventTypeWarning, now.Reason, now.Message)
	}
}

// withoutProgress is a status without what changes while data are replicated.
func withoutProgress(s *v1alpha1.MysqlClusterStatus) *v1alpha1.MysqlClusterStatus {
	s = s.DeepCopy()
	for i := range s.Nodes {
		s.Nodes[i].GTIDExecuted, s.Nodes[i].LagSeconds = "", nil
	}
	return s
}
