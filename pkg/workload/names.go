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

// Package workload turns a MysqlCluster into the Kubernetes objects that it should have. It is pure: objects come out as
// apply configurations, the controller applies them.
package workload

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

const (
	// ManagedBy is the value of app.kubernetes.io/managed-by.
	ManagedBy = "mysql-controller"
	// LabelComponent tells the nodes of a cluster from other pods that belong to it.
	LabelComponent = "mysql.presslabs.io/component"
	// ComponentNode is the value of LabelComponent of a node.
	ComponentNode = "node"
	// AnnotationClusterUID holds, on a PersistentVolumeClaim, the UID of the cluster that it was made for. A claim with another one, or
	// none, was there before.
	AnnotationClusterUID = "mysql.presslabs.io/cluster-uid"
	// MaxReplicas is the API's limit for spec.replicas.
	MaxReplicas = 32
	// DataVolume is the name of the claim template and the volume of the data.
	DataVolume = "data"
)

// Names of the objects of a cluster. They are those of the ancestor, so that its volumes and clients' settings stay valid.

// StatefulSetName is the name of the StatefulSet. ConfigMap, PodDisruptionBudget and ServiceAccount have the same.
func StatefulSetName(cluster string) string { return cluster + "-mysql" }

// NodeName is the name of a node, which is that of its pod.
func NodeName(cluster string, ordinal int) string {
	return StatefulSetName(cluster) + "-" + strconv.Itoa(ordinal)
}

// ClaimName is the name of a node's PersistentVolumeClaim.
func ClaimName(node string) string { return DataVolume + "-" + node }

// HeadlessServiceName is the name of the Service that gives each node a name.
func HeadlessServiceName(cluster string) string { return cluster + "-mysql-nodes" }

// PrimaryServiceName is the name of the Service of the primary.
func PrimaryServiceName(cluster string) string { return cluster + "-mysql-master" }

// AllServiceName is the name of the Service of all healthy nodes.
func AllServiceName(cluster string) string { return cluster + "-mysql" }

// ReplicasServiceName is the name of the Service of the healthy replicas.
func ReplicasServiceName(cluster string) string { return cluster + "-mysql-replicas" }

// OperatedSecretName is the name of the Secret with the passwords of the internal accounts.
func OperatedSecretName(cluster string) string { return cluster + "-mysql-operated" }

// CASecretName is the name of the Secret with the cluster's certificate authority.
func CASecretName(cluster string) string { return cluster + "-mysql-ca" }

// TLSSecretName is the name of the Secret with the nodes' certificate.
func TLSSecretName(cluster string) string { return cluster + "-mysql-tls" }

// HostDomain is what follows a node's name in the name under which others reach it.
func HostDomain(cluster, namespace string) string {
	return fmt.Sprintf("%s.%s.svc", HeadlessServiceName(cluster), namespace)
}

// Host is the name under which other nodes and the controller reach a node.
func Host(node, cluster, namespace string) string { return node + "." + HostDomain(cluster, namespace) }

// DNSNames are the names that the nodes' certificate is for.
func DNSNames(cluster, namespace string) []string {
	names := []string{"localhost", "*." + HostDomain(cluster, namespace)}
	for _, service := range []string{AllServiceName(cluster), PrimaryServiceName(cluster), ReplicasServiceName(cluster)} {
		names = append(names, service, service+"."+namespace, service+"."+namespace+".svc")
	}
	return names
}

// Endpoints are the addresses that clients connect to.
func Endpoints(cluster, namespace string) v1alpha1.MysqlClusterEndpoints {
	address := func(service string) string { return fmt.Sprintf("%s.%s.svc:%d", service, namespace, api.MySQLPort) }
	return v1alpha1.MysqlClusterEndpoints{
		Primary:  address(PrimaryServiceName(cluster)),
		Replicas: address(ReplicasServiceName(cluster)),
		All:      address(AllServiceName(cluster)),
	}
}

// NodeLabels select the nodes of a cluster. The StatefulSet's selector can not be changed, so neither can these.
func NodeLabels(cluster string) map[string]string {
	return map[string]string{v1alpha1.LabelCluster: cluster, LabelComponent: ComponentNode}
}

// Selector is NodeLabels as a selector.
func Selector(cluster string) string { return labels.FormatLabels(NodeLabels(cluster)) }

// objectLabels are the labels of each object of a cluster.
func objectLabels(cluster string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "mysql",
		"app.kubernetes.io/instance":   cluster,
		"app.kubernetes.io/managed-by": ManagedBy,
		v1alpha1.LabelCluster:          cluster,
	}
}

// owner makes an object go when the cluster goes. The object does not hold up the deletion of the cluster.
func owner(c *v1alpha1.MysqlCluster) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).WithKind("MysqlCluster").
		WithName(c.Name).WithUID(c.UID).WithController(true).WithBlockOwnerDeletion(false)
}

func nodeSelector(cluster string) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(NodeLabels(cluster))
}

// ControlledByOther is true when an object belongs to a controller other than the cluster, so that it must not be touched.
func ControlledByOther(o metav1.Object, c *v1alpha1.MysqlCluster) bool {
	controller := metav1.GetControllerOf(o)
	return controller != nil && controller.UID != c.UID
}
