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

package report

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// advice says what a person can do, the most urgent first. What the controller's own words say is not repeated.
func advice(cluster *v1alpha1.MysqlCluster, r *Report) []string {
	switch {
	case cluster.DeletionTimestamp != nil:
		return nil
	case len(cluster.Status.Conditions) == 0:
		return []string{"the controller has not looked at this cluster yet; if that stays so, find out whether it runs: " +
			"kubectl get pods -A -l app.kubernetes.io/name=mysql-controller"}
	case wanted(cluster) == 0:
		return []string{"to start it: kubectl scale mysqlcluster " + r.where() + " --replicas=3"}
	case cluster.Status.Operation != nil:
		return []string{"nothing but wait; see how it goes on: kubectl mysql status " + r.where() + " --watch"}
	}
	var todo []string
	if c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		todo = append(todo, byReason(c.Reason, r)...)
	}
	todo = append(todo, aboutNodes(r)...)
	if c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionProgressing); c != nil && c.Reason == "Paused" {
		todo = append(todo, "the rollout goes on when spec.pauseRollout is false: kubectl patch mysqlcluster "+r.where()+
			` --type merge -p '{"spec":{"pauseRollout":false}}'`)
	}
	return todo
}

// byReason is the advice for the reasons of the condition Ready that ask for more than a look at the nodes.
func byReason(reason string, r *Report) []string {
	switch reason {
	case "PrimaryLost", "PrimaryVolumeLost":
		return []string{
			"bring back a node that is away: that loses nothing",
			"if none comes back, see which transactions a forced failover would give up: kubectl mysql failover " + r.where() + " --force --dry-run",
		}
	case "WritesWait":
		return []string{
			"bring a replica back: writes go on by themselves then",
			"or let writes go on with fewer copies of each commit: kubectl patch mysqlcluster " + r.where() +
				` --type merge -p '{"spec":{"replication":{"durability":"Preferred"}}}'`,
		}
	}
	return nil
}

// aboutNodes names the nodes that somebody should look at.
func aboutNodes(r *Report) []string {
	var todo, sick []string
	for _, n := range r.Nodes {
		switch {
		case n.Errant != nil && n.Health != v1alpha1.NodeHealthy:
			todo = append(todo, fmt.Sprintf("%s holds transactions that nobody else has: look at them, then let it discard them as its message says, "+
				"or have such nodes always rebuilt: spec.replication.errantNodePolicy: Rebuild", n.Name))
		case n.Health != v1alpha1.NodeHealthy:
			sick = append(sick, n.Name)
		}
	}
	if len(sick) > 0 {
		pods := strings.Join(sick, " ")
		todo = append(todo, fmt.Sprintf("if it does not mend itself, look at the pods: kubectl describe pod -n %s %s; kubectl logs -n %s %s",
			r.Namespace, pods, r.Namespace, sick[0]))
	}
	return todo
}

// where names the cluster to kubectl.
func (r *Report) where() string { return r.Name + " -n " + r.Namespace }
