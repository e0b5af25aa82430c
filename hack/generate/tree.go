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
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	boilerplate = "hack/boilerplate.go.txt"
	// violations lists where our types break the conventions for API types.
	violations = "hack/generate/api-violations.list"
)

// inputs are the files and directories, relative to the repository, that generating needs.
var inputs = []string{"go.mod", "go.sum", boilerplate, "pkg/apis", "hack/generate/modelsschema"}

// outputs are the files and directories, relative to the repository, in which generated files are.
var outputs = []string{"pkg/apis", "pkg/generated", violations}

// generated tells whether the file of that slash-separated path is generated.
func generated(file string) bool {
	name := path.Base(file)
	return file == violations || strings.HasPrefix(file, "pkg/generated/") ||
		strings.HasPrefix(name, "zz_generated.") || strings.HasPrefix(name, "generated.")
}

// prepare makes an empty copy: the sources, without anything that is generated.
func (g *generation) prepare(context.Context) error {
	if err := os.RemoveAll(g.src); err != nil {
		return err
	}
	for _, input := range inputs {
		files, err := filesBelow(g.repo, input)
		if err != nil {
			return err
		}
		for _, file := range files {
			if generated(file) || strings.HasSuffix(file, "_test.go") {
				continue
			}
			if err := copyFile(filepath.Join(g.repo, file), filepath.Join(g.tree, file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// change is one difference between the repository and what has been generated.
type change struct {
	file    string
	deleted bool // in the repository, but not generated any more
}

// compare returns the differences between the generated files of repo and those of tree. A source file that a generator
// has rewritten is an error: the source is ours to mend.
func compare(repo, tree string) ([]change, error) {
	names := map[string]bool{}
	for _, root := range []string{repo, tree} {
		for _, output := range outputs {
			files, err := filesBelow(root, output)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, file := range files {
				names[file] = true
			}
		}
	}
	var changes []change
	for _, file := range slices.Sorted(maps.Keys(names)) {
		want, errWant := os.ReadFile(filepath.Join(tree, file))
		have, errHave := os.ReadFile(filepath.Join(repo, file))
		switch {
		case errWant == nil && errHave == nil && bytes.Equal(want, have):
		case !generated(file):
			if errWant == nil {
				return nil, fmt.Errorf("a generator rewrote %s: a field lacks its protobuf tag, or has a wrong one; see %s",
					file, filepath.Join(tree, file))
			}
		case errors.Is(errWant, fs.ErrNotExist):
			changes = append(changes, change{file: file, deleted: true})
		case errWant != nil:
			return nil, errWant
		case errHave != nil && !errors.Is(errHave, fs.ErrNotExist):
			return nil, errHave
		default:
			changes = append(changes, change{file: file})
		}
	}
	return changes, nil
}

// apply carries the changes out in the repository. Files that are as they should be are not touched.
func apply(out io.Writer, repo, tree string, changes []change) error {
	for _, c := range changes {
		fmt.Fprintln(out, "generate: updating", c.file)
		target := filepath.Join(repo, c.file)
		var err error
		if c.deleted {
			err = os.Remove(target)
		} else {
			err = copyFile(filepath.Join(tree, c.file), target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// report shows the changes and returns an error if there are any.
func report(ctx context.Context, out io.Writer, repo, tree string, changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	for _, c := range changes {
		// Its exit code only says that there are differences.
		diff, _ := exec.CommandContext(ctx, "diff", "-uN", "--label", "committed/"+c.file, "--label", "generated/"+c.file,
			filepath.Join(repo, c.file), filepath.Join(tree, c.file)).Output()
		fmt.Fprintf(out, "stale: %s\n%s", c.file, diff)
	}
	return fmt.Errorf("%d generated files are stale: run `make generate` and commit the result", len(changes))
}

// filesBelow returns the regular files at or below root/name, as slash-separated paths relative to root.
func filesBelow(root, name string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(root, name), func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	return files, err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
