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

// Package agents keeps in touch with the agents of all nodes: one stream of states from each, and the orders to them.
package agents

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
)

// Target is a node's agent.
type Target struct {
	// Node is the name of the node, PodUID the UID of its pod.
	Node   string
	PodUID types.UID
	// Address is where the agent listens, host:port.
	Address string
	// TLS proves who the controller is, and names whom it expects.
	TLS *tls.Config
}

// Observation is what is known of a node from its agent.
type Observation struct {
	// State is the last report, nil if there is none. Connected is true while reports arrive.
	State     *api.State
	Connected bool
	Memory    topology.Memory
	// Since is the time when the controller began to listen to the agent.
	Since time.Time
}

// Transport is how agents are talked to (package agent/client).
type Transport struct {
	Watch func(ctx context.Context, addr string, tlsConfig *tls.Config, onState func(api.State)) error
	Send  func(ctx context.Context, addr string, tlsConfig *tls.Config, order api.Order) (api.OrderResult, error)
}

// Callbacks tell what happens. They are called from many goroutines and must not block.
type Callbacks struct {
	// Changed is called when a cluster is to be decided on again, after the given time.
	Changed func(cluster string, after time.Duration)
	// Ordered is called when an order has been answered, or could not be delivered.
	Ordered func(cluster, node string, order api.Order, result api.OrderResult, err error)
}

// Manager keeps the streams. Create it with New.
type Manager struct {
	transport Transport
	callbacks Callbacks
	now       func() time.Time

	mu sync.Mutex
	// agents by the UID of their pods.
	agents  map[types.UID]*agent
	ctx     context.Context
	running sync.WaitGroup
}

// agent is a Target and what is known of it. Manager.mu guards it.
type agent struct {
	Target
	cluster string
	since   time.Time
	cancel  context.CancelFunc

	state     *api.State
	connected bool
	memory    topology.Memory
	orders    orders
}

const (
	// progressInterval is how often a cluster is decided on when nothing changes but what has been replicated.
	progressInterval = time.Second
	// minRetry and maxRetry bound the pause between attempts to connect.
	minRetry = 100 * time.Millisecond
	maxRetry = 2 * time.Second
)

// New returns a manager whose streams end with ctx.
func New(ctx context.Context, transport Transport, callbacks Callbacks, now func() time.Time) *Manager {
	return &Manager{ctx: ctx, transport: transport, callbacks: callbacks, now: now, agents: map[types.UID]*agent{}}
}

// Wait returns when all streams have ended, after the end of the context.
func (m *Manager) Wait() { m.running.Wait() }

// Track makes the targets the ones of the cluster: missing streams are begun, those of other pods end.
func (m *Manager) Track(cluster string, targets []Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted := map[types.UID]bool{}
	for _, t := range targets {
		wanted[t.PodUID] = true
		if a, ok := m.agents[t.PodUID]; ok {
			if a.Address == t.Address {
				a.TLS = t.TLS
				continue
			}
			a.cancel()
		}
		m.begin(cluster, t)
	}
	for uid, a := range m.agents {
		if a.cluster == cluster && !wanted[uid] {
			a.cancel()
			delete(m.agents, uid)
		}
	}
}

// Forget ends all streams of the cluster.
func (m *Manager) Forget(cluster string) { m.Track(cluster, nil) }

// Observe returns what is known of the node with that pod.
func (m *Manager) Observe(pod types.UID) Observation {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.agents[pod]
	if !ok {
		return Observation{}
	}
	return Observation{State: a.state, Connected: a.connected, Memory: a.memory, Since: a.since}
}

// begin starts the stream of a target. The lock is held.
func (m *Manager) begin(cluster string, t Target) {
	ctx, cancel := context.WithCancel(m.ctx)
	a := &agent{Target: t, cluster: cluster, since: m.now(), cancel: cancel}
	m.agents[t.PodUID] = a
	m.running.Go(func() {
		defer cancel()
		m.follow(ctx, a)
	})
}

// errWrongPod ends a stream to an address that belongs to another pod by now.
var errWrongPod = errors.New("another pod answers at this address")

// follow keeps up the stream of an agent until ctx ends.
func (m *Manager) follow(ctx context.Context, a *agent) {
	logger := klog.FromContext(ctx).WithValues("cluster", a.cluster, "node", a.Node)
	retry := minRetry
	for ctx.Err() == nil {
		m.mu.Lock()
		tlsConfig := a.TLS
		m.mu.Unlock()

		stream, stop := context.WithCancelCause(ctx)
		err := m.transport.Watch(stream, a.Address, tlsConfig, func(s api.State) {
			if types.UID(s.PodUID) != a.PodUID || s.Node != a.Node {
				stop(errWrongPod)
				return
			}
			retry = minRetry
			m.arrived(a, s)
		})
		stop(nil)
		if m.silent(a) {
			logger.Info("The agent does not report any more", "err", err)
		} else {
			logger.V(4).Info("The agent does not answer yet", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
			retry = min(2*retry, maxRetry)
		}
	}
}

// arrived takes in a report.
func (m *Manager) arrived(a *agent, s api.State) {
	m.mu.Lock()
	if last := a.state; last != nil && last.AgentStart.Equal(s.AgentStart) && last.Sequence >= s.Sequence {
		// The answer to an order may overtake the stream.
		if a.connected {
			m.mu.Unlock()
			return
		}
		s = *last
	}
	last, before := a.state, a.memory
	a.memory = before.Observe(last, &s, m.now())
	if a.orders.underway != nil {
		a.memory = a.memory.Ordered(a.orders.underway.Basis)
	}
	a.state = &s
	changed := last == nil || !a.connected || before.Settled != a.memory.Settled || differs(last, &s)
	a.connected = true
	progressed := changed || progress(last, &s)
	m.mu.Unlock()

	switch {
	case changed:
		m.callbacks.Changed(a.cluster, 0)
	case progressed:
		m.callbacks.Changed(a.cluster, progressInterval)
	}
}

// silent marks an agent as one that does not report; it returns whether it did before.
func (m *Manager) silent(a *agent) bool {
	m.mu.Lock()
	was := a.connected
	a.connected = false
	current := m.agents[a.PodUID] == a
	m.mu.Unlock()
	if was && current {
		m.callbacks.Changed(a.cluster, 0)
	}
	return was
}
