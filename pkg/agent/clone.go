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
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/db"
	"github.com/presslabs/mysql-apiserver/pkg/agent/process"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

// scratchOptions make the server that only runs CLONE cheap: nothing of it is kept.
var scratchOptions = []string{
	"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF", "--loose-innodb-redo-log-capacity=32M",
}

const (
	scratchSocket  = "clone.sock"
	scratchTimeout = time.Minute
	// donorPatience bounds the wait for a donor that serves another node; afterwards the controller may name another one.
	donorPatience = 2 * time.Minute
)

// clone copies the data of another node. An empty scratch server runs CLONE with a directory of its own as the target, so that the
// copy becomes the node's data by one rename, when it is complete. (CLONE onto a server's own data needs a restart in the
// middle, and leaves half a copy behind when it is interrupted.)
func (a *Agent) clone(ctx context.Context, order api.Order) error {
	creds, err := a.options.loadCredentials()
	if err != nil {
		return err
	}
	if err := a.volume.Clean(); err != nil {
		return err
	}
	scratch, target := a.volume.Unfinished("scratch"), a.volume.Unfinished("clone")
	if err := a.runInitialize(ctx, scratch, scratchOptions...); err != nil {
		return fmt.Errorf("prepare an empty server for CLONE: %w", err)
	}
	donor := db.Donor{Host: order.Source.Host, Port: order.Source.Port, User: api.AccountClone, Password: creds.clone, CA: a.caFile()}
	if err := a.runScratch(ctx, func(ctx context.Context, mysql *db.DB) error {
		// Data that are there already are given up only when the donor is known to answer.
		if err := donor.Ping(ctx); err != nil {
			return err
		}
		if err := a.discardFor(order); err != nil {
			return err
		}
		return a.cloneWhenFree(ctx, mysql, donor, target)
	}); err != nil {
		return err
	}
	if err := a.volume.Update(func(r *volume.Record) { r.ResetReplication, r.Joining = true, true }); err != nil {
		return err
	}
	return a.volume.Adopt(target)
}

// cloneWhenFree runs CLONE. While the donor serves another recipient, it waits for some time.
func (a *Agent) cloneWhenFree(ctx context.Context, mysql *db.DB, donor db.Donor, target string) error {
	deadline := time.Now().Add(donorPatience)
	for {
		err := mysql.Clone(ctx, donor, target)
		if !db.IsDonorBusy(err) || time.Now().After(deadline) {
			return err
		}
		a.board.update(func(s *api.State) { s.Message = "waiting for the donor, which serves another node" })
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second): // the donor has no event for that
		}
		a.board.update(func(s *api.State) { s.Message = "" })
	}
}

// discardFor removes the data that an order allows to replace.
func (a *Agent) discardFor(order api.Order) error {
	has, err := a.volume.HasData()
	if err != nil || !has {
		return err
	}
	if !order.Discard {
		return fmt.Errorf("the volume holds data")
	}
	if err := a.volume.Update(func(r *volume.Record) { r.DiscardTerm = order.Term }); err != nil {
		return err
	}
	if err := a.volume.Discard(); err != nil {
		return err
	}
	return a.reportVolume()
}

// runScratch runs the scratch server while f uses it.
func (a *Agent) runScratch(ctx context.Context, f func(ctx context.Context, mysql *db.DB) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := a.removeStale(scratchSocket); err != nil {
		return err
	}
	socket := a.runFile(scratchSocket)
	output := &outputLog{}
	options := append([]string{"--skip-networking", "--skip-log-bin", "--socket=" + socket}, scratchOptions...)
	proc, err := process.Start(a.mysqldArgv(a.runFile("initialize.cnf"), options...), nil, output.line)
	if err != nil {
		return err
	}
	defer func() {
		proc.Signal(syscall.SIGKILL) // nothing of it is kept, and the copy has been flushed by CLONE
		<-proc.Done()
	}()
	go func() {
		<-proc.Done()
		cancel()
	}()
	mysql, err := openScratch(ctx, socket)
	if err != nil {
		return fmt.Errorf("start an empty server for CLONE: %w: %s", err, output.lastError())
	}
	defer mysql.Close()
	return f(ctx, mysql)
}

func openScratch(ctx context.Context, socket string) (*db.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, scratchTimeout)
	defer cancel()
	again := time.NewTicker(connectInterval)
	defer again.Stop()
	for {
		mysql, err := db.Open(ctx, socket, "root", "")
		if err == nil {
			return mysql, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}
