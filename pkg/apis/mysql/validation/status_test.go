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
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

func TestValidateMysqlClusterStatusUpdate(t *testing.T) {
	first := metav1.Unix(1000, 0)
	condition := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "AllHealthy", LastTransitionTime: first}
	noReason := condition
	noReason.Reason = ""
	status := func(term int64, at *metav1.Time, conditions ...metav1.Condition) mysql.MysqlClusterStatus {
		return mysql.MysqlClusterStatus{Term: term, InitializedAt: at, Conditions: conditions}
	}
	primary := func(name string, term int64) mysql.MysqlClusterStatus {
		return mysql.MysqlClusterStatus{Primary: name, Term: term}
	}
	during := func(term, operation int64) mysql.MysqlClusterStatus {
		return mysql.MysqlClusterStatus{Term: term, InitializedAt: &first, Operation: &mysql.MysqlClusterOperation{Term: operation}}
	}
	history := func(operations ...mysql.MysqlClusterOperation) mysql.MysqlClusterStatus {
		return mysql.MysqlClusterStatus{LastFailovers: operations}
	}
	for name, tc := range map[string]struct {
		before, after mysql.MysqlClusterStatus
		want          field.ErrorList
	}{
		"first status":  {after: status(1, &first, condition)},
		"the same term": {before: status(2, &first), after: status(2, &first)},
		"a later term":  {before: status(2, &first), after: status(3, ptr.To(metav1.Unix(1000, 0)))},
		"an older term": {before: status(2, nil), after: status(1, nil),
			want: field.ErrorList{problem(field.ErrorTypeInvalid, "status.term", "it was 2 already")}},
		"initialisation forgotten": {before: status(2, &first), after: status(2, nil),
			want: field.ErrorList{problem(field.ErrorTypeForbidden, "status.initializedAt", "stays so")}},
		"initialised at another time": {before: status(2, &first), after: status(2, ptr.To(metav1.Unix(1001, 0))),
			want: field.ErrorList{problem(field.ErrorTypeForbidden, "status.initializedAt", "stays so")}},
		"condition without a reason": {after: status(0, nil, noReason),
			want: field.ErrorList{problem(field.ErrorTypeRequired, "status.conditions[0].reason", "")}},
		"another primary in a later term": {before: primary("a", 2), after: primary("b", 3)},
		"the first primary":               {before: primary("", 2), after: primary("a", 2)},
		"another primary in the same term": {before: primary("a", 2), after: primary("b", 2),
			want: field.ErrorList{problem(field.ErrorTypeInvalid, "status.primary", "a is the primary of term 2: another one needs a higher term")}},
		"no primary in the same term": {before: primary("a", 2), after: primary("", 2),
			want: field.ErrorList{problem(field.ErrorTypeInvalid, "status.primary", "a is the primary of term 2")}},
		"a request":                  {before: status(2, &first), after: during(2, 0)},
		"an operation in its term":   {before: during(2, 0), after: during(3, 3)},
		"an operation, a term later": {before: during(3, 3), after: during(4, 3)},
		"an operation in a term to come": {before: during(2, 0), after: during(2, 3),
			want: field.ErrorList{problem(field.ErrorTypeInvalid, "status.operation.term", "is not reached yet: the term is 2")}},
		"an operation that has ended": {after: history(mysql.MysqlClusterOperation{Outcome: mysql.OperationGivenUp, FinishedAt: &metav1.MicroTime{}})},
		"an operation that has not ended": {after: history(mysql.MysqlClusterOperation{}),
			want: field.ErrorList{
				problem(field.ErrorTypeRequired, "status.lastFailovers[0].outcome", "have ended"),
				problem(field.ErrorTypeRequired, "status.lastFailovers[0].finishedAt", "have ended"),
			}},
		"an operation that has not ended, since long": {before: history(mysql.MysqlClusterOperation{}), after: history(mysql.MysqlClusterOperation{})},
		"condition without a reason since long":       {before: status(0, nil, noReason), after: status(1, nil, noReason)},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := valid(), valid()
			before.ResourceVersion, after.ResourceVersion = "1", "1"
			before.Status, after.Status = tc.before, tc.after
			byTypeFieldAndDetail.Test(t, tc.want, ValidateMysqlClusterStatusUpdate(after, before))
		})
	}
}
