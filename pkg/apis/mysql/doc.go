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

// +k8s:deepcopy-gen=package
// +groupName=mysql.presslabs.io

// Package mysql holds the internal version of the API group mysql.presslabs.io: the hub that every served version is
// converted to and from. Strategies, validation and storage work on it, so that a second served version is an addition.
// It is never serialised, hence no tags. What the fields mean is told in the served version, package v1alpha1.
package mysql
