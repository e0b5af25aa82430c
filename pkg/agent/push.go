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
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

const (
	// pushAfter is how long commits must have waited without any progress before one of our own is sent after them.
	pushAfter = time.Second
	// pushPause is the least time between two such commits; it doubles while nothing moves, up to maxPushPause: each of them waits too.
	pushPause    = 3 * time.Second
	maxPushPause = time.Minute
	// pushTimeout bounds the wait for such a commit. The server goes on with it.
	pushTimeout = 10 * time.Second
)

// stall is what is known of commits that wait for replicas while nothing moves.
type stall struct {
	executed string
	// since is when the wait began or something moved last; zero while no commit waits.
	since time.Time
	// pause is that after the last push, which was at pushed. Zero when there was none in this wait.
	pause  time.Duration
	pushed time.Time
	// pushing holds something while a push is being made.
	pushing chan struct{}
}

// note takes in an observation.
func (w *stall) note(s api.State, now time.Time) {
	switch {
	case !s.SemiSync.SourceEnabled || s.SemiSync.WaitSessions == 0:
		w.since, w.pause = time.Time{}, 0
	case w.since.IsZero() || s.GTIDExecuted != w.executed:
		w.since, w.pause = now, 0
	}
	w.executed = s.GTIDExecuted
}

// lasts tells whether commits have been waiting for some time without any progress.
func (w *stall) lasts(atLeast time.Duration, now time.Time) bool {
	return !w.since.IsZero() && now.Sub(w.since) >= atLeast
}

// pushDue tells whether a push would make sense, and counts it as made.
func (w *stall) pushDue(now time.Time) bool {
	if !w.lasts(pushAfter, now) || now.Sub(w.pushed) < max(w.pause, pushPause) {
		return false
	}
	w.pause, w.pushed = min(max(2*w.pause, pushPause), maxPushPause), now
	return true
}

// pushCommits ends the wait for an acknowledgement that was lost: a replica that has received a transaction and then lost its connection
// is not sent it again, and does not acknowledge it again. It does so with the next transaction, which comes from us when nobody else
// commits.
func (a *Agent) pushCommits(s *session) {
	st := a.board.peek()
	if st.Role != api.RolePrimary || st.SuperReadOnly || st.SemiSync.Clients < st.SemiSync.RequiredAcks {
		return
	}
	select {
	case s.stall.pushing <- struct{}{}:
	default:
		return
	}
	if !s.stall.pushDue(time.Now()) {
		<-s.stall.pushing
		return
	}
	a.log.Warn("commits wait for replicas that are connected: sending an empty commit after them")
	go func() {
		defer func() { <-s.stall.pushing }()
		ctx, cancel := context.WithTimeout(s.orders, pushTimeout)
		defer cancel()
		if err := s.db.Push(ctx); err != nil {
			a.log.Warn("the empty commit after those that wait has failed", "error", err)
		}
	}()
}
