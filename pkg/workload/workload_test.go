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

package workload

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/google/go-cmp/cmp"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var images = Images{MySQL: "mysql:9.7", Agent: "presslabs/mysql-apiserver:dev"}

// plain is the example of the announcement.
func plain() *v1alpha1.MysqlCluster {
	return &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "default", UID: "11111111-2222-3333-4444-555555555555"},
		Spec:       v1alpha1.MysqlClusterSpec{Replicas: ptr.To[int32](3), SecretName: "the-secret", MysqlVersion: "9.7"},
	}
}

// customised sets all that can be set.
func customised() *v1alpha1.MysqlCluster {
	c := plain()
	c.Spec.Image = "example.com/mysql:own"
	c.Spec.MinAvailable = ptr.To(intstr.FromInt32(2))
	c.Spec.MysqlConf = map[string]intstr.IntOrString{"innodb-buffer-pool-size": intstr.FromString("128M"), "max_connections": intstr.FromInt32(77)}
	c.Spec.InitFileExtraSQL = []string{"SET GLOBAL general_log = 1"}
	c.Spec.ServerIDOffset = ptr.To[int32](500)
	c.Spec.VolumeSpec.PersistentVolumeClaim = &corev1.PersistentVolumeClaimSpec{
		StorageClassName: ptr.To("fast"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("20Gi")}},
	}
	c.Spec.PodSpec = v1alpha1.PodSpec{
		Labels:      map[string]string{"team": "web", v1alpha1.LabelCluster: "stolen"},
		Annotations: map[string]string{"note": "hello", v1alpha1.AnnotationConfigHash: "stolen"},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
		},
		ImagePullPolicy:           corev1.PullAlways,
		ImagePullSecrets:          []corev1.LocalObjectReference{{Name: "registry"}},
		Affinity:                  &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}},
		NodeSelector:              map[string]string{"disk": "ssd"},
		Tolerations:               []corev1.Toleration{{Key: "db", Operator: corev1.TolerationOpExists}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}},
		PriorityClassName:         "important",
		ServiceAccountName:        "mine",
		Volumes:                   []corev1.Volume{{Name: "extra", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		VolumeMounts:              []corev1.VolumeMount{{Name: "extra", MountPath: "/extra"}},
		InitContainers:            []corev1.Container{{Name: "first", Image: "first:1"}},
		Containers:                []corev1.Container{{Name: "beside", Image: "beside:1"}},
	}
	return c
}

// objects are all objects of a cluster that do not hold anything random.
func objects(t *testing.T, c *v1alpha1.MysqlCluster) []any {
	t.Helper()
	var all []any
	for _, s := range Services(c) {
		all = append(all, s)
	}
	configMap, err := ConfigMap(c)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, configMap)
	if account := ServiceAccount(c); account != nil {
		all = append(all, account)
	}
	if budget := PodDisruptionBudget(c); budget != nil {
		all = append(all, budget)
	}
	set, err := StatefulSet(c, Replicas(c), images)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, set, OperatedSecret(c, map[string][]byte{"agent": []byte("x")}),
		CASecret(c, []byte("cert"), []byte("key")), TLSSecret(c, []byte("ca"), []byte("cert"), []byte("key")))
}

func TestObjectsAreAsInTheGoldenFiles(t *testing.T) {
	for name, c := range map[string]*v1alpha1.MysqlCluster{"plain": plain(), "customised": customised()} {
		t.Run(name, func(t *testing.T) {
			var documents []string
			for _, o := range objects(t, c) {
				text, err := yaml.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				documents = append(documents, string(text))
			}
			got := strings.Join(documents, "---\n")
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("this is not the golden file (-) any more (+); run the test with -update if that is intended:\n%s", diff)
			}
		})
	}
}

// typed is an apply configuration as the object that it describes; unknown fields are an error.
func typed[T any](t *testing.T, from any) *T {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	var object T
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Fatal(err)
	}
	return &object
}

func statefulSet(t *testing.T, c *v1alpha1.MysqlCluster) *appsv1.StatefulSet {
	t.Helper()
	set, err := StatefulSet(c, Replicas(c), images)
	if err != nil {
		t.Fatal(err)
	}
	return typed[appsv1.StatefulSet](t, set)
}

// TestVolumesAreNotOwned guards safety rule 7: were our own storage lost, the garbage collector would take owned volumes with it.
func TestVolumesAreNotOwned(t *testing.T) {
	set := statefulSet(t, plain())
	if policy := set.Spec.PersistentVolumeClaimRetentionPolicy; policy.WhenDeleted != appsv1.RetainPersistentVolumeClaimRetentionPolicyType ||
		policy.WhenScaled != appsv1.RetainPersistentVolumeClaimRetentionPolicyType {
		t.Errorf("claims are deleted by Kubernetes: %+v", policy)
	}
	if owners := set.Spec.VolumeClaimTemplates[0].OwnerReferences; len(owners) > 0 {
		t.Errorf("claims have owners: %+v", owners)
	}
}

func TestEveryObjectIsLabelledAndOwned(t *testing.T) {
	for _, o := range objects(t, customised()) {
		object := typed[metav1.PartialObjectMetadata](t, meta(t, o))
		if object.Labels[v1alpha1.LabelCluster] != "foo" || object.Labels["app.kubernetes.io/managed-by"] != ManagedBy {
			t.Errorf("%s %s has labels %v", object.Kind, object.Name, object.Labels)
		}
		controller := metav1.GetControllerOf(object)
		if controller == nil || controller.UID != plain().UID || *controller.BlockOwnerDeletion {
			t.Errorf("%s %s is controlled by %+v", object.Kind, object.Name, controller)
		}
		if object.Namespace != "default" {
			t.Errorf("%s %s is in namespace %q", object.Kind, object.Name, object.Namespace)
		}
	}
}

// meta cuts an object down to what all have.
func meta(t *testing.T, o any) map[string]any {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"apiVersion": all["apiVersion"], "kind": all["kind"], "metadata": all["metadata"]}
}

func TestUserCannotTakeOverTheLabelsThatNodesAreFoundBy(t *testing.T) {
	template := statefulSet(t, customised()).Spec.Template
	if got := template.Labels[v1alpha1.LabelCluster]; got != "foo" {
		t.Errorf("label %s is %q", v1alpha1.LabelCluster, got)
	}
	if got := template.Labels["team"]; got != "web" {
		t.Errorf("label team is %q", got)
	}
	if template.Annotations[v1alpha1.AnnotationConfigHash] == "stolen" {
		t.Error("the configuration's hash can be set by the user")
	}
}

func TestSingleNodeHasNoDisruptionBudgetUnlessAskedFor(t *testing.T) {
	c := plain()
	c.Spec.Replicas = ptr.To[int32](1)
	if PodDisruptionBudget(c) != nil {
		t.Error("a single node has a budget")
	}
	c.Spec.MinAvailable = ptr.To(intstr.FromInt32(1))
	if PodDisruptionBudget(c) == nil {
		t.Error("a budget that was asked for is missing")
	}
}
