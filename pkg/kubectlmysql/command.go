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

// Package kubectlmysql is the plugin `kubectl mysql`, for what people do by hand: see how a cluster is, and make another node its primary. The
// commands only ask the API server and print; what is printed is made by the packages report and render.
package kubectlmysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	mysqlclient "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/typed/mysql/v1alpha1"
)

// program is how people call it.
const program = "kubectl mysql"

// Execute runs a command line, without the program's name, and returns the exit code: 0 when it is done, 1 when it was refused or given
// up, 2 when the command line can not be meant.
func Execute(ctx context.Context, args []string, terminal *Terminal) int {
	return execute(ctx, args, terminal, genericclioptions.NewConfigFlags(true))
}

func execute(ctx context.Context, args []string, terminal *Terminal, config *genericclioptions.ConfigFlags) int {
	config.CacheDir = nil // what the flag is about is not used here
	p := &plugin{Terminal: terminal, config: config}
	started := false
	root := &cobra.Command{
		Use:               "kubectl-mysql",
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: program},
		Short:             "See how MySQL clusters are, and make another node the primary",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRun:  func(*cobra.Command, []string) { started = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	config.AddFlags(root.PersistentFlags())
	root.AddCommand(p.statusCommand(), p.switchoverCommand(), p.failoverCommand())
	root.SetArgs(args)
	root.SetIn(terminal.In)
	root.SetOut(terminal.Out)
	root.SetErr(terminal.ErrOut)
	command, err := root.ExecuteContextC(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errTold):
		return exitFailed
	case errors.As(err, &usage), !started:
		// What cobra finds before a command starts is about the command line.
		p.complain("error: %v\nSee '%s --help'.", err, command.CommandPath())
		return exitUsage
	default:
		p.complain("%s", explain(err))
		return exitFailed
	}
}

// plugin is what all commands share.
type plugin struct {
	*Terminal
	config *genericclioptions.ConfigFlags
}

// clusters returns a client for the clusters of the namespace that the user is in, and the namespace.
func (p *plugin) clusters() (mysqlclient.MysqlClusterInterface, string, error) {
	config, err := p.config.ToRESTConfig()
	if err != nil {
		return nil, "", err
	}
	namespace, _, err := p.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, "", err
	}
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NewWarningWriter(p.ErrOut, rest.WarningWriterOptions{Deduplicate: true, Color: p.Color})
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, "", err
	}
	return client.MysqlV1alpha1().MysqlClusters(namespace), namespace, nil
}

// clusterName takes the only argument of a command.
func clusterName(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("name a cluster")
	case len(args) > 1:
		return fmt.Errorf("name one cluster, not %d", len(args))
	}
	return nil
}

func (p *plugin) print(text string) { fmt.Fprint(p.Out, text) }

func (p *plugin) complain(format string, args ...any) { fmt.Fprintf(p.ErrOut, format+"\n", args...) }
