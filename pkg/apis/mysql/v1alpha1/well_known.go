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

// Labels, annotations and finalizers that the objects of a cluster carry.
const (
	// LabelCluster holds the name of the MysqlCluster that an object belongs to.
	LabelCluster = "mysql.presslabs.io/cluster"
	// LabelRole holds, on a pod, the role of its node: RoleLabelPrimary or RoleLabelReplica. The Services select by it.
	LabelRole = "mysql.presslabs.io/role"
	// LabelHealthy is "yes" on the pods that serve clients, "no" on the others. The Services select by it.
	LabelHealthy = "mysql.presslabs.io/healthy"
	// AnnotationConfigHash holds, on a pod, the hash of all that its cluster's spec asks of it. A pod with another hash than the
	// wanted one is replaced by the rollout. The versions of our own parts do not enter the hash.
	AnnotationConfigHash = "mysql.presslabs.io/config-hash"
	// FinalizerVolumes keeps a deleted MysqlCluster until its volumes are deleted, or released if they are kept.
	FinalizerVolumes = "mysql.presslabs.io/volumes"

	// RoleLabelPrimary is the value of LabelRole of the primary.
	RoleLabelPrimary = "primary"
	// RoleLabelReplica is the value of LabelRole of a replica.
	RoleLabelReplica = "replica"
	// HealthyLabelYes and HealthyLabelNo are the values of LabelHealthy.
	HealthyLabelYes = "yes"
	HealthyLabelNo  = "no"
)

// MaxLastFailovers is how many ended operations status.lastFailovers keeps.
const MaxLastFailovers = 10

// Keys of the Secret that spec.secretName names.
const (
	SecretKeyRootPassword = "ROOT_PASSWORD"
	SecretKeyUser         = "USER"
	SecretKeyPassword     = "PASSWORD"
	SecretKeyDatabase     = "DATABASE"
)
