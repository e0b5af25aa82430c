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

// Package chaos runs a bounded number of rounds of what "make chaos" runs without end.
package chaos

import (
	"fmt"
	"os"
	"testing"

	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
	"github.com/presslabs/mysql-apiserver/test/chaos/nemesis"
	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

// theLab is shared by the tests of this package.
var theLab *lab.Lab

func TestMain(m *testing.M) {
	os.Exit(netlab.Main(func(hub *netlab.Hub) int {
		var err error
		if theLab, err = lab.New(hub, lab.Options{LogDir: "../../.work/chaos-test"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := m.Run()
		if err := theLab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}))
}

// TestClustersKeepTheirPromisesWhateverGoesWrong runs rounds with fixed seeds, two on each shape of cluster.
func TestClustersKeepTheirPromisesWhateverGoesWrong(t *testing.T) {
	err := nemesis.Run(t.Context(), theLab, nemesis.Options{Rounds: 6, Seed: 1, RoundsPerCluster: 2, Out: t.Output()})
	if err != nil {
		t.Error(err)
	}
}
