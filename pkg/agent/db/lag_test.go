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

package db

import (
	"fmt"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

func TestLagOfAnApplier(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(1e9+int64(second), 0) }
	upTo := func(n int) gtid.Set {
		if n == 0 {
			return gtid.Set{}
		}
		return gtid.MustParse(fmt.Sprintf("%s:1-%d", uuid, n))
	}
	var none time.Time
	// What is observed one after the other, of transactions of which each second one is committed.
	steps := []struct {
		name               string
		now                int
		received, executed int
		times              commitTimes
		want               int64 // -1: not known
	}{
		{"nothing received", 0, 0, 0, commitTimes{}, 0},
		{"all applied, long ago", 1000, 5, 5, commitTimes{none, at(5)}, 0},
		{"after a restart, with a rest that nobody knows anything of", 1000, 5, 3, commitTimes{}, -1},
		{"which is being applied", 1000, 5, 3, commitTimes{at(4), none}, 996},
		{"all applied again", 1001, 5, 5, commitTimes{}, 0},
		{"one received now", 1010, 6, 5, commitTimes{none, at(1010)}, 0},
		{"not applied since", 1012, 6, 5, commitTimes{none, at(1010)}, 2},
		{"more received", 1013, 8, 5, commitTimes{none, at(1013)}, 3},
		{"more received, applied in part", 1020, 9, 6, commitTimes{none, at(1020)}, 7},
		{"being applied", 1020, 9, 6, commitTimes{at(1012), at(1020)}, 8},
		{"applied but the last", 1021, 9, 8, commitTimes{none, at(1020)}, 1},
		{"the primary's clock is ahead", 1021, 10, 9, commitTimes{at(1025), at(1025)}, 0},
		{"all applied in the end", 1030, 10, 10, commitTimes{none, at(1025)}, 0},
	}
	var meter lagMeter
	for _, step := range steps {
		lag := int64(-1)
		if got := meter.measure(upTo(step.received), upTo(step.executed), step.times, at(step.now)); got != nil {
			lag = *got
		}
		if lag != step.want {
			t.Errorf("%s: the lag is %d, want %d", step.name, lag, step.want)
		}
	}
}

func TestLagIsMeasuredWithBoundedMemory(t *testing.T) {
	var meter lagMeter
	start := time.Unix(1e9, 0)
	upTo := func(n int) gtid.Set { return gtid.MustParse(fmt.Sprintf("%s:1-%d", uuid, n)) }
	const last = 10 * maxMarks
	for i := 1; i <= last; i++ {
		now := start.Add(time.Duration(i) * firstDistance)
		lag := meter.measure(upTo(i), gtid.Set{}, commitTimes{queued: now}, now)
		if len(meter.marks) > maxMarks || lag == nil || *lag != int64(i-1) {
			t.Fatalf("after %d seconds there are %d marks", i, len(meter.marks))
		}
	}
	end := start.Add(last * firstDistance)
	if lag := meter.measure(upTo(last), upTo(last/2), commitTimes{}, end); *lag < last/2-last/100 || *lag > last/2 {
		t.Errorf("half of it applied, the lag is %d, want about %d", *lag, last/2)
	}
}

func TestUnixTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "0.000000": {}, "x": {}, "1795233600.250000": time.UnixMicro(1795233600250000),
	} {
		if got := unixTime(text); !got.Equal(want) {
			t.Errorf("unixTime(%q) = %s, want %s", text, got, want)
		}
	}
}
