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
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// Images are the container images of the pods.
type Images struct {
	// MySQL is the image that MySQL runs in, unless the spec names one.
	MySQL string
	// Agent is the image that the agent is copied from.
	Agent string
}

// StatefulSet runs the nodes. Pods are replaced by the controller (OnDelete), which knows the order; all of them start at once,
// because a node has to be able to start whatever the state of those before it; volumes are never deleted by Kubernetes.
func StatefulSet(c *v1alpha1.MysqlCluster, size int, images Images) (*appsv1ac.StatefulSetApplyConfiguration, error) {
	claim, err := claimTemplate(c)
	if err != nil {
		return nil, err
	}
	template, err := podTemplate(c, images)
	if err != nil {
		return nil, err
	}
	return appsv1ac.StatefulSet(StatefulSetName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(int32(size)).
			WithServiceName(HeadlessServiceName(c.Name)).
			WithSelector(nodeSelector(c.Name)).
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithUpdateStrategy(appsv1ac.StatefulSetUpdateStrategy().WithType(appsv1.OnDeleteStatefulSetStrategyType)).
			WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
				WithWhenDeleted(appsv1.RetainPersistentVolumeClaimRetentionPolicyType).
				WithWhenScaled(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)).
			WithTemplate(template).
			WithVolumeClaimTemplates(claim)), nil
}

// claimTemplate is the template of the nodes' claims. They have no owner: they outlive whatever happens to our own objects.
func claimTemplate(c *v1alpha1.MysqlCluster) (*corev1ac.PersistentVolumeClaimApplyConfiguration, error) {
	wanted := c.Spec.VolumeSpec.PersistentVolumeClaim
	if wanted == nil {
		wanted = &corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(v1alpha1.DefaultVolumeSize)},
			},
		}
	}
	spec, err := applied[corev1ac.PersistentVolumeClaimSpecApplyConfiguration](wanted)
	if err != nil {
		return nil, err
	}
	claim := &corev1ac.PersistentVolumeClaimApplyConfiguration{Spec: spec}
	return claim.WithAPIVersion("v1").WithKind("PersistentVolumeClaim").WithName(DataVolume).WithLabels(objectLabels(c.Name)).
		WithAnnotations(map[string]string{AnnotationClusterUID: string(c.UID)}), nil
}

// applied turns a part of the user's spec into its apply configuration: both have the same encoding.
func applied[T any](part any) (*T, error) {
	text, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", part, err)
	}
	var result T
	if err := json.Unmarshal(text, &result); err != nil {
		return nil, fmt.Errorf("decode %T: %w", result, err)
	}
	return &result, nil
}

// appliedList is applied for each part of a list.
func appliedList[T, P any](parts []P) ([]*T, error) {
	var list []*T
	for _, part := range parts {
		one, err := applied[T](part)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}
