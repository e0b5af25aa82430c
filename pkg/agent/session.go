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

package agent

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/db"
	"github.com/presslabs/mysql-apiserver/pkg/agent/process"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

const (
	// connectInterval is how often a starting mysqld is tried, in addition to each line of its log.
	connectInterval = 100 * time.Millisecond
	// observeTimeout bounds one observation; much longer than it ever takes.
	observeTimeout = 2 * time.Second
	// leastPause between observations keeps a mysqld that logs a lot from being asked all the time.
	leastPause = 20 * time.Millisecond
	// eagerTime is how long, after an order or a line in mysqld's log, it is observed every eagerInterval: one change is followed by others
	// of which mysqld says nothing, such as the last transactions of an old primary.
	eagerTime     = 2 * time.Second
	eagerInterval = 50 * time.Millisecond
)

// session is one run of mysqld that answers.
type session struct {
	// ctx ends when that mysqld has.
	ctx  context.Context
	proc *process.Process
	db   *db.DB
	// orders ends when no more orders may be carried out, because mysqld is about to be stopped.
	orders    context.Context
	endOrders context.CancelFunc
	// watching ends when the server is no longer to be observed; closed is closed when the connections are.
	watching context.Context
	endWatch context.CancelFunc
	closed   chan struct{}
	// problem is what went wrong with the statements of the start; empty if nothing.
	problem string

	// lock guards the fields below and lets only one observation run.
	lock       chan struct{}
	lastAnswer time.Time
	failing    bool
	stall      stall

	// What was last aligned with the mounted Secrets; used by alignFiles alone.
	tlsDigest    string
	rootPassword string
}

// serve connects to a starting mysqld and observes it until it has ended.
func (a *Agent) serve(ctx context.Context, proc *process.Process, output *outputLog) {
	conn := a.connect(ctx)
	if conn == nil {
		return
	}
	s := &session{
		ctx: ctx, proc: proc, db: conn, closed: make(chan struct{}), problem: output.startProblem(), lock: make(chan struct{}, 1),
		stall: stall{pushing: make(chan struct{}, 1)},
	}
	s.orders, s.endOrders = context.WithCancel(ctx)
	defer s.endOrders()
	s.watching, s.endWatch = context.WithCancel(ctx)
	defer s.endWatch()
	s.tlsDigest, _ = a.digestTLS()
	// Close waits for an observation that is under way; the end of ctx ends that too.
	defer func() {
		a.session.Store(nil)
		s.lock <- struct{}{}
		conn.Close()
		close(s.closed)
	}()
	if err := os.Remove(a.startFile()); err != nil {
		a.log.Error("removing the statements of the start failed", "error", err)
	}
	if !a.prepare(s) {
		return
	}
	s.lastAnswer = time.Now()
	a.session.Store(s)
	a.observe(s)
	if s.problem != "" {
		a.updateIn(ctx, func(st *api.State) { st.Message = s.problem })
	}
	a.log.Info("mysqld answers")
	// Beside each other: a change of accounts can wait for replicas, and the observation has to show that.
	var work sync.WaitGroup
	work.Go(func() { a.align(s) })
	a.watch(s)
	work.Wait()
}

// connect tries until mysqld answers; it returns nil if mysqld ends before.
func (a *Agent) connect(ctx context.Context) *db.DB {
	again := time.NewTicker(connectInterval)
	defer again.Stop()
	for {
		creds, err := a.options.loadCredentials()
		if err == nil {
			var conn *db.DB
			attempt, cancel := context.WithTimeout(ctx, observeTimeout)
			conn, err = db.Open(attempt, a.runFile(socketName), api.AccountAgent, creds.agent)
			cancel()
			if err == nil {
				return conn
			}
		}
		if db.IsRefusal(err) {
			a.updateIn(ctx, func(s *api.State) { s.Message = err.Error() })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		case <-a.kick:
		}
	}
}

// prepare makes sure of what every start must be like, before anything is reported: born read-only, following nobody.
func (a *Agent) prepare(s *session) bool {
	for {
		err := func() error {
			if err := s.db.MakeReadOnly(s.ctx); err != nil {
				return err
			}
			record := a.volume.Record()
			if !record.ResetReplication {
				return nil
			}
			// The donor's own source came along with the cloned data, and points into relay logs that did not.
			if err := s.db.ForgetSource(s.ctx); err != nil {
				return err
			}
			return a.volume.Update(func(r *volume.Record) { r.ResetReplication = false })
		}()
		if err == nil {
			return true
		}
		a.log.Error("preparing mysqld failed", "error", err)
		a.updateIn(s.ctx, func(st *api.State) { st.Message = fmt.Sprintf("preparing mysqld failed: %v", err) })
		select {
		case <-s.ctx.Done():
			return false
		case <-time.After(time.Second):
		}
	}
}

// watch observes whenever there is reason to, and now and then without.
func (a *Agent) watch(s *session) {
	eagerUntil := time.Now().Add(eagerTime)
	for {
		interval := a.options.PollInterval
		switch {
		case waitsForReplicas(a.board.peek()):
			interval = leastPause
		case time.Now().Before(eagerUntil):
			interval = min(interval, eagerInterval)
		}
		select {
		case <-s.watching.Done():
			return
		case <-time.After(interval - leastPause):
		case <-a.kick:
			eagerUntil = time.Now().Add(eagerTime)
		}
		a.observe(s)
		select {
		case <-s.watching.Done():
		case <-time.After(leastPause):
		}
	}
}

// waitsForReplicas tells whether the cluster takes no writes because replicas have to connect, of which mysqld says nothing.
func waitsForReplicas(s api.State) bool {
	return s.Phase == api.PhaseRunning && s.Role == api.RolePrimary && s.SuperReadOnly && s.SemiSync.Clients < s.SemiSync.RequiredAcks
}

// observe asks MySQL for its state and reports it.
func (a *Agent) observe(s *session) {
	select {
	case s.lock <- struct{}{}:
	case <-s.ctx.Done():
		return
	}
	defer func() { <-s.lock }()
	ctx, cancel := context.WithTimeout(s.ctx, observationTime(a.options.HungAfter-time.Since(s.lastAnswer)))
	defer cancel()
	observed, err := s.db.Observe(ctx)
	if err != nil {
		if !s.failing {
			a.log.Warn("observing mysqld failed", "error", err)
		}
		s.failing = true
		if time.Since(s.lastAnswer) >= a.options.HungAfter {
			a.updateIn(s.ctx, func(st *api.State) {
				*st = withMySQL(*st, api.State{})
				st.Phase, st.Message = api.PhaseHung, "mysqld does not answer"
			})
			// It would keep the one waiting that ends the hang.
			a.interrupt()
		}
		return
	}
	s.lastAnswer, s.failing = time.Now(), false
	a.updateIn(s.ctx, func(st *api.State) {
		*st = withMySQL(*st, observed)
		if st.Phase != api.PhaseRunning {
			st.Phase, st.Message = api.PhaseRunning, ""
		}
	})
	s.stall.note(observed, time.Now())
	a.pushCommits(s)
	a.releaseAccounts(ctx, s, observed.SemiSync)
}

// observationTime bounds an observation, so that a hang shows when it has lasted for the time that is left of HungAfter, and not much
// later.
func observationTime(left time.Duration) time.Duration {
	if left <= 0 || left > observeTimeout {
		return observeTimeout
	}
	return max(left, observeTimeout/4)
}

// updateIn changes the State unless the mysqld that the change is about has ended: its end must not be overwritten.
func (a *Agent) updateIn(ctx context.Context, change func(*api.State)) {
	a.board.update(func(s *api.State) {
		if ctx.Err() == nil {
			change(s)
		}
	})
}
