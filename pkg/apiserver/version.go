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

package apiserver

import (
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	basecompatibility "k8s.io/component-base/compatibility"
)

// servedVersion makes /version tell the version of Kubernetes' API machinery, which clients compare with their own. Unless the linker is
// told a version, Kubernetes' default is a placeholder that kubectl can not parse.
type servedVersion struct {
	basecompatibility.EffectiveVersion
}

// Info implements basecompatibility.EffectiveVersion.
func (v servedVersion) Info() *apimachineryversion.Info {
	info := v.EffectiveVersion.Info()
	if binary := v.BinaryVersion(); info != nil && binary != nil {
		info.GitVersion = "v" + binary.String()
		if len(binary.Components()) == 2 {
			info.GitVersion += ".0"
		}
		info.GitCommit, info.GitTreeState = "", ""
	}
	return info
}
