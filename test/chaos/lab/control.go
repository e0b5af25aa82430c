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
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/client"
	"github.com/presslabs/mysql-apiserver/pkg/controller"
	"github.com/presslabs/mysql-apiserver/pkg/controller/agents"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// Control is the controller, as one life after the other.
type Control struct {
	cluster *Cluster
	file    *os.File

	mu   sync.Mutex
	life *life
	// others are lives that were not ended when another one began.
	others []*life
	orders []Order
	// kubeMode is what Kubernetes' API does for the controller.
	kubeMode    Mode
	kubeChanged chan struct{}
}

// Order is an order that the controller sent.
type Order struct {
	Node           string
	Order          api.Order
	Sent, Answered time.Time
	Outcome        api.Outcome
	Reason         string
}

// life is one run of the controller. Once it has been killed, none of its requests reaches anybody.
type life struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  chan struct{}

	mu sync.Mutex
	// left is the number of requests until the end, if armed; after tells whether the last one still goes out.
	armed, after bool
	left         int
}

var errKilled = errors.New("the controller was killed")

// workers is as many as one cluster can occupy, and one more.
const workers = 2

// Start begins a life of the controller.
func (c *Control) Start() error {
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(c.file), textlogger.Verbosity(2)))
	ctx, cancel := context.WithCancelCause(klog.NewContext(context.Background(), logger))
	l := &life{ctx: ctx, cancel: cancel, ended: make(chan struct{})}
	config := rest.CopyConfig(c.cluster.lab.server.Config)
	config.Host = c.cluster.lab.API.URL()
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = runtime.ContentTypeProtobuf
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return gatedTransport{l, next} })
	mysql, err := versioned.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client of the API: %w", err)
	}
	running, err := controller.New(l.ctx, controller.Config{
		Kube:     c.cluster.kube.Client(func(verb, _ string) (func(), error) { return c.kubeGate(l, verb) }),
		Metadata: c.cluster.kube.Metadata(), MySQL: mysql,
		Agents: agents.Transport{
			Watch: client.Watch,
			Send: func(ctx context.Context, addr string, tlsConfig *tls.Config, order api.Order) (api.OrderResult, error) {
				return c.send(ctx, l, addr, tlsConfig, order)
			},
		},
		Versions: mysqlversion.Builtin(), AgentImage: "agent", Events: eventLog{logger}, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("make a controller: %w", err)
	}
	c.mu.Lock()
	c.life = l
	c.mu.Unlock()
	logger.Info("Controller started")
	go func() {
		defer close(l.ended)
		err := running.Run(l.ctx, workers)
		logger.Info("Controller ended", "err", err)
	}()
	return nil
}

// Kill ends the controller's present life at once.
func (c *Control) Kill() { c.present().cancel(errKilled) }

// KillAfter makes the controller end at the n-th request from now that changes something (a record, an order, an object): before that
// request, or just after it was made.
func (c *Control) KillAfter(n int, after bool) {
	l := c.present()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.left, l.after = true, n, after
}

// Ended is closed when the present life ends.
func (c *Control) Ended() <-chan struct{} { return c.present().ctx.Done() }

// StartAnother begins another life while the present one goes on, as if that had lost its Lease and did not know it yet.
func (c *Control) StartAnother() error {
	l := c.present()
	c.mu.Lock()
	c.others = append(c.others, l)
	c.mu.Unlock()
	return c.Start()
}

// endOthers ends all lives but the present one.
func (c *Control) endOthers() {
	c.mu.Lock()
	others := c.others
	c.others = nil
	c.mu.Unlock()
	for _, l := range others {
		l.cancel(errKilled)
		<-l.ended
	}
}

// Restart begins another life, if the present one has ended, and makes it the only one.
func (c *Control) Restart() error {
	c.endOthers()
	l := c.present()
	if l.ctx.Err() == nil {
		l.mu.Lock()
		l.armed = false
		l.mu.Unlock()
		return nil
	}
	return c.Start()
}

func (c *Control) present() *life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life
}

// pass lets a request that changes something out, or ends the life.
func (l *life) pass() (after func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, errKilled
	}
	if !l.armed {
		return nil, nil
	}
	l.left--
	switch {
	case l.left > 0:
		return nil, nil
	case l.after:
		return func() { l.cancel(errKilled) }, nil
	default:
		l.cancel(errKilled)
		return nil, errKilled
	}
}

// gatedTransport is the way to our API server.
type gatedTransport struct {
	life *life
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (g gatedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		return g.next.RoundTrip(request)
	}
	after, err := g.life.pass()
	if err != nil {
		return nil, err
	}
	if after != nil {
		defer after()
	}
	return g.next.RoundTrip(request)
}

// kubeGate is the way to Kubernetes' API server.
func (c *Control) kubeGate(l *life, verb string) (func(), error) {
	for {
		c.mu.Lock()
		mode, changed := c.kubeMode, c.kubeChanged
		c.mu.Unlock()
		switch mode {
		case Refuse:
			return nil, errors.New("connection refused")
		case Hang:
			select {
			case <-changed:
				continue
			case <-l.ctx.Done():
			}
		}
		if l.ctx.Err() != nil {
			return nil, errKilled
		}
		if slices.Contains([]string{"get", "list", "watch"}, verb) {
			return nil, nil
		}
		return l.pass()
	}
}

// SetKube changes what Kubernetes' API does for the controller.
func (c *Control) SetKube(mode Mode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kubeMode = mode
	close(c.kubeChanged)
	c.kubeChanged = make(chan struct{})
}

// send is the way to the agents, for orders.
func (c *Control) send(ctx context.Context, l *life, addr string, tlsConfig *tls.Config, order api.Order) (api.OrderResult, error) {
	after, err := l.pass()
	if err != nil {
		return api.OrderResult{}, err
	}
	if after != nil {
		defer after()
	}
	sent := time.Now()
	result, err := client.Send(ctx, addr, tlsConfig, order)
	c.mu.Lock()
	c.orders = append(c.orders, Order{Node: result.State.Node, Order: order, Sent: sent, Answered: time.Now(), Outcome: result.Outcome, Reason: result.Reason})
	c.mu.Unlock()
	return result, err
}

// Orders are the orders that were sent since a moment, in the order of their answers.
func (c *Control) Orders(since time.Time) []Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	var orders []Order
	for _, o := range c.orders {
		if !o.Sent.Before(since) {
			orders = append(orders, o)
		}
	}
	return orders
}

// close ends the controller for good.
func (c *Control) close() error {
	c.endOthers()
	if l := c.present(); l != nil {
		l.cancel(errKilled)
		<-l.ended
	}
	return c.file.Close()
}

// eventLog records Events in the log.
type eventLog struct{ log klog.Logger }

// Event implements record.EventRecorder.
func (e eventLog) Event(_ runtime.Object, kind, reason, message string) {
	e.log.Info("EVENT", "type", kind, "reason", reason, "message", message)
}

// Eventf implements record.EventRecorder.
func (e eventLog) Eventf(object runtime.Object, kind, reason, format string, args ...any) {
	e.Event(object, kind, reason, fmt.Sprintf(format, args...))
}

// AnnotatedEventf implements record.EventRecorder.
func (e eventLog) AnnotatedEventf(object runtime.Object, _ map[string]string, kind, reason, format string, args ...any) {
	e.Event(object, kind, reason, fmt.Sprintf(format, args...))
}
