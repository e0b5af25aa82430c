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

package parts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// Nothing may listen where other machines could reach it.
func TestNothingListensOnAllAddresses(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	if err := WriteConfigs(l, "overlayfs"); err != nil {
		t.Fatal(err)
	}
	commands := []process.Command{Etcd(l), APIServer(l), ControllerManager(l), Scheduler(l), Containerd(l), Kubelet(l), Proxy(l), DNS(l), Volumes(l)}
	for _, c := range commands {
		text := strings.Join(c.Argv, "\n")
		for _, file := range c.Files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%s names a file that is not written: %v", c.Name, err)
			}
			text += "\n" + string(data)
		}
		if strings.Contains(text, "0.0.0.0:") || strings.Contains(text, "=0.0.0.0\n") || strings.Contains(text, ": 0.0.0.0\n") {
			t.Errorf("%s listens on all addresses:\n%s", c.Name, text)
		}
	}
}

func TestWriteConfigsLeavesUnchangedFilesAlone(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	if err := WriteConfigs(l, "overlayfs"); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1000, 0)
	files, err := filepath.Glob(l.Config("*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteConfigs(l, "native"); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if changed, should := !info.ModTime().Equal(old), file == l.Config("containerd.toml"); changed != should && !info.IsDir() {
			t.Errorf("%s: written again: %v", filepath.Base(file), changed)
		}
	}
}
