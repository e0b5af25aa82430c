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

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
)

// Options say what is measured.
type Options struct {
	// Rounds is the number of rounds of each kind.
	Rounds int
	// Only limits the kinds; empty means all.
	Only []string
	Out  io.Writer
}

// fault is one way to lose a primary.
type fault struct {
	name string
	do   func(ctx context.Context, c *lab.Cluster, primary string) error
	heal func(c *lab.Cluster, primary string) error
}

func faults() []fault {
	nothing := func(*lab.Cluster, string) error { return nil }
	return []fault{
		{"mysqld-killed", func(_ context.Context, c *lab.Cluster, primary string) error {
			return c.Pod(primary).SignalMysqld(syscall.SIGKILL)
		}, nothing},
		{"mysqld-hangs", func(_ context.Context, c *lab.Cluster, primary string) error {
			return c.Pod(primary).SignalMysqld(syscall.SIGSTOP)
		}, func(c *lab.Cluster, primary string) error {
			// Mostly it has been killed by now.
			_ = c.Pod(primary).SignalMysqld(syscall.SIGCONT)
			return nil
		}},
		{"pod-deleted", func(ctx context.Context, c *lab.Cluster, primary string) error {
			return c.DeletePod(ctx, primary, true)
		}, nothing},
		{"pod-killed", func(ctx context.Context, c *lab.Cluster, primary string) error {
			c.Pod(primary).Signal(syscall.SIGKILL)
			return c.DeletePod(ctx, primary, false)
		}, nothing},
		{"network-cut", func(_ context.Context, c *lab.Cluster, primary string) error {
			return c.Isolate(primary)
		}, func(c *lab.Cluster, _ string) error { return c.HealNetwork() }},
		{"switchover", func(ctx context.Context, c *lab.Cluster, _ string) error {
			_, err := c.Switchover(ctx, "")
			return err
		}, nothing},
	}
}

// Bounds of what takes how long. They only end what has failed.
const (
	startTimeout = 5 * time.Minute
	backTimeout  = time.Minute
	healTimeout  = 3 * time.Minute
)

// Run measures and prints a table.
func Run(ctx context.Context, l *lab.Lab, o Options) error {
	floor, err := measureFloor(ctx, l, o)
	if err != nil {
		return err
	}
	all := []Series{floor}
	var errs []error
	for i, f := range faults() {
		if len(o.Only) > 0 && !slices.Contains(o.Only, f.name) {
			continue
		}
		series, err := measure(ctx, l, o, f, fmt.Sprintf("b%d", i))
		errs = append(errs, err)
		all = append(all, series)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, Print(o.Out, all))...)
}

// measure measures one fault, on a cluster of its own.
func measure(ctx context.Context, l *lab.Lab, o Options, f fault, name string) (Series, error) {
	s := Series{Name: f.name}
	c, err := l.NewCluster(lab.ClusterConfig{Name: name, Replicas: 3, Durability: v1alpha1.DurabilityStrict, ErrantNodePolicy: v1alpha1.ErrantNodeRebuild})
	if err != nil {
		return s, err
	}
	defer func() {
		if err := c.Close(); err != nil {
			fmt.Fprintln(o.Out, "closing the cluster:", err)
		}
	}()
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := errors.Join(c.WaitReady(starting), c.Prepare(starting)); err != nil {
		return s, err
	}
	for i := range o.Rounds {
		sample, err := round(ctx, c, f, i+1)
		if errors.Is(err, errNotBack) {
			s.Failures++
			fmt.Fprintf(o.Out, "%s %d: %v\n", f.name, i+1, err)
			continue
		}
		if err != nil {
			return s, fmt.Errorf("%s, round %d: %w", f.name, i+1, err)
		}
		s.Samples = append(s.Samples, sample)
		fmt.Fprintf(o.Out, "%s %d: %s ms (detect %s, decide %s, promote %s, route %s)\n", f.name, i+1, milliseconds(sample.Gap), milliseconds(sample.Detect),
			milliseconds(sample.Decide), milliseconds(sample.Promote), milliseconds(sample.Route))
	}
	finals, err := c.Finals(ctx)
	if err != nil {
		return s, err
	}
	c.History.SetFinals(finals)
	var errs []error
	for _, v := range c.History.Check() {
		errs = append(errs, fmt.Errorf("%s: %s", f.name, v))
	}
	return s, errors.Join(errs...)
}

var errNotBack = errors.New("writes did not come back")

// load is one client with little patience.
func load(writer int) lab.Load {
	return lab.Load{Writers: 1, FirstWriter: writer, Pause: time.Millisecond, Patience: 500 * time.Millisecond}
}

// warmUp is how many writes are acknowledged before a fault.
const warmUp = 200

// round is one fault under load, until all is well again.
func round(ctx context.Context, c *lab.Cluster, f fault, writer int) (Sample, error) {
	began := time.Now()
	clients := c.StartClients(load(writer))
	defer clients.Stop()
	if err := acked(ctx, c, began, warmUp); err != nil {
		return Sample{}, err
	}
	primary, _, err := c.Replicas(ctx)
	if err != nil {
		return Sample{}, err
	}
	c.Timeline.Fault(f.name)
	at := time.Now()
	if err := f.do(ctx, c, primary); err != nil {
		return Sample{}, err
	}
	back := waitForWrites(ctx, c, at, primary)
	if err := f.heal(c, primary); err != nil {
		return Sample{}, err
	}
	healing, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	if err := c.WaitReady(healing); err != nil {
		return Sample{}, err
	}
	if back != nil {
		return Sample{}, back
	}
	return split(c.Timeline.Since(at), c.History.Writes(began), at, primary), nil
}

// acked waits for a number of acknowledged writes.
func acked(ctx context.Context, c *lab.Cluster, since time.Time, n int) error {
	ctx, cancel := context.WithTimeout(ctx, backTimeout)
	defer cancel()
	for c.History.Acked(since) < n {
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return errNotBack
		}
	}
	return nil
}

// calm is how long writes have to be acknowledged again by the old primary before it counts as back: one that was told to go may serve on.
const calm = 5 * time.Second

// waitForWrites waits until writes are acknowledged by another node, or for good by the old primary.
func waitForWrites(ctx context.Context, c *lab.Cluster, since time.Time, old string) error {
	ctx, cancel := context.WithTimeout(ctx, backTimeout)
	defer cancel()
	for {
		writes := c.History.Writes(since)
		if slices.ContainsFunc(writes, func(w history.Write) bool { return w.Outcome == history.Acked && w.Node != old }) {
			return nil
		}
		if failed := lastFailure(writes); !failed.IsZero() && time.Since(failed) > calm && len(c.History.Writes(failed.Add(calm/2))) > 0 {
			return nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return errNotBack
		}
	}
}

// lastFailure is the end of the last write that was not acknowledged.
func lastFailure(writes []history.Write) time.Time {
	var last time.Time
	for _, w := range writes {
		if w.Outcome != history.Acked {
			last = w.End
		}
	}
	return last
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// split finds the time without acknowledged writes, and what it consisted of.
func split(events []lab.Event, writes []history.Write, at time.Time, primary string) Sample {
	var s Sample
	var before, first time.Time
	for _, w := range writes {
		if w.Outcome != history.Acked {
			continue
		}
		if !before.IsZero() && w.End.After(at) && w.End.Sub(before) > s.Gap {
			s.Gap, first = w.End.Sub(before), w.End
		}
		before = w.End
	}
	var noticed, decided, opened time.Time
	for _, e := range events {
		switch {
		case noticed.IsZero() && e.Kind == lab.Reported && isTrouble(e, primary):
			noticed = e.At
		case decided.IsZero() && e.Kind == lab.Recorded && e.Node != primary:
			decided = e.At
		case opened.IsZero() && e.Kind == lab.Reported && e.Node != primary && e.State.Role == api.RolePrimary && !e.State.SuperReadOnly:
			opened = e.At
		}
	}
	if decided.IsZero() || opened.IsZero() {
		return s // the old primary came back by itself
	}
	if noticed.IsZero() || noticed.After(decided) {
		noticed = at // as with a request, where nothing has to be noticed
	}
	s.Detect, s.Decide, s.Promote, s.Route = noticed.Sub(at), decided.Sub(noticed), opened.Sub(decided), first.Sub(opened)
	return s
}

// isTrouble is true for a report that shows that the primary is lost or going to be.
func isTrouble(e lab.Event, primary string) bool {
	if e.Node == primary {
		return e.State.Phase != api.PhaseRunning || e.State.Stopping
	}
	return e.State.Replication != nil && e.State.Replication.ReceiverState != api.ReceiverOn
}
