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
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// settle ends all faults and waits for the cluster to be well. It returns false if the cluster waits for a person instead, and says so, which
// is right only if data were lost, or replaced by copies.
func (w *world) settle() bool {
	w.calm()
	for range 600 {
		w.live()
		w.reconcile()
		if w.last.Status.Ready.True && !w.last.Status.Progressing.True && w.record.Operation == nil {
			return true
		}
		w.person()
	}
	if w.lostVolumes && w.last.Status.Ready.Reason == reasonPrimaryLost || w.record.Operation != nil && strings.Contains(w.last.Status.Phase, forceHint) {
		return false
	}
	var nodes strings.Builder
	for _, m := range w.nodes {
		state, _ := json.Marshal(m.heard)
		fmt.Fprintf(&nodes, "\n%s: pod %t volume %t data %t joining %t: %s", m.name, m.pod, m.volume, m.data, m.joining, state)
	}
	w.failf("the cluster does not become ready: %s; ready: %+v; progressing: %+v; record %+v; operation %+v%s",
		w.last.Status.Phase, w.last.Status.Ready, w.last.Status.Progressing, w.record, w.record.Operation, nodes.String())
	return false
}

// play lets a world live through its faults. It returns what went wrong in it, or whether it waits for a person in the end.
func play(seed int, tracing bool) (w *world, waits bool, problem string) {
	durabilities := []Durability{DurabilityNone, DurabilityStrict, DurabilityPreferred}
	w = newWorld(uint64(seed), 1+seed%5, durabilities[seed/5%3])
	w.tracing = tracing
	defer func() {
		if r := recover(); r != nil {
			rule, ok := r.(brokenRule)
			if !ok {
				panic(r)
			}
			problem = string(rule)
		}
	}()
	w.faults = true
	w.spec.ConfigHash = "0"
	w.spec.RebuildErrant = seed%4 > 1
	w.spec.MaxLag = int64(seed % 3 * 10)
	for step := range 400 {
		w.live()
		w.reconcile()
		w.misfortune(seed%2 == 1, seed%7 == 0)
		if w.chance(1) {
			w.resize(1 + w.rng.IntN(5))
		}
		if w.chance(1) {
			w.spec.ConfigHash = fmt.Sprint(step)
		}
		if w.chance(1) {
			w.spec.ReadOnly = !w.spec.ReadOnly
		}
	}
	return w, !w.settle(), ""
}

var worldsFlag = flag.Int("worlds", 1000, "the number of random worlds")

func TestDecideKeepsTheSafetyRulesInRandomWorlds(t *testing.T) {
	worlds := *worldsFlag
	waiting, happened := 0, map[string]int{}
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, waits, problem := play(seed, false)
			if problem != "" {
				again, _, _ := play(seed, true)
				t.Fatalf("%s\nThe last steps:\n%s", problem, strings.Join(again.trace, ""))
			}
			if waits {
				waiting++
			}
			for what, times := range w.happened {
				happened[what] += times
			}
		})
	}
	if waiting > worlds/100 {
		t.Errorf("%d of %d worlds wait for a person", waiting, worlds)
	}
	// What never happens is not tested by it.
	for _, what := range []string{
		"Failover Succeeded", "Failover GivenUp", "Switchover Succeeded", "Switchover GivenUp", "a switchover returned", "a better node took over",
		"a primary without replicas was replaced", "a hung node was ended", "a volume was lost", "a node was rebuilt",
		"a forced primary worked", "commits were given up",
	} {
		if happened[what] < worlds/100 {
			t.Errorf("%s: %d times in %d worlds", what, happened[what], worlds)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(happened)) {
		t.Logf("%s: %d times", what, happened[what])
	}
}

func TestDecideBringsACalmClusterToReadiness(t *testing.T) {
	for replicas := 1; replicas <= 5; replicas++ {
		for _, asked := range []Durability{DurabilityNone, DurabilityStrict, DurabilityPreferred} {
			w := newWorld(1, replicas, asked)
			if !w.settle() {
				t.Error("waits for a person")
			}
			if w.initialized != 1 || w.record.Term != 1 {
				t.Errorf("%d replicas, %s: %d initialised, record %+v", replicas, asked, w.initialized, w.record)
			}
		}
	}
}
