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

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// validateMinAvailable compares with the size only when minAvailable itself is set: a cluster can be scaled down below it, which
// Warnings points out, since scaling must not depend on who set the budget.
func validateMinAvailable(spec *mysql.MysqlClusterSpec, path *field.Path) field.ErrorList {
	value := spec.MinAvailable
	if value == nil {
		return nil
	}
	if value.Type == intstr.String && len(validation.IsValidPercent(value.StrVal)) > 0 {
		return field.ErrorList{field.Invalid(path, value.StrVal, `has to be a number of nodes, such as 1, or a share of them, such as "50%"`)}
	}
	replicas := sizeOf(spec)
	nodes, err := intstr.GetScaledValueFromIntOrPercent(value, replicas, true)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(path, value.String(), err.Error())}
	case value.Type == intstr.Int && value.IntVal < 0:
		return field.ErrorList{field.Invalid(path, value.IntVal, "has to be 0 or more")}
	case nodes > replicas && replicas > 0:
		return field.ErrorList{field.Invalid(path, value.String(), fmt.Sprintf("is more than the %d nodes that there are", replicas))}
	case isOver100(value):
		return field.ErrorList{field.Invalid(path, value.String(), "has to be 100% or less")}
	}
	return nil
}

// isOver100 judges a share whose form has been checked. It cannot be left to the comparison with the size, which may be 0.
func isOver100(value *intstr.IntOrString) bool {
	percent, err := intstr.GetScaledValueFromIntOrPercent(value, 100, true)
	return value.Type == intstr.String && (err != nil || percent > 100)
}

// sizeOf returns the number of nodes that a cluster is to have.
func sizeOf(spec *mysql.MysqlClusterSpec) int {
	if spec.Replicas == nil {
		return 1
	}
	return int(*spec.Replicas)
}
