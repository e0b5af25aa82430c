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
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
)

// Safety rule 3: an order that lowers the acknowledgements rests on the record that is stored, not on a cache that may be behind it.
func TestStaleRecordDoesNotLowerTheAcknowledgements(t *testing.T) {
	stored := newCluster()
	stored.Status = v1alpha1.MysqlClusterStatus{Term: 3, RequiredAcknowledgements: 1}
	h := newHarness(t, stored)
	g := &gathered{observed: topology.Observed{Nodes: []topology.Node{{
		Name: "db-mysql-0", State: &api.State{SemiSync: api.SemiSync{SourceEnabled: true, RequiredAcks: 1}},
	}}}}
	order := func(acks int) topology.Decision {
		return topology.Decision{Orders: []topology.NodeOrder{{Node: "db-mysql-0", Order: api.Order{Kind: api.OrderPromote, RequiredAcks: acks}}}}
	}
	stale := stored.DeepCopy()
	stale.Status.RequiredAcknowledgements = 0
	m := &memory{}
	if err := h.c.confirm(h.ctx, m, stale, order(0), g); err == nil || m.newest == nil || m.newest.Status.RequiredAcknowledgements != 1 {
		t.Errorf("lowered by a stale record: %v, %+v", err, m.newest)
	}
	if err := h.c.confirm(h.ctx, m, stale, order(1), g); err != nil {
		t.Errorf("nothing is lowered, and yet: %v", err)
	}
	fresh := stored.DeepCopy()
	if err := h.c.confirm(h.ctx, m, fresh, order(0), g); err != nil {
		t.Error(err)
	}
}
