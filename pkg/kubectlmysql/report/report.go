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

// Package report turns a MysqlCluster into what a person wants to know of it: a straight answer, what to do, how far each node is behind. It is
// pure: what is printed of it, as text, JSON or YAML, is the same.
package report

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// Service tells whether a cluster does its work.
type Service string

const (
	// Full is the service of a cluster that lacks nothing.
	Full Service = "Full"
	// Partial is the service of a cluster that takes writes, or reads if no more is wanted, but is not as it should be.
	Partial Service = "Partial"
	// None is the service of a cluster that takes no writes although it should, or of which that is not known.
	None Service = "None"
)

// Report is what there is to know of a cluster.
type Report struct {
	// Name and Namespace are those of the cluster.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Service is the answer in one word, Summary in one line.
	Service Service `json:"service"`
	Summary string  `json:"summary"`
	// ToDo is what a person can do about it. Empty if nothing is needed.
	ToDo []string `json:"toDo,omitempty"`

	MysqlVersion string `json:"mysqlVersion,omitempty"`
	Term         int64  `json:"term,omitempty"`
	Primary      string `json:"primary,omitempty"`
	// Nodes are the nodes, the primary first.
	Nodes []Node `json:"nodes"`
	// WantedNodes, ReadyNodes and UpdatedNodes are how many nodes spec asks for, serve clients, and run with all that spec asks for.
	WantedNodes  int32 `json:"wantedNodes"`
	ReadyNodes   int32 `json:"readyNodes"`
	UpdatedNodes int32 `json:"updatedNodes"`
	// Rollout is how far changes of spec are, in words.
	Rollout string `json:"rollout"`
	// Durability is the durability in force, Copies what it means for commits at present, in words. Both are empty for a single node.
	Durability v1alpha1.Durability            `json:"durability,omitempty"`
	Copies     string                         `json:"copies,omitempty"`
	Endpoints  v1alpha1.MysqlClusterEndpoints `json:"endpoints,omitzero"`

	// Operation is the change of the primary that is under way, LastFailovers are those that have ended, the newest first.
	Operation     *v1alpha1.MysqlClusterOperation  `json:"operation,omitempty"`
	LastFailovers []v1alpha1.MysqlClusterOperation `json:"lastFailovers,omitempty"`
	// Conditions are those that are not as they should be.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Of returns the report on a cluster.
func Of(cluster *v1alpha1.MysqlCluster) *Report {
	status := &cluster.Status
	r := &Report{
		Name: cluster.Name, Namespace: cluster.Namespace,
		Service: service(cluster), Summary: summary(cluster),
		MysqlVersion: orElse(status.MysqlVersion, cluster.Spec.MysqlVersion), Term: status.Term, Primary: status.Primary,
		Nodes:       nodes(cluster),
		WantedNodes: wanted(cluster), ReadyNodes: status.ReadyNodes, UpdatedNodes: status.UpdatedNodes,
		Rollout:    rollout(cluster),
		Durability: status.Durability, Copies: copies(cluster), Endpoints: status.Endpoints,
		Operation: status.Operation, LastFailovers: status.LastFailovers,
		Conditions: amiss(cluster),
	}
	r.ToDo = advice(cluster, r)
	return r
}

// summary is the controller's line, or what is known without it.
func summary(cluster *v1alpha1.MysqlCluster) string {
	if cluster.DeletionTimestamp != nil {
		return "Deleting"
	}
	return orElse(cluster.Status.Phase, "Pending")
}

func service(cluster *v1alpha1.MysqlCluster) Service {
	conditions := cluster.Status.Conditions
	switch {
	case cluster.DeletionTimestamp != nil:
		return None
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return Full
	case wanted(cluster) == 0 && len(cluster.Status.Conditions) > 0:
		return Partial // stopped, as it was asked to be
	case meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionReadOnly), cluster.Spec.ReadOnly && cluster.Status.ReadyNodes > 0:
		return Partial
	}
	return None
}

// rollout tells how far changes of spec are.
func rollout(cluster *v1alpha1.MysqlCluster) string {
	if cluster.Generation > cluster.Status.ObservedGeneration {
		return "the last change of spec has not been looked at yet"
	}
	if c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionProgressing); c != nil {
		return c.Reason + ": " + c.Message
	}
	return "unknown"
}

// copies says what an acknowledged commit is worth at present.
func copies(cluster *v1alpha1.MysqlCluster) string {
	if c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionDurable); c != nil {
		return c.Message
	}
	return ""
}

// wantedStatus is what the conditions of a cluster should be. One that is not listed may be anything.
func wantedStatus(cluster *v1alpha1.MysqlCluster) map[string]metav1.ConditionStatus {
	readOnly := metav1.ConditionFalse
	if cluster.Spec.ReadOnly || wanted(cluster) == 0 {
		readOnly = metav1.ConditionTrue
	}
	ready := metav1.ConditionTrue
	if wanted(cluster) == 0 {
		ready = metav1.ConditionFalse
	}
	return map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady:       ready,
		v1alpha1.ConditionInitialized: metav1.ConditionTrue,
		v1alpha1.ConditionReadOnly:    readOnly,
		v1alpha1.ConditionProgressing: metav1.ConditionFalse,
		v1alpha1.ConditionSecretReady: metav1.ConditionTrue,
		v1alpha1.ConditionDurable:     metav1.ConditionTrue,
		v1alpha1.ConditionReconciled:  metav1.ConditionTrue,
	}
}

// amiss returns the conditions that are not as they should be.
func amiss(cluster *v1alpha1.MysqlCluster) []metav1.Condition {
	should := wantedStatus(cluster)
	var result []metav1.Condition
	for _, c := range cluster.Status.Conditions {
		if status, ok := should[c.Type]; ok && c.Status != status {
			result = append(result, c)
		}
	}
	slices.SortFunc(result, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return result
}

func wanted(cluster *v1alpha1.MysqlCluster) int32 { return ptr.Deref(cluster.Spec.Replicas, 1) }

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
