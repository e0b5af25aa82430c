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

package validation

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

func TestValidateVolume(t *testing.T) {
	const path = "spec.volumeSpec.persistentVolumeClaim"
	with := func(change func(*corev1.PersistentVolumeClaimSpec)) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { change(c.Spec.VolumeSpec.PersistentVolumeClaim) }
	}
	size := func(quantity string) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { c.Spec.VolumeSpec.PersistentVolumeClaim = claim(quantity) }
	}
	modes := func(modes ...corev1.PersistentVolumeAccessMode) func(*mysql.MysqlCluster) {
		return with(func(c *corev1.PersistentVolumeClaimSpec) { c.AccessModes = modes })
	}
	limit := func(name corev1.ResourceName, quantity string) func(*mysql.MysqlCluster) {
		return with(func(c *corev1.PersistentVolumeClaimSpec) {
			c.Resources.Limits = corev1.ResourceList{name: resource.MustParse(quantity)}
		})
	}
	one := func(errorType field.ErrorType, at, detail string) field.ErrorList {
		return field.ErrorList{problem(errorType, path+at, detail)}
	}
	checkRules(t, map[string]rule{
		"no claim":         {change: func(c *mysql.MysqlCluster) { c.Spec.VolumeSpec.PersistentVolumeClaim = nil }},
		"smallest":         {change: size("512Mi")},
		"largest":          {change: size("64Ti")},
		"too small":        {size("511Mi"), one(field.ErrorTypeInvalid, ".resources.requests[storage]", "512Mi or more")},
		"nothing":          {size("0"), one(field.ErrorTypeInvalid, ".resources.requests[storage]", "512Mi or more")},
		"negative":         {size("-1Gi"), one(field.ErrorTypeInvalid, ".resources.requests[storage]", "512Mi or more")},
		"absurd":           {size("65Ti"), one(field.ErrorTypeInvalid, ".resources.requests[storage]", "64Ti or less")},
		"limit":            {change: limit(corev1.ResourceStorage, "1Gi")},
		"limit below":      {limit(corev1.ResourceStorage, "1023Mi"), one(field.ErrorTypeInvalid, ".resources.limits[storage]", "less than what is requested")},
		"limit of another": {limit(corev1.ResourceMemory, "1Gi"), one(field.ErrorTypeNotSupported, ".resources.limits[memory]", "storage")},
		"no size": {
			with(func(c *corev1.PersistentVolumeClaimSpec) { c.Resources.Requests = nil }),
			one(field.ErrorTypeRequired, ".resources.requests[storage]", "how large"),
		},
		"no access mode": {modes(), one(field.ErrorTypeRequired, ".accessModes", "ReadWriteOnce")},
		"one pod":        {change: modes(corev1.ReadWriteOncePod)},
		"many":           {modes(corev1.ReadWriteMany), one(field.ErrorTypeNotSupported, ".accessModes[0]", "ReadWriteOnce")},
		"one pod and one node": {modes(corev1.ReadWriteOnce, corev1.ReadWriteOncePod),
			one(field.ErrorTypeForbidden, ".accessModes", "combined")},
		"filesystem": {change: with(func(c *corev1.PersistentVolumeClaimSpec) { c.VolumeMode = ptr.To(corev1.PersistentVolumeFilesystem) })},
		"block device": {
			with(func(c *corev1.PersistentVolumeClaimSpec) { c.VolumeMode = ptr.To(corev1.PersistentVolumeBlock) }),
			one(field.ErrorTypeNotSupported, ".volumeMode", "Filesystem"),
		},
		"snapshot": {
			with(func(c *corev1.PersistentVolumeClaimSpec) {
				c.DataSource = &corev1.TypedLocalObjectReference{Kind: "VolumeSnapshot", Name: "s"}
			}),
			one(field.ErrorTypeForbidden, ".dataSource", "not supported yet"),
		},
		"populator": {
			with(func(c *corev1.PersistentVolumeClaimSpec) {
				c.DataSourceRef = &corev1.TypedObjectReference{Kind: "VolumeSnapshot", Name: "s"}
			}),
			one(field.ErrorTypeForbidden, ".dataSourceRef", "not supported yet"),
		},
		"named volume": {
			with(func(c *corev1.PersistentVolumeClaimSpec) { c.VolumeName = "pv-1" }),
			one(field.ErrorTypeForbidden, ".volumeName", "of its own"),
		},
		"selector": {change: with(func(c *corev1.PersistentVolumeClaimSpec) {
			c.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"disk": "fast"}}
		})},
		"selector that is none": {
			with(func(c *corev1.PersistentVolumeClaimSpec) {
				c.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "disk", Operator: "Like"}}}
			}),
			one(field.ErrorTypeInvalid, ".selector.matchExpressions[0].operator", ""),
		},
		"class":    {change: with(func(c *corev1.PersistentVolumeClaimSpec) { c.StorageClassName = ptr.To("fast") })},
		"no class": {change: with(func(c *corev1.PersistentVolumeClaimSpec) { c.StorageClassName = ptr.To("") })},
		"class that is no name": {
			with(func(c *corev1.PersistentVolumeClaimSpec) { c.StorageClassName = ptr.To("Fast") }),
			one(field.ErrorTypeInvalid, ".storageClassName", ""),
		},
		"attributes class that is no name": {
			with(func(c *corev1.PersistentVolumeClaimSpec) { c.VolumeAttributesClassName = ptr.To("Fast") }),
			one(field.ErrorTypeInvalid, ".volumeAttributesClassName", ""),
		},
	})
}
