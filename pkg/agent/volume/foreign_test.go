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

package volume

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layOut makes files, and directories where a name ends in a slash.
func layOut(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			mkdirAll(t, path)
		} else if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func mkdirAll(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// listAll lists everything below dir.
func listAll(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestForeignFilesAreFoundAndNotTouched(t *testing.T) {
	tests := map[string]struct {
		files   []string
		foreign []string
		hasData bool
	}{
		"a new volume":                  {files: []string{"lost+found/"}},
		"a volume of a storage system":  {files: []string{".snapshot/"}},
		"never used":                    {files: []string{"tmp/"}},
		"interrupted":                   {files: []string{"agent.json", "agent.json.unfinished", "tmp/x", "clone.unfinished/ibdata1"}},
		"our data":                      {files: []string{"agent.json", "tmp/x", "data/mysql.ibd"}, hasData: true},
		"our data without the record":   {files: []string{"tmp/x", "data/ibdata1"}, hasData: true},
		"a dump beside our data":        {files: []string{"agent.json", "data/mysql.ibd", "dump.sql"}, hasData: true},
		"a dump where our data were":    {files: []string{"agent.json", "tmp/x", "dump.sql"}, foreign: []string{"dump.sql"}},
		"a data directory in the root":  {files: []string{"ibdata1", "mysql/user.frm", "lost+found/"}, foreign: []string{"ibdata1", "mysql"}},
		"with databases data and tmp":   {files: []string{"ibdata1", "data/t.ibd", "tmp/t.ibd"}, foreign: []string{"ibdata1", "data"}},
		"with a database tmp":           {files: []string{"ibdata1", "tmp/t.ibd"}, foreign: []string{"ibdata1", "tmp"}},
		"a tmp that is not ours":        {files: []string{"tmp/x"}, foreign: []string{"tmp"}},
		"beside something unfinished":   {files: []string{"agent.json", "ibdata1", "clone.unfinished/"}, foreign: []string{"ibdata1"}},
		"a data directory of that name": {files: []string{"mysql/ibdata1"}, foreign: []string{"mysql"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			layOut(t, dir, test.files...)
			before := listAll(t, dir)
			v := open(t, dir)
			foreign, err := v.Foreign()
			if err != nil || !slices.Equal(foreign, test.foreign) {
				t.Errorf("Foreign = %q, %v, want %q", foreign, err, test.foreign)
			}
			if got := hasData(t, v); got != test.hasData {
				t.Errorf("HasData = %t", got)
			}
			if after := listAll(t, dir); len(test.foreign) > 0 && !slices.Equal(before, after) {
				t.Errorf("the volume had %q, and now has %q", before, after)
			}
		})
	}
}

// What Open has found keeps the volume from being used until it is opened again: files may be in the middle of being moved.
func TestForeignFilesCountUntilTheVolumeIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, "ibdata1")
	v := open(t, dir)
	if err := os.Rename(filepath.Join(dir, "ibdata1"), filepath.Join(t.TempDir(), "ibdata1")); err != nil {
		t.Fatal(err)
	}
	layOut(t, dir, "data/mysql.ibd")
	if foreign, err := v.Foreign(); err != nil || len(foreign) != 1 || hasData(t, v) {
		t.Errorf("Foreign = %q, %v; HasData = %t", foreign, err, hasData(t, v))
	}
	v = open(t, dir)
	if foreign, err := v.Foreign(); err != nil || len(foreign) > 0 || !hasData(t, v) {
		t.Errorf("opened again: Foreign = %q, %v; HasData = %t", foreign, err, hasData(t, v))
	}
}

// What appears later, on a volume that was empty, counts as well.
func TestForeignFilesThatAppearCount(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	layOut(t, dir, "ibdata1")
	if foreign, err := v.Foreign(); err != nil || len(foreign) != 1 {
		t.Errorf("Foreign = %q, %v", foreign, err)
	}
}
