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
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

func valid(change func(*MysqlCluster)) *MysqlCluster {
	cluster := &MysqlCluster{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "default"}, Spec: MysqlClusterSpec{SecretName: "the-secret"}}
	newScheme().Default(cluster)
	change(cluster)
	return cluster
}

// TestDeclarativeValidation hits each rule that the tags of the types declare.
func TestDeclarativeValidation(t *testing.T) {
	conf := func(settings int) func(*MysqlCluster) {
		return func(c *MysqlCluster) {
			c.Spec.MysqlConf = map[string]intstr.IntOrString{}
			for i := range settings {
				c.Spec.MysqlConf["a"+strconv.Itoa(i)] = intstr.FromInt32(1)
			}
		}
	}
	spec := func(change func(*MysqlClusterSpec)) func(*MysqlCluster) {
		return func(c *MysqlCluster) { change(&c.Spec) }
	}
	status := func(change func(*MysqlClusterStatus)) func(*MysqlCluster) {
		return func(c *MysqlCluster) { change(&c.Status) }
	}
	one := func(errorType field.ErrorType, path string) field.ErrorList {
		return field.ErrorList{{Type: errorType, Field: path}}
	}
	for name, tc := range map[string]struct {
		change func(*MysqlCluster)
		want   field.ErrorList
	}{
		"nothing wrong":  {change: func(*MysqlCluster) {}},
		"no replicas":    {change: spec(func(s *MysqlClusterSpec) { s.Replicas = ptr.To[int32](0) })},
		"32 replicas":    {change: spec(func(s *MysqlClusterSpec) { s.Replicas = ptr.To[int32](32) })},
		"-1 replicas":    {spec(func(s *MysqlClusterSpec) { s.Replicas = ptr.To[int32](-1) }), one(field.ErrorTypeInvalid, "spec.replicas")},
		"33 replicas":    {spec(func(s *MysqlClusterSpec) { s.Replicas = ptr.To[int32](33) }), one(field.ErrorTypeInvalid, "spec.replicas")},
		"no Secret":      {spec(func(s *MysqlClusterSpec) { s.SecretName = "" }), one(field.ErrorTypeRequired, "spec.secretName")},
		"no name":        {spec(func(s *MysqlClusterSpec) { s.SecretName = "A b" }), one(field.ErrorTypeInvalid, "spec.secretName")},
		"long version":   {spec(func(s *MysqlClusterSpec) { s.MysqlVersion = strings.Repeat("8", 33) }), one(field.ErrorTypeTooLong, "spec.mysqlVersion")},
		"long image":     {spec(func(s *MysqlClusterSpec) { s.Image = strings.Repeat("a", 1025) }), one(field.ErrorTypeTooLong, "spec.image")},
		"256 settings":   {change: conf(256)},
		"257 settings":   {conf(257), one(field.ErrorTypeTooMany, "spec.mysqlConf")},
		"64 statements":  {change: spec(func(s *MysqlClusterSpec) { s.InitFileExtraSQL = make([]string, 64) })},
		"65 statements":  {spec(func(s *MysqlClusterSpec) { s.InitFileExtraSQL = make([]string, 65) }), one(field.ErrorTypeTooMany, "spec.initFileExtraSQL")},
		"offset 0":       {spec(func(s *MysqlClusterSpec) { s.ServerIDOffset = ptr.To[int32](0) }), one(field.ErrorTypeInvalid, "spec.serverIDOffset")},
		"greatest":       {change: spec(func(s *MysqlClusterSpec) { s.ServerIDOffset = ptr.To[int32](2147483000) })},
		"offset too big": {spec(func(s *MysqlClusterSpec) { s.ServerIDOffset = ptr.To[int32](2147483001) }), one(field.ErrorTypeInvalid, "spec.serverIDOffset")},
		"Strict":         {change: spec(func(s *MysqlClusterSpec) { s.Replication.Durability = DurabilityStrict })},
		"Preferred":      {change: spec(func(s *MysqlClusterSpec) { s.Replication.Durability = DurabilityPreferred })},
		"strict": {spec(func(s *MysqlClusterSpec) { s.Replication.Durability = "strict" }),
			one(field.ErrorTypeNotSupported, "spec.replication.durability")},
		"latency 1":  {change: spec(func(s *MysqlClusterSpec) { s.MaxSlaveLatency = ptr.To[int64](1) })},
		"latency 0":  {spec(func(s *MysqlClusterSpec) { s.MaxSlaveLatency = ptr.To[int64](0) }), one(field.ErrorTypeInvalid, "spec.maxSlaveLatency")},
		"a day":      {change: spec(func(s *MysqlClusterSpec) { s.MaxSlaveLatency = ptr.To[int64](86400) })},
		"over a day": {spec(func(s *MysqlClusterSpec) { s.MaxSlaveLatency = ptr.To[int64](86401) }), one(field.ErrorTypeInvalid, "spec.maxSlaveLatency")},
		"Rebuild":    {change: spec(func(s *MysqlClusterSpec) { s.Replication.ErrantNodePolicy = ErrantNodeRebuild })},
		"Delete":     {spec(func(s *MysqlClusterSpec) { s.Replication.ErrantNodePolicy = "Delete" }), one(field.ErrorTypeNotSupported, "spec.replication.errantNodePolicy")},

		"priority class": {spec(func(s *MysqlClusterSpec) { s.PodSpec.PriorityClassName = "A b" }),
			one(field.ErrorTypeInvalid, "spec.podSpec.priorityClassName")},
		"service account": {spec(func(s *MysqlClusterSpec) { s.PodSpec.ServiceAccountName = "A b" }),
			one(field.ErrorTypeInvalid, "spec.podSpec.serviceAccountName")},
		"a pull secret twice": {
			spec(func(s *MysqlClusterSpec) {
				s.PodSpec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "a"}, {Name: "a"}}
			}),
			one(field.ErrorTypeDuplicate, "spec.podSpec.imagePullSecrets[1]"),
		},
		"a volume twice": {
			spec(func(s *MysqlClusterSpec) { s.PodSpec.Volumes = []corev1.Volume{{Name: "a"}, {Name: "a"}} }),
			one(field.ErrorTypeDuplicate, "spec.podSpec.volumes[1]"),
		},
		"a mount twice": {
			spec(func(s *MysqlClusterSpec) {
				s.PodSpec.VolumeMounts = []corev1.VolumeMount{{Name: "a", MountPath: "/a"}, {Name: "b", MountPath: "/a"}}
			}),
			one(field.ErrorTypeDuplicate, "spec.podSpec.volumeMounts[1]"),
		},
		"an init container twice": {
			spec(func(s *MysqlClusterSpec) { s.PodSpec.InitContainers = []corev1.Container{{Name: "a"}, {Name: "a"}} }),
			one(field.ErrorTypeDuplicate, "spec.podSpec.initContainers[1]"),
		},
		"a container twice": {
			spec(func(s *MysqlClusterSpec) { s.PodSpec.Containers = []corev1.Container{{Name: "a"}, {Name: "a"}} }),
			one(field.ErrorTypeDuplicate, "spec.podSpec.containers[1]"),
		},

		"generation":       {status(func(s *MysqlClusterStatus) { s.ObservedGeneration = -1 }), one(field.ErrorTypeInvalid, "status.observedGeneration")},
		"term":             {status(func(s *MysqlClusterStatus) { s.Term = -1 }), one(field.ErrorTypeInvalid, "status.term")},
		"nodes that exist": {status(func(s *MysqlClusterStatus) { s.Replicas = -1 }), one(field.ErrorTypeInvalid, "status.replicas")},
		"ready nodes":      {status(func(s *MysqlClusterStatus) { s.ReadyNodes = -1 }), one(field.ErrorTypeInvalid, "status.readyNodes")},
		"acknowledgements": {status(func(s *MysqlClusterStatus) { s.RequiredAcknowledgements = -1 }), one(field.ErrorTypeInvalid, "status.requiredAcknowledgements")},
		"durability":       {status(func(s *MysqlClusterStatus) { s.Durability = "No" }), one(field.ErrorTypeNotSupported, "status.durability")},
		"a node": {change: status(func(s *MysqlClusterStatus) {
			s.Nodes = []NodeStatus{{Name: "a", Role: NodeRoleReplica, Health: NodeHealthy, LagSeconds: ptr.To[int64](0)}, {Name: "b"}}
		})},
		"a node without a name": {status(func(s *MysqlClusterStatus) { s.Nodes = []NodeStatus{{}} }), one(field.ErrorTypeRequired, "status.nodes[0].name")},
		"a node twice":          {status(func(s *MysqlClusterStatus) { s.Nodes = []NodeStatus{{Name: "a"}, {Name: "a"}} }), one(field.ErrorTypeDuplicate, "status.nodes[1]")},
		"a role":                {status(func(s *MysqlClusterStatus) { s.Nodes = []NodeStatus{{Name: "a", Role: "x"}} }), one(field.ErrorTypeNotSupported, "status.nodes[0].role")},
		"a health":              {status(func(s *MysqlClusterStatus) { s.Nodes = []NodeStatus{{Name: "a", Health: "x"}} }), one(field.ErrorTypeNotSupported, "status.nodes[0].health")},
		"negative lag": {status(func(s *MysqlClusterStatus) { s.Nodes = []NodeStatus{{Name: "a", LagSeconds: ptr.To[int64](-1)}} }),
			one(field.ErrorTypeInvalid, "status.nodes[0].lagSeconds")},
		"a condition twice": {status(func(s *MysqlClusterStatus) { s.Conditions = []metav1.Condition{{Type: "a"}, {Type: "a"}} }),
			one(field.ErrorTypeDuplicate, "status.conditions[1]")},
		"updated nodes":  {status(func(s *MysqlClusterStatus) { s.UpdatedNodes = -1 }), one(field.ErrorTypeInvalid, "status.updatedNodes")},
		"a member twice": {status(func(s *MysqlClusterStatus) { s.Members = []string{"a", "a"} }), one(field.ErrorTypeDuplicate, "status.members[1]")},
		"an operation":   {change: status(func(s *MysqlClusterStatus) { s.Operation = anOperation(func(*MysqlClusterOperation) {}) })},
		"an operation without a UID": {status(func(s *MysqlClusterStatus) { s.Operation = anOperation(func(o *MysqlClusterOperation) { o.UID = "" }) }),
			one(field.ErrorTypeRequired, "status.operation.uid")},
		"an operation without a type": {status(func(s *MysqlClusterStatus) { s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Type = "" }) }),
			one(field.ErrorTypeRequired, "status.operation.type")},
		"an operation without a phase": {status(func(s *MysqlClusterStatus) {
			s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Phase = "" })
		}),
			one(field.ErrorTypeRequired, "status.operation.phase")},
		"an operation of another type": {status(func(s *MysqlClusterStatus) {
			s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Type = "x" })
		}),
			one(field.ErrorTypeNotSupported, "status.operation.type")},
		"an operation in another mode": {status(func(s *MysqlClusterStatus) {
			s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Mode = "x" })
		}),
			one(field.ErrorTypeNotSupported, "status.operation.mode")},
		"an operation in another phase": {status(func(s *MysqlClusterStatus) {
			s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Phase = "x" })
		}),
			one(field.ErrorTypeNotSupported, "status.operation.phase")},
		"an operation with another outcome": {status(func(s *MysqlClusterStatus) {
			s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Outcome = "x" })
		}),
			one(field.ErrorTypeNotSupported, "status.operation.outcome")},
		"an operation in term -1": {status(func(s *MysqlClusterStatus) { s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Term = -1 }) }),
			one(field.ErrorTypeInvalid, "status.operation.term")},
		"an operation with -1 acknowledgements": {
			status(func(s *MysqlClusterStatus) {
				s.Operation = anOperation(func(o *MysqlClusterOperation) { o.RequiredAcknowledgements = -1 })
			}),
			one(field.ErrorTypeInvalid, "status.operation.requiredAcknowledgements")},
		"an operation that went through another phase": {
			status(func(s *MysqlClusterStatus) {
				s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Phases = []OperationPhaseTime{{Phase: "x"}} })
			}),
			one(field.ErrorTypeNotSupported, "status.operation.phases[0].phase")},
		"an operation that went through no phase": {
			status(func(s *MysqlClusterStatus) {
				s.Operation = anOperation(func(o *MysqlClusterOperation) { o.Phases = []OperationPhaseTime{{}} })
			}),
			one(field.ErrorTypeRequired, "status.operation.phases[0].phase")},
		"10 operations": {change: status(func(s *MysqlClusterStatus) { s.LastFailovers = operations(10) })},
		"11 operations": {status(func(s *MysqlClusterStatus) { s.LastFailovers = operations(11) }), one(field.ErrorTypeTooMany, "status.lastFailovers")},
	} {
		t.Run(name, func(t *testing.T) {
			matcher := field.ErrorMatcher{}.ByType().ByField()
			scheme := newScheme()
			matcher.Test(t, tc.want, enforced(scheme.Validate(t.Context(), nil, valid(tc.change))))
			if errs := enforced(scheme.ValidateUpdate(t.Context(), nil, valid(tc.change), valid(tc.change))); len(errs) > 0 {
				t.Errorf("an update that leaves this alone is refused: %v", errs)
			}
		})
	}
}

func anOperation(change func(*MysqlClusterOperation)) *MysqlClusterOperation {
	o := &MysqlClusterOperation{UID: "a", Type: OperationFailover, Phase: OperationReturning, Mode: FailoverForced, Outcome: OperationSucceeded}
	change(o)
	return o
}

func operations(count int) []MysqlClusterOperation {
	return slices.Repeat([]MysqlClusterOperation{*anOperation(func(*MysqlClusterOperation) {})}, count)
}

func TestDeclarativeValidationOfFailovers(t *testing.T) {
	for name, tc := range map[string]struct {
		spec MysqlFailoverSpec
		want field.ErrorList
	}{
		"nothing":       {},
		"all":           {spec: MysqlFailoverSpec{Mode: FailoverForced, Target: "a", Reason: strings.Repeat("ä", 1024), Term: ptr.To[int64](0)}},
		"another mode":  {MysqlFailoverSpec{Mode: "forced"}, field.ErrorList{{Type: field.ErrorTypeNotSupported, Field: "spec.mode"}}},
		"a long reason": {MysqlFailoverSpec{Reason: strings.Repeat("a", 1025)}, field.ErrorList{{Type: field.ErrorTypeTooLong, Field: "spec.reason"}}},
		"a long target": {MysqlFailoverSpec{Target: strings.Repeat("a", 254)}, field.ErrorList{{Type: field.ErrorTypeTooLong, Field: "spec.target"}}},
		"term -1":       {MysqlFailoverSpec{Term: ptr.To[int64](-1)}, field.ErrorList{{Type: field.ErrorTypeInvalid, Field: "spec.term"}}},
	} {
		t.Run(name, func(t *testing.T) {
			failover := &MysqlFailover{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "default"}, Spec: tc.spec}
			newScheme().Default(failover)
			field.ErrorMatcher{}.ByType().ByField().Test(t, tc.want, enforced(newScheme().Validate(t.Context(), nil, failover, "failover")))
		})
	}
}

// enforced leaves out what apimachinery declares for metadata and conditions but does not enforce yet.
func enforced(errs field.ErrorList) field.ErrorList {
	var rest field.ErrorList
	for _, err := range errs {
		if !err.IsAlpha() {
			rest = append(rest, err)
		}
	}
	return rest
}

// The strategies of the subresources validate the object under the subresource's name. Without its tag, every write would fail.
func TestEachSubresourceCanBeValidated(t *testing.T) {
	cluster := valid(func(*MysqlCluster) {})
	for _, subresource := range []string{"status", "scale", "failover"} {
		if errs := newScheme().ValidateUpdate(t.Context(), nil, cluster, cluster, subresource); len(errs) > 0 {
			t.Errorf("%s: %v", subresource, errs)
		}
	}
}

// TestPublishedLimitsAreTheEnforcedOnes compares the two families of tags: one is enforced, the other one is published.
func TestPublishedLimitsAreTheEnforcedOnes(t *testing.T) {
	fields := limits(t)
	if len(fields) < 10 {
		t.Fatalf("found limits at %d fields only", len(fields))
	}
	for name, limit := range fields {
		if !maps.Equal(limit.enforced, limit.published) {
			t.Errorf("%s: enforced %v, published %v", name, limit.enforced, limit.published)
		}
	}
}
