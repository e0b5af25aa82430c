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

// Package agent is PID 1 of a MySQL pod: it makes, clones and keeps the node's data, supervises mysqld, reports the node's state
// and carries out the controller's orders.
//
// It decides nothing about roles. Left alone, a node stays read-only and follows nobody; an empty one stays empty.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/httpapi"
	"github.com/presslabs/mysql-apiserver/pkg/agent/process"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

// Agent is the agent of one node.
type Agent struct {
	options Options
	config  api.NodeConfig
	log     *slog.Logger
	volume  *volume.Volume
	board   *board

	// kick asks for an observation now instead of at the next tick.
	kick chan struct{}
	// version is mysqld's, once it is known; used by the life cycle alone.
	version string
	// complaint asks for a look at the volume's space now.
	complaint chan struct{}
	// session is the running and connected mysqld; nil while there is none.
	session atomic.Pointer[session]

	// turn is held by whoever carries out an order; it guards the volume's record.
	turn chan struct{}
	// current ends what is being done on the server in this turn.
	current atomic.Pointer[context.CancelFunc]
	// jobs hands a long order to the life cycle. underway tells which one it has; empty if none.
	jobs     chan job
	underway atomic.Pointer[job]
}

// job is a long order: it needs mysqld to be down.
type job struct {
	kind api.OrderKind
	run  func(ctx context.Context) error
}

// Run runs the agent until ctx ends and mysqld has stopped, or until it cannot go on.
func Run(ctx context.Context, options Options, log *slog.Logger) error {
	a, err := newAgent(options, log)
	if err != nil {
		return err
	}
	server, err := httpapi.Listen(a, options.ControlAddress, options.ProbeAddress, options.TLSDir, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { a.board.update(func(s *api.State) { s.Stopping = true }) })
	go process.ReapOrphans(ctx)
	go a.watchSpace(ctx)
	served := make(chan error, 1)
	go func() {
		served <- server.Serve()
		cancel() // an agent that cannot be reached must not keep a primary running
	}()
	err = a.live(ctx)
	server.Close()
	if serveErr := <-served; err == nil {
		err = serveErr
	}
	return err
}

func newAgent(options Options, log *slog.Logger) (*Agent, error) {
	if options.AdminHost == "" {
		return nil, fmt.Errorf("no address for MySQL's administrative interface: %s is empty, and --admin-host is not given", api.EnvPodIP)
	}
	config, err := options.loadConfig()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(options.RunDir, 0o750); err != nil {
		return nil, fmt.Errorf("make the run directory: %w", err)
	}
	vol, err := volume.Open(options.VolumeDir)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		options:   options,
		config:    config,
		log:       log,
		volume:    vol,
		board:     newBoard(api.State{Node: options.PodName, PodUID: options.PodUID, AgentStart: time.Now()}),
		kick:      make(chan struct{}, 1),
		complaint: make(chan struct{}, 1),
		turn:      make(chan struct{}, 1),
		jobs:      make(chan job, 1),
	}
	return a, a.reportVolume()
}

// reportVolume puts what is on the volume into the State, together with further changes.
func (a *Agent) reportVolume(further ...func(*api.State)) error {
	has, err := a.volume.HasData()
	if err != nil {
		return err
	}
	foreign, err := a.volume.Foreign()
	if err != nil {
		return err
	}
	record := a.volume.Record()
	a.board.update(func(s *api.State) {
		s.HasData, s.Term, s.ClusterUID, s.Joining = has, record.Term, "", has && record.Joining
		if has {
			s.ClusterUID = record.ClusterUID
		}
		switch {
		case s.Phase != "":
		case len(foreign) > 0:
			s.Phase, s.Message = api.PhaseStopped, foreignMessage(foreign)
		case !has:
			s.Phase = api.PhaseEmpty
		default:
			s.Phase = api.PhaseStopped
		}
		for _, change := range further {
			change(s)
		}
	})
	return nil
}

// State implements httpapi.Node.
func (a *Agent) State() (api.State, <-chan struct{}) { return a.board.read() }

// Alive implements httpapi.Node. A hung mysqld does not make the agent unhealthy: killing it is the controller's decision.
func (a *Agent) Alive() bool { return true }

// observeSoon asks for an observation.
func (a *Agent) observeSoon() { ask(a.kick) }

// ask asks for something that is done once, however often it is asked for before.
func ask(kick chan<- struct{}) {
	select {
	case kick <- struct{}{}:
	default:
	}
}
