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
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/utils/ptr"
)

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(AddToScheme(scheme))
	return scheme
}

func TestDefaults(t *testing.T) {
	claim := func(size string, modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaimSpec {
		c := &corev1.PersistentVolumeClaimSpec{AccessModes: modes}
		if size != "" {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
		}
		return c
	}
	defaulted := func(change func(*MysqlClusterSpec)) MysqlClusterSpec {
		spec := MysqlClusterSpec{
			Replicas:        ptr.To[int32](1),
			ServerIDOffset:  ptr.To[int32](100),
			VolumeSpec:      VolumeSpec{PersistentVolumeClaim: claim("1Gi", corev1.ReadWriteOnce)},
			Replication:     ReplicationSpec{ErrantNodePolicy: ErrantNodeKeep},
			MaxSlaveLatency: ptr.To[int64](30),
		}
		change(&spec)
		return spec
	}
	for name, tc := range map[string]struct{ given, want MysqlClusterSpec }{
		"nothing given": {want: defaulted(func(*MysqlClusterSpec) {})},
		"no nodes are not one node": {
			given: MysqlClusterSpec{Replicas: ptr.To[int32](0)},
			want:  defaulted(func(s *MysqlClusterSpec) { s.Replicas = ptr.To[int32](0) }),
		},
		"a given offset stays": {
			given: MysqlClusterSpec{ServerIDOffset: ptr.To[int32](7)},
			want:  defaulted(func(s *MysqlClusterSpec) { s.ServerIDOffset = ptr.To[int32](7) }),
		},
		"a given latency stays": {
			given: MysqlClusterSpec{MaxSlaveLatency: ptr.To[int64](1)},
			want:  defaulted(func(s *MysqlClusterSpec) { s.MaxSlaveLatency = ptr.To[int64](1) }),
		},
		"a given policy stays": {
			given: MysqlClusterSpec{Replication: ReplicationSpec{ErrantNodePolicy: ErrantNodeRebuild}},
			want:  defaulted(func(s *MysqlClusterSpec) { s.Replication.ErrantNodePolicy = ErrantNodeRebuild }),
		},
		"a claim gets an access mode": {
			given: MysqlClusterSpec{VolumeSpec: VolumeSpec{PersistentVolumeClaim: claim("5Gi")}},
			want:  defaulted(func(s *MysqlClusterSpec) { s.VolumeSpec.PersistentVolumeClaim = claim("5Gi", corev1.ReadWriteOnce) }),
		},
		"a claim does not get a size": {
			given: MysqlClusterSpec{VolumeSpec: VolumeSpec{PersistentVolumeClaim: claim("", corev1.ReadWriteOncePod)}},
			want:  defaulted(func(s *MysqlClusterSpec) { s.VolumeSpec.PersistentVolumeClaim = claim("", corev1.ReadWriteOncePod) }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := &MysqlCluster{Spec: *tc.given.DeepCopy()}
			scheme := newScheme()
			scheme.Default(cluster)
			if !apiequality.Semantic.DeepEqual(cluster.Spec, tc.want) {
				t.Errorf("got %+v\nwant %+v", cluster.Spec, tc.want)
			}
			once := cluster.DeepCopy()
			scheme.Default(cluster)
			if !apiequality.Semantic.DeepEqual(cluster, once) {
				t.Errorf("defaulting twice gives another result: %+v", cluster.Spec)
			}
		})
	}
}

func TestFailoverIsGracefulByDefault(t *testing.T) {
	for given, want := range map[FailoverMode]FailoverMode{"": FailoverGraceful, FailoverGraceful: FailoverGraceful, FailoverForced: FailoverForced} {
		failover := &MysqlFailover{Spec: MysqlFailoverSpec{Mode: given}}
		newScheme().Default(failover)
		if failover.Spec.Mode != want {
			t.Errorf("mode %q becomes %q, want %q", given, failover.Spec.Mode, want)
		}
	}
}
