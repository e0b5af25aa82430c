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
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// validateScheduling judges what says where the pods run. Kubernetes judges the pods as well; what is refused here would otherwise
// be accepted and then never run.
func validateScheduling(pod, old *mysql.PodSpec, path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabels(added(pod.NodeSelector, old.NodeSelector), path.Child("nodeSelector"))
	if changed(pod.Tolerations, old.Tolerations) {
		for i := range pod.Tolerations {
			errs = append(errs, validateToleration(&pod.Tolerations[i], path.Child("tolerations").Index(i))...)
		}
	}
	if changed(pod.TopologySpreadConstraints, old.TopologySpreadConstraints) {
		for i := range pod.TopologySpreadConstraints {
			errs = append(errs, validateSpread(&pod.TopologySpreadConstraints[i], path.Child("topologySpreadConstraints").Index(i))...)
		}
	}
	if pod.Affinity != nil && changed(pod.Affinity, old.Affinity) {
		errs = append(errs, validateAffinity(pod.Affinity, path.Child("affinity"))...)
	}
	return errs
}

func validateToleration(t *corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		if t.Key == "" {
			errs = append(errs, field.Invalid(path.Child("operator"), t.Operator, "without a key, the operator has to be Exists, which tolerates every taint"))
		}
		errs = append(errs, invalid(path.Child("value"), t.Value, validation.IsValidLabelValue(t.Value))...)
	case corev1.TolerationOpExists:
		if t.Value != "" {
			errs = append(errs, field.Invalid(path.Child("value"), t.Value, "has to be empty with the operator Exists"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), t.Operator,
			[]corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
	}
	if t.Key != "" {
		errs = append(errs, metav1validation.ValidateLabelName(t.Key, path.Child("key"))...)
	}
	effects := []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
	if t.Effect != "" && !slices.Contains(effects, t.Effect) {
		errs = append(errs, field.NotSupported(path.Child("effect"), t.Effect, effects))
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		errs = append(errs, field.Invalid(path.Child("effect"), t.Effect, "has to be NoExecute when tolerationSeconds is set"))
	}
	return errs
}

func validateSpread(c *corev1.TopologySpreadConstraint, path *field.Path) field.ErrorList {
	errs := validateTopologyKey(c.TopologyKey, path.Child("topologyKey"))
	if c.MaxSkew < 1 {
		errs = append(errs, field.Invalid(path.Child("maxSkew"), c.MaxSkew, "has to be 1 or more"))
	}
	actions := []corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.ScheduleAnyway}
	if !slices.Contains(actions, c.WhenUnsatisfiable) {
		errs = append(errs, field.NotSupported(path.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, actions))
	}
	if c.MinDomains != nil && (*c.MinDomains < 1 || c.WhenUnsatisfiable != corev1.DoNotSchedule) {
		errs = append(errs, field.Invalid(path.Child("minDomains"), *c.MinDomains, "has to be 1 or more, and only DoNotSchedule heeds it"))
	}
	return append(errs, metav1validation.ValidateLabelSelector(c.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("labelSelector"))...)
}

func validateAffinity(a *corev1.Affinity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	both := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, path *field.Path) {
		for i := range required {
			errs = append(errs, validateAffinityTerm(&required[i], path.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i))...)
		}
		for i := range preferred {
			at := path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
			errs = append(errs, validateWeight(preferred[i].Weight, at.Child("weight"))...)
			errs = append(errs, validateAffinityTerm(&preferred[i].PodAffinityTerm, at.Child("podAffinityTerm"))...)
		}
	}
	if p := a.PodAffinity; p != nil {
		both(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAffinity"))
	}
	if p := a.PodAntiAffinity; p != nil {
		both(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAntiAffinity"))
	}
	if n := a.NodeAffinity; n != nil {
		errs = append(errs, validateNodeAffinity(n, path.Child("nodeAffinity"))...)
	}
	return errs
}

func validateAffinityTerm(term *corev1.PodAffinityTerm, path *field.Path) field.ErrorList {
	options := metav1validation.LabelSelectorValidationOptions{}
	errs := validateTopologyKey(term.TopologyKey, path.Child("topologyKey"))
	errs = append(errs, metav1validation.ValidateLabelSelector(term.LabelSelector, options, path.Child("labelSelector"))...)
	return append(errs, metav1validation.ValidateLabelSelector(term.NamespaceSelector, options, path.Child("namespaceSelector"))...)
}

func validateNodeAffinity(n *corev1.NodeAffinity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if required := n.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		at := path.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		if len(required.NodeSelectorTerms) == 0 {
			errs = append(errs, field.Required(at, "without a term, no Kubernetes node would do"))
		}
		for i := range required.NodeSelectorTerms {
			errs = append(errs, validateNodeExpressions(required.NodeSelectorTerms[i].MatchExpressions, at.Index(i).Child("matchExpressions"))...)
		}
	}
	for i, preferred := range n.PreferredDuringSchedulingIgnoredDuringExecution {
		at := path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
		errs = append(errs, validateWeight(preferred.Weight, at.Child("weight"))...)
		errs = append(errs, validateNodeExpressions(preferred.Preference.MatchExpressions, at.Child("preference", "matchExpressions"))...)
	}
	return errs
}

func validateNodeExpressions(expressions []corev1.NodeSelectorRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, e := range expressions {
		at := path.Index(i)
		errs = append(errs, metav1validation.ValidateLabelName(e.Key, at.Child("key"))...)
		var wrong bool
		switch e.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			wrong = len(e.Values) == 0
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			wrong = len(e.Values) > 0
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			wrong = len(e.Values) != 1
		default:
			errs = append(errs, field.NotSupported(at.Child("operator"), e.Operator, []corev1.NodeSelectorOperator{
				corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
				corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt}))
		}
		if wrong {
			errs = append(errs, field.Invalid(at.Child("values"), e.Values, fmt.Sprintf("is not the number of values that the operator %s takes", e.Operator)))
		}
	}
	return errs
}

func validateTopologyKey(key string, path *field.Path) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(path, `name a label of the Kubernetes nodes, such as "topology.kubernetes.io/zone"`)}
	}
	return metav1validation.ValidateLabelName(key, path)
}

func validateWeight(weight int32, path *field.Path) field.ErrorList {
	if weight < 1 || weight > 100 {
		return field.ErrorList{field.Invalid(path, weight, "has to be between 1 and 100")}
	}
	return nil
}
