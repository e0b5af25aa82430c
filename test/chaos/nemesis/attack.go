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
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/test/chaos/kubesim"
	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
)

// attack carries out plans on one cluster.
type attack struct {
	cluster *lab.Cluster
	// stopped are the pods whose processes hang.
	stopped []*kubesim.Pod
}

// carryOut does one step. What can not be done, because the node is just down, is no error.
func (a *attack) carryOut(ctx context.Context, s Step) error {
	c := a.cluster
	primary, replicas, err := c.Replicas(ctx)
	if err != nil {
		return err
	}
	node := primary
	if !s.Primary && len(replicas) > 0 {
		node = replicas[s.Which%len(replicas)]
	}
	c.Timeline.Fault(fmt.Sprintf("%s: %s", s, node))
	pod := c.Pod(node)
	if pod == nil && (slices.Contains(ofNode, s.Fault) || s.Fault == VolumeLost) {
		c.Timeline.Fault("not done: " + node + " has no pod")
		return nil
	}
	switch s.Fault {
	case MysqldKilled:
		a.signal(pod, syscall.SIGKILL)
	case MysqldHangs:
		a.signal(pod, syscall.SIGSTOP)
		a.stopped = append(a.stopped, pod)
	case AgentHangs:
		pod.Signal(syscall.SIGSTOP)
		a.stopped = append(a.stopped, pod)
	case NodeFreezes:
		// The agent first: it must not see that mysqld hangs.
		pod.Signal(syscall.SIGSTOP)
		a.signal(pod, syscall.SIGSTOP)
		a.stopped = append(a.stopped, pod)
	case AgentKilled:
		pod.Signal(syscall.SIGKILL)
	case PodDeleted:
		return c.DeletePod(ctx, node, true)
	case PodKilled:
		pod.Signal(syscall.SIGKILL)
		return c.DeletePod(ctx, node, false)
	case Drained:
		return c.Drain(ctx, node)
	case VolumeFull:
		return c.FillVolume(ctx, node)
	case VolumeLost:
		return c.LoseVolume(ctx, node)
	case CutTo, CutFrom, CutOne, CutUp, CutDown, Isolated:
		return a.cut(s, node)
	case ControlKilled:
		c.Control.Kill()
	case ControlAt:
		c.Control.KillAfter(s.Nth, s.Late)
	case ControlTwice:
		return c.Control.StartAnother()
	case APIHangs:
		c.API().Set(lab.Hang)
	case APIAway:
		c.API().Set(lab.Refuse)
	case KubeHangs:
		c.Control.SetKube(lab.Hang)
	case KubeAway:
		c.Control.SetKube(lab.Refuse)
	case Switchover:
		target := ""
		if s.Which > 0 {
			target = replicas[s.Which%len(replicas)]
		}
		if _, err := c.Switchover(ctx, target); err != nil {
			c.Timeline.Fault("refused: " + err.Error())
		}
	case PowerLost:
		for _, pod := range c.Pods() {
			pod.Signal(syscall.SIGKILL)
		}
	default:
		return fmt.Errorf("unknown fault %q", s.Fault)
	}
	return nil
}

func (a *attack) signal(pod *kubesim.Pod, signal syscall.Signal) {
	if err := pod.SignalMysqld(signal); err != nil {
		a.cluster.Timeline.Fault("not done: " + err.Error())
	}
}

// cut cuts lines of a node. A line to a node that has no pod just now is none.
func (a *attack) cut(s Step, node string) error {
	c := a.cluster
	var errs []error
	for i, other := range slices.DeleteFunc(c.Nodes(), func(n string) bool { return n == node || c.Pod(n) == nil }) {
		if s.Fault == CutTo || s.Fault == Isolated || s.Fault == CutOne && i == 0 {
			errs = append(errs, c.Cut(node, other))
		}
		if s.Fault == CutFrom || s.Fault == Isolated {
			errs = append(errs, c.Cut(other, node))
		}
	}
	if s.Fault == CutUp || s.Fault == Isolated {
		errs = append(errs, c.CutFromController(node))
	}
	if s.Fault == CutDown || s.Fault == Isolated {
		errs = append(errs, c.CutController(node))
	}
	return errors.Join(errs...)
}

// heal ends everything that lasts.
func (a *attack) heal(ctx context.Context) error {
	c := a.cluster
	c.Timeline.Fault("healed")
	for _, pod := range a.stopped {
		// They may have been killed in between.
		_ = pod.SignalMysqld(syscall.SIGCONT)
		pod.Signal(syscall.SIGCONT)
	}
	a.stopped = nil
	c.API().Set(lab.Pass)
	c.Control.SetKube(lab.Pass)
	return errors.Join(c.HealNetwork(), c.EmptyVolumes(ctx), c.Uncordon(ctx), c.Control.Restart())
}

// run carries out a plan, and heals.
func (a *attack) run(ctx context.Context, p Plan) error {
	restarting, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.restart(restarting, p.Back) })
	defer running.Wait()
	defer stop()
	var errs []error
	for _, s := range p.Steps {
		if err := wait(ctx, s.After); err != nil {
			return err
		}
		errs = append(errs, a.carryOut(ctx, s))
	}
	errs = append(errs, wait(ctx, p.Lasts))
	stop()
	running.Wait()
	return errors.Join(append(errs, a.heal(ctx))...)
}

// restart starts the controller again, some time after it ended, until ctx ends.
func (a *attack) restart(ctx context.Context, after time.Duration) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.cluster.Control.Ended():
			if wait(ctx, after) != nil {
				return
			}
			if err := a.cluster.Control.Restart(); err != nil {
				a.cluster.Timeline.Fault("the controller is not started again: " + err.Error())
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
