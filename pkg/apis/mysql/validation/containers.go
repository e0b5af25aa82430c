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
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

var (
	// ownContainers are the names of the containers that every pod has.
	ownContainers = []string{"mysql", "agent"}
	// ownVolumes are the names of the volumes that every pod has.
	ownVolumes = []string{"agent-bin", "config", "credentials", "data", "run", "tls", "tmp", "user-secret"}
	// sharedVolumes are those that the user's containers may look into: the data, and the directory of the socket.
	sharedVolumes = []string{"data", "run"}
	// ownPorts are what MySQL and its agent listen on. All containers of a pod share one network.
	ownPorts = []int32{3306, 7306, 7307}
	// ownDirectories are where the MySQL container has the product's files.
	ownDirectories = []string{"/etc/mysql-agent", "/opt/mysql-agent", "/run/mysqld", "/tmp", "/var/lib/mysql", "/var/run/mysqld"}
)

// restricted tells why something is refused that Kubernetes would refuse for each single pod.
const restricted = "the pods satisfy the restricted Pod Security level, which does not allow it"

func validateContainersAndVolumes(pod, old *mysql.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	newVolumes := changed(pod.Volumes, old.Volumes)
	if newVolumes {
		for i := range pod.Volumes {
			errs = append(errs, validateVolume(&pod.Volumes[i], path.Child("volumes").Index(i))...)
		}
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	if newVolumes || changed(pod.VolumeMounts, old.VolumeMounts) {
		for i := range pod.VolumeMounts {
			at := path.Child("volumeMounts").Index(i)
			errs = append(errs, validateMount(&pod.VolumeMounts[i], volumes, at)...)
			errs = append(errs, validateMountPath(pod.VolumeMounts[i].MountPath, at.Child("mountPath"))...)
		}
	}
	newInit, newContainers := changed(pod.InitContainers, old.InitContainers), changed(pod.Containers, old.Containers)
	if newVolumes || newInit {
		errs = append(errs, validateContainers(pod.InitContainers, volumes, path.Child("initContainers"))...)
	}
	if newVolumes || newContainers {
		errs = append(errs, validateContainers(pod.Containers, volumes, path.Child("containers"))...)
	}
	if newInit || newContainers {
		errs = append(errs, validateNamesApart(pod, path.Child("containers"))...)
	}
	return errs
}

// validateNamesApart refuses a container with the name of an init container. Names within one list differ by a declarative rule.
func validateNamesApart(pod *mysql.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range pod.Containers {
		name := pod.Containers[i].Name
		if slices.ContainsFunc(pod.InitContainers, func(c corev1.Container) bool { return c.Name == name }) {
			errs = append(errs, field.Duplicate(path.Index(i).Child("name"), name))
		}
	}
	return errs
}

func validateContainers(containers []corev1.Container, volumes map[string]bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range containers {
		errs = append(errs, validateContainer(&containers[i], volumes, path.Index(i))...)
	}
	return errs
}

func validateVolume(volume *corev1.Volume, path *field.Path) field.ErrorList {
	errs := invalid(path.Child("name"), volume.Name, validation.IsDNS1123Label(volume.Name))
	if slices.Contains(ownVolumes, volume.Name) {
		errs = append(errs, field.Forbidden(path.Child("name"), fmt.Sprintf("the pods have a volume %s of their own: choose another name", volume.Name)))
	}
	s := &volume.VolumeSource
	if s.HostPath != nil {
		return append(errs, field.Forbidden(path.Child("hostPath"), restricted))
	}
	sources := 0
	for _, given := range []bool{s.ConfigMap != nil, s.CSI != nil, s.DownwardAPI != nil, s.EmptyDir != nil, s.Ephemeral != nil,
		s.Image != nil, s.PersistentVolumeClaim != nil, s.Projected != nil, s.Secret != nil} {
		if given {
			sources++
		}
	}
	if sources != 1 {
		errs = append(errs, field.Invalid(path, volume.Name, "exactly one of configMap, csi, downwardAPI, emptyDir, ephemeral, image, "+
			"persistentVolumeClaim, projected and secret is needed; the restricted Pod Security level of the pods allows no others"))
	}
	return errs
}

func validateMount(mount *corev1.VolumeMount, volumes map[string]bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if !volumes[mount.Name] {
		errs = append(errs, field.NotFound(path.Child("name"), mount.Name))
	}
	if mount.MountPath == "" {
		errs = append(errs, field.Required(path.Child("mountPath"), ""))
	}
	if mount.MountPropagation != nil && *mount.MountPropagation == corev1.MountPropagationBidirectional {
		errs = append(errs, field.Forbidden(path.Child("mountPropagation"), restricted))
	}
	if mount.SubPath != "" && mount.SubPathExpr != "" {
		errs = append(errs, field.Forbidden(path.Child("subPathExpr"), "subPath is given already"))
	}
	errs = append(errs, validateSubPath(mount.SubPath, path.Child("subPath"))...)
	return append(errs, validateSubPath(mount.SubPathExpr, path.Child("subPathExpr"))...)
}

func validateSubPath(subPath string, path *field.Path) field.ErrorList {
	if strings.HasPrefix(subPath, "/") || slices.Contains(strings.Split(subPath, "/"), "..") {
		return field.ErrorList{field.Invalid(path, subPath, `has to be a relative path without ".."`)}
	}
	return nil
}

// validateMountPath refuses mounts that would hide files of the product, or lie among them.
func validateMountPath(mountPath string, fldPath *field.Path) field.ErrorList {
	if mountPath == "" {
		return nil
	}
	if !strings.HasPrefix(mountPath, "/") || strings.Contains(mountPath, ":") {
		return field.ErrorList{field.Invalid(fldPath, mountPath, "has to be an absolute path without a colon")}
	}
	clean := path.Clean(mountPath)
	for _, own := range ownDirectories {
		if within(clean, own) || within(own, clean) {
			return field.ErrorList{field.Forbidden(fldPath, fmt.Sprintf("it overlaps %s, which MySQL and its agent use", own))}
		}
	}
	return nil
}

// within tells whether file is dir or lies below it.
func within(file, dir string) bool {
	return file == dir || dir == "/" || strings.HasPrefix(file, dir+"/")
}

func validateContainer(c *corev1.Container, volumes map[string]bool, path *field.Path) field.ErrorList {
	errs := invalid(path.Child("name"), c.Name, validation.IsDNS1123Label(c.Name))
	if slices.Contains(ownContainers, c.Name) {
		errs = append(errs, field.Forbidden(path.Child("name"), fmt.Sprintf("the pods have a container %s of their own: choose another name", c.Name)))
	}
	if c.Image == "" {
		errs = append(errs, field.Required(path.Child("image"), ""))
	}
	errs = append(errs, validateImage(c.Image, path.Child("image"))...)
	errs = append(errs, validatePullPolicy(c.ImagePullPolicy, path.Child("imagePullPolicy"))...)
	errs = append(errs, validateResources(&c.Resources, path.Child("resources"))...)
	errs = append(errs, validateContainerMounts(c.VolumeMounts, volumes, path.Child("volumeMounts"))...)
	for i, port := range c.Ports {
		at := path.Child("ports").Index(i)
		errs = append(errs, invalid(at.Child("containerPort"), fmt.Sprint(port.ContainerPort), validation.IsValidPortNum(int(port.ContainerPort)))...)
		if slices.Contains(ownPorts, port.ContainerPort) {
			errs = append(errs, field.Forbidden(at.Child("containerPort"), "MySQL or its agent listens on this port of the pod"))
		}
		if port.HostPort != 0 {
			errs = append(errs, field.Forbidden(at.Child("hostPort"), restricted))
		}
	}
	if s := c.SecurityContext; s != nil {
		if s.Privileged != nil && *s.Privileged {
			errs = append(errs, field.Forbidden(path.Child("securityContext", "privileged"), restricted))
		}
		if s.AllowPrivilegeEscalation != nil && *s.AllowPrivilegeEscalation {
			errs = append(errs, field.Forbidden(path.Child("securityContext", "allowPrivilegeEscalation"), restricted))
		}
	}
	return errs
}

// validateContainerMounts lets the user's containers mount what they bring along and, to read only, the data and the socket.
func validateContainerMounts(mounts []corev1.VolumeMount, volumes map[string]bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range mounts {
		mount, at := &mounts[i], path.Index(i)
		switch {
		case !slices.Contains(sharedVolumes, mount.Name):
			errs = append(errs, validateMount(mount, volumes, at)...)
		case !mount.ReadOnly:
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("the volume %s may only be mounted with readOnly: true", mount.Name)))
		}
	}
	return errs
}
