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
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// bench is a manager with one agent, played by the test.
type bench struct {
	m       *Manager
	states  chan api.State
	hangUp  chan error
	dials   int
	answer  func(api.Order) (api.OrderResult, error)
	mu      sync.Mutex
	sent    []api.Order
	changed []time.Duration
	started time.Time
}

var target = Target{Node: "db-mysql-0", PodUID: "uid-0", Address: "10.0.0.1:7306"}

// newBench must be called in a bubble of synctest, where time passes only when everything waits.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{states: make(chan api.State), hangUp: make(chan error), started: time.Now()}
	b.answer = func(api.Order) (api.OrderResult, error) { return api.OrderResult{Outcome: api.OutcomeDone}, nil }
	ctx, cancel := context.WithCancel(t.Context())
	b.m = New(ctx, Transport{Watch: b.watch, Send: b.send}, Callbacks{
		Changed: func(_ string, after time.Duration) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.changed = append(b.changed, after)
		},
		Ordered: func(string, string, api.Order, api.OrderResult, error) {},
	}, time.Now)
	t.Cleanup(func() {
		cancel()
		b.m.Wait()
	})
	b.m.Track("shop/db", []Target{target})
	return b
}

func (b *bench) watch(ctx context.Context, _ string, _ *tls.Config, onState func(api.State)) error {
	b.dials++
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-b.hangUp:
			return err
		case s := <-b.states:
			onState(s)
		}
	}
}

func (b *bench) send(_ context.Context, _ string, _ *tls.Config, order api.Order) (api.OrderResult, error) {
	b.mu.Lock()
	b.sent = append(b.sent, order)
	b.mu.Unlock()
	return b.answer(order)
}

func (b *bench) report(change func(*api.State)) {
	s := api.State{Node: target.Node, PodUID: string(target.PodUID), AgentStart: b.started, Phase: api.PhaseRunning, HasData: true}
	change(&s)
	b.states <- s
	synctest.Wait()
}

// changes returns what was said since it was asked last.
func (b *bench) changes() []time.Duration {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.changed = nil }()
	return b.changed
}

func (b *bench) orders() int {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent)
}

func TestReportIsKnownAndChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		if seen := b.m.Observe(target.PodUID); seen.Connected || seen.State != nil {
			t.Errorf("known before the first report: %+v", seen)
		}
		b.report(func(s *api.State) { s.Sequence = 1 })
		if got := b.changes(); len(got) != 1 || got[0] != 0 {
			t.Errorf("the first report: %v", got)
		}
		b.report(func(s *api.State) { s.Sequence = 2 })
		b.changes() // the memory has settled
		b.report(func(s *api.State) { s.Sequence = 3 })
		if got := b.changes(); len(got) != 0 {
			t.Errorf("a heartbeat: %v", got)
		}
		b.report(func(s *api.State) { s.Sequence, s.GTIDExecuted = 4, "x" })
		if got := b.changes(); len(got) != 1 || got[0] != progressInterval {
			t.Errorf("a transaction: %v", got)
		}
		b.report(func(s *api.State) { s.Sequence, s.GTIDExecuted, s.Phase = 5, "x", api.PhaseStopped })
		if got := b.changes(); len(got) != 1 || got[0] != 0 {
			t.Errorf("an end of MySQL: %v", got)
		}
		if seen := b.m.Observe(target.PodUID); !seen.Connected || seen.State.Phase != api.PhaseStopped {
			t.Errorf("known: %+v", seen)
		}
	})
}

func TestSilenceIsToldAtOnceAndTheStreamIsBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.report(func(s *api.State) { s.Sequence = 1 })
		b.changes()
		b.hangUp <- errors.New("gone")
		if got := b.changes(); len(got) != 1 || got[0] != 0 {
			t.Errorf("told: %v", got)
		}
		if seen := b.m.Observe(target.PodUID); seen.Connected || seen.State == nil {
			t.Errorf("known: %+v", seen)
		}
		b.report(func(s *api.State) { s.Sequence = 2 })
		if seen := b.m.Observe(target.PodUID); !seen.Connected || b.dials != 2 {
			t.Errorf("after %d dials: %+v", b.dials, seen)
		}
	})
}

func TestReportOfAnotherPodIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.report(func(s *api.State) { s.PodUID = "uid-of-another" })
		if seen := b.m.Observe(target.PodUID); seen.Connected || seen.State != nil {
			t.Errorf("known: %+v", seen)
		}
	})
}

func TestAnswerToAnOrderIsNotOverwrittenByAnOlderReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.report(func(s *api.State) { s.Sequence = 5 })
		b.answer = func(api.Order) (api.OrderResult, error) {
			return api.OrderResult{Outcome: api.OutcomeDone, State: api.State{Node: target.Node, PodUID: string(target.PodUID), AgentStart: b.started,
				Phase: api.PhaseRunning, HasData: true, Sequence: 9, Role: api.RolePrimary}}, nil
		}
		b.m.Order(target.PodUID, api.Order{Kind: api.OrderPromote})
		synctest.Wait()
		b.report(func(s *api.State) { s.Sequence = 8 })
		if seen := b.m.Observe(target.PodUID); seen.State.Role != api.RolePrimary {
			t.Errorf("known: %+v", seen.State)
		}
	})
}

func TestOrderIsSentOnceWhileItIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		order := api.Order{Kind: api.OrderFollow, Term: 1, Source: &api.Endpoint{Host: "a", Port: 3306}}
		b.m.Order(target.PodUID, order)
		if n := b.orders(); n != 0 {
			t.Errorf("%d orders were sent to an agent that has not reported", n)
		}
		b.report(func(s *api.State) { s.Sequence = 1 })
		release := make(chan struct{})
		b.answer = func(api.Order) (api.OrderResult, error) {
			<-release
			return api.OrderResult{Outcome: api.OutcomeDone}, nil
		}
		again := order
		again.Source = &api.Endpoint{Host: "a", Port: 3306}
		b.m.Order(target.PodUID, order)
		b.m.Order(target.PodUID, again)
		if n := b.orders(); n != 1 {
			t.Errorf("%d orders were sent", n)
		}
		// While it is not answered, nothing is certain about the demand.
		b.report(func(s *api.State) { s.Sequence = 2 })
		b.report(func(s *api.State) { s.Sequence = 3 })
		if b.m.Observe(target.PodUID).Memory.Settled {
			t.Error("the demand counts as settled while an order is under way")
		}
		again.Term = 2
		b.m.Order(target.PodUID, again)
		if n := b.orders(); n != 2 {
			t.Errorf("an order of a newer term waits for the older one: %d were sent", n)
		}
		close(release)
		synctest.Wait()
	})
}

func TestSameOrderIsRepeatedAfterLongerAndLongerPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.report(func(s *api.State) { s.Sequence = 1 })
		b.answer = func(api.Order) (api.OrderResult, error) { return api.OrderResult{Outcome: api.OutcomeFailed}, nil }
		order := api.Order{Kind: api.OrderFollow, Term: 1}
		for i, pause := range []time.Duration{minPause, 2 * minPause, 4 * minPause, 8 * minPause, 16 * minPause, 32 * minPause, 64 * minPause, 128 * minPause, 256 * minPause, 512 * minPause, 1024 * minPause, maxPause, maxPause} {
			b.m.Order(target.PodUID, order)
			if n := b.orders(); n != i+1 {
				t.Fatalf("%d orders were sent instead of %d", n, i+1)
			}
			time.Sleep(pause - time.Millisecond)
			b.m.Order(target.PodUID, order)
			if n := b.orders(); n != i+1 {
				t.Errorf("the order was repeated within %s", pause)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * calm)
		b.m.Order(target.PodUID, order)
		b.orders()
		time.Sleep(minPause)
		b.m.Order(target.PodUID, order)
		if n := b.orders(); n != 15 {
			t.Errorf("after a calm time, the order is not repeated soon: %d were sent", n)
		}
	})
}

func TestForgottenAgentIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.report(func(s *api.State) { s.Sequence = 1 })
		b.m.Forget("shop/db")
		b.m.Wait()
		if seen := b.m.Observe(target.PodUID); seen.State != nil {
			t.Errorf("known: %+v", seen)
		}
	})
}
