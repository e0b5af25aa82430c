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

// Package volumes provisions the default storage class: each volume is a directory on this machine.
//
// Kubernetes' own provisioner of host paths is not used: it knows one place only, and its directories belong to root, so that
// no pod that passes the restricted Pod Security level could write to them.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// Run provisions and deletes volumes below a directory until the context ends.
func Run(ctx context.Context, kubeconfig, dir string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	controller.NewProvisionController(ctx, client, layout.StorageClass, directories{root: dir},
		controller.LeaderElection(false), controller.Threadiness(4)).Run(ctx)
	return nil
}

// directories makes volumes of kind local: unlike a host path, the kubelet gives them the group that a pod asks for (fsGroup).
type directories struct{ root string }

// Provision makes a volume's directory. Whatever user a container runs as can write to it: a local volume is of use to no other machine.
func (d directories) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if mode := o.PVC.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
		return nil, controller.ProvisioningFinished, errors.New("block volumes are not supported by the local storage class")
	}
	if o.PVC.Spec.Selector != nil {
		return nil, controller.ProvisioningFinished, errors.New("selectors are not supported by the local storage class")
	}
	size := o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]
	if err := d.fits(size.Value()); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	path := filepath.Join(d.root, o.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make the volume's directory: %w", err)
	}
	if err := os.Chmod(path, 0o777); err != nil { // whatever the umask
		return nil, controller.ProvisioningFinished, fmt.Errorf("make the volume's directory: %w", err)
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: size},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{layout.NodeName},
				}}}},
			}},
		},
	}, controller.ProvisioningFinished, nil
}

// fits refuses a volume that is larger than the whole disk, as a real storage system would. Nothing is reserved.
func (d directories) fits(size int64) error {
	if err := os.MkdirAll(d.root, 0o755); err != nil {
		return fmt.Errorf("make the directory of volumes: %w", err)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(d.root, &disk); err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if total := int64(disk.Blocks) * disk.Bsize; size > total {
		return fmt.Errorf("a volume of %d bytes was asked for, but the disk has only %d", size, total)
	}
	return nil
}

// Delete removes a volume with its data.
func (d directories) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.Local == nil {
		return &controller.IgnoredError{Reason: "not a local volume"}
	}
	path := filepath.Clean(volume.Spec.Local.Path)
	if !strings.HasPrefix(path, filepath.Clean(d.root)+string(filepath.Separator)) {
		return &controller.IgnoredError{Reason: "not a volume of ours"}
	}
	return os.RemoveAll(path)
}
