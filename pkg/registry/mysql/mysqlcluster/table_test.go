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
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

func TestTableRows(t *testing.T) {
	age := func(c *mysql.MysqlCluster) {
		c.CreationTimestamp = metav1.NewTime(time.Now().Add(-3 * 24 * time.Hour).Add(-time.Hour))
	}
	ago := func(d time.Duration) *metav1.MicroTime {
		return ptr.To(metav1.NewMicroTime(time.Now().Add(-d - time.Second)))
	}
	cases := []struct {
		name   string
		change func(*mysql.MysqlCluster)
		want   []any
	}{
		{"just made", func(c *mysql.MysqlCluster) {},
			[]any{"foo", "0/3", "<none>", "Pending", "9.7", "3d1h", "<none>", "<none>", "<unknown>", int64(0), "<none>", "<none>"}},
		{"running", func(c *mysql.MysqlCluster) {
			c.Status = mysql.MysqlClusterStatus{
				Phase: "Ready", Primary: "foo-mysql-1", ReadyNodes: 2, MysqlVersion: "9.7.4", Term: 5, Durability: mysql.DurabilityStrict,
				Endpoints: mysql.MysqlClusterEndpoints{Primary: "foo-mysql-master.default:3306"},
				Nodes:     []mysql.NodeStatus{{Name: "a"}, {Name: "b", LagSeconds: ptr.To[int64](90)}, {Name: "c", LagSeconds: ptr.To[int64](0)}},
				Operation: &mysql.MysqlClusterOperation{Type: mysql.OperationSwitchover, Phase: mysql.OperationCompleted, Outcome: mysql.OperationGivenUp},
				LastFailovers: []mysql.MysqlClusterOperation{
					{Outcome: mysql.OperationGivenUp, FinishedAt: ago(time.Hour)}, {Outcome: mysql.OperationSucceeded, FinishedAt: ago(2 * time.Hour)},
					{Outcome: mysql.OperationSucceeded, FinishedAt: ago(3 * time.Hour)},
				},
			}
		}, []any{"foo", "2/3", "foo-mysql-1", "Ready", "9.7.4", "3d1h", "Strict", "foo-mysql-master.default:3306", "90s", int64(5), "<none>", "120m"}},
		{"failing over", func(c *mysql.MysqlCluster) {
			c.Status = mysql.MysqlClusterStatus{
				Phase: "Failing over", Primary: "foo-mysql-1", Term: 6,
				Operation: &mysql.MysqlClusterOperation{Type: mysql.OperationFailover, To: "foo-mysql-1", Phase: mysql.OperationPromoting},
			}
		}, []any{"foo", "0/3", "foo-mysql-1", "Failing over", "9.7", "3d1h", "<none>", "<none>", "<unknown>", int64(6), "Failover to foo-mysql-1: Promoting", "<none>"}},
		{"a request", func(c *mysql.MysqlCluster) {
			c.Status.Operation = &mysql.MysqlClusterOperation{Type: mysql.OperationSwitchover, Phase: mysql.OperationRequested}
		}, []any{"foo", "0/3", "<none>", "Pending", "9.7", "3d1h", "<none>", "<none>", "<unknown>", int64(0), "Switchover: Requested", "<none>"}},
		{"being deleted", func(c *mysql.MysqlCluster) {
			c.Status.Phase = "Ready"
			c.DeletionTimestamp = ptr.To(metav1.Now())
			c.Spec.Replicas = nil
			c.Status.Nodes = []mysql.NodeStatus{{Name: "a", LagSeconds: ptr.To[int64](0)}}
		}, []any{"foo", "0/1", "<none>", "Deleting", "9.7", "3d1h", "<none>", "<none>", "0s", int64(0), "<none>", "<none>"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cluster := internalCluster(t, age, c.change)
			for _, obj := range []runtime.Object{cluster, &mysql.MysqlClusterList{Items: []mysql.MysqlCluster{*cluster}}} {
				table, err := tableConvertor{}.ConvertToTable(context.Background(), obj, nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(table.Rows) != 1 || !slices.Equal(table.Rows[0].Cells, c.want) {
					t.Errorf("got  %v\nwant %v", table.Rows, c.want)
				}
				if len(table.ColumnDefinitions) != len(c.want) {
					t.Errorf("%d columns for %d cells", len(table.ColumnDefinitions), len(c.want))
				}
			}
		})
	}
}

func TestTableOmitsHeadersWhenAsked(t *testing.T) {
	list := &mysql.MysqlClusterList{ListMeta: metav1.ListMeta{ResourceVersion: "5", Continue: "more"}}
	table, err := tableConvertor{}.ConvertToTable(context.Background(), list, &metav1.TableOptions{NoHeaders: true})
	if err != nil {
		t.Fatal(err)
	}
	if table.ColumnDefinitions != nil || table.ResourceVersion != "5" || table.Continue != "more" {
		t.Errorf("got %+v", table)
	}
	if _, err := (tableConvertor{}).ConvertToTable(context.Background(), &metav1.Status{}, nil); err == nil {
		t.Error("a table was made of something else")
	}
}
