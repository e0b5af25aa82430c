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

package mysql

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MysqlCluster is a MySQL database kept on one or more nodes.
type MysqlCluster struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	// Spec describes the cluster that is wanted.
	Spec MysqlClusterSpec
	// Status tells what was last observed of the cluster.
	Status MysqlClusterStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MysqlClusterList is a list of MysqlCluster objects.
type MysqlClusterList struct {
	metav1.TypeMeta
	metav1.ListMeta

	// Items is the list of clusters.
	Items []MysqlCluster
}

// MysqlClusterSpec is the desired state of a MysqlCluster.
type MysqlClusterSpec struct {
	// Replicas is the number of MySQL nodes, the primary included. It is not nil after defaulting.
	Replicas *int32
	// SecretName names the user's Secret with the credentials.
	SecretName string
	// MysqlVersion is the version of MySQL. It is not empty once the object is stored.
	MysqlVersion string
	// Image is the image to run instead of the one that MysqlVersion stands for.
	Image string
	// MinAvailable is the number or share of nodes that voluntary disruptions leave running.
	MinAvailable *intstr.IntOrString
	// MysqlConf holds settings for the [mysqld] section of my.cnf.
	MysqlConf map[string]intstr.IntOrString
	// InitFileExtraSQL is a list of statements that each node executes at every start of MySQL.
	InitFileExtraSQL []string
	// PodSpec customises the pods.
	PodSpec PodSpec
	// VolumeSpec describes the volume of each node.
	VolumeSpec VolumeSpec
	// ReadOnly makes the whole cluster read-only.
	ReadOnly bool
	// ServerIDOffset is the server_id of the node with ordinal 0. It is not nil after defaulting.
	ServerIDOffset *int32
	// Replication says how the nodes replicate.
	Replication ReplicationSpec
	// MaxSlaveLatency is how many seconds a replica may be behind the primary. It is not nil after defaulting.
	MaxSlaveLatency *int64
	// PauseRollout holds back changes of spec that have to restart nodes.
	PauseRollout bool
}

// Durability says what the primary waits for before it acknowledges a commit.
type Durability string

const (
	// DurabilityStrict never acknowledges a commit that is not on at least two nodes.
	DurabilityStrict Durability = "Strict"
	// DurabilityPreferred lets writes go on when no replica is left.
	DurabilityPreferred Durability = "Preferred"
)

// ReplicationSpec says how the nodes of a cluster replicate.
type ReplicationSpec struct {
	// Durability is the durability that is asked for. Empty: it follows the size of the cluster.
	Durability Durability
	// ErrantNodePolicy says what becomes of a node that holds transactions which the primary lacks. It is not empty after defaulting.
	ErrantNodePolicy ErrantNodePolicy
}

// ErrantNodePolicy says what becomes of a node that holds transactions which the primary lacks.
type ErrantNodePolicy string

const (
	// ErrantNodeKeep leaves the node's data untouched, for a person to look at.
	ErrantNodeKeep ErrantNodePolicy = "Keep"
	// ErrantNodeRebuild replaces the node's data by a copy of another node's.
	ErrantNodeRebuild ErrantNodePolicy = "Rebuild"
)

// PodSpec customises the pods that MySQL runs in.
type PodSpec struct {
	// Labels are added to the labels of the pods.
	Labels map[string]string
	// Annotations are added to the annotations of the pods.
	Annotations map[string]string
	// Resources are the compute resources of the MySQL container.
	Resources corev1.ResourceRequirements
	// ImagePullPolicy says when the image of MySQL is pulled.
	ImagePullPolicy corev1.PullPolicy
	// ImagePullSecrets name the Secrets with the credentials for pulling the images.
	ImagePullSecrets []corev1.LocalObjectReference
	// Affinity says on which Kubernetes nodes the pods may or should run.
	Affinity *corev1.Affinity
	// NodeSelector selects the Kubernetes nodes that the pods may run on.
	NodeSelector map[string]string
	// Tolerations are the taints that the pods tolerate.
	Tolerations []corev1.Toleration
	// TopologySpreadConstraints say how the pods are spread.
	TopologySpreadConstraints []corev1.TopologySpreadConstraint
	// PriorityClassName is the name of the PriorityClass of the pods.
	PriorityClassName string
	// ServiceAccountName is the name of the user's ServiceAccount for the pods.
	ServiceAccountName string
	// Volumes are additional volumes of the pods.
	Volumes []corev1.Volume
	// VolumeMounts are additional mounts of the MySQL container.
	VolumeMounts []corev1.VolumeMount
	// InitContainers are additional containers that run before MySQL starts.
	InitContainers []corev1.Container
	// Containers are additional containers that run beside MySQL.
	Containers []corev1.Container
}

// VolumeSpec describes the volume that each node keeps its data on.
type VolumeSpec struct {
	// PersistentVolumeClaim describes the claim that is made for each node. It is not nil after defaulting.
	PersistentVolumeClaim *corev1.PersistentVolumeClaimSpec
	// KeepAfterDelete keeps the volumes when the cluster is deleted.
	KeepAfterDelete bool
}
