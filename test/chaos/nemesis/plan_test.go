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

package nemesis

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/test/chaos/history"
)

func TestSameSeedMakesTheSamePlan(t *testing.T) {
	different := 0
	for seed := range uint64(100) {
		if a, b := NewPlan(seed, 3, nil), NewPlan(seed, 3, nil); !reflect.DeepEqual(a, b) {
			t.Errorf("seed %d: %s and %s", seed, a, b)
		}
		if a, b := NewPlan(seed, 3, nil), NewPlan(seed+1, 3, nil); a.String() != b.String() {
			different++
		}
	}
	if different < 90 {
		t.Errorf("only %d of 100 seeds make other plans than the next one", different)
	}
}

func TestEachFaultOccurs(t *testing.T) {
	seen := map[Fault]bool{}
	for seed := range uint64(500) {
		for _, s := range NewPlan(seed, 3, nil).Steps {
			seen[s.Fault] = true
		}
	}
	for _, f := range Faults() {
		if !seen[f] {
			t.Errorf("%s never occurs", f)
		}
	}
}

// TestNoPlanLosesMoreThanOneCopy: more than that, no cluster promises to survive.
func TestNoPlanLosesMoreThanOneCopy(t *testing.T) {
	for seed := range uint64(2000) {
		for _, replicas := range []int{2, 3} {
			p := NewPlan(seed, replicas, nil)
			lost := slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Fault == VolumeLost })
			if lost && len(p.Steps) > 1 {
				t.Errorf("seed %d: %s", seed, p)
			}
			if lost && replicas == 2 && p.Steps[0].Primary {
				t.Errorf("seed %d takes the primary's volume of two: %s", seed, p)
			}
		}
	}
}

func TestOnlyTheWantedFaultsOccur(t *testing.T) {
	for seed := range uint64(200) {
		p := NewPlan(seed, 3, []Fault{PodKilled, APIAway})
		if len(p.Steps) == 0 {
			t.Errorf("seed %d does nothing", seed)
		}
		for _, s := range p.Steps {
			if s.Fault != PodKilled && s.Fault != APIAway {
				t.Errorf("seed %d: %s", seed, p)
			}
		}
	}
}

func TestLongestGapCountsTheEnds(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	writes := []history.Write{
		{End: at(110), Outcome: history.Acked}, {End: at(140), Outcome: history.Unknown}, {End: at(150), Outcome: history.Acked},
	}
	for _, test := range []struct{ from, to, want int }{{100, 155, 40}, {0, 155, 110}, {100, 300, 150}} {
		if got := longestGap(writes, at(test.from), at(test.to)); got != time.Duration(test.want)*time.Millisecond {
			t.Errorf("from %d to %d: %s instead of %d ms", test.from, test.to, got, test.want)
		}
	}
}
