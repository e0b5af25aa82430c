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
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
)

// withoutForce says what to do instead of a failover by hand.
const withoutForce = `a failover by hand can give up transactions, so it is done with --force only.
  A primary that is lost is replaced by itself, as soon as that is possible without loss: %[1]s status %[2]s tells what it waits for.
  A primary that works hands over without loss:                                        %[1]s switchover %[2]s
  What would be lost by force is shown, and nothing else done, by:                     %[1]s failover %[2]s --force --dry-run`

// failover is a forced one.
type failover struct {
	request
	force, yes bool
	term       int64
}

func (p *plugin) failoverCommand() *cobra.Command {
	f := &failover{request: request{plugin: p}}
	command := &cobra.Command{
		Use:   "failover NAME --force",
		Short: "Make another node the primary whatever it lacks: for when nothing else works",
		Long: `Make another node the primary whatever it lacks. It can give up transactions, even acknowledged ones, so it is for the case that automatic failover
refuses because it would lose some, and the nodes that have them do not come back. What would be given up is shown first, and has to be confirmed by
typing the cluster's name, or with --yes.

It needs the right to create mysqlclusters/failover; without --term, the one to get mysqlclusters too; with --wait, also the one to watch them.
Exit codes: 0 it is done (without --wait: recorded), 1 it was refused or given up, 2 the command line can not be meant.`,
		Example: "  " + program + " failover foo --force --dry-run\n  " + program + " failover foo --force --to foo-mysql-2 --reason 'node-1 burnt down' --wait",
		Args:    clusterName,
		RunE: func(command *cobra.Command, args []string) error {
			f.name, f.spec.Mode = args[0], v1alpha1.FailoverForced
			if command.Flags().Changed("term") {
				f.spec.Term = &f.term
			}
			return f.run(command.Context())
		},
	}
	flags := command.Flags()
	f.addFlags(flags)
	flags.BoolVar(&f.force, "force", false, "give up the transactions that the new primary lacks")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.Int64Var(&f.term, "term", 0, "the term of the cluster that you decide on; read from the cluster if it is left out")
	return command
}

// run shows what a forced failover would cost, asks, and does it.
func (f *failover) run(ctx context.Context) error {
	switch {
	case !f.force:
		return &usageError{fmt.Sprintf(withoutForce, program, f.name)}
	case !f.dryRun && !f.yes && !f.Interactive:
		return &usageError{"there is nobody to confirm this: add --yes, or look first with --dry-run"}
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	if err := f.readTerm(ctx); err != nil {
		return err
	}
	plan, err := f.send(ctx, true)
	if err != nil {
		return err
	}
	if f.dryRun {
		f.showPlan(plan)
		return nil
	}
	f.print(render.Plan(plan, f.style()) + "\n")
	if !f.yes {
		if err := f.confirm(); err != nil {
			return err
		}
	}
	// What was shown is what is done: the best node may be another one by now.
	f.spec.Target = plan.Status.Operation.To
	return f.carryOut(ctx)
}

// readTerm takes the term from the cluster unless the user has named one.
func (f *failover) readTerm(ctx context.Context) error {
	if f.spec.Term != nil {
		return nil
	}
	cluster, err := f.clusters.Get(ctx, f.name, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		f.complain("The term can not be read from the cluster: name it with --term")
	}
	if err != nil {
		return err
	}
	f.spec.Term = &cluster.Status.Term
	return nil
}

// confirm has the user type the name of the cluster.
func (f *failover) confirm() error {
	fmt.Fprintf(f.ErrOut, "To do this, type the name of the cluster (%s): ", f.name)
	line, err := bufio.NewReader(f.In).ReadString('\n')
	if strings.TrimSpace(line) == f.name {
		return nil
	}
	if err != nil {
		f.complain("") // no newline was typed
	}
	return errors.New("not confirmed: nothing has been changed")
}
