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
	"context"
	"fmt"

	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
)

// measureFloor measures what bare MySQL takes: two servers with the same settings, the primary killed, and the replica promoted by hand
// as soon as its receiver says that the primary is gone.
func measureFloor(ctx context.Context, l *lab.Lab, o Options) (Series, error) {
	s := Series{Name: "bare MySQL"}
	pair, err := l.NewPair(ctx)
	if err != nil {
		return s, err
	}
	defer func() {
		if err := pair.Close(); err != nil {
			fmt.Fprintln(o.Out, "closing bare MySQL:", err)
		}
	}()
	for i := range o.Rounds {
		times, err := pair.Failover(ctx, load(i+1))
		if err != nil {
			return s, fmt.Errorf("bare MySQL, round %d: %w", i+1, err)
		}
		sample := Sample{
			Gap: times.Acked.Sub(times.LastAcked), Detect: times.Noticed.Sub(times.Killed), Promote: times.Opened.Sub(times.Noticed), Route: times.Acked.Sub(times.Opened),
		}
		s.Samples = append(s.Samples, sample)
		fmt.Fprintf(o.Out, "bare MySQL %d: %s ms (detect %s, promote %s, route %s)\n", i+1, milliseconds(sample.Gap), milliseconds(sample.Detect),
			milliseconds(sample.Promote), milliseconds(sample.Route))
	}
	return s, nil
}
