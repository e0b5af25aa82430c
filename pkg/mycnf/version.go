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

import (
	"fmt"
	"strconv"
	"strings"
)

// version is major, minor and patch.
type version [3]int

// parseVersion reads the start of what mysqld calls its version: "8.4", "8.0.36-28", "9.7.4-2". A series without a patch stands for
// its newest release.
func parseVersion(s string) (version, error) {
	numbers, _, _ := strings.Cut(s, "-")
	parts := strings.Split(numbers, ".")
	v := version{0, 0, newestPatch}
	if len(parts) < 2 || len(parts) > len(v) {
		return version{}, fmt.Errorf("%q is not a version of MySQL", s)
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return version{}, fmt.Errorf("%q is not a version of MySQL", s)
		}
		v[i] = n
	}
	return v, nil
}

const newestPatch = 1 << 20

// mustVersion parses a version that is a constant of this package.
func mustVersion(s string) version {
	v, err := parseVersion(s)
	if err != nil {
		panic(err)
	}
	return v
}

func (v version) less(other version) bool {
	for i := range v {
		if v[i] != other[i] {
			return v[i] < other[i]
		}
	}
	return false
}
