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

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// ordered tells people, by an Event, of long work that an order began, and of an order that was not carried out.
func (c *Controller) ordered(key, node string, order api.Order, result api.OrderResult, err error) {
	if err != nil {
		// The agent may just be going down; its silence is reported elsewhere.
		return
	}
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return
	}
	cluster, err := c.clusters.MysqlClusters(namespace).Get(name)
	if err != nil {
		return
	}
	if kind, reason, message := orderEvent(cluster, node, order, result); reason != "" {
		c.Events.Event(cluster, kind, reason, message)
	}
}

// orderEvent is what is to be told of the answer to an order; without a reason, nothing.
func orderEvent(cluster *v1alpha1.MysqlCluster, node string, order api.Order, result api.OrderResult) (kind, reason, message string) {
	switch {
	case result.Outcome == api.OutcomeFailed:
		return corev1.EventTypeWarning, "OrderFailed", fmt.Sprintf("%s failed to %s: %s", node, task(cluster, order), result.Message)
	case result.Outcome == api.OutcomeRefused && result.Reason != api.RefusedBusy:
		return corev1.EventTypeWarning, "OrderRefused", fmt.Sprintf("%s refused to %s: %s", node, task(cluster, order), result.Message)
	case result.Outcome == api.OutcomeAccepted && order.Kind == api.OrderInitialize:
		return corev1.EventTypeNormal, "InitializeStarted", node + " is being initialised"
	case result.Outcome == api.OutcomeAccepted && order.Kind == api.OrderClone:
		return corev1.EventTypeNormal, "CloneStarted", fmt.Sprintf("%s copies the data of %s", node, sourceNode(cluster, order))
	}
	return "", "", ""
}

// task says in words what a node was ordered to do.
func task(cluster *v1alpha1.MysqlCluster, order api.Order) string {
	switch order.Kind {
	case api.OrderInitialize:
		return "initialise its data"
	case api.OrderClone:
		return "copy the data of " + sourceNode(cluster, order)
	case api.OrderFollow:
		return "follow " + sourceNode(cluster, order)
	case api.OrderPromote:
		return "become the primary"
	case api.OrderDemote:
		return "become read-only"
	default:
		return string(order.Kind)
	}
}

// sourceNode is the name of the node that an order names by its address.
func sourceNode(cluster *v1alpha1.MysqlCluster, order api.Order) string {
	if order.Source == nil {
		return "another node"
	}
	for i := range cluster.Status.Nodes {
		if node := cluster.Status.Nodes[i].Name; workload.Host(node, cluster.Name, cluster.Namespace) == order.Source.Host {
			return node
		}
	}
	return order.Source.Host
}
