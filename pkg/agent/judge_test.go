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

package agent

import (
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

func TestJudge(t *testing.T) {
	source := &api.Endpoint{Host: "foo-mysql-0.foo.ns.svc", Port: 3306}
	emptyNode := situation{clusterUID: "u", phase: api.PhaseEmpty}
	node := situation{clusterUID: "u", record: volume.Record{ClusterUID: "u", Term: 5}, hasData: true, phase: api.PhaseRunning}
	foreign := situation{clusterUID: "u", foreign: []string{"ibdata1", "mysql"}, phase: api.PhaseStopped}
	with := func(s situation, change func(*situation)) situation { change(&s); return s }
	order := func(kind api.OrderKind, term int64) api.Order {
		return api.Order{ClusterUID: "u", Kind: kind, Term: term, Source: source}
	}
	outdated := func(o api.Order) api.Order { o.Basis = "1-1"; return o }
	discard := func(o api.Order) api.Order { o.Discard = true; return o }

	tests := map[string]struct {
		order  api.Order
		now    situation
		want   verdict
		reason string
	}{
		"initialise an empty node":                {order(api.OrderInitialize, 1), emptyNode, execute, ""},
		"clone to an empty node":                  {order(api.OrderClone, 1), emptyNode, execute, ""},
		"initialise beside foreign files":         {order(api.OrderInitialize, 1), foreign, refuse, api.RefusedHasData},
		"clone beside foreign files":              {order(api.OrderClone, 1), foreign, refuse, api.RefusedHasData},
		"the same, when data may go":              {discard(order(api.OrderClone, 1)), foreign, refuse, api.RefusedHasData},
		"promote beside foreign files":            {order(api.OrderPromote, 1), foreign, refuse, api.RefusedNoData},
		"initialise a node with data":             {order(api.OrderInitialize, 5), node, refuse, api.RefusedHasData},
		"clone to a node with data":               {order(api.OrderClone, 5), node, refuse, api.RefusedHasData},
		"clone to a node whose data may go":       {discard(order(api.OrderClone, 5)), node, execute, ""},
		"the same, done already in this term":     {discard(order(api.OrderClone, 5)), with(node, func(s *situation) { s.record.DiscardTerm = 5 }), alreadyDone, ""},
		"the same, done in an earlier term":       {discard(order(api.OrderClone, 6)), with(node, func(s *situation) { s.record.DiscardTerm = 5 }), execute, ""},
		"the same, done for another cluster":      {discard(order(api.OrderClone, 5)), with(node, func(s *situation) { s.record = volume.Record{ClusterUID: "old", DiscardTerm: 5} }), execute, ""},
		"the same, interrupted after the removal": {discard(order(api.OrderClone, 5)), with(emptyNode, func(s *situation) { s.record = volume.Record{ClusterUID: "u", Term: 5, DiscardTerm: 5} }), execute, ""},
		"promote an empty node":                   {order(api.OrderPromote, 1), emptyNode, refuse, api.RefusedNoData},
		"follow on an empty node":                 {order(api.OrderFollow, 1), emptyNode, refuse, api.RefusedNoData},
		"promote":                                 {order(api.OrderPromote, 5), node, execute, ""},
		"promote in a newer term":                 {order(api.OrderPromote, 6), node, execute, ""},
		"promote in an older term":                {order(api.OrderPromote, 4), node, refuse, api.RefusedOldTerm},
		"initialise in an older term":             {order(api.OrderInitialize, 4), with(emptyNode, func(s *situation) { s.record = node.record }), refuse, api.RefusedOldTerm},
		"a low term on another cluster's data":    {order(api.OrderPromote, 1), with(node, func(s *situation) { s.record.ClusterUID = "old" }), execute, ""},
		"an order based on what was before":       {outdated(order(api.OrderPromote, 5)), node, refuse, api.RefusedOutdated},
		"the same, in a newer term":               {outdated(order(api.OrderPromote, 6)), node, refuse, api.RefusedOutdated},
		"the same, in an older term":              {outdated(order(api.OrderPromote, 4)), node, refuse, api.RefusedOldTerm},
		"the same, while cloning":                 {outdated(order(api.OrderClone, 5)), with(emptyNode, func(s *situation) { s.underway = api.OrderClone }), refuse, api.RefusedOutdated},
		"the same, on another cluster's data":     {outdated(order(api.OrderPromote, 1)), with(node, func(s *situation) { s.record.ClusterUID = "old" }), refuse, api.RefusedOutdated},
		"an order for another pod":                {api.Order{ClusterUID: "u", PodUID: "other", Kind: api.OrderDemote, Term: 9}, node, refuse, api.RefusedInvalid},
		"an order of another cluster":             {api.Order{ClusterUID: "other", Kind: api.OrderDemote, Term: 9}, node, refuse, api.RefusedInvalid},
		"demote while mysqld starts":              {order(api.OrderDemote, 5), with(node, func(s *situation) { s.phase = api.PhaseStarting }), refuse, api.RefusedBusy},
		"demote while mysqld hangs":               {order(api.OrderDemote, 5), with(node, func(s *situation) { s.phase = api.PhaseHung }), kill, ""},
		"follow while mysqld hangs":               {order(api.OrderFollow, 6), with(node, func(s *situation) { s.phase = api.PhaseHung }), kill, ""},
		"follow in an older term while it hangs":  {order(api.OrderFollow, 4), with(node, func(s *situation) { s.phase = api.PhaseHung }), refuse, api.RefusedOldTerm},
		"an outdated follow while it hangs":       {outdated(order(api.OrderFollow, 5)), with(node, func(s *situation) { s.phase = api.PhaseHung }), refuse, api.RefusedOutdated},
		"promote while mysqld hangs":              {order(api.OrderPromote, 5), with(node, func(s *situation) { s.phase = api.PhaseHung }), refuse, api.RefusedBusy},
		"clone while cloning":                     {order(api.OrderClone, 5), with(emptyNode, func(s *situation) { s.underway = api.OrderClone }), alreadyUnderway, ""},
		"initialise while cloning":                {order(api.OrderInitialize, 5), with(emptyNode, func(s *situation) { s.underway = api.OrderClone }), refuse, api.RefusedBusy},
		"an older term while cloning":             {order(api.OrderClone, 4), with(node, func(s *situation) { s.underway = api.OrderClone }), refuse, api.RefusedOldTerm},
		"no term":                                 {order(api.OrderDemote, 0), node, refuse, api.RefusedInvalid},
		"no kind":                                 {order("", 5), node, refuse, api.RefusedInvalid},
		"follow nobody":                           {api.Order{ClusterUID: "u", Kind: api.OrderFollow, Term: 5}, node, refuse, api.RefusedInvalid},
		"follow a port that is none":              {api.Order{ClusterUID: "u", Kind: api.OrderFollow, Term: 5, Source: &api.Endpoint{Host: "x", Port: 70000}}, node, refuse, api.RefusedInvalid},
		"clone from nobody":                       {api.Order{ClusterUID: "u", Kind: api.OrderClone, Term: 5, Source: &api.Endpoint{Port: 1}}, emptyNode, refuse, api.RefusedInvalid},
		"negative acknowledgements":               {api.Order{ClusterUID: "u", Kind: api.OrderPromote, Term: 5, RequiredAcks: -1}, node, refuse, api.RefusedInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, reason, message := judge(test.order, test.now)
			if got != test.want || reason != test.reason {
				t.Errorf("judge = %d, %q (%s), want %d, %q", got, reason, message, test.want, test.reason)
			}
			if got == refuse && message == "" {
				t.Error("a refusal is not explained")
			}
		})
	}
}

func TestForeignMessageNamesSomeFiles(t *testing.T) {
	for want, names := range map[string][]string{
		"(ibdata1, mysql):":    {"ibdata1", "mysql"},
		"(a, b, c, d, e):":     {"a", "b", "c", "d", "e"},
		"(a, b, c, d, e, …): ": {"a", "b", "c", "d", "e", "f"},
	} {
		if got := foreignMessage(names); !strings.Contains(got, want) {
			t.Errorf("foreignMessage(%q) = %q, want it to contain %q", names, got, want)
		}
	}
}
