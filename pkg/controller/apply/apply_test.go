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

package apply

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestApplyHappensWhenThereIsAReason(t *testing.T) {
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	object := func(uid types.UID, version string, generation int64) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{UID: uid, ResourceVersion: version, Generation: generation}}
	}
	for name, test := range map[string]struct {
		wanted string
		live   metav1.Object
		later  time.Duration
		stored metav1.Object
		again  bool
	}{
		"nothing has changed":                   {"a", object("x", "10", 0), 0, object("x", "10", 0), false},
		"the cache is behind":                   {"a", object("x", "9", 0), 0, object("x", "10", 0), false},
		"something else is wanted":              {"b", object("x", "10", 0), 0, object("x", "10", 0), true},
		"somebody changed it":                   {"a", object("x", "11", 0), 0, object("x", "10", 0), true},
		"it is gone":                            {"a", nil, 0, object("x", "10", 0), true},
		"it was long ago":                       {"a", object("x", "10", 0), maxAge + time.Second, object("x", "10", 0), true},
		"only its status changed":               {"a", object("x", "99", 4), 0, object("x", "10", 4), false},
		"somebody changed its spec":             {"a", object("x", "99", 5), 0, object("x", "10", 4), true},
		"resource versions can not be compared": {"a", object("x", "?", 0), 0, object("x", "10", 0), true},
	} {
		t.Run(name, func(t *testing.T) {
			var m Memory
			calls := 0
			do := func() (metav1.Object, error) { calls++; return test.stored, nil }
			if err := m.Apply("configmaps/x", "a", nil, false, noon, do); err != nil || calls != 1 {
				t.Fatalf("%d calls, error %v", calls, err)
			}
			if err := m.Apply("configmaps/x", test.wanted, test.live, false, noon.Add(test.later), do); err != nil {
				t.Fatal(err)
			}
			if again := calls == 2; again != test.again {
				t.Errorf("applied again: %t", again)
			}
		})
	}
}

func TestApplyLeavesOthersObjectsAlone(t *testing.T) {
	var m Memory
	err := m.Apply("services/x", "a", nil, true, time.Now(), func() (metav1.Object, error) {
		t.Error("it was applied")
		return nil, nil
	})
	if !errors.Is(err, ErrNameTaken) {
		t.Errorf("the error is %v", err)
	}
}

func TestFailedApplyIsRepeated(t *testing.T) {
	var m Memory
	calls := 0
	for range 2 {
		if err := m.Apply("services/x", "a", &corev1.Service{}, false, time.Now(), func() (metav1.Object, error) {
			calls++
			return nil, errors.New("refused")
		}); err == nil {
			t.Error("nothing was said")
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
}
