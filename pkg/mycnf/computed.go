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

package mycnf

import "strconv"

const (
	mebi = int64(1) << 20
	gibi = int64(1) << 30
)

// computed are settings that follow from what the node has. The user may override them.
func computed(in Input, v version) map[string]string {
	var settings []setting
	if pool := bufferPool(in.MemoryBytes); pool > 0 {
		settings = append(settings, setting{name: "innodb_buffer_pool_size", value: megabytes(pool)})
	}
	if redo := redoCapacity(in.MemoryBytes, in.VolumeBytes); redo > 0 {
		settings = append(settings,
			setting{name: "innodb_redo_log_capacity", value: megabytes(redo), since: "8.0.30"},
			setting{name: "innodb_log_file_size", value: megabytes(redo / 2), before: "8.0.30"},
		)
	}
	if in.VolumeBytes > 0 {
		settings = append(settings,
			setting{name: "max_binlog_size", value: megabytes(clamp(in.VolumeBytes/16, 16*mebi, gibi))},
			// Percona Server keeps to a limit for all binary logs together; MySQL skips the line.
			setting{name: "loose_binlog_space_limit", value: megabytes(in.VolumeBytes / 2)},
		)
	}
	if in.CPUMillis > 0 {
		settings = append(settings, setting{name: "replica_parallel_workers", value: itoa(clamp((in.CPUMillis+999)/1000, 2, 16))})
	}
	return pick(settings, v)
}

// bufferPool leaves room for connections, temporary tables and MySQL's own structures. Below half a gibibyte MySQL's default of
// 128 MiB is as much as is reasonable.
func bufferPool(memory int64) int64 {
	switch {
	case memory <= 512*mebi:
		return 0
	case memory <= gibi:
		return (memory - 256*mebi) / 2
	case memory <= 4*gibi:
		return (memory - 256*mebi) * 3 / 4
	default:
		return (memory - 512*mebi) * 4 / 5
	}
}

// redoCapacity grows with the memory, because it bounds how much of the buffer pool may be dirty, and never takes more than a
// tenth of the volume.
func redoCapacity(memory, volume int64) int64 {
	var capacity int64
	switch {
	case memory <= 0:
		return 0
	case memory < gibi:
		capacity = 96 * mebi
	case memory <= 4*gibi:
		capacity = 256 * mebi
	case memory <= 8*gibi:
		capacity = gibi
	case memory <= 16*gibi:
		capacity = 2 * gibi
	default:
		capacity = 4 * gibi
	}
	if volume > 0 {
		capacity = min(capacity, volume/10)
	}
	return max(capacity, 32*mebi)
}

func clamp(n, low, high int64) int64 { return max(low, min(n, high)) }

// megabytes rounds down to whole mebibytes: MySQL takes the suffix M for them.
func megabytes(bytes int64) string { return strconv.FormatInt(bytes/mebi, 10) + "M" }

func itoa[T int | int64 | uint32](n T) string { return strconv.FormatInt(int64(n), 10) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
