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

// mysqltree fetches MySQL from Debian's packages and unpacks it, with every library that it needs, into one directory. It
// needs no root and no container: tests run mysqld in place (see the package tree), and the same directory is the
// content of the container image of the local Kubernetes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/hack/mysqltree/tree"
)

// recipe changes whenever the same packages would make another tree: a tree of another recipe is made anew.
const recipe = "recipe 2"

func main() {
	dir := flag.String("dir", ".work/mysql", "directory to make the tree in")
	mirror := flag.String("mirror", "", "address of a Debian archive (default: the one that this machine's apt uses)")
	again := flag.Bool("update", false, "fetch the packages again even if there is a tree")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *mirror, *again); err != nil {
		fmt.Fprintf(os.Stderr, "mysqltree: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, mirror string, again bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if version, ok := present(dir); ok && !again {
		fmt.Printf("MySQL is there already: %s in %s\n", version, dir)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if version, ok := present(dir); ok && !again { // made by the one that held the lock
		fmt.Printf("MySQL is there already: %s in %s\n", version, dir)
		return nil
	}
	return fetch(ctx, dir, mirror)
}

// fetch makes the tree beside its final place and moves it there as a whole.
func fetch(ctx context.Context, dir, mirror string) error {
	for _, tool := range []string{"apt-get", "apt-config", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: this needs a Debian system (MySQL comes from Debian's packages)", tool)
		}
	}
	mirrors := []string{mirror}
	if mirror == "" {
		codename, err := releaseCodename("/etc/os-release")
		if err != nil {
			return err
		}
		if mirrors, err = findMirrors("/etc/apt", codename); err != nil {
			return err
		}
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)

	step := stopwatch()
	var debs []string
	for i, mirror := range mirrors {
		root := filepath.Join(temp, fmt.Sprintf("apt%d", i))
		step("fetching the list of Debian sid's packages")
		if debs, err = download(ctx, root, mirror, step); err == nil {
			break
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	if err != nil {
		return fmt.Errorf("%w\nIs the network there? The archive's address comes from /etc/apt; --mirror names another one", err)
	}

	step("unpacking %d packages", len(debs))
	made := filepath.Join(temp, "tree")
	if err := os.Mkdir(made, 0o755); err != nil {
		return err
	}
	names, err := unpack(ctx, made, debs)
	if err != nil {
		return err
	}
	step("trying it")
	argv := append(tree.Tree{Dir: made}.Mysqld(), "--no-defaults", "--version")
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mysqld of the new tree does not run: %w\n%s", err, out)
	}
	if err := writeStamp(made, names); err != nil {
		return err
	}
	if err := replace(made, dir, filepath.Join(temp, "old")); err != nil {
		return err
	}
	version, _ := present(dir)
	step("done: %s in %s", version, dir)
	return nil
}

func download(ctx context.Context, root, mirror string, step func(string, ...any)) ([]string, error) {
	apt, err := newApt(ctx, root, mirror)
	if err != nil {
		return nil, err
	}
	if err := apt.update(ctx); err != nil {
		return nil, err
	}
	step("fetching %s with their dependencies", strings.Join(packages, " and "))
	return apt.download(ctx, packages...)
}

func writeStamp(dir string, names []string) error {
	text := recipe + "\n" + strings.Join(names, "\n") + "\n"
	return os.WriteFile(filepath.Join(dir, tree.StampFile), []byte(text), 0o644)
}

// present tells whether dir holds a tree of this recipe, and the package that its mysqld came from.
func present(dir string) (version string, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, tree.StampFile))
	if err != nil {
		return "", false
	}
	lines := strings.Split(string(text), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, packages[0]+"_") {
			version = line
		}
	}
	return version, lines[0] == recipe && version != ""
}

// replace puts the directory made at the place of dir, and what was there at old.
func replace(made, dir, old string) error {
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(made, dir)
}

// lock waits until no other mysqltree works on the same directory.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

// stopwatch returns a function that prints a line with the seconds since the start.
func stopwatch() func(format string, args ...any) {
	start := time.Now()
	return func(format string, args ...any) {
		fmt.Printf("[%5.1fs] %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}
