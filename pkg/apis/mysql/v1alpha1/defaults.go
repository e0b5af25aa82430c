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
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// DefaultVolumeSize is the size of each node's volume when volumeSpec says nothing about it.
const DefaultVolumeSize = "1Gi"

func addDefaultingFuncs(scheme *runtime.Scheme) error {
	return RegisterDefaults(scheme)
}

// SetDefaults_VolumeSpec fills in the claim, so that `kubectl get -o yaml` shows what each node is given. Nothing is filled into
// a claim that the user wrote, except for the access mode: a size is too important to be guessed.
//
// Compute resources are deliberately not defaulted here: a stored request that came from a limit would stand in the way when the
// limit is lowered later. The pods get their defaults when they are made.
func SetDefaults_VolumeSpec(obj *VolumeSpec) {
	if obj.PersistentVolumeClaim == nil {
		obj.PersistentVolumeClaim = &corev1.PersistentVolumeClaimSpec{
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(DefaultVolumeSize)},
			},
		}
	}
	if len(obj.PersistentVolumeClaim.AccessModes) == 0 {
		obj.PersistentVolumeClaim.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}
}
