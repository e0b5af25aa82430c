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
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

var (
	// minVolumeSize leaves room for an empty MySQL with the smallest redo log and a few binary logs.
	minVolumeSize = resource.MustParse("512Mi")
	// maxVolumeSize is beyond what storage offers for one volume; more is a slip of the pen.
	maxVolumeSize = resource.MustParse("64Ti")
)

func validateVolumeSpec(spec, old *mysql.VolumeSpec, path *field.Path) field.ErrorList {
	claim, oldClaim := spec.PersistentVolumeClaim, old.PersistentVolumeClaim
	path = path.Child("persistentVolumeClaim")
	switch {
	case claim == nil || !changed(claim, oldClaim):
		return nil
	case oldClaim != nil:
		return field.ErrorList{field.Forbidden(path, "it can not be changed once the cluster exists: resizing and replacing volumes are not supported yet")}
	default:
		return validateClaim(claim, path)
	}
}

func validateClaim(claim *corev1.PersistentVolumeClaimSpec, path *field.Path) field.ErrorList {
	errs := validateClaimSize(&claim.Resources, path.Child("resources"))
	errs = append(errs, validateAccessModes(claim.AccessModes, path.Child("accessModes"))...)
	if mode := claim.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		errs = append(errs, field.NotSupported(path.Child("volumeMode"), *mode, []corev1.PersistentVolumeMode{corev1.PersistentVolumeFilesystem}))
	}
	if claim.DataSource != nil {
		errs = append(errs, field.Forbidden(path.Child("dataSource"), "starting from a snapshot or another volume is not supported yet"))
	}
	if claim.DataSourceRef != nil {
		errs = append(errs, field.Forbidden(path.Child("dataSourceRef"), "starting from a snapshot or another volume is not supported yet"))
	}
	if claim.VolumeName != "" {
		errs = append(errs, field.Forbidden(path.Child("volumeName"), "each node needs a volume of its own, so none can be named"))
	}
	if claim.Selector != nil {
		errs = append(errs, metav1validation.ValidateLabelSelector(claim.Selector, metav1validation.LabelSelectorValidationOptions{}, path.Child("selector"))...)
	}
	errs = append(errs, validateOptionalName(claim.StorageClassName, path.Child("storageClassName"))...)
	return append(errs, validateOptionalName(claim.VolumeAttributesClassName, path.Child("volumeAttributesClassName"))...)
}

func validateClaimSize(resources *corev1.VolumeResourceRequirements, path *field.Path) field.ErrorList {
	errs := validateOnlyStorage(resources.Requests, path.Child("requests"))
	errs = append(errs, validateOnlyStorage(resources.Limits, path.Child("limits"))...)
	requestPath := path.Child("requests").Key(string(corev1.ResourceStorage))
	request, ok := resources.Requests[corev1.ResourceStorage]
	switch limit, limited := resources.Limits[corev1.ResourceStorage]; {
	case !ok:
		errs = append(errs, field.Required(requestPath, `say how large the volume of each node is to be, such as "10Gi"`))
	case request.Cmp(minVolumeSize) < 0:
		errs = append(errs, field.Invalid(requestPath, request.String(),
			fmt.Sprintf("has to be %s or more: MySQL needs as much for itself", minVolumeSize.String())))
	case request.Cmp(maxVolumeSize) > 0:
		errs = append(errs, field.Invalid(requestPath, request.String(), fmt.Sprintf("has to be %s or less", maxVolumeSize.String())))
	case limited && limit.Cmp(request) < 0:
		errs = append(errs, field.Invalid(path.Child("limits").Key(string(corev1.ResourceStorage)), limit.String(), "is less than what is requested"))
	}
	return errs
}

func validateOnlyStorage(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range sortedNames(list) {
		if name != corev1.ResourceStorage {
			errs = append(errs, field.NotSupported(path.Key(string(name)), name, []corev1.ResourceName{corev1.ResourceStorage}))
		}
	}
	return errs
}

func validateAccessModes(modes []corev1.PersistentVolumeAccessMode, path *field.Path) field.ErrorList {
	usable := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteOncePod}
	if len(modes) == 0 {
		return field.ErrorList{field.Required(path, "say ReadWriteOnce or ReadWriteOncePod")}
	}
	var errs field.ErrorList
	for i, mode := range modes {
		if !slices.Contains(usable, mode) {
			errs = append(errs, field.NotSupported(path.Index(i), mode, usable))
		}
	}
	if len(modes) > 1 && slices.Contains(modes, corev1.ReadWriteOncePod) {
		errs = append(errs, field.Forbidden(path, "ReadWriteOncePod can not be combined with another mode"))
	}
	return errs
}

func validateOptionalName(name *string, path *field.Path) field.ErrorList {
	if name == nil || *name == "" {
		return nil
	}
	return invalid(path, *name, apivalidation.NameIsDNSSubdomain(*name, false))
}

// invalid makes an error of each message.
func invalid(path *field.Path, value string, messages []string) field.ErrorList {
	var errs field.ErrorList
	for _, message := range messages {
		errs = append(errs, field.Invalid(path, value, message))
	}
	return errs
}
