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

package kubesim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

// Pod is a pod with a network and, mostly, a process. The network outlives the process, as a pod's does: connections are closed when a
// process ends, they do not just fall silent.
type Pod struct {
	Name, Namespace string
	UID             types.UID
	Place           *netlab.Place

	machine *Machine
	object  *corev1.Pod
	dirs    map[string]string
	service string
	ready   atomic.Bool

	mu sync.Mutex
	// process runs until ended is closed; nil while there is none.
	process *os.Process
	ended   chan struct{}
	// ending is true once the pod is to end, removed once it is gone.
	ending, removed bool
	failures        int
}

const (
	// restartPause is between the starts of a container that has ended, except for the first time. The kubelet waits longer.
	restartPause = time.Second
	// longRun is how long a container has run when its end counts as the first one.
	longRun = 5 * time.Second
)

// start starts the container.
func (p *Pod) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending || p.removed || p.process != nil {
		return
	}
	started := time.Now()
	cmd, err := p.exec()
	if err != nil {
		p.machine.log.Error("a container can not be started", "pod", p.Name, "err", err)
		time.AfterFunc(restartPause, p.start)
		return
	}
	ended := make(chan struct{})
	p.process, p.ended = cmd.Process, ended
	p.machine.log.Info("container started", "pod", p.Name, "uid", p.UID, "ip", p.Place.IP, "pid", cmd.Process.Pid)
	probing, stop := context.WithCancel(context.Background())
	go p.probe(probing)
	go func() {
		err := cmd.Wait()
		stop()
		p.machine.log.Info("container ended", "pod", p.Name, "uid", p.UID, "err", err)
		p.mu.Lock()
		p.process = nil
		if time.Since(started) > longRun {
			p.failures = 0
		}
		pause := min(time.Duration(p.failures), 1) * restartPause
		p.failures++
		p.mu.Unlock()
		p.ready.Store(false)
		close(ended)
		p.machine.look()
		time.AfterFunc(pause, p.start)
	}()
}

// exec starts the container's process.
func (p *Pod) exec() (*exec.Cmd, error) {
	name := filepath.Join(p.machine.config.LogDir, fmt.Sprintf("%s.%s.log", p.Name, string(p.UID)[:8]))
	output, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log the output: %w", err)
	}
	defer output.Close()
	memory := p.object.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory]
	return p.Place.Start(netlab.Program{
		Argv: p.machine.config.Command(p.object, p.mounted),
		Env: []string{
			"PATH=" + os.Getenv("PATH"),
			api.EnvPodName + "=" + p.Name,
			api.EnvPodUID + "=" + string(p.UID),
			api.EnvPodIP + "=" + p.Place.IP.String(),
			api.EnvOrdinal + "=" + p.object.Labels[appsv1.PodIndexLabel],
			api.EnvMemoryRequest + "=" + strconv.FormatInt(memory.Value(), 10),
		},
		Mounts: map[string]string{"/etc/hosts": p.machine.hostsFile()},
		Output: output,
	})
}

func (p *Pod) mounted(path string) string { return p.dirs[path] }

// PID is the process id of the container's first process; 0 while it does not run.
func (p *Pod) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return 0
	}
	return p.process.Pid
}

// Signal sends a signal to the container's first process. With SIGKILL the whole container ends.
func (p *Pod) Signal(signal os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Signal(signal)
	}
}

// SignalMysqld sends a signal to mysqld.
func (p *Pod) SignalMysqld(signal syscall.Signal) error {
	parent := p.PID()
	if parent == 0 {
		return fmt.Errorf("%s is not running", p.Name)
	}
	pid, err := netlab.Child(parent, "--defaults-file=")
	if err != nil {
		return fmt.Errorf("find mysqld of %s: %w", p.Name, err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("send %s to mysqld of %s: %w", signal, p.Name, err)
	}
	return nil
}

// terminate makes the container end, within a time of grace; it returns whether it has ended. It can be called again.
func (p *Pod) terminate(grace time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		p.ending = true
		return true
	}
	if p.ending {
		return false
	}
	p.ending = true
	_ = p.process.Signal(syscall.SIGTERM)
	process, ended := p.process, p.ended
	go func() {
		select {
		case <-ended:
		case <-time.After(grace):
			_ = process.Kill()
		}
	}()
	return false
}

// remove kills the container if it runs, and takes away its network.
func (p *Pod) remove() error {
	p.mu.Lock()
	if p.removed {
		p.mu.Unlock()
		return nil
	}
	p.ending, p.removed = true, true
	process, ended := p.process, p.ended
	p.mu.Unlock()
	if process != nil {
		_ = process.Kill()
		<-ended
	}
	return errors.Join(p.Place.Close(), os.RemoveAll(p.machine.podDir(p.object)))
}

// probe sets ready, as the kubelet does by the container's readiness probe. The kubelet is on the pod's own machine: no cut is in between.
func (p *Pod) probe(ctx context.Context) {
	period, failures := time.Second, 2
	if probe := p.object.Spec.Containers[0].ReadinessProbe; probe != nil {
		period, failures = time.Duration(max(probe.PeriodSeconds, 1))*time.Second, int(max(probe.FailureThreshold, 1))
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, address string) (net.Conn, error) { return p.Place.Dial(ctx, address) },
	}}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for failed := 0; ; {
		if p.isReady(ctx, client) {
			failed = 0
			p.setReady(ctx, true)
		} else if failed++; failed >= failures {
			p.setReady(ctx, false)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Pod) setReady(ctx context.Context, ready bool) {
	if ctx.Err() == nil && p.ready.Swap(ready) != ready {
		p.machine.look()
	}
}

func (p *Pod) isReady(ctx context.Context, client *http.Client) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", api.ProbePort), nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
