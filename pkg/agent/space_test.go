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

package agent

import "testing"

func TestIsFull(t *testing.T) {
	const mebi, gibi = int64(1) << 20, int64(1) << 30
	tests := map[string]struct {
		available, size int64
		was, want       bool
	}{
		"empty":                                {gibi, gibi, false, false},
		"nothing left":                         {0, gibi, false, true},
		"little left of a small one":           {31 * mebi, gibi, false, true},
		"enough left of a small one":           {33 * mebi, gibi, false, false},
		"little left of a big one":             {90 * mebi, 10 * gibi, false, true},
		"a part of a very big one is enough":   {2 * gibi, 1000 * gibi, false, false},
		"hardly any space again":               {33 * mebi, gibi, true, true},
		"space again":                          {65 * mebi, gibi, true, false},
		"a very big one with some space again": {3 * gibi, 1000 * gibi, true, false},
	}
	for name, test := range tests {
		if got := isFull(test.available, test.size, test.was); got != test.want {
			t.Errorf("%s: isFull = %t, want %t", name, got, test.want)
		}
	}
}

func TestComplaintsOfSpaceAreRecognised(t *testing.T) {
	for line, want := range map[string]bool{
		"2026-11-21T02:33:57Z 9 [ERROR] [MY-000035] [Server] Disk is full writing './binlog.000001' (OS errno 28 - No space left on device). Waiting for someone to free space...": true,
		"2026-11-21T02:33:57Z 9 [ERROR] [MY-012814] [InnoDB] Error number 28 means 'No space left on device'":                                                                      true,
		"2026-11-21T02:33:57Z 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections.":                                                                            false,
	} {
		if got := complainsOfSpace(line); got != want {
			t.Errorf("complainsOfSpace(%q) = %t", line, got)
		}
	}
}
