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
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	mysqlclient "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/typed/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
)

// request asks for another primary.
type request struct {
	*plugin
	name         string
	spec         v1alpha1.MysqlFailoverSpec
	dryRun, wait bool
	timeout      time.Duration
	clusters     mysqlclient.MysqlClusterInterface
	namespace    string
}

func (r *request) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&r.spec.Target, "to", "", "the node (pod) that is to be the primary; the best one if it is left out")
	flags.StringVar(&r.spec.Reason, "reason", "", "why, for those who read the record later")
	flags.BoolVar(&r.dryRun, "dry-run", false, "only show what would be done: candidates, transactions at risk, steps")
	flags.BoolVar(&r.wait, "wait", false, "show how it goes on, until it has ended")
	flags.DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait at most; 0 is for ever. What was asked for goes on all the same")
}

// begin judges the flags, connects, and finds out whether what is asked for can be seen to its end: before it is too late.
func (r *request) begin(ctx context.Context) (err error) {
	if r.dryRun && r.wait {
		return &usageError{"--dry-run does nothing that --wait could wait for"}
	}
	if r.timeout < 0 {
		return &usageError{"--timeout can not be negative"}
	}
	if r.clusters, r.namespace, err = r.plugin.clusters(); err != nil || !r.wait {
		return err
	}
	return r.follower().mayFollow(ctx)
}

// run does what was asked for, without asking back.
func (r *request) run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	if r.dryRun {
		plan, err := r.send(ctx, true)
		if err != nil {
			return err
		}
		r.showPlan(plan)
		return nil
	}
	return r.carryOut(ctx)
}

// showPlan prints the answer to a dry run.
func (r *request) showPlan(plan *v1alpha1.MysqlFailover) {
	r.print("Nothing has been changed. This is what would be done:\n\n" + render.Plan(plan, r.style()))
}

// carryOut sends the request and, if that is wanted, waits for its end.
func (r *request) carryOut(ctx context.Context) error {
	answer, err := r.send(ctx, false)
	if err != nil {
		return err
	}
	r.print(render.Recorded(answer, r.style()))
	if !r.wait {
		r.print(fmt.Sprintf("See how it goes on: %s status %s -n %s --watch\n", program, r.name, r.namespace))
		return nil
	}
	return r.await(ctx, &answer.Status.Operation)
}

func (r *request) send(ctx context.Context, dryRun bool) (*v1alpha1.MysqlFailover, error) {
	options := metav1.CreateOptions{}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	answer, err := r.clusters.Failover(ctx, r.name, &v1alpha1.MysqlFailover{Spec: r.spec}, options)
	if err != nil {
		return nil, err
	}
	if !dryRun && answer.Status.Operation.UID == "" {
		return nil, errors.New("the server answered without telling what it has recorded")
	}
	return answer, nil
}
