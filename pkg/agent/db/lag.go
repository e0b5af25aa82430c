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
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// lagMeter measures a replica's lag: the age of the oldest transaction that was received and is not applied, by the time of its commit
// on the primary. While the applier works, the server knows which one it is at. When it stands still the server forgets, so we remember
// what had been received when.
type lagMeter struct {
	// marks are in the order in which they were made, each at least distance later than the one before.
	marks    []mark
	distance time.Duration
}

// mark says that all of received had been committed on the primary by then.
type mark struct {
	received  gtid.Set
	committed time.Time
}

const (
	// firstDistance is how exact the lag is of an applier that stands still.
	firstDistance = time.Second
	// maxMarks bounds the memory: a replica that is so many of them behind is measured more coarsely.
	maxMarks = 1000
)

// commitTimes are when transactions were committed on the primary; zero if there is none or it is not known.
type commitTimes struct {
	// applying is of the oldest transaction that is being applied, queued of the one that was received last.
	applying, queued time.Time
}

// measure returns the lag in seconds, nil if it is not known.
func (m *lagMeter) measure(received, executed gtid.Set, times commitTimes, now time.Time) *int64 {
	if executed.Contains(received) {
		m.marks = nil
		return new(int64)
	}
	pending := slices.IndexFunc(m.marks, func(k mark) bool { return !executed.Contains(k.received) })
	if pending < 0 {
		m.marks, m.distance = nil, firstDistance
	} else {
		m.marks = m.marks[pending:]
	}
	if n := len(m.marks); !times.queued.IsZero() && (n == 0 || times.queued.Sub(m.marks[n-1].committed) >= m.distance) {
		m.marks = append(m.marks, mark{received, times.queued})
	}
	if len(m.marks) > maxMarks {
		m.distance *= 2
		i := -1
		m.marks = slices.DeleteFunc(m.marks, func(mark) bool { i++; return i%2 == 1 })
	}
	oldest := times.applying
	if len(m.marks) > 0 && (oldest.IsZero() || m.marks[0].committed.Before(oldest)) {
		oldest = m.marks[0].committed
	}
	if oldest.IsZero() {
		return nil
	}
	lag := max(0, int64(now.Sub(oldest)/time.Second)) // the primary's clock may be ahead
	return &lag
}

// lag measures the lag of the replica whose sets these are. Like Observe, it asks for nothing that could wait.
func (d *DB) lag(ctx context.Context, retrieved, executed string) (*int64, error) {
	received, err := gtid.Parse(retrieved)
	if err != nil {
		return nil, err
	}
	applied, err := gtid.Parse(executed)
	if err != nil {
		return nil, err
	}
	var times commitTimes
	if !applied.Contains(received) {
		if times, err = d.commitTimes(ctx); err != nil {
			return nil, err
		}
	}
	return d.meter.measure(received, applied, times, time.Now()), nil
}

func (d *DB) commitTimes(ctx context.Context) (commitTimes, error) {
	answer, err := row(ctx, d.observer.Load(), `SELECT
		(SELECT MIN(UNIX_TIMESTAMP(applying_transaction_original_commit_timestamp))
			FROM performance_schema.replication_applier_status_by_worker WHERE channel_name = '' AND applying_transaction <> '') AS applying,
		(SELECT UNIX_TIMESTAMP(processing_transaction_original_commit_timestamp)
			FROM performance_schema.replication_applier_status_by_coordinator WHERE channel_name = '' AND processing_transaction <> '') AS scheduling,
		(SELECT UNIX_TIMESTAMP(last_queued_transaction_original_commit_timestamp)
			FROM performance_schema.replication_connection_status WHERE channel_name = '' AND last_queued_transaction <> '') AS queued`)
	if err != nil {
		return commitTimes{}, err
	}
	times := commitTimes{applying: unixTime(answer["applying"]), queued: unixTime(answer["queued"])}
	if scheduling := unixTime(answer["scheduling"]); times.applying.IsZero() || !scheduling.IsZero() && scheduling.Before(times.applying) {
		times.applying = scheduling
	}
	return times, nil
}

// unixTime reads seconds with a fraction; zero if there are none.
func unixTime(text string) time.Time {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6))
}
