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

// Package apiservertest runs the real API server, standalone on a real embedded etcd, for tests.
package apiservertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/presslabs/mysql-apiserver/pkg/apiserver/options"
)

// startTimeout is far more than a start takes on a busy machine.
const startTimeout = 2 * time.Minute

// Server is a running API server.
type Server struct {
	// Config is the configuration of a client that may do everything.
	Config *rest.Config
	// Kubeconfig is the path of the kubeconfig of the same.
	Kubeconfig string
	// DataDir holds all that the server keeps.
	DataDir string

	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// New runs a server on dir. The caller has to call Stop.
func New(dir string) (*Server, error) {
	o := options.NewStandalone()
	o.DataDir = dir
	o.EtcdUnsafeNoFsync = true
	ctx, cancel := context.WithCancel(context.Background())
	running, err := o.NewServer(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &Server{DataDir: dir, Kubeconfig: running.Kubeconfig, cancel: cancel, ended: make(chan struct{})}
	ready := make(chan struct{})
	err = running.WhenReady(func() { close(ready) })
	go func() {
		defer close(s.ended)
		s.err = running.Run(ctx)
	}()
	if err == nil {
		s.Config, err = clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	// Tests send many requests; the client's usual patience would only slow them down.
	s.Config.QPS = -1
	select {
	case <-ready:
		return s, nil
	case <-s.ended:
		return nil, fmt.Errorf("the API server ended while it started: %w", s.err)
	case <-time.After(startTimeout):
		return nil, errors.Join(errors.New("the API server does not get ready"), s.Stop())
	}
}

// Stop ends the server gracefully and returns what went wrong in its life.
func (s *Server) Stop() error {
	s.cancel()
	<-s.ended
	return s.err
}

// Start runs a server on a directory of its own until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("the API server failed: %v", err)
		}
	})
	return s
}
