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

// Package httpapi serves what pkg/agent/api describes: the control API with mutual TLS, and the kubelet's probes.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Node is what is served.
type Node interface {
	// State returns the present State, and a channel that is closed when there is another one.
	State() (state api.State, changed <-chan struct{})
	// Order carries out an order.
	Order(ctx context.Context, order api.Order) api.OrderResult
	// Alive tells whether the agent itself works.
	Alive() bool
}

// Server serves a Node.
type Server struct {
	node            Node
	control, probes *http.Server
	controlListener net.Listener
	probeListener   net.Listener

	// closing is closed when streams have to end, streams counts those that have not. mu keeps one from beginning after that.
	mu      sync.Mutex
	closing chan struct{}
	streams sync.WaitGroup
}

const (
	// writeTimeout bounds how long a client may take to accept a State. One that hangs has to connect again.
	writeTimeout = 5 * time.Second
	// lastWordTimeout bounds the time for sending the last State.
	lastWordTimeout = 500 * time.Millisecond
	// maxOrderBytes bounds the size of an order.
	maxOrderBytes = 64 << 10
)

// Listen opens both ports: the control API at controlAddr with the certificates of tlsDir, the probes at probeAddr.
func Listen(node Node, controlAddr, probeAddr, tlsDir string, logger *slog.Logger) (*Server, error) {
	s := &Server{node: node, closing: make(chan struct{})}
	var err error
	if s.controlListener, err = net.Listen("tcp", controlAddr); err != nil {
		return nil, fmt.Errorf("serve the control API: %w", err)
	}
	if s.probeListener, err = net.Listen("tcp", probeAddr); err != nil {
		s.controlListener.Close()
		return nil, fmt.Errorf("serve the probes: %w", err)
	}
	control := http.NewServeMux()
	control.HandleFunc("GET "+api.StatePath, s.state)
	control.HandleFunc("POST "+api.OrderPath, s.order)
	probes := http.NewServeMux()
	probes.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, node.Alive()) })
	probes.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state, _ := node.State()
		answer(w, Ready(state))
	})
	errorLog := slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	s.control = &http.Server{Handler: control, TLSConfig: serverTLS(tlsDir), ReadHeaderTimeout: 10 * time.Second, ErrorLog: errorLog}
	s.probes = &http.Server{Handler: probes, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, ErrorLog: errorLog}
	return s, nil
}

// Serve serves until Close.
func (s *Server) Serve() error {
	failed := make(chan error, 2)
	go func() { failed <- s.control.ServeTLS(s.controlListener, "", "") }()
	go func() { failed <- s.probes.Serve(s.probeListener) }()
	for range 2 {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			s.Close()
			return fmt.Errorf("serve the control API and the probes: %w", err)
		}
	}
	return nil
}

// Close sends the last State to those who watch, and ends all connections.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.isClosing() {
		close(s.closing)
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.streams.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(lastWordTimeout):
	}
	s.control.Close()
	s.probes.Close()
}

// Ready tells whether a node in this State serves clients: as primary, or as a replica that replicates. A replica goes on serving
// reads while its source is away and it tries to connect again.
func Ready(state api.State) bool {
	if state.Phase != api.PhaseRunning {
		return false
	}
	switch state.Role {
	case api.RolePrimary:
		return true
	case api.RoleReplica:
		return state.Replication != nil && state.Replication.ReceiverState != api.ReceiverOff && state.Replication.ApplierRunning
	}
	return false
}

func answer(w http.ResponseWriter, ok bool) {
	if !ok {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// beginStream tells whether a stream may begin, which then ends with streams.Done.
func (s *Server) beginStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		return false
	}
	s.streams.Add(1)
	return true
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// state streams States until the client goes.
func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	if !s.beginStream() {
		http.Error(w, "the agent is stopping", http.StatusServiceUnavailable)
		return
	}
	defer s.streams.Done()
	w.Header().Set("Content-Type", "application/jsonl")
	stream := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	heartbeat := time.NewTicker(api.HeartbeatInterval)
	defer heartbeat.Stop()
	for last := false; ; {
		state, changed := s.node.State()
		// The deadline is an aid; a writer without it still ends when the connection does.
		_ = stream.SetWriteDeadline(time.Now().Add(writeTimeout))
		if encoder.Encode(state) != nil || stream.Flush() != nil {
			return
		}
		if last {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			last = true
		case <-changed:
		case <-heartbeat.C:
		}
	}
}

func (s *Server) order(w http.ResponseWriter, r *http.Request) {
	var order api.Order
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrderBytes))
	// An order of a newer controller with a field that we do not know would be carried out in part.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&order); err != nil {
		http.Error(w, "not an order: "+err.Error(), http.StatusBadRequest)
		return
	}
	result := s.node.Order(r.Context(), order)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result)
}
