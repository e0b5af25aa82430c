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

package replication

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// golden is a volume that an agent has initialised once for all tests that do not test that. It belongs to cluster uid-1 in term 1.
var golden struct {
	once sync.Once
	dir  string
}

// addInitialized adds a node with an initialised volume, and starts its agent.
func (c *cluster) addInitialized() *node {
	c.t.Helper()
	golden.once.Do(func() { golden.dir = makeGolden(c.t) })
	if golden.dir == "" {
		c.t.Fatal("there is no initialised volume")
	}
	n := c.prepare()
	if err := os.RemoveAll(n.absolute("volume")); err != nil {
		c.t.Fatal(err)
	}
	if err := os.CopyFS(n.absolute("volume"), os.DirFS(golden.dir)); err != nil {
		c.t.Fatal(err)
	}
	// Each server makes up a UUID of its own.
	if err := os.Remove(filepath.Join(n.absolute("volume"), "data", "auto.cnf")); err != nil {
		c.t.Fatal(err)
	}
	n.start()
	return n
}

// makeGolden has an agent initialise a volume, in a directory that TestMain removes.
func makeGolden(t *testing.T) string {
	t.Helper()
	c := newCluster(t, nil)
	n := c.add()
	n.initialize(1)
	n.signal(syscall.SIGTERM)
	dir := filepath.Join(filepath.Dir(agentBinary), "golden")
	if err := os.Rename(n.absolute("volume"), dir); err != nil {
		t.Fatal(err)
	}
	if n.last().Phase == api.PhaseEmpty {
		t.Fatal("the volume is empty")
	}
	return dir
}
