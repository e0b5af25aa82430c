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
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/cgroup"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/host"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/network"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/progress"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/runtime"
)

// The parts in the order in which they are stopped, around the removal of the pods: first whoever would bring pods back.
var (
	beforePods = []string{"kubelet", "kube-controller-manager", "kube-scheduler", "volumes"}
	afterPods  = []string{"containerd", "kube-proxy", "coredns", "kube-apiserver", "etcd"}
)

// down stops everything and removes every trace. It first does so in order, and then sweeps up whatever is left: after a
// crash, only the sweep may find something to do.
func down(ctx context.Context, l layout.Layout) error {
	unlock, err := lock(l)
	if err != nil {
		return err
	}
	defer unlock()
	owner, err := network.Owner()
	if err != nil {
		return err
	}
	if owner != "" && owner != l.Work {
		return fmt.Errorf("the local Kubernetes of this machine runs from %s, not from %s", owner, l.Work)
	}
	if _, err := os.Stat(l.Kube()); errors.Is(err, fs.ErrNotExist) && owner == "" {
		fmt.Println("There is no local Kubernetes to stop.")
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("it needs root, as up did")
	}
	report := progress.New(os.Stdout)
	table := process.Table{Dir: l.Kube("run", "processes")}
	var failures []error
	for _, stage := range []struct {
		name string
		run  func(context.Context, *progress.Stage) error
	}{
		{"controllers", func(ctx context.Context, s *progress.Stage) error { return stop(ctx, s, table, beforePods) }},
		{"pods", func(ctx context.Context, s *progress.Stage) error { return removePods(ctx, s, l, table) }},
		{"servers", func(ctx context.Context, s *progress.Stage) error { return stop(ctx, s, table, afterPods) }},
		{"remains", func(ctx context.Context, s *progress.Stage) error { return sweep(ctx, s, l) }},
	} {
		s := report.Begin(stage.name)
		if err := stage.run(ctx, s); err != nil {
			s.Note("%v", err)
			if stage.name == "remains" {
				failures = append(failures, err)
			}
			// An error before that only means that more is left to be swept up.
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("not everything could be removed; run it again, or reboot: %w", err)
	}
	report.Line("\nThe local Kubernetes is gone, with all data in it. Kept in %s: the programs and MySQL's files, which make up uses again.", l.Work)
	return nil
}

// stopGrace is short: nothing that they would still write is kept.
const stopGrace = 2 * time.Second

func stop(ctx context.Context, s *progress.Stage, table process.Table, names []string) error {
	errs := make(chan error, len(names))
	for _, name := range names {
		go func() { errs <- table.Stop(ctx, name, stopGrace) }()
	}
	var all []error
	for range names {
		all = append(all, <-errs)
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	s.Done("stopped")
	return nil
}

func removePods(ctx context.Context, s *progress.Stage, l layout.Layout, table process.Table) error {
	if id, _, err := table.Find("containerd"); err != nil || !id.Alive() {
		s.Done("containerd does not run")
		return nil
	}
	client, err := runtime.Connect(l.Containerd())
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	removed, err := client.RemovePods(ctx)
	if err != nil {
		return err
	}
	s.Done("%d removed", removed)
	return nil
}

// sweep removes what may be left: processes, control groups, mounts, interfaces, rules, settings, files. Each is tried, whatever the others say.
func sweep(ctx context.Context, s *progress.Stage, l layout.Layout) error {
	var errs []error
	groups, err := cgroup.Inspect()
	if err == nil {
		err = groups.Remove(ctx, layout.Cgroup)
	}
	errs = append(errs, err,
		host.Unmount(ctx, l.Kube()),
		network.Remove(ctx),
		host.Restore(hostRecord(l)),
	)
	if err := errors.Join(errs...); err != nil {
		return err // the record of what the machine was is kept for the next try
	}
	if err := os.RemoveAll(l.Kube()); err != nil {
		return err
	}
	s.Done("removed")
	return nil
}
