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
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages are what is fetched, with their dependencies.
var packages = []string{"mysql-server-core", "mysql-client-core"}

// skippedPackages are the starts of the names of dependencies that only scripts need which nobody runs here.
var skippedPackages = []string{"perl", "libperl", "libgdbm", "gcc-"}

// pruned are paths, with wildcards, of what neither mysqld nor a person in its container needs.
var pruned = []string{
	"usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug", "usr/share/gcc",
	"usr/lib/mysql/plugin/authentication_*_client.so",
	"usr/lib/mysql/plugin/telemetry_client.so", "usr/lib/mysql/plugin/component_telemetry.so",
	"usr/bin/mysqld_*", "usr/bin/mysqldumpslow", "usr/bin/myisam*", "usr/bin/ibd2sdi", "usr/bin/innochecksum",
	"usr/bin/mysql_secure_installation", "usr/bin/mysql_config_editor", "usr/bin/mysql_migrate_keyring",
	"usr/bin/my_print_defaults", "usr/bin/mysqlimport", "usr/bin/mysqlshow",
}

// merged are the directories of the root that are links to those of /usr. Without them a program of the tree does not find its
// loader in a container.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// unpack makes the tree in dir out of the packages' files, and returns the names of those that went in.
func unpack(ctx context.Context, dir string, debs []string) ([]string, error) {
	for _, name := range merged {
		if err := os.MkdirAll(filepath.Join(dir, "usr", name), 0o755); err != nil {
			return nil, fmt.Errorf("lay out the tree: %w", err)
		}
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("lay out the tree: %w", err)
		}
	}
	// Mount points of a container, and where programs put their temporary files.
	for name, mode := range map[string]os.FileMode{"dev": 0o755, "etc": 0o755, "proc": 0o755, "sys": 0o755, "run": 0o755, "tmp": 0o777 | os.ModeSticky} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return nil, fmt.Errorf("lay out the tree: %w", err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			return nil, fmt.Errorf("lay out the tree: %w", err)
		}
	}
	var names []string
	for _, deb := range debs {
		name := strings.TrimSuffix(filepath.Base(deb), ".deb")
		if hasAnyPrefix(name, skippedPackages) {
			continue
		}
		out, err := exec.CommandContext(ctx, "dpkg", "-x", deb, dir).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w\n%s", name, err, out)
		}
		names = append(names, name)
	}
	for _, name := range merged {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode()&os.ModeSymlink == 0 {
			return nil, fmt.Errorf("a package replaced the link /%s by a directory", name)
		}
	}
	return names, prune(dir)
}

func prune(dir string) error {
	for _, pattern := range pruned {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("prune %s: %w", pattern, err)
		}
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("prune the tree: %w", err)
			}
		}
	}
	return nil
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}
