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

package mysqlcluster

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metatable "k8s.io/apimachinery/pkg/api/meta/table"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// tableConvertor makes the table that `kubectl get` prints.
type tableConvertor struct{}

// wide is the priority of the columns that only `kubectl get -o wide` prints.
const wide = 1

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "The name of the cluster."},
	{Name: "Ready", Type: "string", Description: "How many nodes serve clients, of how many are wanted."},
	{Name: "Primary", Type: "string", Description: "The node that takes the writes."},
	{Name: "Status", Type: "string", Description: "How the cluster is, in one line."},
	{Name: "Version", Type: "string", Description: "The version of MySQL: the one that runs, or the one that is wanted until one runs."},
	{Name: "Age", Type: "string", Description: "How long ago the cluster was created."},
	{Name: "Durability", Type: "string", Priority: wide, Description: "What the primary waits for before it acknowledges a commit."},
	{Name: "Endpoint", Type: "string", Priority: wide, Description: "The address of the primary, for reads and writes."},
	{Name: "Lag", Type: "string", Priority: wide, Description: "How far the slowest replica is behind the primary."},
	{Name: "Term", Type: "integer", Priority: wide, Description: "How many decisions there were on who is the primary."},
	{Name: "Operation", Type: "string", Priority: wide, Description: "The change of the primary that is under way."},
	{Name: "Last Failover", Type: "string", Priority: wide, Description: "How long ago the primary was changed last."},
}

// ConvertToTable implements rest.TableConvertor.
func (tableConvertor) ConvertToTable(_ context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{}
	if opt, ok := options.(*metav1.TableOptions); !ok || !opt.NoHeaders {
		table.ColumnDefinitions = columns
	}
	if list, err := meta.ListAccessor(obj); err == nil {
		table.ResourceVersion = list.GetResourceVersion()
		table.Continue = list.GetContinue()
		table.RemainingItemCount = list.GetRemainingItemCount()
	} else if one, err := meta.CommonAccessor(obj); err == nil {
		table.ResourceVersion = one.GetResourceVersion()
	}
	rows, err := metatable.MetaToTableRow(obj, row)
	table.Rows = rows
	return table, err
}

func row(obj runtime.Object, _ metav1.Object, name, age string) ([]any, error) {
	cluster, ok := obj.(*mysql.MysqlCluster)
	if !ok {
		return nil, fmt.Errorf("expected a MysqlCluster, got %T", obj)
	}
	status := &cluster.Status
	return []any{
		name,
		fmt.Sprintf("%d/%d", status.ReadyNodes, ptr.Deref(cluster.Spec.Replicas, 1)),
		orElse(status.Primary, "<none>"),
		phase(cluster),
		orElse(status.MysqlVersion, cluster.Spec.MysqlVersion),
		age,
		orElse(string(status.Durability), "<none>"),
		orElse(status.Endpoints.Primary, "<none>"),
		lag(status.Nodes),
		status.Term,
		runningOperation(status.Operation),
		lastFailover(status.LastFailovers),
	}, nil
}

// phase is what the controller says, or what is known without it: nobody writes a phase for a cluster that is being deleted.
func phase(cluster *mysql.MysqlCluster) string {
	if cluster.DeletionTimestamp != nil {
		return "Deleting"
	}
	return orElse(cluster.Status.Phase, "Pending")
}

// lag is the worst lag of the nodes that tell one.
func lag(nodes []mysql.NodeStatus) string {
	worst := int64(-1)
	for _, node := range nodes {
		if node.LagSeconds != nil {
			worst = max(worst, *node.LagSeconds)
		}
	}
	if worst < 0 {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Duration(worst) * time.Second)
}

// runningOperation is a change of the primary in a few words.
func runningOperation(o *mysql.MysqlClusterOperation) string {
	if o == nil || o.Outcome != "" {
		return "<none>"
	}
	text := string(o.Type)
	if o.To != "" {
		text += " to " + o.To
	}
	return text + ": " + string(o.Phase)
}

// lastFailover is the age of the newest change that did not end with the old primary.
func lastFailover(ended []mysql.MysqlClusterOperation) string {
	for _, o := range ended {
		if o.Outcome == mysql.OperationSucceeded && o.FinishedAt != nil {
			return duration.HumanDuration(time.Since(o.FinishedAt.Time))
		}
	}
	return "<none>"
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
