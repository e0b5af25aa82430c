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
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/certs"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/kubesim"
)

// witnesses hear all agents, from inside the nodes' own networks: no cut keeps a report from them.
type witnesses struct {
	cluster *Cluster

	mu      sync.Mutex
	streams map[types.UID]context.CancelFunc
	states  map[types.UID]api.State
	running sync.WaitGroup
}

// follow keeps a stream to the agent of each pod until ctx ends.
func (w *witnesses) follow(ctx context.Context) {
	for {
		pods := map[types.UID]*kubesim.Pod{}
		for _, p := range w.cluster.machine.Pods() {
			pods[p.UID] = p
		}
		w.mu.Lock()
		for uid, p := range pods {
			if w.streams[uid] == nil {
				stream, cancel := context.WithCancel(ctx)
				w.streams[uid] = cancel
				w.running.Go(func() { w.listen(stream, p) })
			}
		}
		for uid, cancel := range w.streams {
			if pods[uid] == nil {
				cancel()
				delete(w.streams, uid)
				delete(w.states, uid)
			}
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			w.running.Wait()
			return
		case <-time.After(20 * time.Millisecond): // nobody tells when a container listens
		}
	}
}

func (w *witnesses) listen(ctx context.Context, p *kubesim.Pod) {
	for ctx.Err() == nil {
		_ = w.stream(ctx, p)
		w.mu.Lock()
		delete(w.states, p.UID)
		w.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stream hears one agent until its stream ends.
func (w *witnesses) stream(ctx context.Context, p *kubesim.Pod) error {
	config, err := w.cluster.agentTLS(p.Name)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		TLSClientConfig: config,
		DialContext:     func(ctx context.Context, _, address string) (net.Conn, error) { return p.Place.Dial(ctx, address) },
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(api.ControlPort))+api.StatePath, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	stream := json.NewDecoder(response.Body)
	for {
		var state api.State
		if err := stream.Decode(&state); err != nil {
			return err
		}
		w.hear(state)
	}
}

func (w *witnesses) hear(s api.State) {
	now := time.Now()
	w.mu.Lock()
	w.states[types.UID(s.PodUID)] = s
	w.mu.Unlock()
	w.cluster.History.AddState(history.State{
		At: now, Node: s.Node, PodUID: s.PodUID, Term: s.Term, Obeying: s.Obeying,
		Primary:      s.Role == api.RolePrimary,
		Writable:     s.Phase == api.PhaseRunning && s.Role == api.RolePrimary && !s.SuperReadOnly,
		DataReplaced: s.Phase == api.PhaseCloning || s.Phase == api.PhaseEmpty || s.Phase == api.PhaseInitializing || !s.HasData,
	})
	w.cluster.Timeline.state(now, s)
}

// States are the last reports of the nodes whose agents can be heard, by node.
func (c *Cluster) States() map[string]api.State {
	c.witnesses.mu.Lock()
	defer c.witnesses.mu.Unlock()
	states := map[string]api.State{}
	for _, s := range c.witnesses.states {
		states[s.Node] = s
	}
	return states
}

// agentTLS is how to talk to a node's agent in the controller's place.
func (c *Cluster) agentTLS(node string) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clientTLS == nil {
		secret, err := c.secret(c.names.ca)
		if err != nil {
			return nil, err
		}
		ca, err := certs.LoadCA(secret["ca.crt"], secret["ca.key"])
		if err != nil {
			return nil, fmt.Errorf("read the cluster's authority: %w", err)
		}
		now := time.Now()
		cert, key, err := ca.Issue(certs.Leaf{
			CommonName: api.ControllerCommonName, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(24 * time.Hour),
			Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			return nil, fmt.Errorf("issue a certificate: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read a certificate: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(secret["ca.crt"]) {
			return nil, errors.New("the cluster's authority has no certificate")
		}
		c.clientTLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	config := c.clientTLS.Clone()
	config.ServerName = c.host(node)
	return config, nil
}
