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
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a tree of files from their contents.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	source    = "pkg/apis/mysql/types.go"
	stale     = "pkg/apis/mysql/zz_generated.deepcopy.go"
	missing   = "pkg/generated/clientset/clientset.go"
	leftOver  = "pkg/apis/mysql/generated.pb.go"
	unchanged = "pkg/generated/openapi/openapi.go"
)

func trees(t *testing.T) (repo, tree string) {
	repo = write(t, map[string]string{source: "source", stale: "old", leftOver: "left over", unchanged: "same", "pkg/apis/mysql/types_test.go": "test"})
	tree = write(t, map[string]string{source: "source", stale: "new", missing: "new", unchanged: "same"})
	return repo, tree
}

func TestCompareFindsStaleMissingAndLeftOverFiles(t *testing.T) {
	repo, tree := trees(t)
	got, err := compare(repo, tree)
	if err != nil {
		t.Fatal(err)
	}
	want := []change{{file: leftOver, deleted: true}, {file: stale}, {file: missing}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCompareRefusesARewrittenSource(t *testing.T) {
	repo := write(t, map[string]string{source: "source"})
	tree := write(t, map[string]string{source: "rewritten"})
	if _, err := compare(repo, tree); err == nil || !strings.Contains(err.Error(), source) {
		t.Errorf("got %v", err)
	}
}

func TestApplyLeavesNothingToReport(t *testing.T) {
	repo, tree := trees(t)
	changes, err := compare(repo, tree)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report(t.Context(), &out, repo, tree, changes); err == nil {
		t.Error("stale files are not reported")
	}
	for _, line := range []string{"stale: " + stale, "-old", "+new", "stale: " + missing, "stale: " + leftOver, "-left over"} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("the report does not say %q:\n%s", line, out.String())
		}
	}
	if err := apply(&out, repo, tree, changes); err != nil {
		t.Fatal(err)
	}
	changes, err = compare(repo, tree)
	if err != nil || len(changes) > 0 {
		t.Fatalf("after applying: %v, %v", changes, err)
	}
	if err := report(t.Context(), &out, repo, tree, changes); err != nil {
		t.Error(err)
	}
}
