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
	"fmt"
	"strings"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// gracefulSteps tells what a switchover to the target does.
func gracefulSteps(cluster *mysql.MysqlCluster, target *candidate) []string {
	from, to, term := cluster.Status.Primary, target.node.Name, cluster.Status.Term+1
	catchUp := fmt.Sprintf("%s applies all that %s has executed", to, from)
	if n := target.missing.Count(); n > 0 {
		catchUp += fmt.Sprintf(", %d transactions by the last reports", n)
	}
	return []string{
		fmt.Sprintf("%s is recorded as the primary of term %d", to, term),
		fmt.Sprintf("%s becomes read-only, closes its clients' connections and follows %s", from, to),
		catchUp,
		opening(cluster, to),
		fmt.Sprintf("if this can not be done in time, %s becomes the primary again, in term %d, and nothing is lost", from, term+1),
	}
}

// forcedSteps tells what a forced failover to the target does.
func forcedSteps(cluster *mysql.MysqlCluster, target *candidate, candidates []candidate) []string {
	to := target.node.Name
	var follow, away, unread []string
	for _, c := range candidates {
		if c.node.Name == to {
			continue
		}
		if c.node.Health == mysql.NodeUnreachable {
			away = append(away, c.node.Name)
		} else {
			follow = append(follow, c.node.Name)
		}
		if c.unread {
			unread = append(unread, c.node.Name)
		}
	}
	steps := []string{fmt.Sprintf("%s is recorded as the primary of term %d", to, cluster.Status.Term+1)}
	if target.missing.IsEmpty() {
		steps = append(steps, "no transaction is known that would be given up")
	} else {
		steps = append(steps, fmt.Sprintf("%d transactions are given up: %s", target.missing.Count(), target.missing))
	}
	if len(unread) > 0 {
		steps = append(steps, "what only these nodes hold is given up too, and is not known: "+strings.Join(unread, ", "))
	}
	if len(follow) > 0 {
		steps = append(steps, fmt.Sprintf("these nodes are made to follow %s: %s", to, strings.Join(follow, ", ")))
	}
	if len(away) > 0 {
		steps = append(steps, "these nodes do not answer, and become replicas when they come back: "+strings.Join(away, ", "))
	}
	if !target.missing.IsEmpty() {
		steps = append(steps, errantStep(cluster))
	}
	return append(steps, opening(cluster, to))
}

// errantStep tells what becomes of nodes that hold transactions which are given up.
func errantStep(cluster *mysql.MysqlCluster) string {
	if cluster.Spec.Replication.ErrantNodePolicy == mysql.ErrantNodeRebuild {
		return "nodes that hold transactions which are given up get a copy of the new primary's data (errantNodePolicy Rebuild)"
	}
	return "nodes that hold transactions which are given up are fenced, with their data untouched (errantNodePolicy Keep)"
}

func opening(cluster *mysql.MysqlCluster, to string) string {
	if cluster.Spec.ReadOnly {
		return fmt.Sprintf("%s is the primary, and stays read-only because spec.readOnly is set", to)
	}
	return fmt.Sprintf("%s is opened for writes, and the Service of the primary leads to it", to)
}
