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

// Package topology decides what is to be done about a MySQL cluster: from what was observed of it and what was decided before to
// at most one new decision. It is pure: no I/O, no clock, no client. Whatever it forgets to look at does not happen, whatever it
// decides can be tested.
//
// The algorithm, from Observed to Decision:
//
//  1. A cluster of zero replicas is stopped. Nothing is decided, all volumes and the record stay.
//  2. A cluster without data is bootstrapped (bootstrap.go): on a fresh volume, or from volumes that were kept.
//  3. A record that is older than what the nodes have accepted is brought up to date (stale.go), and who may hold data is recorded (members.go).
//  4. A failover that a person forces comes first (switchover.go). A change of the primary that was recorded is brought to its end
//     (transition.go). A lost primary is replaced (failover.go); one that
//     works hands over when it is asked to, or has to go (switchover.go).
//  5. The number of acknowledgements follows the size of the cluster and the replicas that are there (durability.go).
//
// The first of these steps that wants another record gets it, and nothing else happens until it is stored (safety rule 2). If none
// does, the record stands and what follows from it is done:
//
//  6. The primary is promoted (promote.go), nodes with data follow it (follow.go), nodes without are cloned (clone.go).
//  7. The StatefulSet gets its size, volumes that are no longer needed are released (size.go), and at most one pod is replaced by
//     one with the wanted configuration (rollout.go).
//  8. All of it is told to people (status.go).
//
// Each step looks at the present only, so that a controller that was killed between any two of them goes on where the other
// one was.
package topology

import "slices"

// Decide decides what is to be done about a cluster.
func Decide(o Observed) Decision {
	v := newView(o)
	d := Decision{Size: o.Spec.Replicas}
	if o.Spec.Replicas > 0 {
		d.Record = v.nextRecord()
		d.Ended = v.ended
		if d.Record == nil {
			v.act(&d)
		} else {
			d.Size = o.Size
		}
	}
	d.Status = v.status(&d)
	d.Wake = v.wake
	return d
}

// nextRecord is the record that has to be stored before anything else is done, or nil if the present one stands.
func (v *view) nextRecord() *Record {
	for _, step := range []func() *Record{v.bootstrap, v.catchUp, v.members, v.forced, v.transition, v.failover, v.switchover, v.durability} {
		if next := step(); next != nil {
			return next
		}
		if v.blocked != nil {
			return nil
		}
	}
	return nil
}

// act fills in what follows from the record as it stands.
func (v *view) act(d *Decision) {
	d.Size = v.size()
	// A pod that does not work is replaced even if no decision on roles can be made: a better configuration may mend it.
	d.Replace = v.replace(d.Size)
	if v.blocked != nil {
		return
	}
	if !v.Record.Initialized {
		d.Orders = v.initialize()
		return
	}
	d.Orders = append(d.Orders, v.promote()...)
	d.Orders = append(d.Orders, v.follow()...)
	for _, o := range v.clone(d.Size) {
		// Whoever is cloned need not follow before that: one order to each node.
		d.Orders = append(slices.DeleteFunc(d.Orders, func(f NodeOrder) bool { return f.Node == o.Node }), o)
	}
	d.AdoptVolumes = v.adoptVolumes()
	d.ReleaseVolumes = v.releaseVolumes(d.Size)
}
