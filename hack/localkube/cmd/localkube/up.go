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
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/cgroup"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/deploy"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/host"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/images"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/network"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/parts"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/pki"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/prereq"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/progress"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/runtime"
)

type upOptions struct {
	noDeploy bool
	example  string
	timeout  time.Duration
}

// noExample is the value of the flag that leaves the example out.
const noExample = "-"

// upper brings the local Kubernetes up, in stages. Each stage leaves alone what is as it should be.
type upper struct {
	layout.Layout
	options     upOptions
	report      *progress.Report
	table       process.Table
	snapshotter string
	client      *deploy.Client

	mu sync.Mutex
	// running are all processes, to be looked at once more at the end.
	running []*process.Process
}

func up(ctx context.Context, l layout.Layout, o upOptions) error {
	unlock, err := lock(l)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not done after %s", o.timeout))
	defer cancel()

	if o.example == "" {
		o.example = filepath.Join(l.Repo, "artifacts", "examples", "announcement.yaml")
	}
	u := &upper{Layout: l, options: o, report: progress.New(os.Stdout), table: process.Table{Dir: l.Kube("run", "processes")}}
	if err := u.checkRepository(); err != nil {
		return err
	}
	for _, stage := range []struct {
		name string
		run  func(context.Context, *progress.Stage) error
	}{
		{"prerequisites", u.prerequisites},
		{"network", u.network},
		{"certificates and configuration", u.configuration},
		{"container runtime", u.containerRuntime},
		{"control plane and images", u.controlPlaneAndImages},
		{"node", u.node},
		{"product", u.product},
		{"example", u.example},
	} {
		if o.noDeploy && (stage.name == "product" || stage.name == "example") || o.example == noExample && stage.name == "example" {
			continue
		}
		s := u.report.Begin(stage.name)
		if err := stage.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
	}
	if err := u.stillRunning(); err != nil {
		return err
	}
	return u.farewell(ctx)
}

// checkRepository refuses at the start what would fail at the end.
func (u *upper) checkRepository() error {
	if u.options.noDeploy {
		return nil
	}
	needed := []string{deploy.Manifests(u.Layout)}
	if u.options.example != noExample {
		needed = append(needed, u.options.example)
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("what is to be deployed is not there: %w (--no-deploy starts Kubernetes alone)", err)
		}
	}
	if _, _, err := images.OfProduct(u.Layout); errors.Is(err, images.ErrNotBuilt) {
		return fmt.Errorf("the product is %w; build it with: make build (--no-deploy starts Kubernetes alone)", err)
	}
	return nil
}

func (u *upper) prerequisites(ctx context.Context, s *progress.Stage) error {
	machine, err := prereq.Gather(u.Layout)
	if err != nil {
		return err
	}
	plan := prereq.Decide(machine)
	if len(plan.Refusals) > 0 {
		return errors.New("this machine cannot run it yet.\n- " + strings.Join(plan.Refusals, "\n- "))
	}
	u.snapshotter = plan.Snapshotter
	for _, note := range plan.Notes {
		s.Note("%s", note)
	}
	if len(plan.Install) == 0 {
		s.Done("met")
		return nil
	}
	s.Note("installing Debian's packages %s (log: %s)", strings.Join(plan.Install, ", "), u.Log("apt-get"))
	if err := prereq.Install(ctx, u.Layout, plan.Install); err != nil {
		return err
	}
	s.Done("installed")
	return nil
}

func (u *upper) network(ctx context.Context, s *progress.Stage) error {
	if err := os.MkdirAll(u.Kube("logs"), 0o755); err != nil {
		return err
	}
	// What the libraries have to say goes to a file: people read the stages.
	log, err := os.OpenFile(u.Log("localkube"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	klog.LogToStderr(false)
	klog.SetOutput(log)

	if err := host.Remember(hostRecord(u.Layout)); err != nil {
		return err
	}
	groups, err := cgroup.Inspect()
	if err != nil {
		return err
	}
	if u.table.Cgroups, err = groups.Create(layout.Cgroup); err != nil {
		return err
	}
	if err := network.Ensure(ctx, u.Work); err != nil {
		return err
	}
	if err := host.EnableForwarding(); err != nil {
		return err
	}
	s.Done("node %s, pods %s, services %s", layout.NodeIP, layout.PodCIDR, layout.ServiceCIDR)
	return nil
}

func (u *upper) configuration(_ context.Context, s *progress.Stage) error {
	if err := pki.EnsureCluster(u.Layout, parts.APIServerURL()); err != nil {
		return err
	}
	if err := parts.WriteConfigs(u.Layout, u.snapshotter); err != nil {
		return err
	}
	var err error
	if u.client, err = deploy.NewClient(u.Layout); err != nil {
		return err
	}
	s.Done("written")
	return nil
}

func (u *upper) containerRuntime(ctx context.Context, s *progress.Stage) error {
	p, _, err := u.start(ctx, parts.Containerd(u.Layout))
	if err != nil {
		return err
	}
	client, err := runtime.Connect(u.Containerd())
	if err != nil {
		return err
	}
	defer client.Close()
	if err := untilReady(ctx, time.Minute, client.Ready, p); err != nil {
		return err
	}
	s.Done("ready (%s)", u.snapshotter)
	return nil
}

// controlPlaneAndImages does two things at once that do not need each other.
func (u *upper) controlPlaneAndImages(ctx context.Context, s *progress.Stage) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return u.controlPlane(ctx, s) })
	group.Go(func() error { return u.images(ctx, s) })
	if err := group.Wait(); err != nil {
		return err
	}
	s.Done("ready")
	return nil
}

func (u *upper) controlPlane(ctx context.Context, s *progress.Stage) error {
	begun := time.Now()
	etcd, _, err := u.start(ctx, parts.Etcd(u.Layout))
	if err != nil {
		return err
	}
	server, _, err := u.start(ctx, parts.APIServer(u.Layout))
	if err != nil {
		return err
	}
	if err := untilReady(ctx, 90*time.Second, u.client.Ready, server, etcd); err != nil {
		return err
	}
	s.Note("API server ready after %.1fs", time.Since(begun).Seconds())
	manager, _, err := u.start(ctx, parts.ControllerManager(u.Layout))
	if err != nil {
		return err
	}
	if _, _, err := u.start(ctx, parts.Scheduler(u.Layout)); err != nil {
		return err
	}
	if err := u.client.Cluster(ctx); err != nil {
		return err
	}
	if err := u.client.Accounts(ctx); err != nil {
		return &partError{part: manager.Name, log: manager.Log, cause: err}
	}
	return nil
}

func (u *upper) images(ctx context.Context, s *progress.Stage) error {
	loader, err := images.NewLoader(u.Containerd(), u.snapshotter)
	if err != nil {
		return err
	}
	defer loader.Close()
	pause, err := images.Pause(u.Layout)
	if err != nil {
		return err
	}
	wanted := []images.Image{pause}
	product, _, err := images.OfProduct(u.Layout)
	switch {
	case err == nil:
		wanted = append(wanted, product)
	case u.options.noDeploy:
		s.Note("the product's image is left out: %v", err)
	default:
		return err
	}
	mysql, err := images.OfMySQL(ctx, u.Layout)
	switch {
	case err == nil:
		wanted = append(wanted, mysql)
	case !errors.Is(err, images.ErrNotBuilt):
		return err
	default:
		s.Note("there is no MySQL in %s, so pods cannot use its image; fetch it with: make mysql", u.MySQL())
	}
	for _, image := range wanted {
		begun := time.Now()
		loaded, err := loader.Ensure(ctx, image)
		if err != nil {
			return err
		}
		if loaded {
			s.Note("loaded %s (%.1fs)", strings.Join(image.Names, ", "), time.Since(begun).Seconds())
		}
	}
	return nil
}

func (u *upper) node(ctx context.Context, s *progress.Stage) error {
	dns, _, err := u.start(ctx, parts.DNS(u.Layout))
	if err != nil {
		return err
	}
	proxy, _, err := u.start(ctx, parts.Proxy(u.Layout))
	if err != nil {
		return err
	}
	if _, _, err := u.start(ctx, parts.Volumes(u.Layout)); err != nil {
		return err
	}
	begun := time.Now()
	kubelet, started, err := u.start(ctx, parts.Kubelet(u.Layout))
	if err != nil {
		return err
	}
	if err := untilReady(ctx, time.Minute, answers(parts.KubeletHealthURL()), kubelet); err != nil {
		return err
	}
	since := time.Time{}
	if started {
		since = begun // what is known of the node is of the time before
	}
	if err := u.client.Node(ctx, since); err != nil {
		return &partError{part: kubelet.Name, log: kubelet.Log, cause: err}
	}
	if err := u.settled(ctx, kubelet); err != nil {
		return err
	}
	if err := untilReady(ctx, time.Minute, answers(parts.DNSReadyURL()), dns); err != nil {
		return err
	}
	if err := untilReady(ctx, time.Minute, answers(parts.ProxyHealthURL()), proxy); err != nil {
		return err
	}
	s.Done("ready")
	return nil
}

// settled waits until the pods are as they are said to be.
func (u *upper) settled(ctx context.Context, kubelet *process.Process) error {
	client, err := runtime.Connect(u.Containerd())
	if err != nil {
		return err
	}
	defer client.Close()
	return untilReady(ctx, 2*time.Minute, func(ctx context.Context) error {
		running, err := client.Running(ctx)
		if err != nil {
			return err
		}
		return u.client.Settled(ctx, running)
	}, kubelet)
}

// start makes a part run.
func (u *upper) start(ctx context.Context, c process.Command) (*process.Process, bool, error) {
	p, started, err := u.table.Ensure(ctx, c)
	if err != nil {
		return nil, false, &partError{part: c.Name, log: c.Log, cause: err}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running = append(u.running, p)
	return p, started, nil
}

// stillRunning reports a part that ended after it was started.
func (u *upper) stillRunning() error {
	for _, p := range u.running {
		select {
		case <-p.Done:
			return &partError{part: p.Name, log: p.Log, cause: errors.New("it ended by itself")}
		default:
		}
	}
	return nil
}

// hostRecord is where the machine's state before the first up is kept.
func hostRecord(l layout.Layout) string { return l.Kube("run", "host.json") }
