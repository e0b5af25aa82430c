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

// Command localkube runs a real Kubernetes of one node on this machine, with the product and an example cluster in it, and takes all of
// it away again. It downloads nothing and builds nothing: make has built every program before.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/volumes"
)

const usage = `usage:
  localkube up      --work DIR --repo DIR   start Kubernetes, deploy the product, create the example cluster
  localkube down    --work DIR              stop it and remove everything, data included
  localkube status  --work DIR              show what runs
Each takes --help.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	bypassProxy()
	var err error
	switch command, args := os.Args[1], os.Args[2:]; command {
	case "up":
		err = runUp(ctx, args)
	case "down":
		err = runDown(ctx, args)
	case "status":
		err = runStatus(ctx, args)
	case "volumes":
		err = runVolumes(ctx, args)
	case "help", "-h", "--help":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "localkube: there is no command %q\n%s", command, usage)
		os.Exit(2)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; what was started keeps running: up continues, down ends it")
		}
		fmt.Fprintf(os.Stderr, "\nlocalkube: %v\n", err)
		if failed := (*partError)(nil); errors.As(err, &failed) {
			fmt.Fprintf(os.Stderr, "the last lines of %s:\n  %s\n", failed.log, strings.Join(process.Tail(failed.log, 12), "\n  "))
		}
		os.Exit(1)
	}
}

// options are the flags that all commands have.
type options struct {
	work, repo string
}

func (o *options) register(flags *flag.FlagSet) {
	flags.StringVar(&o.work, "work", ".work", "the work directory: programs are in its bin, the state goes to its kube")
	flags.StringVar(&o.repo, "repo", ".", "the repository, whose manifests are deployed")
}

func (o *options) layout() (layout.Layout, error) {
	work, err := filepath.Abs(o.work)
	if err != nil {
		return layout.Layout{}, err
	}
	repo, err := filepath.Abs(o.repo)
	if err != nil {
		return layout.Layout{}, err
	}
	// Mounts are listed by their real path.
	if real, err := filepath.EvalSymlinks(work); err == nil {
		work = real
	}
	return layout.Layout{Work: work, Repo: repo}, nil
}

func runUp(ctx context.Context, args []string) error {
	var o options
	var u upOptions
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	o.register(flags)
	flags.BoolVar(&u.noDeploy, "no-deploy", false, "start Kubernetes alone: deploy neither the product nor the example")
	flags.StringVar(&u.example, "example", "", "the file with the example (default: artifacts/examples/announcement.yaml of the repository; none: -)")
	flags.DurationVar(&u.timeout, "timeout", 10*time.Minute, "give up after this time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := o.layout()
	if err != nil {
		return err
	}
	return up(ctx, l, u)
}

func runDown(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	o.register(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := o.layout()
	if err != nil {
		return err
	}
	return down(ctx, l)
}

func runStatus(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	o.register(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := o.layout()
	if err != nil {
		return err
	}
	return status(ctx, l)
}

// runVolumes is a part of the local Kubernetes, started by up.
func runVolumes(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("volumes", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "who it is")
	dir := flags.String("dir", "", "where the volumes are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return volumes.Run(ctx, *kubeconfig, *dir)
}

// lock makes sure that only one up or down works on a directory.
func lock(l layout.Layout) (unlock func(), err error) {
	if err := os.MkdirAll(l.Work, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(l.Work)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another localkube is at work in %s: wait until it is done", l.Work)
		}
		return nil, fmt.Errorf("lock %s: %w", l.Work, err)
	}
	return func() { dir.Close() }, nil
}
