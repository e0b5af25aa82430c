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

package agents

import (
	"context"
	"crypto/tls"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

const (
	// orderTimeout bounds an order: an agent gives up on its own before.
	orderTimeout = 150 * time.Second
	// minPause and maxPause bound the time until the same order is sent again; it doubles each time. An order is asked for again if it failed,
	// and also if it was carried out to no avail.
	minPause = 20 * time.Millisecond
	maxPause = 30 * time.Second
	// calm is the time after which a repeated order counts as a first one.
	calm = 2 * maxPause
)

// orders is what has been ordered of one agent.
type orders struct {
	// underway is the order that is being carried out, if any.
	underway *api.Order
	// last is the last order that was answered or failed, times how often it was sent in a row, next when it may be sent again.
	last  *api.Order
	times int
	next  time.Time
}

// same tells whether two orders ask for the same, whatever they are based on.
func same(a *api.Order, b api.Order) bool {
	if a == nil {
		return false
	}
	x, y := *a, b
	if (x.Source == nil) != (y.Source == nil) || x.Source != nil && *x.Source != *y.Source {
		return false
	}
	x.Source, y.Source, x.Basis, y.Basis = nil, nil, "", ""
	return x == y
}

// Order sends an order to the agent of a pod, without waiting for what becomes of it: that shows in its state. An order that is under
// way is not sent again, and the same one again only after a pause.
func (m *Manager) Order(pod types.UID, order api.Order) {
	order.PodUID = string(pod)
	m.mu.Lock()
	a, ok := m.agents[pod]
	if !ok || !a.connected || same(a.orders.underway, order) {
		m.mu.Unlock()
		return
	}
	if same(a.orders.last, order) {
		if left := a.orders.next.Sub(m.now()); left > 0 {
			m.mu.Unlock()
			m.callbacks.Changed(a.cluster, left)
			return
		}
	}
	a.orders.underway = &order
	a.memory = a.memory.Ordered(order.Basis)
	tlsConfig := a.TLS
	m.mu.Unlock()

	m.running.Go(func() { m.send(a, tlsConfig, order) })
}

// send delivers an order. It does not end with the stream: who is told that an order was sent, may rely on its having been.
func (m *Manager) send(a *agent, dial *tls.Config, order api.Order) {
	ctx, cancel := context.WithTimeout(m.ctx, orderTimeout)
	defer cancel()
	logger := klog.FromContext(ctx).WithValues("cluster", a.cluster, "node", a.Node, "order", order.Kind, "term", order.Term)
	logger.Info("Sending an order", "requiredAcks", order.RequiredAcks, "readOnly", order.ReadOnly, "source", order.Source)
	result, err := m.transport.Send(ctx, a.Address, dial, order)

	m.mu.Lock()
	if same(a.orders.underway, order) {
		a.orders.underway = nil
	}
	now := m.now()
	if !same(a.orders.last, order) || now.Sub(a.orders.next) > calm {
		a.orders.times = 0
	}
	if err == nil && result.Reason == api.RefusedOutdated {
		// The state that comes with the answer is what to decide from.
		a.orders.last, a.orders.next = nil, now
	} else {
		a.orders.last, a.orders.next = &order, now.Add(pause(a.orders.times))
		a.orders.times++
	}
	current := m.agents[a.PodUID] == a && a.connected
	m.mu.Unlock()

	if err != nil {
		logger.Info("The order was not answered", "err", err)
	} else {
		logger.Info("The order was answered", "outcome", result.Outcome, "reason", result.Reason, "message", result.Message)
	}
	m.callbacks.Ordered(a.cluster, a.Node, order, result, err)
	if err == nil && current && types.UID(result.State.PodUID) == a.PodUID {
		m.arrived(a, result.State)
	}
	if err == nil {
		m.answered(a)
	}
	m.callbacks.Changed(a.cluster, 0)
}

// answered ends the doubt about the orders that were sent to an agent, after the state that came with the last answer has been taken in.
func (m *Manager) answered(a *agent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.orders.underway == nil {
		a.memory = a.memory.Answered()
	}
}

// pause is the time until an order may be sent again that had been sent so often before.
func pause(times int) time.Duration {
	d := minPause
	for range times {
		d = min(2*d, maxPause)
	}
	return d
}
