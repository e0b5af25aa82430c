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

package images

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// tree writes a small file tree and returns its root.
func tree(t *testing.T, content string, mtime time.Time) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "usr", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "usr", "bin", "program")
	if err := os.WriteFile(program, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(program, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	return dir
}

func digestOf(t *testing.T, entries []Entry) v1.Hash {
	t.Helper()
	image, err := build(entries, v1.Config{User: "999:999"})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func entriesOf(t *testing.T, dir string, skip ...string) []Entry {
	t.Helper()
	entries, err := Tree(dir, skip...)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestSameContentMakesTheSameImage(t *testing.T) {
	now := time.Now()
	first := digestOf(t, entriesOf(t, tree(t, "one", now)))
	if again := digestOf(t, entriesOf(t, tree(t, "one", now.Add(-time.Hour)))); again != first {
		t.Errorf("another directory and time made another image: %s, %s", first, again)
	}
	if other := digestOf(t, entriesOf(t, tree(t, "two", now))); other == first {
		t.Error("other content made the same image")
	}
}

func TestLayerHoldsWhatItsEntriesSay(t *testing.T) {
	entries := append([]Entry{Link("lib", "usr/lib"), {Path: "opt/note", Mode: 0o640, UID: 1, GID: 2, Content: []byte("text")}},
		entriesOf(t, tree(t, "one", time.Now()))...)
	entries = append(entries, Dir("usr/bin", fs.ModeSticky|0o777, 999)) // a later entry wins
	layer, err := newLayer(entries)
	if err != nil {
		t.Fatal(err)
	}
	content, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	type file struct {
		kind       byte
		mode       int64
		uid, gid   int
		link, text string
	}
	got := map[string]file{}
	reader := tar.NewReader(content)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s is of %s", header.Name, header.ModTime)
		}
		got[header.Name] = file{header.Typeflag, header.Mode, header.Uid, header.Gid, header.Linkname, string(text)}
	}
	want := map[string]file{
		"bin":             {kind: tar.TypeSymlink, mode: 0o777, link: "usr/bin"},
		"lib":             {kind: tar.TypeSymlink, mode: 0o777, link: "usr/lib"},
		"opt/":            {kind: tar.TypeDir, mode: 0o755},
		"opt/note":        {kind: tar.TypeReg, mode: 0o640, uid: 1, gid: 2, text: "text"},
		"usr/":            {kind: tar.TypeDir, mode: 0o755},
		"usr/bin/":        {kind: tar.TypeDir, mode: 0o1777, uid: 999, gid: 999},
		"usr/bin/program": {kind: tar.TypeReg, mode: 0o755, text: "one"},
	}
	if len(got) != len(want) {
		t.Errorf("got %d entries: %v", len(got), got)
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: got %+v, want %+v", name, got[name], w)
		}
	}
}

func TestTreeSkips(t *testing.T) {
	for _, e := range entriesOf(t, tree(t, "one", time.Now()), "usr/bin/program", "bin") {
		if e.Path == "usr/bin/program" || e.Path == "bin" {
			t.Errorf("%s is there", e.Path)
		}
	}
}

func TestFingerprintFollowsContent(t *testing.T) {
	a, b := filepath.Join(tree(t, "one", time.Now()), "usr/bin/program"), filepath.Join(tree(t, "two", time.Now()), "usr/bin/program")
	first, err := fingerprint(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{"other order": {b, a}, "one missing": {a}} {
		if other, err := fingerprint(files...); err != nil || other == first {
			t.Errorf("%s: got %s, %v", name, other, err)
		}
	}
	if again, err := fingerprint(a, b); err != nil || again != first {
		t.Errorf("the same files: got %s, %v", again, err)
	}
}

func TestFullNames(t *testing.T) {
	full, err := fullNames([]string{"mysql:9.7", "presslabs/mysql-apiserver:0123"})
	if err != nil {
		t.Fatal(err)
	}
	const library = "/library/mysql:9.7" // after the default registry's name
	if len(full) != 2 || full[0][len(full[0])-len(library):] != library {
		t.Errorf("got %v", full)
	}
	if _, err := fullNames([]string{"Not A Name"}); err == nil {
		t.Error("an invalid name was taken")
	}
}

func TestProductNeedsItsStaticPrograms(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	if _, _, err := OfProduct(l); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("without programs: %v", err)
	}
	if err := os.MkdirAll(l.Bin(""), 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(program string) {
		for _, name := range productBinaries {
			os.Remove(l.Bin(name)) //nolint:errcheck // it may not be there
			if err := os.Symlink(program, l.Bin(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	put(sh)
	if _, _, err := OfProduct(l); err == nil || !strings.Contains(err.Error(), "dynamically") {
		t.Errorf("with dynamic programs: %v", err)
	}
	put(staticProgram(t))
	image, tag, err := OfProduct(l)
	if err != nil || len(image.Names) != 1 || image.Names[0] != Product+":"+tag {
		t.Errorf("with static programs: %v %q %v", image.Names, tag, err)
	}
}

// staticProgram builds the smallest program at hand.
func staticProgram(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pause")
	build := exec.Command("go", "build", "-o", file, "../../cmd/pause")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}
