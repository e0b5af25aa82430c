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
	"os"
	"path/filepath"
	"syscall"

	"github.com/presslabs/mysql-apiserver/pkg/agent/process"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

// initialize makes an empty server on an empty volume. It becomes the node's data when it is complete, accounts included.
func (a *Agent) initialize(ctx context.Context) error {
	creds, err := a.options.loadCredentials()
	if err != nil {
		return err
	}
	secret, err := a.options.loadUserSecret()
	if err != nil {
		return err
	}
	if err := a.volume.Clean(); err != nil {
		return err
	}
	dir := a.volume.Unfinished("initialize")
	if err := os.Mkdir(dir, 0o750); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	statements := a.runFile("initialize.sql")
	if err := writePrivate(statements, initializeStatements(creds, secret)); err != nil {
		return err
	}
	defer os.Remove(statements)
	if err := a.runInitialize(ctx, dir, "--init-file="+statements); err != nil {
		return err
	}
	if err := a.volume.Update(func(r *volume.Record) { r.ResetReplication, r.Joining = false, false }); err != nil {
		return err
	}
	return a.volume.Adopt(dir)
}

// runInitialize makes an empty server in dir.
func (a *Agent) runInitialize(ctx context.Context, dir string, options ...string) error {
	configFile := a.runFile("initialize.cnf")
	if err := a.writeConfig(ctx, configFile, dir, ""); err != nil {
		return err
	}
	return a.runToEnd(ctx, a.mysqldArgv(configFile, append([]string{"--initialize-insecure", "--skip-log-bin"}, options...)...))
}

// runToEnd runs a mysqld that ends by itself. It is killed when the agent stops: what it makes is unfinished then.
func (a *Agent) runToEnd(ctx context.Context, argv []string) error {
	output := &outputLog{}
	proc, err := process.Start(argv, nil, output.line)
	if err != nil {
		return err
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		proc.Signal(syscall.SIGKILL)
		<-proc.Done()
		return errStopping
	}
	if !proc.Succeeded() {
		return fmt.Errorf("mysqld has ended: %s: %s", proc.Exit(), output.lastError())
	}
	return nil
}

// errStopping ends a long order because the agent stops.
var errStopping = errors.New("the agent is stopping")

// Install copies the running program into dir, as the init container does. A program that runs there already is not disturbed.
func Install(dir string) error {
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("install the agent: %w", err)
	}
	temp := filepath.Join(dir, ".agent.tmp")
	if err := os.WriteFile(temp, text, 0o755); err != nil {
		return fmt.Errorf("install the agent: %w", err)
	}
	// WriteFile's mode is subject to the umask.
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("install the agent: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(dir, "agent")); err != nil {
		return fmt.Errorf("install the agent: %w", err)
	}
	return nil
}
