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

package options

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/klog/v2"
)

// NewCommand makes the command line of the API server.
func NewCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "apiserver",
		Short: "Serve the API group mysql.presslabs.io",
	}
	root.AddCommand(newServeCommand(), newStandaloneCommand())
	return root
}

func newServeCommand() *cobra.Command {
	o := New()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve behind kube-apiserver, as a pod of the cluster",
		Long: `Serve the API group mysql.presslabs.io behind kube-apiserver, which authenticates the users, decides what they may do, and passes their
requests on. Objects are kept in an embedded etcd, or in another one with --etcd-servers.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, func(context.Context, *Server) error { return nil })
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

func newStandaloneCommand() *cobra.Command {
	o := NewStandalone()
	cmd := &cobra.Command{
		Use:   "standalone",
		Short: "Serve alone, without Kubernetes, on the loopback interface",
		Long: `Serve the API group mysql.presslabs.io without Kubernetes and without privileges, for a first look and for tests. The server listens on the
loopback interface only, and lets nobody in but the bearer of the client certificate in the kubeconfig that it writes into its data
directory. Nothing acts on the objects: no MySQL is started.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, func(ctx context.Context, s *Server) error {
				logStandalone(klog.FromContext(ctx))
				kubeconfig, err := filepath.Abs(s.Kubeconfig)
				if err != nil {
					return err
				}
				return s.WhenReady(func() { printTour(cmd.OutOrStdout(), kubeconfig) })
			})
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

func run(ctx context.Context, o *Options, prepare func(context.Context, *Server) error) error {
	if err := o.ServerRun.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	s, err := o.NewServer(ctx)
	if err != nil {
		return err
	}
	if err := prepare(ctx, s); err != nil {
		s.stopEtcd()
		return err
	}
	return s.Run(ctx)
}

// Context is the context of the whole program: it ends with the first SIGTERM or SIGINT. The second ends the program at once.
func Context() context.Context { return genericapiserver.SetupSignalContext() }
