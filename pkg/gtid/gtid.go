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

// Package gtid computes with sets of MySQL's global transaction identifiers: which transactions a node has, which it lacks,
// which nobody else has. Tags (MySQL 8.3 and newer) are understood.
//
// The package is pure, and agrees with the server's own GTID_SUBSET and GTID_SUBTRACT.
package gtid

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Set is a set of transactions. The zero value is the empty set. Sets are values: no function changes its operands.
type Set struct {
	// sources holds, for each origin, its intervals in ascending order, with gaps between them. No entry is empty.
	sources map[origin][]interval
}

// origin is where transactions are numbered: a server, or a tag of a server.
type origin struct {
	uuid string // in the 36 character form, lower case
	tag  string // lower case; empty without a tag
}

func compareOrigins(a, b origin) int {
	return cmp.Or(cmp.Compare(a.uuid, b.uuid), cmp.Compare(a.tag, b.tag))
}

// interval holds the numbers from first to last, both included.
type interval struct{ first, last int64 }

// maxNumber is the highest number of a transaction.
const maxNumber = math.MaxInt64 - 1

// IsEmpty tells whether the set holds no transaction.
func (s Set) IsEmpty() bool { return len(s.sources) == 0 }

// Count returns the number of transactions, or the highest number that fits if there are more.
func (s Set) Count() uint64 {
	var count uint64
	for _, intervals := range s.sources {
		for _, i := range intervals {
			n := uint64(i.last-i.first) + 1
			if count > math.MaxUint64-n {
				return math.MaxUint64
			}
			count += n
		}
	}
	return count
}

// Union returns the transactions that are in s or in other.
func (s Set) Union(other Set) Set {
	result := map[origin][]interval{}
	for o, intervals := range s.sources {
		result[o] = intervals
	}
	for o, intervals := range other.sources {
		result[o] = merge(slices.Concat(result[o], intervals))
	}
	return Set{result}
}

// Subtract returns the transactions that are in s and not in other.
func (s Set) Subtract(other Set) Set {
	result := map[origin][]interval{}
	for o, intervals := range s.sources {
		if rest := subtract(intervals, other.sources[o]); len(rest) > 0 {
			result[o] = rest
		}
	}
	return Set{result}
}

// Contains tells whether every transaction of other is in s.
func (s Set) Contains(other Set) bool { return other.Subtract(s).IsEmpty() }

// Equal tells whether both sets hold the same transactions.
func (s Set) Equal(other Set) bool {
	return maps.EqualFunc(s.sources, other.sources, slices.Equal[[]interval])
}

// String returns the set as the server writes it, without line breaks: servers in order, the untagged transactions of a server
// before the tagged ones.
func (s Set) String() string {
	var out strings.Builder
	last := ""
	for _, o := range slices.SortedFunc(maps.Keys(s.sources), compareOrigins) {
		if o.uuid != last {
			if last != "" {
				out.WriteByte(',')
			}
			out.WriteString(o.uuid)
			last = o.uuid
		}
		if o.tag != "" {
			out.WriteByte(':')
			out.WriteString(o.tag)
		}
		for _, i := range s.sources[o] {
			out.WriteByte(':')
			out.WriteString(strconv.FormatInt(i.first, 10))
			if i.last > i.first {
				out.WriteByte('-')
				out.WriteString(strconv.FormatInt(i.last, 10))
			}
		}
	}
	return out.String()
}

// merge sorts intervals and joins those that overlap or touch. It may reorder its operand.
func merge(intervals []interval) []interval {
	slices.SortFunc(intervals, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	var merged []interval
	for _, i := range intervals {
		if n := len(merged); n > 0 && i.first <= merged[n-1].last+1 {
			merged[n-1].last = max(merged[n-1].last, i.last)
			continue
		}
		merged = append(merged, i)
	}
	return merged
}

// subtract returns what of a is not in b. Both are merged.
func subtract(a, b []interval) []interval {
	var rest []interval
	for _, i := range a {
		for len(b) > 0 && b[0].last < i.first {
			b = b[1:]
		}
		// Several intervals of b can cut the same i, and the last of them can also cut the next one.
		for _, hole := range b {
			if hole.first > i.last {
				break
			}
			if hole.first > i.first {
				rest = append(rest, interval{i.first, hole.first - 1})
			}
			i.first = hole.last + 1
		}
		if i.first <= i.last {
			rest = append(rest, i)
		}
	}
	return rest
}
