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
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/db"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

// Order implements httpapi.Node: orders are carried out one at a time.
func (a *Agent) Order(ctx context.Context, order api.Order) api.OrderResult {
	result := a.inTurn(ctx, order)
	a.log.Info("order", "kind", order.Kind, "term", order.Term, "source", order.Source, "requiredAcks", order.RequiredAcks,
		"readOnly", order.ReadOnly, "outcome", result.Outcome, "reason", result.Reason, "message", result.Message)
	return result
}

// inTurn waits until an order may be carried out, at the longest until ctx ends, and obeys it. What is being done for an older term has
// become pointless, and may take long: it is interrupted.
func (a *Agent) inTurn(ctx context.Context, order api.Order) api.OrderResult {
	select {
	case a.turn <- struct{}{}:
	default:
		now, err := a.situation()
		if err != nil {
			return a.result(api.OutcomeFailed, "", err.Error())
		}
		if v, reason, message := judge(order, now); v == refuse {
			return a.refused(reason, message)
		}
		if order.Term > now.record.Term {
			a.interrupt()
		}
		select {
		case a.turn <- struct{}{}:
		case <-ctx.Done():
			return a.refused(api.RefusedBusy, "another order is being carried out")
		}
	}
	defer func() { <-a.turn }()
	return a.obey(order)
}

// interrupt ends the order that is being carried out, if there is one. It can be repeated, or followed by another one.
func (a *Agent) interrupt() {
	if cancel := a.current.Load(); cancel != nil {
		(*cancel)()
	}
}

// workOn returns the context for what is done on the server in one turn.
func (a *Agent) workOn(s *session) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(s.orders, a.options.OrderTimeout)
	a.current.Store(&cancel)
	return ctx, cancel
}

// situation gathers what decides on an order.
func (a *Agent) situation() (situation, error) {
	// What others have put there counts from the moment on when it is there, not from when the volume was last reported.
	foreign, err := a.volume.Foreign()
	if err != nil {
		return situation{}, err
	}
	state := a.board.peek()
	now := situation{
		clusterUID: a.config.ClusterUID, podUID: a.options.PodUID, record: a.volume.Record(), basis: state.Basis,
		hasData: state.HasData, foreign: foreign, phase: state.Phase,
	}
	if j := a.underway.Load(); j != nil {
		now.underway = j.kind
	}
	return now, nil
}

func (a *Agent) obey(order api.Order) api.OrderResult {
	// Taken before the State that the order is judged by: an order must not reach a mysqld that was started after that.
	s := a.session.Load()
	now, err := a.situation()
	if err != nil {
		return a.result(api.OutcomeFailed, "", err.Error())
	}
	v, reason, message := judge(order, now)
	switch v {
	case refuse:
		return a.refused(reason, message)
	case alreadyDone:
		return a.result(api.OutcomeDone, "", message)
	case alreadyUnderway:
		return a.result(api.OutcomeAccepted, "", message)
	}
	// The term first: from here on, nothing of an older one is obeyed, whatever becomes of this order.
	if err := a.acceptTerm(order); err != nil {
		return a.result(api.OutcomeFailed, "", err.Error())
	}
	var result api.OrderResult
	switch {
	case v == kill:
		result = a.killHung(s)
	case order.Kind == api.OrderInitialize:
		result = a.begin(job{order.Kind, a.initialize})
	case order.Kind == api.OrderClone:
		result = a.begin(job{order.Kind, func(ctx context.Context) error { return a.clone(ctx, order) }})
	default:
		result = a.carryOutNow(s, order)
	}
	// Only now is what is reported what the order has made.
	a.board.update(func(s *api.State) { s.Obeying = false })
	result.State, _ = a.board.read()
	return result
}

// acceptTerm remembers the order's term. The data of another cluster become this one's.
func (a *Agent) acceptTerm(order api.Order) error {
	err := a.volume.Update(func(r *volume.Record) {
		if r.ClusterUID != order.ClusterUID {
			*r = r.Adopted(order.ClusterUID)
		}
		r.Term = order.Term
		// Said by who knows the primary; true whatever becomes of the order. And what the primary itself has is the truth.
		if order.Kind == api.OrderFollow && order.Joined || order.Kind == api.OrderPromote {
			r.Joining = false
		}
	})
	if err != nil {
		return err
	}
	return a.reportVolume(func(s *api.State) {
		a.board.rebase(s)
		s.Obeying = true
	})
}

// killTimeout bounds the wait for the end of a mysqld that was killed. No thread of it runs on, even while the kernel still waits for a
// disk.
const killTimeout = time.Second

// killHung ends a mysqld that does not answer. The life cycle starts it again, read-only as ever; and as after any crash, no commit is
// acknowledged by the end.
func (a *Agent) killHung(s *session) api.OrderResult {
	if s == nil {
		return a.refused(api.RefusedBusy, "mysqld is not running")
	}
	a.log.Warn("killing mysqld, which does not answer")
	s.proc.Signal(syscall.SIGKILL)
	select {
	case <-s.proc.Done():
	case <-time.After(killTimeout):
	}
	return a.result(api.OutcomeDone, "", "mysqld did not answer, and was killed")
}

// begin hands a long order to the life cycle.
func (a *Agent) begin(j job) api.OrderResult {
	a.underway.Store(&j)
	a.jobs <- j // there is room: one job at a time is under way
	return a.result(api.OutcomeAccepted, "", "")
}

// carryOutNow carries out an order on the running mysqld. It does not end when the one who gave the order hangs up.
func (a *Agent) carryOutNow(s *session, order api.Order) api.OrderResult {
	if s == nil {
		return a.refused(api.RefusedBusy, "mysqld is not running")
	}
	ctx, cancel := a.workOn(s)
	defer cancel()
	a.observeSoon()
	wasPrimary := a.board.peek().Role == api.RolePrimary
	role, message, err := api.RoleNone, "", error(nil)
	switch order.Kind {
	case api.OrderFollow:
		role, err = api.RoleReplica, a.follow(ctx, s, *order.Source)
	case api.OrderDemote:
		err = a.demote(ctx, s)
	case api.OrderPromote:
		role = api.RolePrimary
		message, err = a.promote(ctx, s.db, order)
	}
	if err == nil {
		message = joinMessages(message, s.problem)
		a.updateIn(s.ctx, func(st *api.State) { st.Role, st.Message = role, message })
	}
	if a.board.peek().Phase == api.PhaseRunning {
		a.observe(s)
	}
	if err != nil {
		return a.result(api.OutcomeFailed, "", err.Error())
	}
	if wasPrimary && role == api.RoleReplica {
		go a.turnAway(s)
	}
	return a.result(api.OutcomeDone, "", message)
}

// spaceToReceive is the least that a volume must have available for a replica to be started. With less, the server waits for space with
// locks held that everything else then waits for.
const spaceToReceive = int64(4) << 20

// turnAway cuts off the clients of a node that was the primary some more times: those that come back at once are still led here, until the
// routing of the Service has followed, and would stay on a server that refuses their writes.
func (a *Agent) turnAway(s *session) {
	for _, pause := range []time.Duration{300 * time.Millisecond, 700 * time.Millisecond, time.Second, 2 * time.Second} {
		select {
		case <-s.orders.Done():
			return
		case <-time.After(pause):
		}
		if a.board.peek().Role != api.RoleReplica {
			return
		}
		ctx, cancel := context.WithTimeout(s.orders, observeTimeout)
		if err := s.db.CloseClients(ctx); err != nil {
			a.log.Warn("closing the connections of clients failed", "error", err)
		}
		cancel()
	}
}

// follow makes the node a replica.
func (a *Agent) follow(ctx context.Context, s *session, source api.Endpoint) error {
	creds, err := a.options.loadCredentials()
	if err != nil {
		return err
	}
	if err := a.stepDown(ctx, s, true); err != nil {
		return err
	}
	if available, _, err := a.volume.Space(); err != nil || available < spaceToReceive {
		return errors.Join(err, fmt.Errorf("the volume is full: %d bytes are not enough to receive anything", available))
	}
	return s.db.Follow(ctx, db.Source{
		Host: source.Host, Port: source.Port, User: api.AccountReplication, Password: creds.replication, CA: a.caFile(),
	}, a.noteLoss)
}

// noteLoss remembers that the node may lack transactions that it has acknowledged.
func (a *Agent) noteLoss() error {
	a.log.Warn("the relay log is lost or damaged: what is in it is fetched again")
	if err := a.volume.Update(func(r *volume.Record) { r.Joining = true }); err != nil {
		return err
	}
	return a.reportVolume()
}

// demote makes the node a read-only server that follows nobody.
func (a *Agent) demote(ctx context.Context, s *session) error {
	if err := a.stepDown(ctx, s, true); err != nil {
		return err
	}
	if err := s.db.EndSemiSyncSource(ctx); err != nil {
		return err
	}
	if err := s.db.CloseClients(ctx); err != nil {
		return err
	}
	return s.db.StopReplication(ctx)
}

// stepDown makes the node read-only. Clients of a node that was writable are cut off, so that they find the new primary; those of a
// replica may go on reading. On a full volume, commits can wait for space where nothing reaches them: then mysqld is killed.
func (a *Agent) stepDown(ctx context.Context, s *session, hurry bool) error {
	limited, cancel := context.WithTimeout(ctx, stepDownTimeout)
	defer cancel()
	readOnly, err := s.db.IsReadOnly(limited)
	if err != nil || readOnly {
		return err
	}
	err = s.db.StepDown(limited, hurry)
	if err != nil && ctx.Err() == nil && a.board.peek().VolumeFull {
		a.log.Error("killing mysqld, because it could not be made read-only on a full volume", "error", err)
		s.proc.Signal(syscall.SIGKILL)
	}
	return err
}

// promote makes the node the primary. While fewer replicas are connected than have to confirm each commit, it stays read-only: the
// first commits would wait, and one that changes accounts would keep the very replicas out that it waits for.
func (a *Agent) promote(ctx context.Context, mysql *db.DB, order api.Order) (message string, err error) {
	readOnly, err := mysql.IsReadOnly(ctx)
	if err != nil {
		return "", err
	}
	if order.ReadOnly && !readOnly {
		if err := mysql.MakeReadOnly(ctx); err != nil {
			return "", err
		}
	}
	if err := a.finishReplication(ctx, mysql); err != nil {
		return "", err
	}
	if err := mysql.SetRequiredAcks(ctx, order.RequiredAcks); err != nil {
		return "", err
	}
	if order.ReadOnly || !readOnly {
		return "", nil
	}
	clients, err := mysql.SemiSyncClients(ctx)
	if err != nil {
		return "", err
	}
	if clients < order.RequiredAcks {
		return waitingForReplicas(order.RequiredAcks, clients), nil
	}
	return "", mysql.LiftReadOnly(ctx)
}

// lockPatience is how long clients may hold up a promotion.
const lockPatience = time.Second

// finishReplication makes the node have applied all that it has received. A client's lock, of a backup for example, can keep the applier
// from that: after some time the clients are cut off, because the whole cluster waits.
func (a *Agent) finishReplication(ctx context.Context, mysql *db.DB) error {
	impatient := time.AfterFunc(lockPatience, func() {
		a.log.Warn("closing the connections of clients, because the promotion takes long")
		if err := mysql.CloseClients(ctx); err != nil {
			a.log.Warn("closing the connections of clients failed", "error", err)
		}
	})
	defer impatient.Stop()
	return mysql.FinishReplication(ctx)
}

func joinMessages(messages ...string) string {
	return strings.Join(slices.DeleteFunc(messages, func(m string) bool { return m == "" }), "; ")
}

func (a *Agent) refused(reason, message string) api.OrderResult {
	return a.result(api.OutcomeRefused, reason, message)
}

func (a *Agent) result(outcome api.Outcome, reason, message string) api.OrderResult {
	state, _ := a.board.read()
	return api.OrderResult{Outcome: outcome, Reason: reason, Message: message, State: state}
}
