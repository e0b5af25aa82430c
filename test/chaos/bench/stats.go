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

// Package bench measures how long writes are away when a primary is lost, beside the least that bare MySQL takes for the same.
package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Sample is one round: the time without acknowledged writes, and what it consisted of. Parts that are not known are 0.
type Sample struct {
	Gap time.Duration
	// Detect is the time until the first report that something is wrong, Decide from there until the decision was recorded, Promote until the
	// new primary was writable, Route until a client's write was acknowledged there.
	Detect, Decide, Promote, Route time.Duration
}

// Series are the samples of one kind.
type Series struct {
	Name    string
	Samples []Sample
	// Failures counts the rounds in which writes did not come back in time.
	Failures int
}

// quantile returns the value below which a share of the samples lies, by the nearest rank.
func quantile(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	rank := int(share*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// of picks one value of each sample.
func (s Series) of(pick func(Sample) time.Duration) []time.Duration {
	var values []time.Duration
	for _, sample := range s.Samples {
		values = append(values, pick(sample))
	}
	return values
}

func gap(s Sample) time.Duration { return s.Gap }

// Print prints the distributions in milliseconds, and how they compare with the first series.
func Print(w io.Writer, all []Series) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trounds\tp50\tp90\tp99\tmax\tp50/floor\tp99/floor\tdetect\tdecide\tpromote\troute\t")
	floor := all[0]
	for _, s := range all {
		gaps := s.of(gap)
		fmt.Fprintf(t, "%s\t%d\t", s.Name, len(s.Samples))
		for _, share := range []float64{0.5, 0.9, 0.99, 1} {
			fmt.Fprintf(t, "%s\t", milliseconds(quantile(gaps, share)))
		}
		for _, share := range []float64{0.5, 0.99} {
			fmt.Fprintf(t, "%s\t", ratio(quantile(gaps, share), quantile(floor.of(gap), share)))
		}
		for _, pick := range []func(Sample) time.Duration{
			func(s Sample) time.Duration { return s.Detect }, func(s Sample) time.Duration { return s.Decide },
			func(s Sample) time.Duration { return s.Promote }, func(s Sample) time.Duration { return s.Route },
		} {
			fmt.Fprintf(t, "%s\t", milliseconds(quantile(s.of(pick), 0.5)))
		}
		if s.Failures > 0 {
			fmt.Fprintf(t, "%d FAILED", s.Failures)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err := fmt.Fprintln(w, "Milliseconds without an acknowledged write, as one client sees it; the four parts are medians.")
	return err
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond))
}

func ratio(a, b time.Duration) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(a)/float64(b))
}
