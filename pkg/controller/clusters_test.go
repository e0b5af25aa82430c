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
	mysqlfake "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/fake"
)

func TestClusterCacheTellsOfWhatChangedWhileTheServerWasAway(t *testing.T) {
	var told []string
	c := newClusterCache(mysqlfake.NewClientset(), func(key string) { told = append(told, key) })
	object := func(name string) any {
		return &v1alpha1.MysqlCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}}}}
	}
	if c.hasSynced() {
		t.Error("full before the first answer")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Replace([]any{object("stays"), object("goes")}, "1"))
	if !c.hasSynced() {
		t.Error("not full after the first answer")
	}
	told = nil
	must(c.Replace([]any{object("stays"), object("comes")}, "9"))
	slices.Sort(told)
	if want := []string{"shop/comes", "shop/goes", "shop/stays"}; !slices.Equal(told, want) {
		t.Errorf("told of %v instead of %v", told, want)
	}
	told = nil
	must(c.Add(object("a")))
	must(c.Update(object("a")))
	must(c.Delete(object("a")))
	if want := []string{"shop/a", "shop/a", "shop/a"}; !slices.Equal(told, want) {
		t.Errorf("told of %v instead of %v", told, want)
	}
	for _, o := range c.List() {
		if cluster, ok := o.(*v1alpha1.MysqlCluster); !ok || len(cluster.ManagedFields) > 0 {
			t.Errorf("kept: %+v", o)
		}
	}
}
