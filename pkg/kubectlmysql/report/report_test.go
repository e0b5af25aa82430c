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

package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

const (
	a = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	b = "8f1c2b6e-0a44-4a1b-9d8e-1f6d0c9b7a11"
)

// pair is a healthy primary foo-0, whose server is a, with a replica foo-1.
func pair(primary, replica string) *v1alpha1.MysqlCluster {
	c := &v1alpha1.MysqlCluster{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "shop"}, Spec: v1alpha1.MysqlClusterSpec{Replicas: ptr.To[int32](2)}}
	c.Status.Primary = "foo-0"
	c.Status.Nodes = []v1alpha1.NodeStatus{
		{Name: "foo-1", Role: v1alpha1.NodeRoleReplica, Health: v1alpha1.NodeHealthy, ServerUUID: b, GTIDExecuted: replica},
		{Name: "foo-0", Role: v1alpha1.NodeRolePrimary, Health: v1alpha1.NodeHealthy, ServerUUID: a, GTIDExecuted: primary},
	}
	return c
}

func TestNodesAreComparedWithThePrimary(t *testing.T) {
	transactions := func(n uint64, gtids string) *report.Transactions { return &report.Transactions{Count: n, GTIDs: gtids} }
	for name, c := range map[string]struct {
		primary, replica     string
		change               func(*v1alpha1.MysqlCluster)
		unknown              bool
		lacks, errant, ahead *report.Transactions
	}{
		"the same":                {primary: a + ":1-10", replica: a + ":1-10"},
		"nothing at all":          {},
		"behind":                  {primary: a + ":1-10", replica: a + ":1-8", lacks: transactions(2, a+":9-10")},
		"a gap":                   {primary: a + ":1-10", replica: a + ":1-3:5-10", lacks: transactions(1, a+":4")},
		"a newer report":          {primary: a + ":1-10", replica: a + ":1-12"},
		"errant":                  {primary: a + ":1-10", replica: a + ":1-10," + b + ":1-2", errant: transactions(2, b+":1-2")},
		"errant, behind":          {primary: a + ":1-10", replica: a + ":1-9," + b + ":7", lacks: transactions(1, a+":10"), errant: transactions(1, b+":7")},
		"with tags":               {primary: a + ":1-2:app:1-5", replica: a + ":1-2:app:1-3", lacks: transactions(2, a+":app:4-5")},
		"an unreadable report":    {primary: a + ":1-10", replica: "?", unknown: true},
		"an unreadable primary's": {primary: "?", replica: a + ":1", unknown: true},
		"never reported":          {primary: a + ":1-10", change: func(c *v1alpha1.MysqlCluster) { c.Status.Nodes[0].ServerUUID = "" }, unknown: true},
		"primary never reported":  {replica: a + ":1-10", change: func(c *v1alpha1.MysqlCluster) { c.Status.Nodes[1].ServerUUID = "" }, unknown: true},
		"no primary":              {primary: a + ":1-10", replica: a + ":1", change: func(c *v1alpha1.MysqlCluster) { c.Status.Primary = "" }, unknown: true},
		"ahead of a lost primary": {primary: a + ":1-10", replica: a + ":1-10," + b + ":7", ahead: transactions(1, b+":7"),
			change: func(c *v1alpha1.MysqlCluster) { c.Status.Nodes[1].Health = v1alpha1.NodeUnreachable }},
		"ahead in a change": {primary: a + ":1-10", replica: a + ":1-10," + b + ":7", ahead: transactions(1, b+":7"),
			change: func(c *v1alpha1.MysqlCluster) { c.Status.Operation = &v1alpha1.MysqlClusterOperation{} }},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := pair(c.primary, c.replica)
			if c.change != nil {
				c.change(cluster)
			}
			nodes := report.Of(cluster).Nodes
			if cluster.Status.Primary != "" && nodes[0].Name != "foo-0" {
				t.Errorf("the primary is not the first of %+v", nodes)
			}
			var got report.Node
			for _, n := range nodes {
				if n.Name == "foo-1" {
					got = n
				}
			}
			want := report.Node{Name: "foo-1", Role: v1alpha1.NodeRoleReplica, Health: v1alpha1.NodeHealthy,
				Compared: !c.unknown, Lacks: c.lacks, Errant: c.errant, Ahead: c.ahead}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrimaryThatDoesNotExistIsShown(t *testing.T) {
	cluster := pair("", a+":1")
	cluster.Status.Nodes = cluster.Status.Nodes[:1]
	nodes := report.Of(cluster).Nodes
	if len(nodes) != 2 || nodes[0].Name != "foo-0" || nodes[0].Health != v1alpha1.NodeUnreachable || nodes[0].Message == "" {
		t.Errorf("the nodes are %+v", nodes)
	}
}

func TestServiceIsTold(t *testing.T) {
	type conditions map[string]metav1.ConditionStatus
	for name, c := range map[string]struct {
		conditions conditions
		change     func(*v1alpha1.MysqlCluster)
		want       report.Service
	}{
		"new":                     {nil, nil, report.None},
		"ready":                   {conditions{"Ready": "True", "ReadOnly": "False"}, nil, report.Full},
		"a replica is away":       {conditions{"Ready": "False", "ReadOnly": "False"}, nil, report.Partial},
		"no writes":               {conditions{"Ready": "False", "ReadOnly": "True"}, nil, report.None},
		"nobody knows":            {conditions{"Ready": "False", "ReadOnly": "Unknown"}, nil, report.None},
		"read-only, one is away":  {conditions{"Ready": "False", "ReadOnly": "True"}, func(c *v1alpha1.MysqlCluster) { c.Spec.ReadOnly, c.Status.ReadyNodes = true, 1 }, report.Partial},
		"read-only, all are away": {conditions{"Ready": "False", "ReadOnly": "True"}, func(c *v1alpha1.MysqlCluster) { c.Spec.ReadOnly = true }, report.None},
		"stopped":                 {conditions{"Ready": "False", "ReadOnly": "True"}, func(c *v1alpha1.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](0) }, report.Partial},
		"being deleted": {conditions{"Ready": "True", "ReadOnly": "False"},
			func(c *v1alpha1.MysqlCluster) { c.DeletionTimestamp = &metav1.Time{} }, report.None},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := pair("", "")
			for kind, status := range c.conditions {
				cluster.Status.Conditions = append(cluster.Status.Conditions, metav1.Condition{Type: kind, Status: status})
			}
			if c.change != nil {
				c.change(cluster)
			}
			if got := report.Of(cluster).Service; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestConditionsThatAreAmissAreListed(t *testing.T) {
	cluster := pair("", "")
	for kind, status := range map[string]metav1.ConditionStatus{
		"Ready": "True", "Initialized": "True", "ReadOnly": "Unknown", "Progressing": "True", "SecretReady": "True", "Durable": "False", "Reconciled": "True",
		"ComesLater": "False",
	} {
		cluster.Status.Conditions = append(cluster.Status.Conditions, metav1.Condition{Type: kind, Status: status})
	}
	list := func() string {
		var kinds []string
		for _, c := range report.Of(cluster).Conditions {
			kinds = append(kinds, c.Type)
		}
		return strings.Join(kinds, " ")
	}
	if got := list(); got != "Durable Progressing ReadOnly" {
		t.Errorf("got %s", got)
	}
	// No node of a stopped cluster is ready, or takes writes.
	cluster.Spec.Replicas = ptr.To[int32](0)
	cluster.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False"}, {Type: "ReadOnly", Status: "True"}}
	if got := list(); got != "" {
		t.Errorf("stopped: got %s", got)
	}
}

func TestAdviceFollowsTheReason(t *testing.T) {
	reason := func(kind, reason string) func(*v1alpha1.MysqlCluster) {
		return func(c *v1alpha1.MysqlCluster) {
			c.Status.Conditions = []metav1.Condition{{Type: kind, Status: metav1.ConditionFalse, Reason: reason}}
		}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.MysqlCluster)
		want   []string // a part of each advice
	}{
		"ready":        {reason("Ready", "Ready"), nil},
		"new":          {func(*v1alpha1.MysqlCluster) {}, []string{"kubectl get pods -A -l app.kubernetes.io/name=mysql-controller"}},
		"primary lost": {reason("Ready", "PrimaryLost"), []string{"bring back", "kubectl mysql failover foo -n shop --force --dry-run"}},
		"volume lost":  {reason("Ready", "PrimaryVolumeLost"), []string{"bring back", "kubectl mysql failover foo -n shop --force --dry-run"}},
		"writes wait":  {reason("Ready", "WritesWait"), []string{"bring a replica back", `'{"spec":{"replication":{"durability":"Preferred"}}}'`}},
		"paused":       {reason("Progressing", "Paused"), []string{`kubectl patch mysqlcluster foo -n shop --type merge -p '{"spec":{"pauseRollout":false}}'`}},
		"a sick node": {func(c *v1alpha1.MysqlCluster) {
			reason("Ready", "ReplicaNotReady")(c)
			c.Status.Nodes[0].Health = v1alpha1.NodeUnhealthy
		}, []string{"kubectl describe pod -n shop foo-1; kubectl logs -n shop foo-1"}},
		"an errant node": {func(c *v1alpha1.MysqlCluster) {
			reason("Ready", "ReplicaNotReady")(c)
			c.Status.Nodes[0].Health, c.Status.Nodes[0].GTIDExecuted = v1alpha1.NodeUnhealthy, b+":1"
		}, []string{"foo-1 holds transactions that nobody else has"}},
		"under way": {func(c *v1alpha1.MysqlCluster) {
			reason("Ready", "PrimaryLost")(c)
			c.Status.Operation = &v1alpha1.MysqlClusterOperation{}
		}, []string{"kubectl mysql status foo -n shop --watch"}},
		"stopped": {func(c *v1alpha1.MysqlCluster) {
			reason("Ready", "Stopped")(c)
			c.Spec.Replicas = ptr.To[int32](0)
		}, []string{"kubectl scale mysqlcluster foo -n shop"}},
		"being deleted": {func(c *v1alpha1.MysqlCluster) { c.DeletionTimestamp = &metav1.Time{} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := pair("", "")
			c.change(cluster)
			got := report.Of(cluster).ToDo
			if len(got) != len(c.want) {
				t.Fatalf("got %q", got)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("got %q, want something with %q", got[i], c.want[i])
				}
			}
		})
	}
}
