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
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

func hash(t *testing.T, change func(*v1alpha1.MysqlCluster)) string {
	t.Helper()
	c := plain()
	change(c)
	h, err := ConfigHash(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestConfigHashChangesWithWhatNeedsARestart(t *testing.T) {
	before := hash(t, func(*v1alpha1.MysqlCluster) {})
	for name, change := range map[string]func(*v1alpha1.MysqlCluster){
		"secretName":   func(c *v1alpha1.MysqlCluster) { c.Spec.SecretName = "other" },
		"mysqlVersion": func(c *v1alpha1.MysqlCluster) { c.Spec.MysqlVersion = "8.4" },
		"image":        func(c *v1alpha1.MysqlCluster) { c.Spec.Image = "other" },
		"mysqlConf": func(c *v1alpha1.MysqlCluster) {
			c.Spec.MysqlConf = map[string]intstr.IntOrString{"a": intstr.FromInt32(1)}
		},
		"initFileExtraSQL": func(c *v1alpha1.MysqlCluster) { c.Spec.InitFileExtraSQL = []string{"SELECT 1"} },
		"serverIDOffset":   func(c *v1alpha1.MysqlCluster) { c.Spec.ServerIDOffset = ptr.To[int32](7) },
		"resources": func(c *v1alpha1.MysqlCluster) {
			c.Spec.PodSpec.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("3Gi")}
		},
		"an empty affinity": func(c *v1alpha1.MysqlCluster) { c.Spec.PodSpec.Affinity = &corev1.Affinity{} },
	} {
		if hash(t, change) == before {
			t.Errorf("a change of %s restarts nothing", name)
		}
	}
}

func TestConfigHashStaysWhenNoRestartIsNeeded(t *testing.T) {
	before := hash(t, func(*v1alpha1.MysqlCluster) {})
	for name, change := range map[string]func(*v1alpha1.MysqlCluster){
		"replicas":                 func(c *v1alpha1.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](5) },
		"readOnly":                 func(c *v1alpha1.MysqlCluster) { c.Spec.ReadOnly = true },
		"durability":               func(c *v1alpha1.MysqlCluster) { c.Spec.Replication.Durability = v1alpha1.DurabilityStrict },
		"minAvailable":             func(c *v1alpha1.MysqlCluster) { c.Spec.MinAvailable = ptr.To(intstr.FromInt32(1)) },
		"keepAfterDelete":          func(c *v1alpha1.MysqlCluster) { c.Spec.VolumeSpec.KeepAfterDelete = true },
		"an empty list":            func(c *v1alpha1.MysqlCluster) { c.Spec.PodSpec.Tolerations = []corev1.Toleration{} },
		"the default, written out": func(c *v1alpha1.MysqlCluster) { c.Spec.ServerIDOffset = ptr.To[int32](defaultServerIDOffset) },
	} {
		if hash(t, change) != before {
			t.Errorf("a change of %s restarts MySQL", name)
		}
	}
}

// TestOurOwnVersionRestartsNothing guards safety rule 8: the hashes that were written by earlier versions stay valid.
func TestOurOwnVersionRestartsNothing(t *testing.T) {
	for name, want := range map[string]struct {
		cluster *v1alpha1.MysqlCluster
		hash    string
	}{
		"plain":      {plain(), "835cd1ae8c028497"},
		"customised": {customised(), "18b0be3361bbfa59"},
	} {
		got, err := ConfigHash(want.cluster)
		if err != nil {
			t.Fatal(err)
		}
		if got != want.hash {
			t.Errorf("%s: the hash is %s, earlier versions wrote %s: every MySQL would be restarted", name, got, want.hash)
		}
	}
	c := plain()
	one := statefulSet(t, c).Spec.Template.Annotations[v1alpha1.AnnotationConfigHash]
	other, err := StatefulSet(c, 3, Images{MySQL: "mysql:9.7.5", Agent: "presslabs/mysql-apiserver:next"})
	if err != nil {
		t.Fatal(err)
	}
	if two := other.Spec.Template.Annotations[v1alpha1.AnnotationConfigHash]; one != two {
		t.Errorf("another image of ours changes the hash from %s to %s", one, two)
	}
}

// TestPodsAreRestricted checks by hand what the restricted Pod Security level demands.
func TestPodsAreRestricted(t *testing.T) {
	pod := statefulSet(t, plain()).Spec.Template.Spec
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Error("the pod shares namespaces of the host")
	}
	s := pod.SecurityContext
	if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 {
		t.Errorf("the pod may run as root: %+v", s)
	}
	if s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod's seccomp profile is %+v", s.SeccompProfile)
	}
	if len(s.Sysctls) > 0 {
		t.Errorf("the pod sets %v", s.Sysctls)
	}
	for _, container := range append(pod.InitContainers, pod.Containers...) {
		c := container.SecurityContext
		switch {
		case c == nil:
			t.Errorf("container %s has no security context", container.Name)
			continue
		case c.Privileged != nil && *c.Privileged, c.AllowPrivilegeEscalation == nil, *c.AllowPrivilegeEscalation:
			t.Errorf("container %s may gain privileges: %+v", container.Name, c)
		case c.RunAsNonRoot != nil && !*c.RunAsNonRoot, c.RunAsUser != nil && *c.RunAsUser == 0:
			t.Errorf("container %s may run as root: %+v", container.Name, c)
		case c.Capabilities == nil || len(c.Capabilities.Drop) != 1 || c.Capabilities.Drop[0] != "ALL" || len(c.Capabilities.Add) > 0:
			t.Errorf("container %s keeps capabilities: %+v", container.Name, c.Capabilities)
		case c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem:
			t.Errorf("container %s may write to its image", container.Name)
		}
		for _, port := range container.Ports {
			if port.HostPort != 0 {
				t.Errorf("container %s takes port %d of the host", container.Name, port.HostPort)
			}
		}
	}
	for _, volume := range pod.Volumes {
		if volume.ConfigMap == nil && volume.Secret == nil && volume.EmptyDir == nil {
			t.Errorf("volume %s is of a kind that is not allowed", volume.Name)
		}
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("a token of Kubernetes is mounted")
	}
}
