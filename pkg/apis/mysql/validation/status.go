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

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// ValidateMysqlClusterStatusUpdate judges a change of the status of a cluster. It holds on to what the safety of the data rests on,
// whoever writes.
func ValidateMysqlClusterStatusUpdate(cluster, old *mysql.MysqlCluster) field.ErrorList {
	path := field.NewPath("status")
	errs := apivalidation.ValidateObjectMetaUpdate(&cluster.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))
	errs = append(errs, validateTerm(&cluster.Status, &old.Status, path)...)
	if old.Status.InitializedAt != nil && !cluster.Status.InitializedAt.Equal(old.Status.InitializedAt) {
		errs = append(errs, field.Forbidden(path.Child("initializedAt"),
			"a cluster that has been initialised stays so: without this mark, a node could be initialised empty over lost data"))
	}
	if changed(cluster.Status.Conditions, old.Status.Conditions) {
		errs = append(errs, metav1validation.ValidateConditions(cluster.Status.Conditions, path.Child("conditions"))...)
	}
	if changed(cluster.Status.LastFailovers, old.Status.LastFailovers) {
		errs = append(errs, validateEnded(cluster.Status.LastFailovers, path.Child("lastFailovers"))...)
	}
	return errs
}

// validateTerm makes sure that a term has one primary, for ever: nodes obey by terms.
func validateTerm(status, old *mysql.MysqlClusterStatus, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if status.Term < old.Term {
		errs = append(errs, field.Invalid(path.Child("term"), status.Term, fmt.Sprintf("the term only grows, and it was %d already", old.Term)))
	}
	if status.Primary != old.Primary && old.Primary != "" && status.Term <= old.Term {
		errs = append(errs, field.Invalid(path.Child("primary"), status.Primary, fmt.Sprintf(
			"%s is the primary of term %d: another one needs a higher term", old.Primary, old.Term)))
	}
	if o := status.Operation; o != nil && o.Term > status.Term && changed(o, old.Operation) {
		errs = append(errs, field.Invalid(path.Child("operation", "term"), o.Term, fmt.Sprintf("is not reached yet: the term is %d", status.Term)))
	}
	return errs
}

// validateEnded judges the history: it is for people, who want to know how each operation ended.
func validateEnded(operations []mysql.MysqlClusterOperation, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, o := range operations {
		if o.Outcome == "" {
			errs = append(errs, field.Required(path.Index(i).Child("outcome"), "only operations that have ended are kept here"))
		}
		if o.FinishedAt == nil {
			errs = append(errs, field.Required(path.Index(i).Child("finishedAt"), "only operations that have ended are kept here"))
		}
	}
	return errs
}
