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

package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	var values []time.Duration
	for i := 100; i > 0; i-- {
		values = append(values, time.Duration(i))
	}
	for share, want := range map[float64]time.Duration{0.5: 50, 0.9: 90, 0.99: 99, 1: 100} {
		if got := quantile(values, share); got != want {
			t.Errorf("%v of 1 to 100 is %d instead of %d", share, got, want)
		}
	}
	if got := quantile([]time.Duration{7}, 0.99); got != 7 {
		t.Errorf("of one value: %d", got)
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of none: %d", got)
	}
}

func TestPrintComparesWithTheFirstSeries(t *testing.T) {
	var out strings.Builder
	err := Print(&out, []Series{
		{Name: "floor", Samples: []Sample{{Gap: 100 * time.Millisecond}}},
		{Name: "killed", Samples: []Sample{{Gap: 250 * time.Millisecond, Detect: 5 * time.Millisecond}}, Failures: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"250", "2.5", "1 FAILED", "5"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestSplitFindsTheGapAndItsParts(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	writes := []history.Write{
		{End: at(90), Node: "a", Outcome: history.Acked}, {End: at(101), Node: "a", Outcome: history.Acked},
		{End: at(150), Node: "a", Outcome: history.Unknown}, {End: at(301), Node: "b", Outcome: history.Acked}, {End: at(305), Node: "b", Outcome: history.Acked},
	}
	events := []lab.Event{
		{At: at(120), Kind: lab.Reported, Node: "a", State: &api.State{Phase: api.PhaseStopped}},
		{At: at(130), Kind: lab.Recorded, Node: "b", Term: 2},
		{At: at(290), Kind: lab.Reported, Node: "b", State: &api.State{Phase: api.PhaseRunning, Role: api.RolePrimary}},
	}
	want := Sample{Gap: 200 * time.Millisecond, Detect: 20 * time.Millisecond, Decide: 10 * time.Millisecond, Promote: 160 * time.Millisecond, Route: 11 * time.Millisecond}
	if got := split(events, writes, at(100), "a"); got != want {
		t.Errorf("%+v instead of %+v", got, want)
	}
	if got := split(nil, writes, at(100), "a"); got != (Sample{Gap: 200 * time.Millisecond}) {
		t.Errorf("without a change of the primary: %+v", got)
	}
}
