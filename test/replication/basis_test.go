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

package replication

import (
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// TestOrdersCannotOvertakeEachOther: of two orders of one term that are based on the same State, only the one that arrives first is
// carried out, whichever that is.
func TestOrdersCannotOvertakeEachOther(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	lossless := api.Order{Kind: api.OrderPromote, Term: 1, ReadOnly: true, RequiredAcks: 1}
	alone := api.Order{Kind: api.OrderPromote, Term: 1, ReadOnly: true}
	bases := map[string]bool{}
	for _, orders := range [][]api.Order{{lossless, alone}, {alone, lossless}} {
		basis := n.last().Basis
		if basis == "" || bases[basis] {
			t.Fatalf("the basis %q is none, or was there before", basis)
		}
		bases[basis] = true
		first, second := orders[0], orders[1]
		first.Basis, second.Basis = basis, basis
		result := n.order(first, api.OutcomeDone)
		n.refuses(second, api.RefusedOutdated)
		if got := n.last().SemiSync.RequiredAcks; got != first.RequiredAcks || result.State.Basis != n.last().Basis {
			t.Errorf("an order that was refused has changed the node: %s", asJSON(n.last()))
		}
	}
	// In a newer term too: it was decided without knowing what the node was ordered in between.
	newer := lossless
	newer.Term, newer.Basis = 2, "1-1"
	n.refuses(newer, api.RefusedOutdated)
	if got := n.last().Term; got != 1 {
		t.Errorf("an order that was refused has raised the term to %d", got)
	}
}

// TestAnOrderDoesNotReachAServerThatWasStartedLater: the new one is read-only for a reason.
func TestAnOrderDoesNotReachAServerThatWasStartedLater(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	restarts := map[string]func(){
		"mysqld":    func() { n.signalMysqld(syscall.SIGKILL) },
		"the agent": func() { n.kill(); n.start() },
	}
	for name, restart := range restarts {
		before := n.waitFor("mysqld to run", newborn)
		restart()
		n.waitFor("a restart of "+name, func(s api.State) bool { return newborn(s) && s.Basis != before.Basis })
		n.refuses(api.Order{Kind: api.OrderPromote, Term: 1, Basis: before.Basis}, api.RefusedOutdated)
		if state := n.last(); !newborn(state) {
			t.Errorf("a delayed order has changed a node after a restart of %s: %s", name, asJSON(state))
		}
	}
}
