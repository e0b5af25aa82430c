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

package controller

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// TestOrphaningDeletionLeavesNodesAndVolumes: with kubectl delete --cascade=orphan, nothing but the object goes.
func TestOrphaningDeletionLeavesNodesAndVolumes(t *testing.T) {
	h := newHarness(t, newCluster())
	h.running()
	before := h.claims()
	h.markDeleted(false)
	cluster := h.cluster()
	cluster.Finalizers = append(cluster.Finalizers, metav1.FinalizerOrphanDependents)
	if _, err := h.mysql.MysqlV1alpha1().MysqlClusters(namespace).Update(h.ctx, cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.mustReconcile()
	if got := h.claims(); len(got) == 0 || !slices.Equal(got, before) {
		t.Errorf("the claims were %v, now they are %v", before, got)
	}
	if h.set() == nil {
		t.Error("the StatefulSet is gone")
	}
	if slices.Contains(h.cluster().Finalizers, v1alpha1.FinalizerVolumes) {
		t.Error("our finalizer was not removed")
	}
}
