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
	"strings"
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// TestAVolumeWithForeignFilesIsLeftAlone: a data directory in the volume's root is somebody's data, though no data of ours.
func TestAVolumeWithForeignFilesIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.prepare()
	files := []string{"ibdata1", "mysql/user.ibd", "tmp/t.ibd"} // also a database named tmp
	for _, name := range files {
		c.write(n.path(filepath.Join("volume", name)), "of "+name)
	}
	before := strings.Join(n.volumeEntries(), " ")
	n.start()
	foreign := func(s api.State) bool {
		return s.Phase == api.PhaseStopped && !s.HasData && strings.Contains(s.Message, "(ibdata1, mysql, tmp)")
	}
	n.waitFor("the foreign files to be reported", foreign)
	for _, order := range []api.Order{
		{Kind: api.OrderInitialize, Term: 1},
		{Kind: api.OrderClone, Term: 1, Source: n.endpoint()},
		{Kind: api.OrderClone, Term: 1, Source: n.endpoint(), Discard: true},
	} {
		n.refuses(order, api.RefusedHasData)
	}
	n.signal(syscall.SIGTERM)
	n.start()
	n.waitFor("the foreign files to be reported again", foreign)
	if after := strings.Join(n.volumeEntries(), " "); after != before {
		t.Errorf("the volume had %s, and now has %s", before, after)
	}
	for _, name := range files {
		if text, err := os.ReadFile(filepath.Join(n.absolute("volume"), name)); err != nil || string(text) != "of "+name {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
	}

	// Moved away, they are in nobody's way.
	n.signal(syscall.SIGTERM)
	n.loseVolume()
	n.start()
	n.initialize(1)
}
