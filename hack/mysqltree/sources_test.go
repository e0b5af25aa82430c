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

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindMirrorsTakesTheReleaseOfTheMachinesOwnSources(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		want  []string
	}{
		"one-line format": {
			files: map[string]string{"sources.list": `
# deb http://commented.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb-src http://src.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib # the mirror
deb http://mirror.example/debian bookworm main
`},
			want: []string{"http://mirror.example/debian"},
		},
		"deb822 format, continued lines, a disabled and a third party's paragraph": {
			files: map[string]string{"sources.list.d/debian.sources": `
Types: deb deb-src
# a comment
URIs: http://a.example/debian
 http://b.example/pool
Suites: bookworm bookworm-updates
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://tool.example/apt
Suites: nodistro
Components: main
`},
			want: []string{"http://a.example/debian", "http://b.example/pool"},
		},
		"the archive comes before others that have the suite": {
			files: map[string]string{
				"sources.list.d/a.list":          "deb http://tool.example/apt bookworm main\n",
				"sources.list.d/z.list":          "deb http://mirror.example/debian bookworm main\n",
				"sources.list.d/q.list.disabled": "deb http://no.example/debian bookworm main\n",
			},
			want: []string{"http://mirror.example/debian", "http://tool.example/apt"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := findMirrors(dir, "bookworm")
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("findMirrors = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestFindMirrorsSaysWhatToDoWithoutAnArchive(t *testing.T) {
	_, err := findMirrors(t.TempDir(), "bookworm")
	if err == nil || !strings.Contains(err.Error(), "--mirror") {
		t.Errorf("findMirrors = %v, want an error that names --mirror", err)
	}
}

func TestReleaseCodenameRefusesOtherSystems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "os-release")
	for text, want := range map[string]string{"ID=debian\nVERSION_CODENAME=bookworm\n": "bookworm", "ID=\"ubuntu\"\nVERSION_CODENAME=noble\n": ""} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := releaseCodename(file)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("releaseCodename of %q = %q, %v", text, got, err)
		}
	}
}
