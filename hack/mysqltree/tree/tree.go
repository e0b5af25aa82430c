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

// Package tree knows the layout of the file tree that mysqltree makes, and how to run its programs in place, on any
// distribution and without privileges: through the tree's own loader and libraries.
package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	// StampFile, in the root of a tree, tells what the tree was made of. It is written last.
	StampFile = ".mysqltree"
	// EnvDir names the environment variable that overrides where Find looks.
	EnvDir = "MYSQL_TREE"
	// Remedy is what to type when there is no tree.
	Remedy = "make mysql"
)

// Tree is an unpacked MySQL.
type Tree struct {
	// Dir is the absolute path of its root.
	Dir string
}

// platform is where a machine architecture has its loader and libraries below the root.
type platform struct{ loader, libraries string }

var platforms = map[string]platform{
	"amd64": {"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"},
	"arm64": {"usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"},
}

// Open returns the tree in dir, which must be complete.
func Open(dir string) (Tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Tree{}, fmt.Errorf("find the MySQL tree: %w", err)
	}
	if _, ok := platforms[runtime.GOARCH]; !ok {
		return Tree{}, fmt.Errorf("the MySQL tree cannot be run on %s", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(dir, StampFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Tree{}, fmt.Errorf("no MySQL in %s: run %q first", dir, Remedy)
		}
		return Tree{}, fmt.Errorf("open the MySQL tree: %w", err)
	}
	return Tree{Dir: dir}, nil
}

// Find returns the tree that the environment variable MYSQL_TREE names, or else the one in .work/mysql of the repository
// that the working directory lies in.
func Find() (Tree, error) {
	if dir := os.Getenv(EnvDir); dir != "" {
		return Open(dir)
	}
	dir, err := os.Getwd()
	if err != nil {
		return Tree{}, fmt.Errorf("find the MySQL tree: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return Open(filepath.Join(dir, ".work", "mysql"))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return Tree{}, fmt.Errorf("no go.mod above the working directory: run inside the repository, or set %s", EnvDir)
		}
		dir = parent
	}
}

// Argv returns the words that run a program of the tree ("usr/bin/mysql") in place; its arguments follow them.
func (t Tree) Argv(program string) []string {
	p := platforms[runtime.GOARCH]
	return []string{
		filepath.Join(t.Dir, p.loader),
		"--library-path", filepath.Join(t.Dir, p.libraries),
		filepath.Join(t.Dir, program),
	}
}

// Mysqld returns the words that run mysqld in place.
func (t Tree) Mysqld() []string {
	return t.Argv("usr/sbin/mysqld")
}

// MysqldOptions are the options that tell mysqld where its files are. A defaults option has to come before them.
func (t Tree) MysqldOptions() []string {
	return []string{
		"--lc-messages-dir=" + filepath.Join(t.Dir, "usr/share/mysql"),
		"--character-sets-dir=" + filepath.Join(t.Dir, "usr/share/mysql/charsets"),
		"--plugin-dir=" + filepath.Join(t.Dir, "usr/lib/mysql/plugin"),
	}
}
