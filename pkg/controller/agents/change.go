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

package agents

import (
	"reflect"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// differs tells whether something changed between two reports that a decision may depend on at once: anything but the mere
// progress of time and replication.
func differs(a, b *api.State) bool {
	return !reflect.DeepEqual(withoutProgress(a), withoutProgress(b))
}

// progress tells whether transactions were executed, or wait, or replication's lag changed.
func progress(a, b *api.State) bool {
	x, y := *a, *b
	x.Sequence, y.Sequence = 0, 0
	return !reflect.DeepEqual(x, y)
}

func withoutProgress(s *api.State) api.State {
	c := *s
	c.Sequence = 0
	c.GTIDExecuted = ""
	c.GTIDPurged = ""
	c.SemiSync.WaitSessions = 0
	if c.Replication != nil {
		r := *c.Replication
		r.GTIDRetrieved, r.LagSeconds = "", nil
		c.Replication = &r
	}
	return c
}
