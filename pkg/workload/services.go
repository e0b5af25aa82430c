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

package workload

import (
	"maps"

	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

const (
	mysqlPortName   = "mysql"
	adminPortName   = "mysql-admin"
	controlPortName = "agent"
	probePortName   = "probes"
)

// Services are the Services of a cluster: one that gives each node a name, and those that clients use.
func Services(c *v1alpha1.MysqlCluster) []*corev1ac.ServiceApplyConfiguration {
	primary := map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLabelPrimary}
	healthy := map[string]string{v1alpha1.LabelHealthy: v1alpha1.HealthyLabelYes}
	replicas := map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLabelReplica, v1alpha1.LabelHealthy: v1alpha1.HealthyLabelYes}
	return []*corev1ac.ServiceApplyConfiguration{
		headlessService(c),
		clientService(c, PrimaryServiceName(c.Name), primary),
		clientService(c, AllServiceName(c.Name), healthy),
		clientService(c, ReplicasServiceName(c.Name), replicas),
	}
}

// headlessService belongs to one cluster only: clusters that share one share its life too. Nodes need names before they are ready.
func headlessService(c *v1alpha1.MysqlCluster) *corev1ac.ServiceApplyConfiguration {
	return service(c, HeadlessServiceName(c.Name)).WithSpec(corev1ac.ServiceSpec().
		WithClusterIP("None").
		WithPublishNotReadyAddresses(true).
		WithSelector(NodeLabels(c.Name)).
		WithPorts(
			corev1ac.ServicePort().WithName(mysqlPortName).WithPort(api.MySQLPort).WithTargetPort(intstr.FromString(mysqlPortName)),
			corev1ac.ServicePort().WithName(adminPortName).WithPort(api.AdminPort).WithTargetPort(intstr.FromString(adminPortName)),
			corev1ac.ServicePort().WithName(controlPortName).WithPort(api.ControlPort).WithTargetPort(intstr.FromString(controlPortName)),
		))
}

func clientService(c *v1alpha1.MysqlCluster, name string, selector map[string]string) *corev1ac.ServiceApplyConfiguration {
	maps.Copy(selector, NodeLabels(c.Name))
	return service(c, name).WithSpec(corev1ac.ServiceSpec().
		WithSelector(selector).
		WithPorts(corev1ac.ServicePort().WithName(mysqlPortName).WithPort(api.MySQLPort).WithTargetPort(intstr.FromString(mysqlPortName))))
}

func service(c *v1alpha1.MysqlCluster, name string) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(name, c.Namespace).WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c))
}

// ServiceAccount is the identity of the pods. It has no rights, and no token of it is mounted: the agent never talks to
// Kubernetes. Nil if the user has named another one.
func ServiceAccount(c *v1alpha1.MysqlCluster) *corev1ac.ServiceAccountApplyConfiguration {
	if c.Spec.PodSpec.ServiceAccountName != "" {
		return nil
	}
	return corev1ac.ServiceAccount(StatefulSetName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).WithAutomountServiceAccountToken(false)
}

// PodDisruptionBudget limits voluntary disruptions. Nil if there is none to be: a single node could never be drained.
func PodDisruptionBudget(c *v1alpha1.MysqlCluster) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	minAvailable := c.Spec.MinAvailable
	if minAvailable == nil {
		if Replicas(c) < 2 {
			return nil
		}
		half := intstr.FromString("50%")
		minAvailable = &half
	}
	return policyv1ac.PodDisruptionBudget(StatefulSetName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().WithMinAvailable(*minAvailable).WithSelector(nodeSelector(c.Name)))
}

// Replicas is the number of replicas that the spec asks for.
func Replicas(c *v1alpha1.MysqlCluster) int {
	if c.Spec.Replicas == nil {
		return 1
	}
	return int(*c.Spec.Replicas)
}
