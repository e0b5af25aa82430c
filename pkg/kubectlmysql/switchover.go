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

package kubectlmysql

import (
	"github.com/spf13/cobra"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

func (p *plugin) switchoverCommand() *cobra.Command {
	r := &request{plugin: p}
	command := &cobra.Command{
		Use:   "switchover NAME",
		Short: "Make another node the primary, without losing anything",
		Long: `Make another node the primary, without losing anything: the primary stops taking writes, the other node gets all that it has, and takes over. What
can not be done in time is given up, and the primary stays.

It needs the right to create mysqlclusters/failover; with --wait, those to get and watch mysqlclusters too.
Exit codes: 0 it is done (without --wait: recorded), 1 it was refused or given up, 2 the command line can not be meant.`,
		Example: "  " + program + " switchover foo --reason 'new kernel on node-3' --wait\n  " + program + " switchover foo --to foo-mysql-2 --dry-run",
		Args:    clusterName,
		RunE: func(command *cobra.Command, args []string) error {
			r.name, r.spec.Mode = args[0], v1alpha1.FailoverGraceful
			return r.run(command.Context())
		},
	}
	r.addFlags(command.Flags())
	return command
}
