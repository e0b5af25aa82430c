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

// Package deploy puts objects into the running Kubernetes: what every local cluster has, the product, and the example.
package deploy

import (
	"fmt"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Kustomization renders the layer that puts a tag on the product's image over the manifests in base. Kustomize wants the
// way there relative to dir, which the file is written to.
func Kustomization(dir, base, image, tag string) ([]byte, error) {
	way, err := filepath.Rel(dir, base)
	if err != nil {
		return nil, fmt.Errorf("find the way from %s to %s: %w", dir, base, err)
	}
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"resources":  []string{filepath.ToSlash(way)},
		"images":     []any{map[string]any{"name": image, "newTag": tag}},
	})
	if err != nil {
		return nil, fmt.Errorf("render the kustomization: %w", err)
	}
	return append([]byte("# Written by localkube at each up. The tag is a digest of the programs in the image.\n"), data...), nil
}
