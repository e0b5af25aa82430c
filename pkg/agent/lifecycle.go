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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/httpapi"
	"github.com/presslabs/mysql-apiserver/pkg/agent/process"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
	"github.com/presslabs/mysql-apiserver/pkg/mycnf"
)

const (
	socketName = "mysqld.sock"
	pidName    = "mysqld.pid"

	// exitRestart is the exit code by which mysqld asks the supervisor that it was told of to start it again (RESTART, CLONE).
	exitRestart = 16

	// stepDownTimeout bounds the time in which a primary has to become read-only.
	stepDownTimeout = 10 * time.Second
	// dismissTimeout bounds the time for sending replicas what they still lack.
	dismissTimeout = 3 * time.Second

	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
	// longRun is how long mysqld must have run for its end to be forgotten, shortRun for it to be started again at once unless it has
	// failed before.
	longRun  = time.Minute
	shortRun = 5 * time.Second
)

// live is the node's life cycle: as long as there are data, mysqld runs; while there are none, an order is awaited.
func (a *Agent) live(ctx context.Context) error {
	var pause time.Duration // before the next start of mysqld
	for ctx.Err() == nil {
		has, err := a.volume.HasData()
		if err != nil {
			return err
		}
		if !has {
			if err := a.reportNoData(); err != nil {
				return err
			}
			a.awaitJob(ctx, nil)
			pause = 0
			continue
		}
		if pause > 0 {
			a.awaitJob(ctx, time.After(pause))
		}
		started := time.Now()
		restart := a.runMysqld(ctx)
		pause = nextPause(pause, time.Since(started), restart)
	}
	return nil
}

// reportNoData reports a node without data. It is not empty, and nothing may be made on it, where there are files of somebody else.
func (a *Agent) reportNoData() error {
	foreign, err := a.volume.Foreign()
	if err != nil {
		return err
	}
	a.board.update(func(s *api.State) {
		s.Phase, s.HasData, s.Role = api.PhaseEmpty, false, api.RoleNone
		if len(foreign) > 0 {
			s.Phase, s.Message = api.PhaseStopped, foreignMessage(foreign)
		}
	})
	if len(foreign) > 0 {
		a.log.Error("the volume is left alone", "reason", foreignMessage(foreign))
	}
	return nil
}

// nextPause returns how long to wait before mysqld is started again, after a run that followed a pause. The first time there is
// none: a crash should cost as little time as can be. Only what fails again and again is slowed down.
func nextPause(pause, ran time.Duration, wanted bool) time.Duration {
	switch {
	case wanted || ran >= longRun:
		return 0
	case pause == 0 && ran >= shortRun:
		return 0
	default:
		return max(firstBackoff, min(2*pause, maxBackoff))
	}
}

// awaitJob carries out the next long order, unless the time is over before there is one.
func (a *Agent) awaitJob(ctx context.Context, over <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-over:
	case j := <-a.jobs:
		a.carryOut(ctx, j)
	}
}

// carryOut runs a long order while mysqld is down.
func (a *Agent) carryOut(ctx context.Context, j job) {
	defer a.underway.Store(nil)
	phase := api.PhaseInitializing
	if j.kind == api.OrderClone {
		phase = api.PhaseCloning
	}
	a.board.update(func(s *api.State) { s.Phase, s.Message, s.Role = phase, "", api.RoleNone })
	a.log.Info("carrying out a long order", "kind", j.kind)
	started := time.Now()
	err := j.run(ctx)
	message := ""
	if err != nil {
		message = fmt.Sprintf("%s failed: %v", j.kind, err)
		a.log.Error("a long order failed", "kind", j.kind, "error", err)
	} else {
		a.log.Info("a long order is done", "kind", j.kind, "seconds", time.Since(started).Seconds())
	}
	if err := a.volume.Clean(); err != nil {
		a.log.Error("cleaning the volume failed", "error", err)
	}
	a.board.update(func(s *api.State) { s.Phase, s.Message = api.PhaseStopped, message })
	if err := a.reportVolume(); err != nil {
		a.log.Error("reading the volume failed", "error", err)
	}
}

// runMysqld runs mysqld once, from its start to its end, and tells whether it wants to be started again at once.
func (a *Agent) runMysqld(ctx context.Context) (restart bool) {
	output := &outputLog{agent: a}
	proc, err := a.startMysqld(ctx, output)
	if err != nil {
		a.stopped("", err.Error())
		return false
	}
	a.log.Info("mysqld has been started", "pid", proc.PID())
	sessionCtx, endSession := context.WithCancel(context.Background())
	a.board.update(func(s *api.State) {
		s.Phase, s.Message = api.PhaseStarting, ""
		a.board.rebase(s)
	})
	var served sync.WaitGroup
	served.Go(func() { a.serve(sessionCtx, proc, output) })

	var next *job
	ordered := false // its end, by us
	allowOrders := func() {}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		if ordered = a.handOver(proc); ordered {
			allowOrders = a.endMysqld(proc)
		}
	case j := <-a.jobs:
		next, ordered = &j, true
		allowOrders = a.endMysqld(proc)
	}
	<-proc.Done()
	// From here on nothing that was observed before is reported any more.
	endSession()
	a.session.Store(nil)
	exit := proc.Exit()
	if line := output.lastError(); line != "" && !proc.Succeeded() {
		exit += ": " + line
	}
	a.log.Info("mysqld has ended", "exit", exit)
	a.stopped(exit, "mysqld has ended")
	if ordered && proc.Succeeded() {
		if err := a.volume.NoteCleanStop(); err != nil {
			a.log.Error("noting that mysqld was stopped in order failed", "error", err)
		}
	}
	served.Wait()
	allowOrders()
	if next != nil {
		a.carryOut(ctx, *next)
		return true
	}
	return ctx.Err() == nil && (proc.ExitCode() == exitRestart || proc.Succeeded())
}

// endMysqld makes mysqld end, and no order be carried out until the returned function is called.
//
// A server that shuts down lets go all commits that wait for replicas, and tells their clients that they succeeded. So the
// clients are cut off first; and where that fails, mysqld is killed: a crash acknowledges nothing.
func (a *Agent) endMysqld(proc *process.Process) (allowOrders func()) {
	s := a.session.Load()
	if s == nil {
		a.log.Info("stopping mysqld, which does not serve yet")
		proc.Signal(syscall.SIGTERM)
		return func() {}
	}
	s.endOrders()
	a.turn <- struct{}{}
	if a.board.peek().Phase == api.PhaseHung {
		a.log.Error("killing mysqld, because it does not answer")
		proc.Signal(syscall.SIGKILL)
		return func() { <-a.turn }
	}
	ctx, cancel := context.WithTimeout(s.ctx, stepDownTimeout)
	defer cancel()
	if err := a.stepDown(ctx, s, false); err != nil {
		a.log.Error("killing mysqld, because it could not be made read-only", "error", err)
		proc.Signal(syscall.SIGKILL)
		return func() { <-a.turn }
	}
	a.observe(s)
	a.updateIn(s.ctx, func(st *api.State) { st.Role, st.Message = api.RoleNone, "mysqld is being stopped" })
	dismissal, cancelDismissal := context.WithTimeout(s.ctx, dismissTimeout)
	defer cancelDismissal()
	if err := s.db.Dismiss(dismissal); err != nil {
		a.log.Warn("closing the connections failed", "error", err)
	}
	s.endWatch()
	<-s.closed
	a.log.Info("stopping mysqld")
	proc.Signal(syscall.SIGTERM)
	return func() { <-a.turn }
}

// stopped reports that mysqld does not run.
func (a *Agent) stopped(exit, message string) {
	a.board.update(func(s *api.State) {
		*s = withMySQL(*s, api.State{})
		s.Phase, s.Role, s.Message = api.PhaseStopped, api.RoleNone, message
		if exit != "" {
			s.LastExit = exit
		}
	})
}

// startMysqld writes what mysqld reads at its start, and starts it.
func (a *Agent) startMysqld(ctx context.Context, output *outputLog) (*process.Process, error) {
	creds, err := a.options.loadCredentials()
	if err != nil {
		return nil, err
	}
	if err := a.writeConfig(ctx, a.runFile("my.cnf"), a.volume.DataDir(), a.options.AdminHost); err != nil {
		return nil, err
	}
	if err := writePrivate(a.startFile(), startStatements(creds, a.config.InitFileExtraSQL)); err != nil {
		return nil, err
	}
	if err := a.noteStart(); err != nil {
		return nil, err
	}
	if err := a.removeStale(socketName, pidName); err != nil {
		return nil, err
	}
	argv := a.mysqldArgv(a.runFile("my.cnf"), "--init-file="+a.startFile())
	// Told of a supervisor, mysqld can restart itself.
	env := []string{fmt.Sprintf("MYSQLD_PARENT_PID=%d", os.Getpid())}
	return process.Start(argv, env, output.line)
}

// noteStart remembers the start of mysqld before it happens, and whether its data have lost something since the last one.
func (a *Agent) noteStart() error {
	bootID, err := os.ReadFile(a.options.BootIDFile)
	if err != nil {
		return fmt.Errorf("read the boot ID: %w", err)
	}
	before := a.volume.Record()
	if err := a.volume.Update(func(r *volume.Record) { r.Start(strings.TrimSpace(string(bootID))) }); err != nil {
		return err
	}
	if a.volume.Record().Joining && !before.Joining {
		a.log.Warn("the machine has ended before mysqld did: the node may lack transactions that it has acknowledged")
	}
	return a.reportVolume()
}

// removeStale removes what a killed mysqld has left, with the locks: it outlives the container. The number in a lock can be that of another
// thread by now, and mysqld would not start beside it; but none of ours runs.
func (a *Agent) removeStale(names ...string) error {
	for _, name := range names {
		for _, stale := range []string{name, name + ".lock"} {
			if err := os.Remove(a.runFile(stale)); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("remove what a killed mysqld has left: %w", err)
			}
		}
	}
	return nil
}

// startFile holds the statements of the start. It is removed once mysqld has read it, because there are passwords in it.
func (a *Agent) startFile() string { return a.runFile("start.sql") }

func (a *Agent) runFile(name string) string { return filepath.Join(a.options.RunDir, name) }

// mysqldArgv returns the words that run mysqld with a configuration file.
func (a *Agent) mysqldArgv(configFile string, options ...string) []string {
	return slices.Concat(a.options.Mysqld, []string{"--defaults-file=" + configFile}, a.options.MysqldOptions, options)
}

// writeConfig generates a my.cnf for a data directory. Without adminHost there is no administrative interface.
func (a *Agent) writeConfig(ctx context.Context, path, dataDir, adminHost string) error {
	version, err := a.mysqldVersion(ctx)
	if err != nil {
		return err
	}
	reportHost := a.options.PodName
	if a.config.HostDomain != "" {
		reportHost += "." + a.config.HostDomain
	}
	text, err := mycnf.Generate(mycnf.Input{
		Version:      version,
		ServerID:     uint32(a.config.ServerIDOffset) + uint32(a.options.Ordinal),
		ReportHost:   reportHost,
		Port:         a.options.MySQLPort,
		BindAddress:  a.options.MySQLHost,
		AdminAddress: adminHost,
		AdminPort:    a.options.AdminPort,
		DataDir:      dataDir,
		TempDir:      a.volume.TempDir(),
		Socket:       a.runFile(socketName),
		PIDFile:      a.runFile(pidName),
		CA:           a.caFile(),
		Cert:         filepath.Join(a.options.TLSDir, httpapi.CertFile),
		Key:          filepath.Join(a.options.TLSDir, httpapi.KeyFile),
		MemoryBytes:  a.options.MemoryBytes,
		CPUMillis:    a.options.CPUMillis,
		VolumeBytes:  a.config.VolumeBytes,
		User:         a.config.MysqlConf,
	})
	if err != nil {
		return fmt.Errorf("generate my.cnf: %w", err)
	}
	return writePrivate(path, text)
}

func (a *Agent) caFile() string { return filepath.Join(a.options.TLSDir, httpapi.CAFile) }

// mysqldVersion asks the program itself, once: the image decides which one it is, and is another one only after a restart of ours.
func (a *Agent) mysqldVersion(ctx context.Context) (string, error) {
	if a.version != "" {
		return a.version, nil
	}
	var lines []string
	argv := slices.Concat(a.options.Mysqld, []string{"--no-defaults", "--version"})
	proc, err := process.Start(argv, nil, func(line string) { lines = append(lines, line) })
	if err != nil {
		return "", err
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		proc.Signal(syscall.SIGKILL)
		<-proc.Done()
	}
	// "/usr/sbin/mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server …)"
	words := strings.Fields(strings.Join(lines, " "))
	if i := slices.Index(words, "Ver"); i >= 0 && i+1 < len(words) && proc.Succeeded() {
		a.version = words[i+1]
		return a.version, nil
	}
	return "", fmt.Errorf("find the version of mysqld: %s: %s", proc.Exit(), strings.Join(lines, " "))
}

// writePrivate writes a file that only we can read.
func writePrivate(path, text string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
