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

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// +genclient
// +genclient:method=GetScale,verb=get,subresource=scale,result=k8s.io/api/autoscaling/v1.Scale
// +genclient:method=Failover,verb=create,subresource=failover,input=MysqlFailover,result=MysqlFailover
// +genclient:method=UpdateScale,verb=update,subresource=scale,input=k8s.io/api/autoscaling/v1.Scale,result=k8s.io/api/autoscaling/v1.Scale
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:supportsSubresource="/status"
// +k8s:supportsSubresource="/scale"
// +k8s:supportsSubresource="/failover"

// MysqlCluster is a MySQL database kept on one or more nodes: one primary, which takes the writes, and replicas, which follow it by
// GTID-based replication and can take over from it. Describe what you want in spec; status tells what is there. Creating a MysqlFailover at the
// subresource failover makes another node the primary.
type MysqlCluster struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata. The name is limited to 46 characters, because the names of the objects that
	// make up the cluster are built from it, and has to be a valid DNS label that starts with a letter.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec describes the cluster that is wanted.
	// +required
	Spec MysqlClusterSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`

	// status tells what was last observed of the cluster. It is written by the controller only.
	// +optional
	Status MysqlClusterStatus `json:"status,omitempty,omitzero" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// MysqlClusterList is a list of MysqlCluster objects.
type MysqlClusterList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of clusters.
	Items []MysqlCluster `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// MysqlClusterSpec is the desired state of a MysqlCluster.
type MysqlClusterSpec struct {
	// replicas is the number of MySQL nodes, the primary included: 1 is a single server without a standby, 2 a primary and one
	// replica, 3 or more survive the loss of a node without giving up durability. 0 stops all nodes and keeps all their volumes.
	// At most 32. Defaults to 1.
	// +optional
	// +default=1
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:maximum=32
	// +k8s:validation:minimum=0
	// +k8s:validation:maximum=32
	Replicas *int32 `json:"replicas,omitempty" protobuf:"varint,1,opt,name=replicas"`

	// secretName names the Secret, in the namespace of the cluster, that you create with the cluster's credentials. Its key
	// ROOT_PASSWORD is required; root's password follows it when it is changed. With USER, PASSWORD and DATABASE, an application's
	// account and database are created when the cluster is initialised; later changes of these have no effect. The Secret is read and
	// never changed.
	// +required
	// +k8s:required
	// +k8s:format=k8s-long-name
	// +k8s:validation:minLength=1
	// +k8s:validation:maxLength=253
	SecretName string `json:"secretName" protobuf:"bytes,2,opt,name=secretName"`

	// mysqlVersion is the version of MySQL, such as "9.7" or "8.4". The administrator of the API server decides which versions
	// there are and which image each one stands for; an unknown one is refused with the list of those. If it is left out, the
	// administrator's default is filled in when the cluster is created. Once the cluster has data, it can be raised (8.0 to 8.4, 8.4
	// to 9) but not lowered.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=32
	// +k8s:validation:maxLength=32
	MysqlVersion string `json:"mysqlVersion,omitempty" protobuf:"bytes,3,opt,name=mysqlVersion"`

	// image is the container image of MySQL or Percona Server to run instead of the one that mysqlVersion stands for.
	// mysqlVersion must still tell which version is inside, which has to be 8.0.26 or newer.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	// +k8s:validation:maxLength=1024
	Image string `json:"image,omitempty" protobuf:"bytes,4,opt,name=image"`

	// minAvailable is the number (1) or share ("50%") of nodes that voluntary disruptions, such as the drain of a node, have to
	// leave running. Defaults to "50%" for clusters of two nodes or more; a single node has no disruption budget unless you set this.
	// +optional
	MinAvailable *intstr.IntOrString `json:"minAvailable,omitempty" protobuf:"bytes,5,opt,name=minAvailable"`

	// mysqlConf holds settings for the [mysqld] section of my.cnf, by name, with dashes or underscores. Settings that the cluster's
	// safety depends on (GTIDs, replication, read-only state, paths, ports and so on) are reserved and refused with a reason.
	// A change restarts the nodes one by one, replicas first. At most 256 settings.
	// +optional
	// +k8s:optional
	// +k8s:maxProperties=256
	// +k8s:validation:maxProperties=256
	MysqlConf map[string]intstr.IntOrString `json:"mysqlConf,omitempty" protobuf:"bytes,6,rep,name=mysqlConf"`

	// initFileExtraSQL is a list of SQL statements that each node executes at every start of MySQL, before it serves clients.
	// They are not written to the binary log. Each is one statement on one line of at most 4096 bytes; there are at most 64.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	// +k8s:validation:maxItems=64
	InitFileExtraSQL []string `json:"initFileExtraSQL,omitempty" protobuf:"bytes,7,rep,name=initFileExtraSQL"`

	// podSpec customises the pods that MySQL runs in.
	// +optional
	PodSpec PodSpec `json:"podSpec,omitempty,omitzero" protobuf:"bytes,8,opt,name=podSpec"`

	// volumeSpec describes the volume that each node keeps its data on.
	// +optional
	VolumeSpec VolumeSpec `json:"volumeSpec,omitempty,omitzero" protobuf:"bytes,9,opt,name=volumeSpec"`

	// readOnly makes the whole cluster read-only: no node accepts writes while it is true.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty" protobuf:"varint,10,opt,name=readOnly"`

	// serverIDOffset is the number that MySQL's server_id of a node starts from: the node with ordinal n has server_id
	// serverIDOffset + n. Choose different ranges for clusters that replicate from each other. Defaults to 100.
	// +optional
	// +default=100
	// +k8s:optional
	// +k8s:minimum=1
	// +k8s:maximum=2147483000
	// +k8s:validation:minimum=1
	// +k8s:validation:maximum=2147483000
	ServerIDOffset *int32 `json:"serverIDOffset,omitempty" protobuf:"varint,11,opt,name=serverIDOffset"`

	// replication says how the nodes replicate.
	// +optional
	Replication ReplicationSpec `json:"replication,omitempty,omitzero" protobuf:"bytes,12,opt,name=replication"`

	// maxSlaveLatency is how many seconds a replica may be behind the primary. One that is further behind leaves the Services for reads until
	// it has caught up, and is no target of a switchover while it lags. At least 1, at most 86400. Defaults to 30.
	// +optional
	// +default=30
	// +k8s:optional
	// +k8s:minimum=1
	// +k8s:maximum=86400
	// +k8s:validation:minimum=1
	// +k8s:validation:maximum=86400
	MaxSlaveLatency *int64 `json:"maxSlaveLatency,omitempty" protobuf:"varint,13,opt,name=maxSlaveLatency"`

	// pauseRollout holds back changes of spec that have to restart nodes, and stops in the middle those under way, until it is false again.
	// What needs no restart is applied all the same, and a lost primary is replaced.
	// +optional
	PauseRollout bool `json:"pauseRollout,omitempty" protobuf:"varint,14,opt,name=pauseRollout"`
}

// Durability says what the primary waits for before it acknowledges a commit.
// +enum
// +k8s:enum
type Durability string

const (
	// DurabilityStrict never acknowledges a commit that is not on enough nodes. While too few replicas are connected, writes wait.
	DurabilityStrict Durability = "Strict"
	// DurabilityPreferred does the same as long as the replicas are there; when they are not, the controller records that and lets the
	// primary go on with fewer, or alone. If the primary is lost then, commits that were on no replica yet may be lost with it.
	DurabilityPreferred Durability = "Preferred"
)

// ReplicationSpec says how the nodes of a cluster replicate.
type ReplicationSpec struct {
	// durability says what the primary waits for before it acknowledges a commit. Strict: the commit is on the primary and on half as
	// many replicas as there are nodes, at least one (1 of 2 or 3 nodes, 2 of 4 or 5); writes wait while fewer replicas are connected.
	// Preferred: the same as long as the replicas are there, but writes go on when they are not.
	// If it is left out, it follows the size: Strict with three nodes or more, Preferred with two. It has no effect on a single node.
	// +optional
	// +k8s:optional
	Durability Durability `json:"durability,omitempty" protobuf:"bytes,1,opt,name=durability,casttype=Durability"`

	// errantNodePolicy says what becomes of a node that holds transactions which the primary lacks and will never have, such as an old primary
	// that comes back after a failover that gave them up. Keep: its data stay untouched, it serves nobody, and its message in status names the
	// transactions. Rebuild: its data are replaced by a copy of another node's, and these transactions are lost. Defaults to Keep.
	// +optional
	// +default="Keep"
	// +k8s:optional
	ErrantNodePolicy ErrantNodePolicy `json:"errantNodePolicy,omitempty" protobuf:"bytes,2,opt,name=errantNodePolicy,casttype=ErrantNodePolicy"`
}

// ErrantNodePolicy says what becomes of a node that holds transactions which the primary lacks.
// +enum
// +k8s:enum
type ErrantNodePolicy string

const (
	// ErrantNodeKeep leaves the node's data untouched, for a person to look at.
	ErrantNodeKeep ErrantNodePolicy = "Keep"
	// ErrantNodeRebuild replaces the node's data by a copy of another node's.
	ErrantNodeRebuild ErrantNodePolicy = "Rebuild"
)

// PodSpec customises the pods that MySQL runs in. Fields that are left out get safe defaults.
type PodSpec struct {
	// labels are added to the labels of the pods. Those with the prefix mysql.presslabs.io/ are reserved.
	// +optional
	Labels map[string]string `json:"labels,omitempty" protobuf:"bytes,1,rep,name=labels"`

	// annotations are added to the annotations of the pods. Those with the prefix mysql.presslabs.io/ are reserved.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty" protobuf:"bytes,2,rep,name=annotations"`

	// resources are the compute resources of the MySQL container. MySQL's buffers are sized from the memory that is requested
	// here, unless mysqlConf sets them; at least 256Mi. Defaults to requests of 200m CPU and 1Gi of memory.
	// +optional
	// +k8s:opaqueType
	Resources corev1.ResourceRequirements `json:"resources,omitempty,omitzero" protobuf:"bytes,3,opt,name=resources"`

	// imagePullPolicy says when the image of MySQL is pulled: Always, IfNotPresent or Never. Defaults to IfNotPresent.
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty" protobuf:"bytes,4,opt,name=imagePullPolicy,casttype=k8s.io/api/core/v1.PullPolicy"`

	// imagePullSecrets name the Secrets with the credentials for pulling the images.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=name
	// +k8s:eachVal=+k8s:opaqueType
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty" protobuf:"bytes,5,rep,name=imagePullSecrets"`

	// affinity says on which Kubernetes nodes the pods may or should run. By default, pods of one cluster prefer different nodes.
	// +optional
	// +k8s:optional
	// +k8s:opaqueType
	Affinity *corev1.Affinity `json:"affinity,omitempty" protobuf:"bytes,6,opt,name=affinity"`

	// nodeSelector selects the Kubernetes nodes that the pods may run on by their labels.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty" protobuf:"bytes,7,rep,name=nodeSelector"`

	// tolerations are the taints of Kubernetes nodes that the pods tolerate.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:eachVal=+k8s:opaqueType
	Tolerations []corev1.Toleration `json:"tolerations,omitempty" protobuf:"bytes,8,rep,name=tolerations"`

	// topologySpreadConstraints say how the pods are spread over zones or other parts of the Kubernetes cluster.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:eachVal=+k8s:opaqueType
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty" protobuf:"bytes,9,rep,name=topologySpreadConstraints"`

	// priorityClassName is the name of the PriorityClass of the pods.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-long-name
	// +k8s:validation:maxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty" protobuf:"bytes,10,opt,name=priorityClassName"`

	// serviceAccountName is the name of a ServiceAccount of yours for the pods. By default one without any rights is created.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-long-name
	// +k8s:validation:maxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty" protobuf:"bytes,11,opt,name=serviceAccountName"`

	// volumes are additional volumes of the pods, of the types that the restricted Pod Security level allows: configMap, csi,
	// downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected and secret. The names agent-bin, config,
	// credentials, data, run, tls, tmp and user-secret are reserved.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=name
	// +k8s:eachVal=+k8s:opaqueType
	Volumes []corev1.Volume `json:"volumes,omitempty" protobuf:"bytes,12,rep,name=volumes"`

	// volumeMounts are additional mounts, of volumes from volumes, into the MySQL container. They must not overlap the directories
	// that MySQL and its agent use: /var/lib/mysql, /run/mysqld, /etc/mysql-agent, /opt/mysql-agent and /tmp.
	// +optional
	// +listType=map
	// +listMapKey=mountPath
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=mountPath
	// +k8s:eachVal=+k8s:opaqueType
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty" protobuf:"bytes,13,rep,name=volumeMounts"`

	// initContainers are additional containers that run to completion before MySQL starts. The names mysql and agent are reserved.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=name
	// +k8s:eachVal=+k8s:opaqueType
	InitContainers []corev1.Container `json:"initContainers,omitempty" protobuf:"bytes,14,rep,name=initContainers"`

	// containers are additional containers that run beside MySQL. The names mysql and agent are reserved. Besides your own volumes
	// they may mount, with readOnly: true, the volumes data (MySQL's files) and run (its socket).
	// +optional
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:listType=map
	// +k8s:listMapKey=name
	// +k8s:eachVal=+k8s:opaqueType
	Containers []corev1.Container `json:"containers,omitempty" protobuf:"bytes,15,rep,name=containers"`
}

// VolumeSpec describes the volume that each node keeps its data on.
type VolumeSpec struct {
	// persistentVolumeClaim describes the claim that is made for each node. Defaults to 1Gi, ReadWriteOnce, of the default
	// StorageClass. If it is given, resources.requests.storage has to be, at least 512Mi; accessModes defaults to ReadWriteOnce.
	// It can not be changed once the cluster exists.
	// +optional
	// +k8s:optional
	// +k8s:opaqueType
	PersistentVolumeClaim *corev1.PersistentVolumeClaimSpec `json:"persistentVolumeClaim,omitempty" protobuf:"bytes,1,opt,name=persistentVolumeClaim"`

	// keepAfterDelete keeps the volumes when the cluster is deleted. A cluster that is later created under the same name takes
	// them over, with the data.
	// +optional
	KeepAfterDelete bool `json:"keepAfterDelete,omitempty" protobuf:"varint,2,opt,name=keepAfterDelete"`
}
