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

package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The rendered layer is built by kustomize itself, over manifests like the product's.
func TestKustomizationPutsTheTagOnTheProductsImage(t *testing.T) {
	repo := t.TempDir()
	base, dir := filepath.Join(repo, "artifacts", "local"), filepath.Join(repo, ".work", "kube", "deploy")
	files := map[string]string{
		filepath.Join(base, "kustomization.yaml"): "resources: [pod.yaml]\n",
		filepath.Join(base, "pod.yaml"): `
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  initContainers: [{name: i, image: "presslabs/mysql-apiserver:latest"}]
  containers: [{name: c, image: "mysql:9.7"}]
`,
	}
	text, err := Kustomization(dir, base, "presslabs/mysql-apiserver", "0123abcd")
	if err != nil {
		t.Fatal(err)
	}
	files[filepath.Join(dir, "kustomization.yaml")] = string(text)
	for file, content := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image: presslabs/mysql-apiserver:0123abcd", "image: mysql:9.7"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

func TestClusterManifestIsYAML(t *testing.T) {
	objects, err := decode(clusterManifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetKind() == "" || o.GetName() == "" || o.GetAPIVersion() == "" {
			t.Errorf("an object without kind, name or version: %v", o.Object)
		}
	}
	if len(objects) != 4 {
		t.Errorf("got %d objects", len(objects))
	}
}

func TestSettled(t *testing.T) {
	pod := func(uid, container string, phase corev1.PodPhase) corev1.Pod {
		status := corev1.ContainerStatus{Name: "c"}
		if container != "" {
			status.ContainerID = "containerd://" + container
			status.State.Running = &corev1.ContainerStateRunning{}
		}
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "n", UID: types.UID(uid)},
			Status:     corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{status}},
		}
	}
	running := map[string]bool{"new": true}
	for name, test := range map[string]struct {
		said, known []corev1.Pod
		lacks       string
	}{
		"no pods":              {},
		"all as said":          {said: []corev1.Pod{pod("1", "new", corev1.PodRunning)}, known: []corev1.Pod{pod("1", "", "")}},
		"waits, and is known":  {said: []corev1.Pod{pod("1", "", corev1.PodPending)}, known: []corev1.Pod{pod("1", "", "")}},
		"of before the reboot": {said: []corev1.Pod{pod("1", "old", corev1.PodRunning)}, known: []corev1.Pod{pod("1", "", "")}, lacks: "runs no more"},
		"unknown":              {said: []corev1.Pod{pod("1", "new", corev1.PodRunning)}, lacks: "does not know"},
		"unknown but over":     {said: []corev1.Pod{pod("1", "", corev1.PodSucceeded)}},
	} {
		t.Run(name, func(t *testing.T) {
			err := settled(test.said, test.known, running)
			if (err == nil) != (test.lacks == "") || err != nil && !strings.Contains(err.Error(), test.lacks) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestConditionReadsStatus(t *testing.T) {
	o := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{
		map[string]any{"type": "Other", "status": "True"},
		map[string]any{"type": "Ready", "status": "False", "reason": "Cloning", "message": "node 2 is cloned"},
	}}}}
	got := condition(o, "Ready")
	if got.status != "False" || got.text() != "Cloning: node 2 is cloned" {
		t.Errorf("got %+v", got)
	}
	if got := condition(o, "Missing"); got.status != "" || got.text() != "nothing is reported" {
		t.Errorf("got %+v of a condition that is not there", got)
	}
}
