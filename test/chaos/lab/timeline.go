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
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// Kind says what an Event tells of.
type Kind string

const (
	// Reported: a node's agent reported something new.
	Reported Kind = "report"
	// Recorded: the cluster's status has another term, primary or number of acknowledgements.
	Recorded Kind = "record"
	// Routed: another pod, or none, is behind the Service of the primary.
	Routed Kind = "route"
	// Faulted: the test did something.
	Faulted Kind = "fault"
)

// Event is something that happened in a cluster.
type Event struct {
	At   time.Time
	Kind Kind
	// Node is whom it concerns: the node that reports, the recorded primary, the node behind the Service.
	Node   string
	Term   int64
	Detail string
	// State is the report.
	State *api.State
}

// Timeline collects what happens in a cluster.
type Timeline struct {
	cluster *Cluster
	kick    chan struct{}

	mu     sync.Mutex
	events []Event
	last   map[string]string
}

func newTimeline(c *Cluster) *Timeline {
	return &Timeline{cluster: c, kick: make(chan struct{}, 1), last: map[string]string{}}
}

// add notes an event, unless the same was noted last under its key.
func (t *Timeline) add(key string, e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf("%s %d %s", e.Node, e.Term, e.Detail)
	if key != "" && t.last[key] == text {
		return
	}
	t.last[key] = text
	t.events = append(t.events, e)
}

// Fault notes what the test does.
func (t *Timeline) Fault(detail string) {
	t.add("", Event{At: time.Now(), Kind: Faulted, Detail: detail})
}

// Since returns the events since a moment, in order.
func (t *Timeline) Since(from time.Time) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var events []Event
	for _, e := range t.events {
		if !e.At.Before(from) {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
	return events
}

// Write writes the events since a moment.
func (t *Timeline) Write(w io.Writer, from time.Time) {
	for _, e := range t.Since(from) {
		fmt.Fprintf(w, "%s %-6s %-16s term %d  %s\n", e.At.Format("15:04:05.000"), e.Kind, e.Node, e.Term, e.Detail)
	}
}

func (t *Timeline) state(at time.Time, s api.State) {
	detail := fmt.Sprintf("%s %s readOnly=%t acks=%d/%d", s.Phase, s.Role, s.SuperReadOnly, s.SemiSync.Clients, s.SemiSync.RequiredAcks)
	if r := s.Replication; r != nil {
		detail += fmt.Sprintf(" from=%.20s receiver=%s applier=%t", r.SourceHost, r.ReceiverState, r.ApplierRunning)
		if r.LastError != "" {
			detail += " error=" + r.LastError
		}
	}
	if s.Obeying {
		detail += " obeying"
	}
	if s.Stopping {
		detail += " stopping"
	}
	if s.Joining {
		detail += " joining"
	}
	if s.Phase != api.PhaseRunning {
		detail += " " + s.Message + " " + s.LastExit
	}
	t.add("state "+s.Node, Event{At: at, Kind: Reported, Node: s.Node, Term: s.Term, Detail: detail, State: &s})
}

func (t *Timeline) look() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// watch notes what is recorded and where the Service leads, until ctx ends.
func (t *Timeline) watch(ctx context.Context) {
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.kick:
			}
			node := ""
			if pod := t.cluster.PrimaryEndpoint(); pod != nil {
				node = pod.Name
			}
			t.add("route", Event{At: time.Now(), Kind: Routed, Node: node})
		}
	}()
	for ctx.Err() == nil {
		watcher, err := t.cluster.mysql.MysqlV1alpha1().MysqlClusters(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + t.cluster.Config.Name})
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		for event := range watcher.ResultChan() {
			if cluster, ok := event.Object.(*v1alpha1.MysqlCluster); ok {
				t.recorded(cluster)
			}
		}
		watcher.Stop()
	}
}

func (t *Timeline) recorded(cluster *v1alpha1.MysqlCluster) {
	s := &cluster.Status
	detail := fmt.Sprintf("acks=%d members=%v", s.RequiredAcknowledgements, s.Members)
	if o := s.Operation; o != nil {
		detail += fmt.Sprintf(" %s %s->%s %s %s (%s)", o.Type, o.From, o.To, o.Phase, o.Outcome, o.Reason)
	}
	t.add("record", Event{At: time.Now(), Kind: Recorded, Node: s.Primary, Term: s.Term, Detail: detail})
	t.add("phase", Event{At: time.Now(), Kind: "phase", Detail: s.Phase})
}
