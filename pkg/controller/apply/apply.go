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

// Package apply applies objects to Kubernetes by server-side apply, and only when there is a reason to: when what is wanted has changed,
// when somebody changed the object, or when it was long ago.
package apply

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// FieldManager is the name under which the controller owns fields.
const FieldManager = "mysql-controller"

// Options apply with force: whoever else sets our fields is overruled.
var Options = metav1.ApplyOptions{FieldManager: FieldManager, Force: true}

// ErrNameTaken is returned for an object that is not ours: it belongs to another controller, or was made by somebody by hand.
var ErrNameTaken = errors.New("an object of this name exists that is not the cluster's: delete or rename it, or give the cluster another name")

// maxAge is how long an object is taken to be as it was applied without looking.
const maxAge = 10 * time.Minute

// Memory remembers what was applied. It is safe for concurrent use; the zero value is ready.
type Memory struct {
	mu      sync.Mutex
	applied map[string]applied
}

type applied struct {
	sum             [sha256.Size]byte
	uid             types.UID
	generation      int64
	resourceVersion string
	at              time.Time
}

// Apply calls do, which applies the object and returns it, if the object is not known to be as wanted. The key names the object, live
// is the object as cached, nil if it is not there. An object of others is left alone.
func (m *Memory) Apply(key string, wanted any, live metav1.Object, others bool, now time.Time, do func() (metav1.Object, error)) error {
	if others {
		return fmt.Errorf("%s: %w", key, ErrNameTaken)
	}
	text, err := json.Marshal(wanted)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	sum := sha256.Sum256(text)
	if m.upToDate(key, sum, live, now) {
		return nil
	}
	object, err := do()
	if err != nil {
		return fmt.Errorf("apply %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.applied == nil {
		m.applied = map[string]applied{}
	}
	m.applied[key] = applied{
		sum: sum, uid: object.GetUID(), generation: object.GetGeneration(), resourceVersion: object.GetResourceVersion(), at: now,
	}
	return nil
}

func (m *Memory) upToDate(key string, sum [sha256.Size]byte, live metav1.Object, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, known := m.applied[key]
	if !known || live == nil || a.sum != sum || a.uid != live.GetUID() || now.Sub(a.at) > maxAge {
		return false
	}
	if a.generation > 0 {
		// Its status changes without end; what we set is part of the generation.
		return live.GetGeneration() <= a.generation
	}
	// The cache may be behind what was applied, it is not ahead unless somebody changed the object.
	order, err := resourceversion.CompareResourceVersion(live.GetResourceVersion(), a.resourceVersion)
	return err == nil && order <= 0
}

// Forget drops what is remembered of an object.
func (m *Memory) Forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.applied, key)
}
