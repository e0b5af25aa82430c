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

package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
)

// Shape is a kind of cluster.
type Shape struct {
	Name       string
	Replicas   int
	Durability v1alpha1.Durability
	Policy     v1alpha1.ErrantNodePolicy
}

// Shapes are the kinds of clusters that rounds take turns on.
func Shapes() []Shape {
	return []Shape{
		{"three-strict", 3, v1alpha1.DurabilityStrict, v1alpha1.ErrantNodeRebuild},
		{"two-preferred", 2, v1alpha1.DurabilityPreferred, v1alpha1.ErrantNodeRebuild},
		{"two-strict", 2, v1alpha1.DurabilityStrict, v1alpha1.ErrantNodeRebuild},
		{"three-keep", 3, v1alpha1.DurabilityStrict, v1alpha1.ErrantNodeKeep},
	}
}

// Options say which rounds are to be run.
type Options struct {
	Rounds int
	// Seed is that of the first round; the next has the next one.
	Seed uint64
	// Only limits the faults, Shape the kind of cluster; empty means all.
	Only  []Fault
	Shape string
	// RoundsPerCluster is the number of rounds after which a cluster is replaced by a new one of the next shape.
	RoundsPerCluster int
	// Lasts replaces, unless it is 0, how long faults last.
	Lasts time.Duration
	Out   io.Writer
}

// Bounds of what takes how long. They only end what has failed.
const (
	startTimeout = 3 * time.Minute
	healTimeout  = 2 * time.Minute
	roundTimeout = 6 * time.Minute
)

// slow is how long after everything was healed writes are away when a round is worth a look.
const slow = 5 * time.Second

// Run runs rounds and prints a line for each. The error tells which ones failed.
func Run(ctx context.Context, l *lab.Lab, o Options) error {
	shapes := slices.DeleteFunc(Shapes(), func(s Shape) bool { return o.Shape != "" && s.Name != o.Shape })
	if len(shapes) == 0 {
		return fmt.Errorf("there is no shape %q", o.Shape)
	}
	r := &runner{lab: l, options: o}
	defer r.closeCluster()
	var failed []uint64
	for i := range o.Rounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		shape := shapes[i/o.RoundsPerCluster%len(shapes)]
		if r.cluster == nil || i%o.RoundsPerCluster == 0 {
			if err := r.newCluster(ctx, shape); err != nil {
				return err
			}
		}
		if !r.round(ctx, i, o.Seed+uint64(i)) {
			failed = append(failed, o.Seed+uint64(i))
			r.closeCluster()
		}
	}
	fmt.Fprintf(o.Out, "%d rounds, %d failed; %d acknowledged writes, %d reads on replicas\n", o.Rounds, len(failed), r.acked, r.reads)
	if len(failed) > 0 {
		return fmt.Errorf("the rounds with these seeds failed: %v", failed)
	}
	return nil
}

// runner runs rounds, several on one cluster.
type runner struct {
	lab     *lab.Lab
	options Options

	cluster  *lab.Cluster
	shape    Shape
	clusters int
	writers  int

	acked int
	reads int64
}

func (r *runner) closeCluster() {
	if r.cluster == nil {
		return
	}
	if err := r.cluster.Close(); err != nil {
		fmt.Fprintln(r.options.Out, "closing the cluster:", err)
	}
	r.cluster = nil
}

func (r *runner) newCluster(ctx context.Context, shape Shape) error {
	r.closeCluster()
	r.clusters++
	r.shape, r.writers = shape, 0
	var err error
	r.cluster, err = r.lab.NewCluster(lab.ClusterConfig{
		Name: fmt.Sprintf("c%d", r.clusters), Replicas: shape.Replicas, Durability: shape.Durability, ErrantNodePolicy: shape.Policy, Fast: true,
	})
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	started := time.Now()
	if err := errors.Join(r.cluster.WaitReady(starting), r.cluster.Prepare(starting)); err != nil {
		r.dump("start", started, nil)
		return err
	}
	fmt.Fprintf(r.options.Out, "cluster %s, %s: ready after %.1f s\n", r.cluster.Config.Name, shape.Name, time.Since(started).Seconds())
	return nil
}

// round runs one round; it returns false if it failed.
func (r *runner) round(ctx context.Context, i int, seed uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	plan := NewPlan(seed, r.shape.Replicas, r.options.Only)
	if r.options.Lasts > 0 {
		plan.Lasts = r.options.Lasts
	}
	began := time.Now()
	fmt.Fprintf(r.options.Out, "round %d seed %d %s: %s\n", i+1, seed, r.shape.Name, plan)
	gap, err := r.attack(ctx, plan)
	acked := r.cluster.History.Acked(began)
	r.acked += acked
	var violations []history.Violation
	if err == nil {
		violations = r.cluster.History.Check()
	}
	result := "ok"
	if err != nil || len(violations) > 0 {
		result = "FAILED"
	}
	fmt.Fprintf(r.options.Out, "  %s: %d acknowledged writes, longest time without one %.2f s, %.1f s in all\n", result, acked, gap.Seconds(), time.Since(began).Seconds())
	story := r.dump(fmt.Sprintf("seed-%d", seed), began, violations)
	if result == "ok" {
		if gap > plan.Lasts+slow {
			fmt.Fprintln(r.options.Out, "  slow:", story)
		}
		return true
	}
	if err != nil {
		fmt.Fprintln(r.options.Out, "  error:", err)
	}
	for _, v := range violations {
		fmt.Fprintln(r.options.Out, "  violation:", v)
	}
	fmt.Fprintln(r.options.Out, "  logs:", story)
	return false
}

// attack runs a plan against a cluster under load. It returns the longest time in which no write was acknowledged.
func (r *runner) attack(ctx context.Context, plan Plan) (time.Duration, error) {
	const writers = 4
	clients := r.cluster.StartClients(lab.Load{Writers: writers, FirstWriter: r.writers + 1, Pause: 4 * time.Millisecond, Patience: 3 * time.Second, Readers: true})
	r.writers += writers
	stop := func() { clients.Stop(); r.reads += clients.Reads() }
	a := &attack{cluster: r.cluster}
	if err := r.flowing(ctx); err != nil {
		stop()
		return 0, err
	}
	began := time.Now()
	err := a.run(ctx, plan)
	if err == nil {
		err = r.healed(ctx)
	}
	if err == nil {
		err = r.flowing(ctx)
	}
	stop()
	gap := longestGap(r.cluster.History.Writes(began), began, time.Now())
	if err != nil {
		return gap, err
	}
	finals, err := r.cluster.Finals(ctx)
	if err != nil {
		return gap, err
	}
	r.cluster.History.SetFinals(finals)
	return gap, nil
}

// healed waits until the cluster is well again, with the help of a person where it asks for one.
func (r *runner) healed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	tending, stop := context.WithCancel(ctx)
	var person sync.WaitGroup
	if r.shape.Policy == v1alpha1.ErrantNodeKeep {
		person.Go(func() { r.cluster.Tend(tending) })
	}
	err := r.cluster.WaitReady(ctx)
	stop()
	person.Wait()
	return err
}

// flowing waits until writes are acknowledged again.
func (r *runner) flowing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	began := time.Now()
	for r.cluster.History.Acked(began) < 100 {
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("no writes are acknowledged: %w", err)
		}
	}
	return nil
}

// longestGap is the longest time without an acknowledgement.
func longestGap(writes []history.Write, from, to time.Time) time.Duration {
	var gap time.Duration
	last := from
	for _, w := range writes {
		if w.Outcome == history.Acked && w.End.After(last) {
			gap = max(gap, w.End.Sub(last))
			last = w.End
		}
	}
	return max(gap, to.Sub(last))
}

// dump writes what is known of a round into the cluster's directory of logs.
func (r *runner) dump(name string, began time.Time, violations []history.Violation) string {
	file, err := os.Create(filepath.Join(r.cluster.LogDir, name+".txt"))
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	for _, v := range violations {
		fmt.Fprintln(file, v)
	}
	fmt.Fprintln(file, "\nWhat happened:")
	r.cluster.Timeline.Write(file, began)
	fmt.Fprintln(file, "\nOrders:")
	for _, o := range r.cluster.Control.Orders(began) {
		text, _ := json.Marshal(o.Order)
		fmt.Fprintf(file, "%s-%s %s %s %s %s\n", o.Sent.Format("15:04:05.000"), o.Answered.Format("15:04:05.000"), o.Node, o.Outcome, o.Reason, text)
	}
	if cluster, err := r.cluster.Get(context.Background()); err == nil {
		text, _ := json.MarshalIndent(cluster.Status, "", "  ")
		fmt.Fprintf(file, "\nStatus: %s\n", text)
	}
	fmt.Fprintln(file, "\nWrites that were not acknowledged, and acknowledgements around them:")
	writes := r.cluster.History.Writes(began)
	for i, w := range writes {
		near := w.Outcome != history.Acked || i > 0 && writes[i-1].Outcome != history.Acked || i+1 < len(writes) && writes[i+1].Outcome != history.Acked
		if near {
			fmt.Fprintf(file, "%s-%s %d/%d %s %s %s\n", w.Start.Format("15:04:05.000"), w.End.Format("15:04:05.000"), w.Writer, w.Seq, w.Node, w.Outcome, w.Error)
		}
	}
	return file.Name()
}
