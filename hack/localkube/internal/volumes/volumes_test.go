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

package volumes

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func options(name, size string) controller.ProvisionOptions {
	policy := corev1.PersistentVolumeReclaimDelete
	claim := &corev1.PersistentVolumeClaim{}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	return controller.ProvisionOptions{PVName: name, PVC: claim, StorageClass: &storagev1.StorageClass{ReclaimPolicy: &policy}}
}

func TestVolumeIsWritableForAllAndGoneWhenDeleted(t *testing.T) {
	d := directories{root: filepath.Join(t.TempDir(), "volumes")}
	volume, _, err := d.Provision(context.Background(), options("pvc-1", "1Mi"))
	if err != nil {
		t.Fatal(err)
	}
	path := volume.Spec.Local.Path
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o777 {
		t.Fatalf("got %v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(path, "data"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(context.Background(), volume); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the data are still there: %v", err)
	}
}

func TestVolumeLargerThanTheDiskIsRefused(t *testing.T) {
	d := directories{root: t.TempDir()}
	if _, _, err := d.Provision(context.Background(), options("pvc-1", "8Ei")); err == nil {
		t.Error("it was provisioned")
	}
}

func TestDeleteSparesWhatIsNotOurs(t *testing.T) {
	d := directories{root: t.TempDir()}
	other := t.TempDir()
	for _, path := range []string{other, d.root, d.root + "/../" + filepath.Base(other)} {
		volume := &corev1.PersistentVolume{}
		volume.Spec.Local = &corev1.LocalVolumeSource{Path: path}
		if err := d.Delete(context.Background(), volume); err == nil {
			t.Errorf("%s was deleted", path)
		}
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}
