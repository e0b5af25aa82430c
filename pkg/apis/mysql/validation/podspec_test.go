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
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

func pod(change func(*mysql.PodSpec)) func(*mysql.MysqlCluster) {
	return func(c *mysql.MysqlCluster) { change(&c.Spec.PodSpec) }
}

func podProblem(errorType field.ErrorType, at, detail string) field.ErrorList {
	return field.ErrorList{problem(errorType, "spec.podSpec."+at, detail)}
}

func TestValidatePodMetadata(t *testing.T) {
	label := func(name, value string) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.Labels = map[string]string{name: value} })
	}
	annotation := func(name string) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.Annotations = map[string]string{name: "x"} })
	}
	checkRules(t, map[string]rule{
		"label":                {change: label("app.kubernetes.io/part-of", "shop")},
		"label, no name":       {label("a b", "x"), podProblem(field.ErrorTypeInvalid, "labels", "")},
		"label, no value":      {label("a", "x y"), podProblem(field.ErrorTypeInvalid, "labels", "")},
		"label of ours":        {label("mysql.presslabs.io/role", "primary"), podProblem(field.ErrorTypeForbidden, "labels[mysql.presslabs.io/role]", "set for you")},
		"label of managers":    {label("app.kubernetes.io/managed-by", "me"), podProblem(field.ErrorTypeForbidden, "labels[app.kubernetes.io/managed-by]", "set for you")},
		"label of StatefulSet": {label("controller-revision-hash", "x"), podProblem(field.ErrorTypeForbidden, "labels[controller-revision-hash]", "")},
		"annotation":           {change: annotation("prometheus.io/scrape")},
		"annotation, no name":  {annotation("a b"), podProblem(field.ErrorTypeInvalid, "annotations", "")},
		"annotation of ours":   {annotation("mysql.presslabs.io/config-hash"), podProblem(field.ErrorTypeForbidden, "annotations[mysql.presslabs.io/config-hash]", "")},
	})
}

func TestValidatePodResources(t *testing.T) {
	type list = corev1.ResourceList
	q := resource.MustParse
	resources := func(requests, limits list) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.Resources = corev1.ResourceRequirements{Requests: requests, Limits: limits} })
	}
	checkRules(t, map[string]rule{
		"usual":              {change: resources(list{"cpu": q("200m"), "memory": q("1Gi")}, list{"cpu": q("2"), "memory": q("1Gi")})},
		"limits only":        {change: resources(nil, list{"memory": q("256Mi"), "ephemeral-storage": q("1Gi"), "hugepages-2Mi": q("2Mi")})},
		"device":             {change: resources(list{"example.com/disk": q("1")}, list{"example.com/disk": q("1")})},
		"little memory":      {resources(list{"memory": q("255Mi")}, nil), podProblem(field.ErrorTypeInvalid, "resources.requests[memory]", "256Mi")},
		"little limit":       {resources(nil, list{"memory": q("255Mi")}), podProblem(field.ErrorTypeInvalid, "resources.limits[memory]", "256Mi")},
		"negative":           {resources(list{"cpu": q("-1")}, nil), podProblem(field.ErrorTypeInvalid, "resources.requests[cpu]", "0 or more")},
		"negative memory":    {resources(list{"memory": q("-1Gi")}, nil), podProblem(field.ErrorTypeInvalid, "resources.requests[memory]", "0 or more")},
		"request over limit": {resources(list{"cpu": q("2")}, list{"cpu": q("1")}), podProblem(field.ErrorTypeInvalid, "resources.requests[cpu]", "more than the limit of 1")},
		"unknown":            {resources(list{"storage": q("1Gi")}, nil), podProblem(field.ErrorTypeNotSupported, "resources.requests[storage]", "memory")},
		"no name":            {resources(list{"a/b/c": q("1")}, nil), podProblem(field.ErrorTypeInvalid, "resources.requests[a/b/c]", "")},
		"claims": {
			pod(func(p *mysql.PodSpec) { p.Resources.Claims = []corev1.ResourceClaim{{Name: "gpu"}} }),
			podProblem(field.ErrorTypeForbidden, "resources.claims", "not supported"),
		},
	})
}

func TestValidatePodImages(t *testing.T) {
	policy := func(policy corev1.PullPolicy) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.ImagePullPolicy = policy })
	}
	secret := func(name string) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.ImagePullSecrets = []corev1.LocalObjectReference{{Name: name}} })
	}
	checkRules(t, map[string]rule{
		"always":           {change: policy(corev1.PullAlways)},
		"sometimes":        {policy("Sometimes"), podProblem(field.ErrorTypeNotSupported, "imagePullPolicy", "IfNotPresent")},
		"secret":           {change: secret("registry")},
		"secret, none":     {secret(""), podProblem(field.ErrorTypeRequired, "imagePullSecrets[0].name", "")},
		"secret, no name":  {secret("a/b"), podProblem(field.ErrorTypeInvalid, "imagePullSecrets[0].name", "")},
		"secret, capitals": {secret("A"), podProblem(field.ErrorTypeInvalid, "imagePullSecrets[0].name", "")},
	})
}

func TestValidateTolerationsAndSpread(t *testing.T) {
	toleration := func(toleration corev1.Toleration) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.Tolerations = []corev1.Toleration{toleration} })
	}
	spread := func(change func(*corev1.TopologySpreadConstraint)) func(*mysql.MysqlCluster) {
		constraint := corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}
		change(&constraint)
		return pod(func(p *mysql.PodSpec) { p.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{constraint} })
	}
	selector := func(name, value string) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.NodeSelector = map[string]string{name: value} })
	}
	const first = "topologySpreadConstraints[0]."
	checkRules(t, map[string]rule{
		"selector":           {change: selector("disk", "ssd")},
		"selector, no name":  {selector("a b", "ssd"), podProblem(field.ErrorTypeInvalid, "nodeSelector", "")},
		"selector, no value": {selector("a", "s s"), podProblem(field.ErrorTypeInvalid, "nodeSelector", "")},

		"everything":          {change: toleration(corev1.Toleration{Operator: corev1.TolerationOpExists})},
		"one taint":           {change: toleration(corev1.Toleration{Key: "a", Value: "b", Effect: corev1.TaintEffectNoSchedule})},
		"a while":             {change: toleration(corev1.Toleration{Key: "a", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](5)})},
		"no key":              {toleration(corev1.Toleration{Operator: corev1.TolerationOpEqual}), podProblem(field.ErrorTypeInvalid, "tolerations[0].operator", "Exists")},
		"value with Exists":   {toleration(corev1.Toleration{Operator: corev1.TolerationOpExists, Value: "a"}), podProblem(field.ErrorTypeInvalid, "tolerations[0].value", "")},
		"unknown operator":    {toleration(corev1.Toleration{Key: "a", Operator: "Like"}), podProblem(field.ErrorTypeNotSupported, "tolerations[0].operator", "")},
		"key that is none":    {toleration(corev1.Toleration{Key: "a b"}), podProblem(field.ErrorTypeInvalid, "tolerations[0].key", "")},
		"value that is none":  {toleration(corev1.Toleration{Key: "a", Value: "b c"}), podProblem(field.ErrorTypeInvalid, "tolerations[0].value", "")},
		"unknown effect":      {toleration(corev1.Toleration{Key: "a", Effect: "Never"}), podProblem(field.ErrorTypeNotSupported, "tolerations[0].effect", "")},
		"a while of no avail": {toleration(corev1.Toleration{Key: "a", TolerationSeconds: ptr.To[int64](5)}), podProblem(field.ErrorTypeInvalid, "tolerations[0].effect", "NoExecute")},

		"spread": {change: spread(func(*corev1.TopologySpreadConstraint) {})},
		"spread over nothing": {spread(func(c *corev1.TopologySpreadConstraint) { c.TopologyKey = "" }),
			podProblem(field.ErrorTypeRequired, first+"topologyKey", "")},
		"spread over no label": {spread(func(c *corev1.TopologySpreadConstraint) { c.TopologyKey = "a b" }),
			podProblem(field.ErrorTypeInvalid, first+"topologyKey", "")},
		"no skew": {spread(func(c *corev1.TopologySpreadConstraint) { c.MaxSkew = 0 }),
			podProblem(field.ErrorTypeInvalid, first+"maxSkew", "")},
		"no action": {spread(func(c *corev1.TopologySpreadConstraint) { c.WhenUnsatisfiable = "" }),
			podProblem(field.ErrorTypeNotSupported, first+"whenUnsatisfiable", "")},
		"domains": {change: spread(func(c *corev1.TopologySpreadConstraint) { c.MinDomains = ptr.To[int32](3) })},
		"no domains": {spread(func(c *corev1.TopologySpreadConstraint) { c.MinDomains = ptr.To[int32](0) }),
			podProblem(field.ErrorTypeInvalid, first+"minDomains", "")},
		"domains in vain": {
			spread(func(c *corev1.TopologySpreadConstraint) {
				c.MinDomains, c.WhenUnsatisfiable = ptr.To[int32](3), corev1.ScheduleAnyway
			}),
			podProblem(field.ErrorTypeInvalid, first+"minDomains", ""),
		},
	})
}

func TestValidateAffinity(t *testing.T) {
	affinity := func(a corev1.Affinity) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.Affinity = &a })
	}
	term := func(key string) corev1.PodAffinityTerm { return corev1.PodAffinityTerm{TopologyKey: key} }
	expression := func(key string, operator corev1.NodeSelectorOperator, values ...string) func(*mysql.MysqlCluster) {
		return affinity(corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}}},
		}}})
	}
	const (
		required  = "requiredDuringSchedulingIgnoredDuringExecution"
		preferred = "preferredDuringSchedulingIgnoredDuringExecution"
		first     = "affinity.nodeAffinity." + required + ".nodeSelectorTerms[0].matchExpressions[0]."
	)
	checkRules(t, map[string]rule{
		"apart": {change: affinity(corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term("kubernetes.io/hostname")}}})},
		"apart by nothing": {
			affinity(corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term("")}}}),
			podProblem(field.ErrorTypeRequired, "affinity.podAntiAffinity."+required+"[0].topologyKey", ""),
		},
		"together without weight": {
			affinity(corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{PodAffinityTerm: term("zone")}}}}),
			podProblem(field.ErrorTypeInvalid, "affinity.podAffinity."+preferred+"[0].weight", "between 1 and 100"),
		},
		"together by no label": {
			affinity(corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term("a b")}}}}),
			podProblem(field.ErrorTypeInvalid, "affinity.podAffinity."+preferred+"[0].podAffinityTerm.topologyKey", ""),
		},
		"on no node": {
			affinity(corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}),
			podProblem(field.ErrorTypeRequired, "affinity.nodeAffinity."+required+".nodeSelectorTerms", ""),
		},
		"rather, without weight": {
			affinity(corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 101}}}}),
			podProblem(field.ErrorTypeInvalid, "affinity.nodeAffinity."+preferred+"[0].weight", ""),
		},
		"In":               {change: expression("zone", corev1.NodeSelectorOpIn, "a", "b")},
		"Exists":           {change: expression("zone", corev1.NodeSelectorOpExists)},
		"Gt":               {change: expression("cores", corev1.NodeSelectorOpGt, "4")},
		"In nothing":       {expression("zone", corev1.NodeSelectorOpIn), podProblem(field.ErrorTypeInvalid, first+"values", "In takes")},
		"Exists what":      {expression("zone", corev1.NodeSelectorOpExists, "a"), podProblem(field.ErrorTypeInvalid, first+"values", "")},
		"Gt two":           {expression("zone", corev1.NodeSelectorOpGt, "1", "2"), podProblem(field.ErrorTypeInvalid, first+"values", "")},
		"unknown operator": {expression("zone", "Like", "a"), podProblem(field.ErrorTypeNotSupported, first+"operator", "")},
		"no label":         {expression("a b", corev1.NodeSelectorOpExists), podProblem(field.ErrorTypeInvalid, first+"key", "")},
	})
}
