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
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// candidate is a node, and what speaks for and against making it the primary.
type candidate struct {
	node *mysql.NodeStatus
	// executed is what the node has reported, unread is true if that is nothing, or nothing that can be understood.
	executed gtid.Set
	unread   bool
	// missing is what the node lacks: of the primary's transactions, which it gets in a graceful change, or of all nodes' in a forced one.
	missing gtid.Set
	// obstacle says why the node can not be the target, as a predicate ("is …"); empty if it can.
	obstacle string
}

// rank judges all nodes. The best comes first; those that can not be the target come last.
func rank(cluster *mysql.MysqlCluster, mode mysql.FailoverMode) []candidate {
	var candidates []candidate
	var all, ofPrimary gtid.Set
	for i := range cluster.Status.Nodes {
		node := &cluster.Status.Nodes[i]
		executed, err := gtid.Parse(node.GTIDExecuted)
		candidates = append(candidates, candidate{node: node, executed: executed, unread: err != nil || executed.IsEmpty()})
		all = all.Union(executed)
		if node.Name == cluster.Status.Primary {
			ofPrimary = executed
		}
	}
	compare := compareGraceful
	for i := range candidates {
		c := &candidates[i]
		if mode == mysql.FailoverForced {
			compare = compareForced
			c.missing = all.Subtract(c.executed)
			c.obstacle = forcedObstacle(cluster, c)
		} else {
			c.missing = ofPrimary.Subtract(c.executed)
			// status lists the nodes by their ordinals.
			c.obstacle = gracefulObstacle(cluster, c, i)
		}
	}
	// The sort is stable: among equals, the lowest ordinal wins.
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		if a.obstacle != "" || b.obstacle != "" {
			return falseFirst(a.obstacle != "", b.obstacle != "")
		}
		return compare(a, b)
	})
	return candidates
}

// gracefulObstacle says what keeps the node from taking over without loss, in short time.
func gracefulObstacle(cluster *mysql.MysqlCluster, c *candidate, ordinal int) string {
	most := ptr.Deref(cluster.Spec.MaxSlaveLatency, math.MaxInt64)
	size := ptr.Deref(cluster.Spec.Replicas, 1)
	switch n := c.node; {
	case n.Name == cluster.Status.Primary:
		return "is the primary"
	case n.Health == mysql.NodeUnreachable:
		return "is Unreachable" + because(n.Message)
	case n.Joining:
		return "is Joining: it may lack commits that it confirmed before its data were copied from another node" + c.lacks()
	case n.LagSeconds != nil && *n.LagSeconds > most:
		return fmt.Sprintf("is lagging by %d s, more than the %d s of spec.maxSlaveLatency%s", *n.LagSeconds, most, c.lacks())
	case n.Health != mysql.NodeHealthy || n.Role != mysql.NodeRoleReplica:
		return "is not a Healthy replica" + because(n.Message) + c.lacks()
	case n.LagSeconds == nil && !c.missing.IsEmpty():
		return fmt.Sprintf("is missing GTIDs %s, and does not tell how far it is behind", c.missing)
	case ordinal >= int(size):
		return fmt.Sprintf("is about to be removed: spec.replicas is %d", size)
	}
	return ""
}

// forcedObstacle says what keeps the node from being the primary whatever it costs.
func forcedObstacle(cluster *mysql.MysqlCluster, c *candidate) string {
	switch n := c.node; {
	case n.Name == cluster.Status.Primary && !isPending(cluster):
		return "is the primary"
	case n.Health == mysql.NodeUnreachable:
		return "is Unreachable" + because(n.Message)
	case c.unread:
		return "has never reported any transactions" + because(n.Message)
	}
	return ""
}

// lacks continues an obstacle with the transactions that are missing, if any.
func (c *candidate) lacks() string {
	if c.missing.IsEmpty() {
		return ""
	}
	return fmt.Sprintf("; it is missing GTIDs %s", c.missing)
}

// compareGraceful prefers who has the least to wait for.
func compareGraceful(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(a.lag(), b.lag()),
		cmp.Compare(b.executed.Count(), a.executed.Count()),
	)
}

// compareForced prefers who loses the least, then who is in the best shape.
func compareForced(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(a.missing.Count(), b.missing.Count()),
		falseFirst(a.node.Joining, b.node.Joining),
		falseFirst(a.node.Health != mysql.NodeHealthy, b.node.Health != mysql.NodeHealthy),
		cmp.Compare(a.lag(), b.lag()),
	)
}

// lag is how far the node is behind, in seconds; a lag that is not known counts as the longest.
func (c *candidate) lag() int64 { return ptr.Deref(c.node.LagSeconds, math.MaxInt64) }

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// told is the candidate as it is shown to the user.
func (c *candidate) told() mysql.FailoverCandidate {
	reason := c.obstacle
	if reason == "" {
		reason = c.merits()
	}
	return mysql.FailoverCandidate{
		Name: c.node.Name, Eligible: c.obstacle == "", Reason: reason, MissingGTIDs: c.missing.String(), LagSeconds: c.node.LagSeconds,
	}
}

// merits says how a node is that can be the target.
func (c *candidate) merits() string {
	parts := []string{"is " + string(c.node.Health) + because(c.node.Message)}
	if c.node.Joining {
		parts = append(parts, "is Joining")
	}
	if c.node.LagSeconds != nil {
		parts = append(parts, fmt.Sprintf("is %d s behind", *c.node.LagSeconds))
	}
	if n := c.missing.Count(); n > 0 {
		parts = append(parts, fmt.Sprintf("is missing %d transactions", n))
	} else {
		parts = append(parts, "has all transactions that were reported")
	}
	return strings.Join(parts, ", ")
}
