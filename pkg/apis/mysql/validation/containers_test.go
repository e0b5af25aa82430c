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

func emptyDir(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

func TestValidateVolumes(t *testing.T) {
	volume := func(volume corev1.Volume) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) { p.Volumes = []corev1.Volume{volume} })
	}
	two := emptyDir("a")
	two.Secret = &corev1.SecretVolumeSource{SecretName: "s"}
	rules := map[string]rule{
		"volume":         {change: volume(emptyDir("a"))},
		"no name":        {volume(emptyDir("")), podProblem(field.ErrorTypeInvalid, "volumes[0].name", "")},
		"not a label":    {volume(emptyDir("a.b")), podProblem(field.ErrorTypeInvalid, "volumes[0].name", "")},
		"no source":      {volume(corev1.Volume{Name: "a"}), podProblem(field.ErrorTypeInvalid, "volumes[0]", "exactly one")},
		"two sources":    {volume(two), podProblem(field.ErrorTypeInvalid, "volumes[0]", "exactly one")},
		"of the host":    {volume(corev1.Volume{Name: "a", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}), podProblem(field.ErrorTypeForbidden, "volumes[0].hostPath", "restricted Pod Security level")},
		"not restricted": {volume(corev1.Volume{Name: "a", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}}), podProblem(field.ErrorTypeInvalid, "volumes[0]", "restricted Pod Security level")},
	}
	for _, name := range []string{"data", "config", "run", "tls", "credentials", "user-secret", "agent-bin", "tmp"} {
		rules["of ours: "+name] = rule{volume(emptyDir(name)), podProblem(field.ErrorTypeForbidden, "volumes[0].name", "choose another name")}
	}
	checkRules(t, rules)
}

func TestValidateVolumeMounts(t *testing.T) {
	mount := func(mount corev1.VolumeMount) func(*mysql.MysqlCluster) {
		return pod(func(p *mysql.PodSpec) {
			p.Volumes = []corev1.Volume{emptyDir("a")}
			p.VolumeMounts = []corev1.VolumeMount{mount}
		})
	}
	at := func(path string) func(*mysql.MysqlCluster) {
		return mount(corev1.VolumeMount{Name: "a", MountPath: path})
	}
	rules := map[string]rule{
		"mount":              {change: at("/backup")},
		"a name that starts": {change: at("/var/lib/mysql-files")},
		"no volume":          {mount(corev1.VolumeMount{Name: "b", MountPath: "/b"}), podProblem(field.ErrorTypeNotFound, "volumeMounts[0].name", "")},
		"volume of ours":     {mount(corev1.VolumeMount{Name: "data", MountPath: "/b"}), podProblem(field.ErrorTypeNotFound, "volumeMounts[0].name", "")},
		"nowhere":            {at(""), podProblem(field.ErrorTypeRequired, "volumeMounts[0].mountPath", "")},
		"relative":           {at("backup"), podProblem(field.ErrorTypeInvalid, "volumeMounts[0].mountPath", "absolute")},
		"colon":              {at("/a:b"), podProblem(field.ErrorTypeInvalid, "volumeMounts[0].mountPath", "colon")},
		"subPath":            {change: mount(corev1.VolumeMount{Name: "a", MountPath: "/b", SubPath: "c/d"})},
		"subPath, absolute":  {mount(corev1.VolumeMount{Name: "a", MountPath: "/b", SubPath: "/c"}), podProblem(field.ErrorTypeInvalid, "volumeMounts[0].subPath", "relative")},
		"subPath, out":       {mount(corev1.VolumeMount{Name: "a", MountPath: "/b", SubPathExpr: "c/../d"}), podProblem(field.ErrorTypeInvalid, "volumeMounts[0].subPathExpr", "relative")},
		"subPath twice":      {mount(corev1.VolumeMount{Name: "a", MountPath: "/b", SubPath: "c", SubPathExpr: "d"}), podProblem(field.ErrorTypeForbidden, "volumeMounts[0].subPathExpr", "")},
		"propagated":         {mount(corev1.VolumeMount{Name: "a", MountPath: "/b", MountPropagation: ptr.To(corev1.MountPropagationBidirectional)}), podProblem(field.ErrorTypeForbidden, "volumeMounts[0].mountPropagation", "")},
	}
	for _, path := range []string{
		"/", "/var", "/var/lib/mysql", "/var/lib/mysql/", "/var/lib/mysql/x", "/var/lib/../lib/mysql", "//var/lib/mysql", "/run", "/run/mysqld",
		"/var/run/mysqld", "/etc", "/etc/mysql-agent/tls", "/opt/mysql-agent", "/tmp",
	} {
		rules["over ours: "+path] = rule{at(path), podProblem(field.ErrorTypeForbidden, "volumeMounts[0].mountPath", "overlaps")}
	}
	checkRules(t, rules)
}

func TestRemovingAMountedVolumeIsRefused(t *testing.T) {
	before := valid(pod(func(p *mysql.PodSpec) {
		p.Volumes = []corev1.Volume{emptyDir("a"), emptyDir("b")}
		p.VolumeMounts = []corev1.VolumeMount{{Name: "a", MountPath: "/a"}}
		p.Containers = []corev1.Container{{Name: "c", Image: "c", VolumeMounts: []corev1.VolumeMount{{Name: "b", MountPath: "/b"}}}}
	}))
	after := before.DeepCopy()
	after.Spec.PodSpec.Volumes = nil
	byTypeFieldAndDetail.Test(t, append(podProblem(field.ErrorTypeNotFound, "volumeMounts[0].name", ""),
		podProblem(field.ErrorTypeNotFound, "containers[0].volumeMounts[0].name", "")...),
		validatePodSpec(&after.Spec.PodSpec, &before.Spec.PodSpec, field.NewPath("spec", "podSpec")))
}

func TestValidateContainers(t *testing.T) {
	container := func(change func(*corev1.Container)) func(*mysql.MysqlCluster) {
		c := corev1.Container{Name: "exporter", Image: "exporter:1"}
		change(&c)
		return pod(func(p *mysql.PodSpec) {
			p.Volumes = []corev1.Volume{emptyDir("a")}
			p.Containers = []corev1.Container{c}
		})
	}
	named := func(name string) func(*mysql.MysqlCluster) {
		return container(func(c *corev1.Container) { c.Name = name })
	}
	mount := func(name string, readOnly bool) func(*mysql.MysqlCluster) {
		return container(func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: name, MountPath: "/tmp", ReadOnly: readOnly}}
		})
	}
	port := func(port corev1.ContainerPort) func(*mysql.MysqlCluster) {
		return container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{port} })
	}
	security := func(s corev1.SecurityContext) func(*mysql.MysqlCluster) {
		return container(func(c *corev1.Container) { c.SecurityContext = &s })
	}
	checkRules(t, map[string]rule{
		"container":   {change: named("exporter")},
		"of ours":     {named("mysql"), podProblem(field.ErrorTypeForbidden, "containers[0].name", "choose another name")},
		"the agent":   {named("agent"), podProblem(field.ErrorTypeForbidden, "containers[0].name", "choose another name")},
		"no name":     {named(""), podProblem(field.ErrorTypeInvalid, "containers[0].name", "")},
		"not a label": {named("A"), podProblem(field.ErrorTypeInvalid, "containers[0].name", "")},
		"init container of ours": {
			pod(func(p *mysql.PodSpec) { p.InitContainers = []corev1.Container{{Name: "agent", Image: "a"}} }),
			podProblem(field.ErrorTypeForbidden, "initContainers[0].name", ""),
		},
		"a name in both lists": {
			pod(func(p *mysql.PodSpec) {
				p.InitContainers = []corev1.Container{{Name: "a", Image: "a"}}
				p.Containers = []corev1.Container{{Name: "b", Image: "a"}, {Name: "a", Image: "a"}}
			}),
			podProblem(field.ErrorTypeDuplicate, "containers[1].name", ""),
		},
		"no image": {container(func(c *corev1.Container) { c.Image = "" }), podProblem(field.ErrorTypeRequired, "containers[0].image", "")},
		"bad image": {container(func(c *corev1.Container) { c.Image = "a b" }),
			podProblem(field.ErrorTypeInvalid, "containers[0].image", "not the name of an image")},
		"pull policy": {container(func(c *corev1.Container) { c.ImagePullPolicy = "x" }),
			podProblem(field.ErrorTypeNotSupported, "containers[0].imagePullPolicy", "")},
		"resources": {
			container(func(c *corev1.Container) {
				c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("-1")}
			}),
			podProblem(field.ErrorTypeInvalid, "containers[0].resources.requests[memory]", ""),
		},
		"little memory": {change: container(func(c *corev1.Container) {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")}
		})},
		"mount":              {change: mount("a", false)},
		"the socket":         {change: mount("run", true)},
		"the data, to read":  {change: mount("data", true)},
		"the data, to write": {mount("data", false), podProblem(field.ErrorTypeForbidden, "containers[0].volumeMounts[0]", "readOnly: true")},
		"the credentials":    {mount("credentials", true), podProblem(field.ErrorTypeNotFound, "containers[0].volumeMounts[0].name", "")},
		"port":               {change: port(corev1.ContainerPort{ContainerPort: 9104})},
		"no port":            {port(corev1.ContainerPort{}), podProblem(field.ErrorTypeInvalid, "containers[0].ports[0].containerPort", "")},
		"port of MySQL":      {port(corev1.ContainerPort{ContainerPort: 3306}), podProblem(field.ErrorTypeForbidden, "containers[0].ports[0].containerPort", "listens on this port")},
		"port of the host":   {port(corev1.ContainerPort{ContainerPort: 1, HostPort: 1}), podProblem(field.ErrorTypeForbidden, "containers[0].ports[0].hostPort", "restricted")},
		"unprivileged":       {change: security(corev1.SecurityContext{Privileged: ptr.To(false), AllowPrivilegeEscalation: ptr.To(false)})},
		"privileged":         {security(corev1.SecurityContext{Privileged: ptr.To(true)}), podProblem(field.ErrorTypeForbidden, "containers[0].securityContext.privileged", "")},
		"gaining privileges": {security(corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(true)}), podProblem(field.ErrorTypeForbidden, "containers[0].securityContext.allowPrivilegeEscalation", "")},
	})
}
