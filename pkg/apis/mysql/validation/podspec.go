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
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// minMemory is the memory with which mysqld just starts.
var minMemory = resource.MustParse("256Mi")

func validatePodSpec(pod, old *mysql.PodSpec, path *field.Path) field.ErrorList {
	errs := validatePodLabels(pod.Labels, old.Labels, path.Child("labels"))
	errs = append(errs, validatePodAnnotations(pod.Annotations, old.Annotations, path.Child("annotations"))...)
	errs = append(errs, validateScheduling(pod, old, path)...)
	errs = append(errs, validateContainersAndVolumes(pod, old, path)...)
	if changed(pod.Resources, old.Resources) {
		resources := path.Child("resources")
		errs = append(errs, validateResources(&pod.Resources, resources)...)
		errs = append(errs, validateMemory(pod.Resources.Requests, resources.Child("requests"))...)
		errs = append(errs, validateMemory(pod.Resources.Limits, resources.Child("limits"))...)
	}
	if pod.ImagePullPolicy != old.ImagePullPolicy {
		errs = append(errs, validatePullPolicy(pod.ImagePullPolicy, path.Child("imagePullPolicy"))...)
	}
	for i, secret := range pod.ImagePullSecrets {
		if !slices.Contains(old.ImagePullSecrets, secret) {
			errs = append(errs, validateSecretName(secret.Name, path.Child("imagePullSecrets").Index(i).Child("name"))...)
		}
	}
	return errs
}

// ownPrefix is the prefix of the labels and annotations that the product gives a meaning.
const ownPrefix = mysql.GroupName + "/"

// ownLabels are labels of the pods that Kubernetes or the controller sets.
var ownLabels = []string{
	"app.kubernetes.io/managed-by",
	"apps.kubernetes.io/pod-index",
	"controller-revision-hash",
	"pod-template-generation",
	"statefulset.kubernetes.io/pod-name",
}

func validatePodLabels(labels, old map[string]string, path *field.Path) field.ErrorList {
	fresh := added(labels, old)
	errs := metav1validation.ValidateLabels(fresh, path)
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if strings.HasPrefix(name, ownPrefix) || slices.Contains(ownLabels, name) {
			errs = append(errs, field.Forbidden(path.Key(name), "the cluster's pods are found by this label: it is set for you"))
		}
	}
	return errs
}

func validatePodAnnotations(annotations, old map[string]string, path *field.Path) field.ErrorList {
	fresh := added(annotations, old)
	if len(fresh) == 0 {
		return nil
	}
	errs := apivalidation.ValidateAnnotations(annotations, path) // all of them, because their size counts together
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if strings.HasPrefix(name, ownPrefix) {
			errs = append(errs, field.Forbidden(path.Key(name), "annotations with the prefix "+ownPrefix+" are the controller's own"))
		}
	}
	return errs
}

// added returns the entries of values that are not, with the same value, in old.
func added(values, old map[string]string) map[string]string {
	fresh := map[string]string{}
	for name, value := range values {
		if oldValue, existed := old[name]; !existed || oldValue != value {
			fresh[name] = value
		}
	}
	return fresh
}

func validateResources(resources *corev1.ResourceRequirements, path *field.Path) field.ErrorList {
	errs := validateQuantities(resources.Requests, path.Child("requests"))
	errs = append(errs, validateQuantities(resources.Limits, path.Child("limits"))...)
	for _, name := range sortedNames(resources.Requests) {
		request := resources.Requests[name]
		if limit, limited := resources.Limits[name]; limited && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests").Key(string(name)), request.String(), "is more than the limit of "+limit.String()))
		}
	}
	if len(resources.Claims) > 0 {
		errs = append(errs, field.Forbidden(path.Child("claims"), "claims for devices are not supported"))
	}
	return errs
}

// computeResources are the resources of containers whose names have no prefix.
var computeResources = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}

func validateQuantities(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range sortedNames(list) {
		at, quantity := path.Key(string(name)), list[name]
		switch {
		case strings.Contains(string(name), "/"):
			errs = append(errs, invalid(at, string(name), validation.IsQualifiedName(string(name)))...)
		case !slices.Contains(computeResources, name) && !strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix):
			errs = append(errs, field.NotSupported(at, name, computeResources))
		}
		if quantity.Sign() < 0 {
			errs = append(errs, field.Invalid(at, quantity.String(), "has to be 0 or more"))
		}
	}
	return errs
}

func validateMemory(list corev1.ResourceList, path *field.Path) field.ErrorList {
	memory, given := list[corev1.ResourceMemory]
	if given && memory.Sign() >= 0 && memory.Cmp(minMemory) < 0 {
		return field.ErrorList{field.Invalid(path.Key(string(corev1.ResourceMemory)), memory.String(),
			"MySQL does not start with less than "+minMemory.String())}
	}
	return nil
}

func validatePullPolicy(policy corev1.PullPolicy, path *field.Path) field.ErrorList {
	known := []corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}
	if policy != "" && !slices.Contains(known, policy) {
		return field.ErrorList{field.NotSupported(path, policy, known)}
	}
	return nil
}

func validateSecretName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return invalid(path, name, apivalidation.NameIsDNSSubdomain(name, false))
}

func sortedNames(list corev1.ResourceList) []corev1.ResourceName {
	return slices.Sorted(maps.Keys(list))
}
