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

// +k8s:openapi-gen=true
// +k8s:openapi-model-package=io.presslabs.mysql.v1alpha1
// +k8s:deepcopy-gen=package
// +k8s:conversion-gen=github.com/presslabs/mysql-apiserver/pkg/apis/mysql
// +k8s:defaulter-gen=TypeMeta
// +k8s:validation-gen=TypesWithField=TypeMeta
// +k8s:protobuf-gen=package
// +groupName=mysql.presslabs.io

// Package v1alpha1 is version v1alpha1 of the API group mysql.presslabs.io, as it is served.
package v1alpha1
