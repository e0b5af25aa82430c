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

// Command generate runs all code generators of the project.
//
// It generates from scratch in a copy of the API packages below --work, and then either writes what differs back into the
// repository or, with --verify, shows the differences and fails if there are any. So a generator that fails halfway
// leaves the repository as it was, a file that is not generated any more disappears, and verifying changes nothing and
// does not ask git.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	repo := flag.String("repo", ".", "root of the repository")
	work := flag.String("work", ".work", "directory for the generators' binaries and the copy that they work on")
	verify := flag.Bool("verify", false, "change nothing; fail if the generated files differ from what is generated now")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *repo, *work, *verify); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, repo, work string, verify bool) error {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return err
	}
	work, err = filepath.Abs(work)
	if err != nil {
		return err
	}
	g := newGeneration(repo, work)
	if err := g.buildTools(ctx); err != nil {
		return fmt.Errorf("building the generators: %w", err)
	}
	if err := g.prepare(ctx); err != nil {
		return fmt.Errorf("preparing the copy to generate in: %w", err)
	}
	if err := g.generate(ctx); err != nil {
		return err
	}
	changes, err := compare(repo, g.tree)
	if err != nil {
		return fmt.Errorf("comparing the generated files: %w", err)
	}
	if verify {
		return report(ctx, os.Stdout, repo, g.tree, changes)
	}
	return apply(os.Stdout, repo, g.tree, changes)
}
