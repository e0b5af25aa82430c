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
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// Node is what there is to know of a node.
type Node struct {
	Name    string              `json:"name"`
	Role    v1alpha1.NodeRole   `json:"role,omitempty"`
	Health  v1alpha1.NodeHealth `json:"health,omitempty"`
	Since   *metav1.Time        `json:"since,omitempty"`
	Message string              `json:"message,omitempty"`
	// Joining is true while the node may lack commits that it confirmed before its data were copied from another node.
	Joining bool `json:"joining,omitempty"`
	// ReadOnly and LagSeconds are not set when they are not known.
	ReadOnly   *bool  `json:"readOnly,omitempty"`
	LagSeconds *int64 `json:"lagSeconds,omitempty"`
	// Compared is true when the node's transactions can be compared with the primary's: both have reported theirs.
	Compared bool `json:"compared"`
	// Lacks are transactions that the primary has reported and the node has not.
	Lacks *Transactions `json:"lacks,omitempty"`
	// Errant are transactions that the node holds, the primary lacks, and will never have.
	Errant *Transactions `json:"errant,omitempty"`
	// Ahead are transactions that the node holds and the primary lacks while the primary is away, or is being changed: it may yet get them.
	Ahead *Transactions `json:"ahead,omitempty"`
}

// Transactions are some transactions.
type Transactions struct {
	Count uint64 `json:"count"`
	GTIDs string `json:"gtids"`
}

// nodes returns the nodes of a cluster, the primary first.
func nodes(cluster *v1alpha1.MysqlCluster) []Node {
	status := &cluster.Status
	var primary *v1alpha1.NodeStatus
	if i := slices.IndexFunc(status.Nodes, func(n v1alpha1.NodeStatus) bool { return n.Name == status.Primary }); i >= 0 {
		primary = &status.Nodes[i]
	}
	settled := primary != nil && primary.Health == v1alpha1.NodeHealthy && status.Operation == nil
	result := []Node{}
	if primary == nil && status.Primary != "" && wanted(cluster) > 0 {
		result = append(result, Node{
			Name: status.Primary, Role: v1alpha1.NodeRolePrimary, Health: v1alpha1.NodeUnreachable, Message: "does not exist",
		})
	}
	for i := range status.Nodes {
		s := &status.Nodes[i]
		n := Node{
			Name: s.Name, Role: s.Role, Health: s.Health, Since: s.Since, Message: s.Message, Joining: s.Joining,
			ReadOnly: s.ReadOnly, LagSeconds: s.LagSeconds,
		}
		if s == primary {
			result = slices.Insert(result, 0, n)
			continue
		}
		n.compare(s, primary, settled)
		result = append(result, n)
	}
	return result
}

// compare finds out how the node's transactions differ from the primary's. settled is true when the primary is healthy and stays the primary.
func (n *Node) compare(status, primary *v1alpha1.NodeStatus, settled bool) {
	if primary == nil || status.ServerUUID == "" || primary.ServerUUID == "" {
		return // one of them has never told what it has
	}
	own, err := gtid.Parse(status.GTIDExecuted)
	if err != nil {
		return
	}
	others, err := gtid.Parse(primary.GTIDExecuted)
	if err != nil {
		return
	}
	n.Compared = true
	n.Lacks = transactions(others.Subtract(own))
	// The primary's own transactions do not count: its last report may simply be older than the node's.
	extra := own.Subtract(others)
	if numbered, err := gtid.Parse(primary.ServerUUID + ":1-9223372036854775806"); err == nil {
		extra = extra.Subtract(numbered)
	}
	if settled {
		n.Errant = transactions(extra)
	} else {
		n.Ahead = transactions(extra)
	}
}

// transactions are those of a set; nil if there are none.
func transactions(set gtid.Set) *Transactions {
	if set.IsEmpty() {
		return nil
	}
	return &Transactions{Count: set.Count(), GTIDs: set.String()}
}
