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

package controller

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestNoErrorHidesBehindAHarmlessOne(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	conflict := apierrors.NewConflict(pods, "a", errors.New("changed"))
	forbidden := apierrors.NewForbidden(pods, "b", errors.New("no right"))
	terminating := apierrors.NewForbidden(pods, "c", errors.New("the namespace ends"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	wrap := func(err error) error { return fmt.Errorf("apply: %w", err) }

	for name, test := range map[string]struct {
		err                   error
		conflict, terminating bool
	}{
		"none":                             {nil, false, false},
		"nothing joined":                   {errors.Join(nil, nil), false, false},
		"a conflict":                       {conflict, true, false},
		"a wrapped conflict":               {wrap(conflict), true, false},
		"conflicts":                        {errors.Join(conflict, nil, wrap(conflict)), true, false},
		"forbidden":                        {forbidden, false, false},
		"forbidden behind a conflict":      {errors.Join(conflict, forbidden), false, false},
		"the same, deep":                   {wrap(errors.Join(conflict, errors.Join(wrap(conflict), wrap(errors.Join(forbidden))))), false, false},
		"something else behind a conflict": {errors.Join(conflict, errors.New("timeout")), false, false},
		"terminating":                      {errors.Join(terminating, wrap(terminating)), false, true},
		"forbidden behind the terminating": {errors.Join(terminating, forbidden), false, false},
		"conflict besides the terminating": {errors.Join(conflict, terminating), false, true},
	} {
		if got := isConflict(test.err); got != test.conflict {
			t.Errorf("%s: conflict is %t", name, got)
		}
		if got := isTerminating(test.err); got != test.terminating {
			t.Errorf("%s: terminating is %t", name, got)
		}
	}
}
