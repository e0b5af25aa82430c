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

package kubesim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mount makes the directories that the pod's first container mounts, by their paths there.
func (m *Machine) mount(ctx context.Context, pod *corev1.Pod) (map[string]string, error) {
	if len(pod.Spec.Containers) == 0 {
		return nil, fmt.Errorf("pod %s has no container", pod.Name)
	}
	dirs := map[string]string{}
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		for i := range pod.Spec.Volumes {
			if volume := &pod.Spec.Volumes[i]; volume.Name == mount.Name {
				dir, err := m.volume(ctx, pod, volume)
				if err != nil {
					return nil, fmt.Errorf("mount volume %s of pod %s: %w", volume.Name, pod.Name, err)
				}
				dirs[mount.MountPath] = filepath.Join(dir, mount.SubPath)
			}
		}
	}
	return dirs, nil
}

// volume makes the directory of a volume and fills it.
func (m *Machine) volume(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume) (string, error) {
	dir := filepath.Join(m.podDir(pod), volume.Name)
	files := map[string][]byte{}
	switch {
	case volume.PersistentVolumeClaim != nil:
		claim, err := m.client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, volume.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if err := m.provision(claim); err != nil {
			return "", err
		}
		dir = m.volumeDir(claim)
	case volume.ConfigMap != nil:
		object, err := m.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, volume.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		for name, text := range object.Data {
			files[name] = []byte(text)
		}
	case volume.Secret != nil:
		object, err := m.client.CoreV1().Secrets(pod.Namespace).Get(ctx, volume.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		for name, text := range object.Data {
			files[name] = text
		}
		for name, text := range object.StringData {
			files[name] = []byte(text)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (m *Machine) podDir(pod *corev1.Pod) string {
	return filepath.Join(m.config.Dir, "p", string(pod.UID)[:8])
}

func (m *Machine) volumeDir(claim *corev1.PersistentVolumeClaim) string {
	return filepath.Join(m.config.Dir, "v", string(claim.UID)[:8])
}

// provision makes a claim's volume, unless it is there.
func (m *Machine) provision(claim *corev1.PersistentVolumeClaim) error {
	// File systems have it, and the agent knows it.
	mark := filepath.Join(m.volumeDir(claim), "lost+found")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := os.MkdirAll(m.volumeDir(claim), 0o700); err != nil {
		return fmt.Errorf("make a volume: %w", err)
	}
	if m.config.VolumeBytes > 0 {
		if err := unix.Mount("tmpfs", m.volumeDir(claim), "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", m.config.VolumeBytes)); err != nil {
			return fmt.Errorf("mount a volume: %w", err)
		}
	}
	if err := os.Mkdir(mark, 0o700); err != nil {
		return fmt.Errorf("make a volume: %w", err)
	}
	return nil
}

// RemoveVolume removes a claim's volume, once nothing uses it any more.
func (m *Machine) RemoveVolume(claim *corev1.PersistentVolumeClaim) error {
	_ = unix.Unmount(m.volumeDir(claim), unix.MNT_DETACH) // a directory is no mount
	if err := os.RemoveAll(m.volumeDir(claim)); err != nil {
		return fmt.Errorf("remove the volume of %s: %w", claim.Name, err)
	}
	return nil
}

func (m *Machine) filler(claim *corev1.PersistentVolumeClaim) string {
	return filepath.Join(m.volumeDir(claim), "lost+found", "filler")
}

// FillVolume leaves no room on a claim's volume, which needs a size.
func (m *Machine) FillVolume(claim *corev1.PersistentVolumeClaim) error {
	file, err := os.Create(m.filler(claim))
	if err != nil {
		return fmt.Errorf("fill a volume: %w", err)
	}
	defer file.Close()
	block := make([]byte, 1<<20)
	for written := int64(0); written < m.config.VolumeBytes; {
		n, err := file.Write(block)
		written += int64(n)
		if errors.Is(err, unix.ENOSPC) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("fill a volume: %w", err)
		}
	}
	return errors.New("fill a volume: it does not get full")
}

// EmptyVolume undoes FillVolume.
func (m *Machine) EmptyVolume(claim *corev1.PersistentVolumeClaim) error {
	if err := os.Remove(m.filler(claim)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make room on a volume: %w", err)
	}
	return nil
}

// serviceOf is the name of the headless Service that gives the pod its name.
func (m *Machine) serviceOf(ctx context.Context, pod *corev1.Pod) (string, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "", fmt.Errorf("pod %s belongs to nobody", pod.Name)
	}
	set, err := m.client.AppsV1().StatefulSets(pod.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("find the Service of pod %s: %w", pod.Name, err)
	}
	return set.Spec.ServiceName, nil
}
