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
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

// Machine runs pods.
type Machine struct {
	client kubernetes.Interface
	hub    *netlab.Hub
	config MachineConfig
	log    *slog.Logger
	kick   chan struct{}

	mu   sync.Mutex
	pods map[types.UID]*Pod
}

// MachineConfig is what a Machine works with.
type MachineConfig struct {
	// Dir is where volumes and pods' files are. Its path has to be short: there are sockets below it.
	Dir string
	// VolumeBytes is the size of each volume, which is in memory then; without it, volumes are directories below Dir.
	VolumeBytes int64
	// LogDir gets a file for the output of each pod.
	LogDir string
	// Command returns the words that run a pod's first container. mounted tells where the directory is that the container would have at a path.
	Command func(pod *corev1.Pod, mounted func(path string) string) []string
}

// StartMachine runs the pods of the StatefulSets until ctx ends, and then ends them.
func StartMachine(ctx context.Context, kube *Kube, hub *netlab.Hub, config MachineConfig, log *slog.Logger) (*Machine, func(), error) {
	m := &Machine{client: kube.Client(nil), hub: hub, config: config, log: log, kick: make(chan struct{}, 1), pods: map[types.UID]*Pod{}}
	if err := m.writeHosts(); err != nil {
		return nil, nil, err
	}
	kube.OnChange(m.look)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.run(ctx)
	}()
	return m, func() { <-ended }, nil
}

// look makes the machine look at what is to be done.
func (m *Machine) look() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// retryInterval is when the machine looks again after something failed.
const retryInterval = 500 * time.Millisecond

func (m *Machine) run(ctx context.Context) {
	for {
		var again <-chan time.Time
		if err := errors.Join(m.runSets(ctx), m.runPods(ctx)); err != nil && ctx.Err() == nil {
			m.log.Info("the machine tries again", "err", err)
			again = time.After(retryInterval)
		}
		select {
		case <-m.kick:
		case <-again:
		case <-ctx.Done():
			m.endAll()
			return
		}
	}
}

// endAll kills all pods.
func (m *Machine) endAll() {
	for _, p := range m.Pods() {
		p.remove()
	}
}

// Pods are the pods that have processes.
func (m *Machine) Pods() []*Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	var pods []*Pod
	for _, p := range m.pods {
		pods = append(pods, p)
	}
	slices.SortFunc(pods, func(a, b *Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// Pod returns the running pod of that name, or nil.
func (m *Machine) Pod(name string) *Pod {
	for _, p := range m.Pods() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// runPods does what the kubelet does.
func (m *Machine) runPods(ctx context.Context) error {
	list, err := m.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	var errs []error
	wanted := map[types.UID]*corev1.Pod{}
	for i := range list.Items {
		wanted[list.Items[i].UID] = &list.Items[i]
	}
	for _, p := range m.Pods() {
		if wanted[p.UID] == nil {
			m.forget(p)
			errs = append(errs, p.remove(), m.writeHosts())
		}
	}
	for uid, object := range wanted {
		m.mu.Lock()
		p := m.pods[uid]
		m.mu.Unlock()
		switch {
		case p == nil && object.DeletionTimestamp != nil:
			errs = append(errs, m.removeObject(ctx, object))
		case p == nil:
			errs = append(errs, m.newPod(ctx, object))
		case object.DeletionTimestamp != nil:
			grace := time.Duration(0)
			if object.DeletionGracePeriodSeconds != nil {
				grace = time.Duration(*object.DeletionGracePeriodSeconds) * time.Second
			}
			if p.terminate(grace) {
				m.forget(p)
				errs = append(errs, p.remove(), m.removeObject(ctx, object), m.writeHosts())
			}
		default:
			errs = append(errs, m.report(ctx, object, p))
		}
	}
	return errors.Join(errs...)
}

func (m *Machine) forget(p *Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pods, p.UID)
}

// removeObject removes the object of a pod that has ended.
func (m *Machine) removeObject(ctx context.Context, object *corev1.Pod) error {
	zero := int64(0)
	err := m.client.CoreV1().Pods(object.Namespace).Delete(ctx, object.Name,
		metav1.DeleteOptions{GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &object.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove pod %s: %w", object.Name, err)
	}
	return nil
}

// newPod makes what a pod needs and starts it.
func (m *Machine) newPod(ctx context.Context, object *corev1.Pod) error {
	dirs, err := m.mount(ctx, object)
	if err != nil {
		return err
	}
	service, err := m.serviceOf(ctx, object)
	if err != nil {
		return err
	}
	place, err := m.hub.NewPlace()
	if err != nil {
		return err
	}
	p := &Pod{Name: object.Name, Namespace: object.Namespace, UID: object.UID, Place: place, machine: m, object: object, dirs: dirs, service: service}
	m.mu.Lock()
	m.pods[p.UID] = p
	m.mu.Unlock()
	if err := m.writeHosts(); err != nil {
		return err
	}
	p.start()
	return m.report(ctx, object, p)
}

// report writes the pod's status if it has changed.
func (m *Machine) report(ctx context.Context, object *corev1.Pod, p *Pod) error {
	updated := object.DeepCopy()
	updated.Status.Phase = corev1.PodRunning
	updated.Status.PodIP = p.Place.IP.String()
	setReady(updated, p.ready.Load())
	_, err := m.client.CoreV1().Pods(object.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		m.look()
		return nil
	}
	if err != nil {
		return fmt.Errorf("report pod %s: %w", object.Name, err)
	}
	return nil
}

func (m *Machine) hostsFile() string { return filepath.Join(m.config.Dir, "hosts") }

// writeHosts writes the file by which all pods know each other's names. It is the same file for all of them, mounted.
func (m *Machine) writeHosts() error {
	text := "127.0.0.1 localhost\n"
	for _, p := range m.Pods() {
		text += fmt.Sprintf("%s %s.%s.%s.svc\n", p.Place.IP, p.Name, p.service, p.Namespace)
	}
	// Written in place, because the mount is of this file and not of its name; in one go, because it is read at any time.
	file, err := os.OpenFile(m.hostsFile(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("write the names of the pods: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("write the names of the pods: %w", err)
	}
	if err := file.Truncate(int64(len(text))); err != nil {
		return fmt.Errorf("write the names of the pods: %w", err)
	}
	return nil
}
