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

// Package runtime talks to containerd as the kubelet does.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Client is a connection to a container runtime.
type Client struct {
	conn    *grpc.ClientConn
	runtime cri.RuntimeServiceClient
}

// Connect prepares a connection to a socket; nothing is sent yet.
func Connect(socket string) (*Client, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	return &Client{conn: conn, runtime: cri.NewRuntimeServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Ready returns nil once the runtime can start pods, its network included.
func (c *Client) Ready(ctx context.Context) error {
	answer, err := c.runtime.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return err
	}
	for _, condition := range answer.Status.GetConditions() {
		// Other conditions are containerd's advice.
		if !condition.Status && (condition.Type == cri.RuntimeReady || condition.Type == cri.NetworkReady) {
			return fmt.Errorf("%s is false: %s: %s", condition.Type, condition.Reason, condition.Message)
		}
	}
	return nil
}

// Running returns the identifiers of the containers that run.
func (c *Client) Running(ctx context.Context) (map[string]bool, error) {
	containers, err := c.runtime.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{
		State: &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING},
	}})
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	running := map[string]bool{}
	for _, container := range containers.Containers {
		running[container.Id] = true
	}
	return running, nil
}

// RemovePods ends and removes all pods at once, with their containers, networks and mounts.
func (c *Client) RemovePods(ctx context.Context) (removed int, err error) {
	pods, err := c.runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return 0, fmt.Errorf("list the pods: %w", err)
	}
	errs := make([]error, len(pods.Items))
	var group sync.WaitGroup
	for i, pod := range pods.Items {
		group.Go(func() {
			_, err := c.runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.Id})
			if err == nil {
				_, err = c.runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.Id})
			}
			if err != nil {
				errs[i] = fmt.Errorf("remove the pod %s/%s: %w", pod.Metadata.GetNamespace(), pod.Metadata.GetName(), err)
			}
		})
	}
	group.Wait()
	return len(pods.Items), errors.Join(errs...)
}
