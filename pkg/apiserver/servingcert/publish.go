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

package servingcert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// publish makes kube-apiserver trust the bundle, by writing it into the APIServices that lead to our Service. One that does not exist yet is
// left for when it does: its creation is watched.
func (m *Manager) publish(ctx context.Context, bundle []byte) error {
	for _, name := range m.options.APIServices {
		service, err := m.aggregator.ApiregistrationV1().APIServices().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("get the APIService %s: %w", name, err)
		}
		patch, err := caBundlePatch(service, m.options.Namespace, m.options.Service, bundle)
		if err != nil {
			return err
		}
		if patch == nil {
			continue
		}
		_, err = m.aggregator.ApiregistrationV1().APIServices().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
		if err != nil {
			return fmt.Errorf("write caBundle into the APIService %s: %w", name, err)
		}
		klog.FromContext(ctx).Info("Wrote caBundle", "apiService", name)
	}
	return nil
}

// caBundlePatch is the merge patch that an APIService needs to trust the bundle; nil if it does, or if it leads to another Service, which is
// another installation's business.
func caBundlePatch(service *apiregistrationv1.APIService, namespace, name string, bundle []byte) ([]byte, error) {
	spec := &service.Spec
	if spec.Service == nil || spec.Service.Namespace != namespace || spec.Service.Name != name {
		return nil, nil
	}
	if bytes.Equal(spec.CABundle, bundle) && !spec.InsecureSkipTLSVerify {
		return nil, nil
	}
	return json.Marshal(map[string]any{
		// If somebody changes it at the same time, look again.
		"metadata": map[string]any{"resourceVersion": service.ResourceVersion},
		"spec":     map[string]any{"caBundle": bundle, "insecureSkipTLSVerify": nil},
	})
}
