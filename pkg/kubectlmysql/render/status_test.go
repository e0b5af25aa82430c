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

package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the time in all golden files.
var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// narrow is the width of a telephone's terminal.
const narrow = 44

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("this is not %s (-) any more (+); run the test with -update if that is intended:\n%s", path, diff)
	}
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestStatusIsGolden prints each cluster of testdata for a file and for a narrow terminal.
func TestStatusIsGolden(t *testing.T) {
	for _, name := range []string{
		"healthy", "failing-over", "forced", "errant", "primary-lost", "writes-wait", "waiting", "single", "pending", "stopped", "deleting",
	} {
		t.Run(name, func(t *testing.T) {
			var cluster v1alpha1.MysqlCluster
			load(t, name+".yaml", &cluster)
			r := report.Of(&cluster)
			golden(t, name+".txt", render.Status(r, now, render.Style{}))
			text := render.Status(r, now, render.Style{Width: narrow})
			golden(t, name+".narrow.txt", text)
			for line := range strings.Lines(text) {
				// Addresses are not broken: they are there to be copied.
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > narrow && !strings.Contains(line, ".svc:") {
					t.Errorf("%d columns do not fit: %q", n, line)
				}
			}
		})
	}
}

func TestStatusIsInColor(t *testing.T) {
	for _, name := range []string{"healthy", "errant"} {
		var cluster v1alpha1.MysqlCluster
		load(t, name+".yaml", &cluster)
		for width, file := range map[int]string{100: ".color.txt", narrow: ".narrow.color.txt"} {
			colored := render.Status(report.Of(&cluster), now, render.Style{Width: width, Color: true})
			golden(t, name+file, colored)
			// Colours move nothing.
			if diff := cmp.Diff(render.Status(report.Of(&cluster), now, render.Style{Width: width}), withoutColor(colored)); diff != "" {
				t.Errorf("%s at %d columns differs without (-) and with (+) colours:\n%s", name, width, diff)
			}
		}
	}
}

func withoutColor(text string) string {
	parts := strings.Split(text, "\x1b")
	for i, part := range parts[1:] {
		_, parts[i+1], _ = strings.Cut(part, "m")
	}
	return strings.Join(parts, "")
}
