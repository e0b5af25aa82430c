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

// The agent is PID 1 of a MySQL pod. "agent install DIR" copies it into the pod's MySQL container, "agent run" runs it there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/presslabs/mysql-apiserver/pkg/agent"
)

const usage = "usage: agent install DIR | agent run [flags]"

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "agent: %v\n", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "install":
		return agent.Install(args[1])
	case len(args) >= 1 && args[0] == "run":
		return run(args[1:])
	}
	return errors.New(usage)
}

func run(args []string) error {
	options, err := agent.NewOptions(os.Getenv)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("agent run", flag.ExitOnError)
	flags.StringVar(&options.ConfigFile, "config", options.ConfigFile, "file with the cluster's configuration of its nodes")
	flags.StringVar(&options.TLSDir, "tls-dir", options.TLSDir, "directory with ca.crt, tls.crt and tls.key")
	flags.StringVar(&options.CredentialsDir, "credentials-dir", options.CredentialsDir, "directory with the internal accounts' passwords")
	flags.StringVar(&options.UserSecretDir, "user-secret-dir", options.UserSecretDir, "directory with the keys of the user's Secret")
	flags.StringVar(&options.VolumeDir, "volume-dir", options.VolumeDir, "the node's volume")
	flags.StringVar(&options.RunDir, "run-dir", options.RunDir, "directory for the socket and generated files")
	flags.StringVar(&options.BootIDFile, "boot-id-file", options.BootIDFile, "file with an ID of the running kernel")
	flags.StringVar(&options.ControlAddress, "control-address", options.ControlAddress, "address of the control API")
	flags.StringVar(&options.ProbeAddress, "probe-address", options.ProbeAddress, "address of the probes")
	flags.StringVar(&options.MySQLHost, "mysql-host", options.MySQLHost, "address that MySQL listens on (default: every address)")
	flags.IntVar(&options.MySQLPort, "mysql-port", options.MySQLPort, "port that MySQL listens on")
	flags.StringVar(&options.AdminHost, "admin-host", options.AdminHost, "the one address of MySQL's administrative interface, for replicas (default: the pod's)")
	flags.IntVar(&options.AdminPort, "admin-port", options.AdminPort, "port of MySQL's administrative interface")
	flags.DurationVar(&options.PollInterval, "poll-interval", options.PollInterval, "how often MySQL is asked for its state")
	flags.DurationVar(&options.FilesInterval, "files-interval", options.FilesInterval, "how often mounted Secrets are looked at")
	flags.DurationVar(&options.HungAfter, "hung-after", options.HungAfter, "how long MySQL may be silent before it counts as hung")
	flags.DurationVar(&options.HandoverTimeout, "handover-timeout", options.HandoverTimeout, "how long a primary that is to end waits for another one")
	flags.Func("mysqld", "a word of the command that runs mysqld (repeat for each word; default: mysqld)", replacing(&options.Mysqld))
	flags.Func("mysqld-option", "an additional option for mysqld (repeatable)", replacing(&options.MysqldOptions))
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown arguments %q; %s", strings.Join(flags.Args(), " "), usage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return agent.Run(ctx, options, slog.New(slog.NewTextHandler(os.Stdout, nil)))
}

// replacing collects the values of a repeated flag; the first one replaces the default.
func replacing(target *[]string) func(string) error {
	first := true
	return func(value string) error {
		if first {
			*target, first = nil, false
		}
		*target = append(*target, value)
		return nil
	}
}
