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

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// DeletePod deletes a pod: gracefully, or without any grace, in which case its process is killed.
func (c *Cluster) DeletePod(ctx context.Context, node string, graceful bool) error {
	var options metav1.DeleteOptions
	if !graceful {
		options.GracePeriodSeconds = new(int64)
	}
	if err := c.client.CoreV1().Pods(namespace).Delete(ctx, node, options); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete pod %s: %w", node, err)
	}
	return nil
}

// LoseVolume takes a node's pod and volume away; it comes back with an empty one.
func (c *Cluster) LoseVolume(ctx context.Context, node string) error {
	claim, err := c.claim(ctx, node)
	if err != nil {
		return err
	}
	if pod := c.Pod(node); pod != nil {
		pod.Signal(killSignal)
	}
	return errors.Join(
		c.client.CoreV1().PersistentVolumeClaims(namespace).Delete(ctx, claim.Name, metav1.DeleteOptions{}),
		c.DeletePod(ctx, node, false),
		c.machine.RemoveVolume(claim),
	)
}

func (c *Cluster) claim(ctx context.Context, node string) (*corev1.PersistentVolumeClaim, error) {
	claim, err := c.client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, workload.ClaimName(node), metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the claim of %s: %w", node, err)
	}
	return claim, nil
}

// FillVolume leaves no room on a node's volume.
func (c *Cluster) FillVolume(ctx context.Context, node string) error {
	claim, err := c.claim(ctx, node)
	if err != nil {
		return err
	}
	return c.machine.FillVolume(claim)
}

// EmptyVolumes undoes FillVolume.
func (c *Cluster) EmptyVolumes(ctx context.Context) error {
	var errs []error
	for _, node := range c.Nodes() {
		claim, err := c.claim(ctx, node)
		if err == nil {
			err = c.machine.EmptyVolume(claim)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Drain empties the machine that a node runs on: it is marked, and the node's pod is evicted.
func (c *Cluster) Drain(ctx context.Context, node string) error {
	pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read pod %s: %w", node, err)
	}
	return errors.Join(c.cordon(ctx, pod.Spec.NodeName, true), c.DeletePod(ctx, node, true))
}

// Uncordon lets all machines take pods again.
func (c *Cluster) Uncordon(ctx context.Context) error {
	machines, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the machines: %w", err)
	}
	var errs []error
	for i := range machines.Items {
		errs = append(errs, c.cordon(ctx, machines.Items[i].Name, false))
	}
	return errors.Join(errs...)
}

func (c *Cluster) cordon(ctx context.Context, machine string, cordoned bool) error {
	patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, cordoned)
	if _, err := c.client.CoreV1().Nodes().Patch(ctx, machine, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("mark %s: %w", machine, err)
	}
	return nil
}

// leftAlone is part of what the status says of a node that holds transactions which the primary lacks, where the policy is Keep.
const leftAlone = "It is left alone"

// Tend does, until ctx ends, what a person is asked to do for nodes that the controller leaves alone: discard their data.
func (c *Cluster) Tend(ctx context.Context) {
	done := map[types.UID]bool{}
	for ; ctx.Err() == nil; pause(ctx, time.Second) {
		cluster, err := c.Get(ctx)
		if err != nil {
			continue
		}
		for _, node := range cluster.Status.Nodes {
			pod := c.Pod(node.Name)
			if pod == nil || done[pod.UID] || !strings.Contains(node.Message, leftAlone) {
				continue
			}
			done[pod.UID] = true
			c.Timeline.Fault(fmt.Sprintf("a person discards the data of %s: %s", node.Name, node.Message))
			if err := c.LoseVolume(ctx, node.Name); err != nil {
				c.Timeline.Fault("not done: " + err.Error())
			}
		}
	}
}

// Switchover asks the API for another primary.
func (c *Cluster) Switchover(ctx context.Context, target string) (*v1alpha1.MysqlFailover, error) {
	request := &v1alpha1.MysqlFailover{Spec: v1alpha1.MysqlFailoverSpec{Target: target, Mode: v1alpha1.FailoverGraceful, Reason: "chaos"}}
	return c.mysql.MysqlV1alpha1().MysqlClusters(namespace).Failover(ctx, c.Config.Name, request, metav1.CreateOptions{})
}

// Cut makes all that one node sends to another vanish.
func (c *Cluster) Cut(from, to string) error {
	a, b := c.Pod(from), c.Pod(to)
	if a == nil || b == nil {
		return fmt.Errorf("%s or %s has no pod", from, to)
	}
	return a.Place.Cut(b.Place.IP)
}

// CutFromController makes all that a node sends to the controller vanish.
func (c *Cluster) CutFromController(node string) error {
	pod := c.Pod(node)
	if pod == nil {
		return fmt.Errorf("%s has no pod", node)
	}
	return pod.Place.Cut(c.lab.Hub.IP)
}

// CutController makes all that the controller sends to a node vanish.
func (c *Cluster) CutController(node string) error {
	pod := c.Pod(node)
	if pod == nil {
		return fmt.Errorf("%s has no pod", node)
	}
	return c.lab.Hub.Cut(pod.Place.IP)
}

// HealNetwork undoes all cuts.
func (c *Cluster) HealNetwork() error {
	var errs []error
	pods := c.Pods()
	for _, a := range pods {
		errs = append(errs, a.Place.Heal(c.lab.Hub.IP), c.lab.Hub.Heal(a.Place.IP), a.Place.Heal(c.lab.Clients.IP), c.lab.Clients.Heal(a.Place.IP))
		for _, b := range pods {
			if a != b {
				errs = append(errs, a.Place.Heal(b.Place.IP))
			}
		}
	}
	return errors.Join(errs...)
}

// API is the controller's way to our API server.
func (c *Cluster) API() *Proxy { return c.lab.API }

// Isolate cuts all lines of a node, those to the clients too.
func (c *Cluster) Isolate(node string) error {
	pod := c.Pod(node)
	if pod == nil {
		return fmt.Errorf("%s has no pod", node)
	}
	errs := []error{c.CutFromController(node), c.CutController(node), pod.Place.Cut(c.lab.Clients.IP), c.lab.Clients.Cut(pod.Place.IP)}
	for _, other := range c.Pods() {
		if other != pod {
			errs = append(errs, pod.Place.Cut(other.Place.IP), other.Place.Cut(pod.Place.IP))
		}
	}
	return errors.Join(errs...)
}
