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

package topology

import (
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// stuckFailover is a cluster of three whose primary is lost, and whose failover to node 1 waits for node 2; somebody has then forced one to the
// given node.
func stuckFailover(to string) *Observed {
	o := healthy(3)
	o.Record.Primary, o.Record.Term = nodeName(1), 4
	o.Record.Operation = &Operation{
		UID: "forced", Kind: KindFailover, Forced: true, RequestedBy: "bob", From: nodeName(0), To: to, Term: 4, Acks: 1, Phase: PhaseRequested, StartedAt: noon,
	}
	o.Nodes[0].Connected = false
	o.Nodes[1].State = started(theTx)
	o.Nodes[2].Connected = false
	return o
}

func TestForcedFailoverOvertakesAStuckOne(t *testing.T) {
	for _, to := range []string{nodeName(1), ""} {
		d := Decide(*stuckFailover(to))
		if d.Record == nil || d.Record.Primary != nodeName(1) || d.Record.Term != 5 || d.Record.RequiredAcks != 0 {
			t.Fatalf("forced to %q: the record is %+v", to, d.Record)
		}
		o := stuckFailover(to)
		o.Record = *d.Record
		if got := orderTo(t, Decide(*o), 1); got.Kind != api.OrderPromote || got.ReadOnly {
			t.Errorf("forced to %q: the order is %+v", to, got)
		}
	}
}

// While the target of a forced failover does not answer, the recorded primary is as little safe as before, also when the request is given up.
func TestForcedRequestDoesNotMakeThePendingPrimarySafe(t *testing.T) {
	o := stuckFailover(nodeName(2))
	d := Decide(*o)
	wantNoRecord(t, d)
	if got := orderTo(t, d, 1); got.Kind != api.OrderPromote || !got.ReadOnly {
		t.Errorf("the order is %+v", got)
	}
	o.Now = noon.Add(requestTimeout + time.Second)
	d = Decide(*o)
	if d.Record == nil || d.Ended == nil || d.Ended.Outcome != OutcomeGivenUp {
		t.Fatalf("the record is %+v, ended %+v", d.Record, d.Ended)
	}
	o.Record = *d.Record
	if got := orderTo(t, Decide(*o), 1); got.Kind != api.OrderPromote || !got.ReadOnly {
		t.Errorf("after the request was given up, the order is %+v", got)
	}
}
