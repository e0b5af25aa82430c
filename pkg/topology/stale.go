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
	"fmt"
)

// A record that is behind.
//
// The record lives in the API server's storage, the terms that were accepted live on the nodes' volumes. If the storage was restored
// from a backup, the nodes know of a term that the record does not: decisions were made that it has forgotten, possibly on
// another primary. Going on with the old record would not work (nodes refuse old terms) and might not be safe. So:
//
//   - If one node is the writable primary of the highest term, it was the last decision. The record is brought up to it, with the next term.
//   - Otherwise, when all nodes report, the one that has everything becomes the primary of the next term, as soon as all others have obeyed.

// catchUp returns a record that is newer than all that the nodes have accepted, if they are ahead of the present one.
func (v *view) catchUp() *Record {
	highest := v.highestTerm()
	if highest <= v.Record.Term {
		return nil
	}
	next := v.Record
	next.Term = highest + 1
	// Whatever was under way is not what the nodes have obeyed.
	if op := next.Operation; op != nil {
		v.ended = op.ended(OutcomeGivenUp, fmt.Sprintf("overtaken: the nodes have accepted term %d", highest), v.Now)
		next.Operation = nil
	}

	var holders, writable []*node
	for _, n := range v.nodes {
		if n.hasData() {
			holders = append(holders, n)
		}
		if n.writable() {
			writable = append(writable, n)
		}
	}
	if len(writable) == 1 && writable[0].State.Term == highest {
		next.Primary = writable[0].Name
		// What it demands may have been demanded only just now. It is recorded when the replicas have confirmed it.
		next.RequiredAcks = 0
		return &next
	}
	if !v.allDataSeen() {
		v.block(reasonRecordBehind, fmt.Sprintf("the nodes have accepted term %d while the record is of term %d; waiting for all nodes to "+
			"report, to find out which one has all data", highest, v.Record.Term))
		return nil
	}
	best, problem := mostAdvanced(holders)
	if best == nil {
		v.block(reasonIncomparable, problem)
		return nil
	}
	next.Primary = best.Name
	next.RequiredAcks = 0
	// Any of the others may have been the primary, and may take writes still: they have to obey before this one is opened.
	op := Operation{
		UID: fmt.Sprintf("term-%d", next.Term), Kind: KindFailover, Reason: "the record was behind what the nodes have accepted", To: best.Name, Term: next.Term, StartedAt: v.Now,
	}
	for _, n := range holders {
		switch {
		case n == best:
		case op.From == "":
			op.From = n.Name
		default:
			op.Via = append(op.Via, n.Name)
		}
	}
	if op.From != "" {
		next.Operation = op.in(PhasePromoting, v.Now)
	}
	return &next
}

const reasonRecordBehind = "RecordBehind"
