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

package validation

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/mycnf"
)

// Warnings returns what is allowed in a cluster but may surprise, in sentences for people. Clients show them when the cluster is
// written.
func Warnings(cluster *mysql.MysqlCluster) []string {
	spec := &cluster.Spec
	var warnings []string
	size := sizeOf(spec)
	if size == 1 {
		warnings = append(warnings, "spec.replicas: a single node has no standby: while it is away so is the database, and what its volume loses is lost")
	}
	if size >= 3 && spec.Replication.Durability == mysql.DurabilityPreferred {
		warnings = append(warnings, fmt.Sprintf(
			"spec.replication.durability: with %d nodes, Strict loses no acknowledged commit and seldom waits; with Preferred, commits that were acknowledged while replicas were away are lost if the primary is lost then", size))
	}
	if spec.Replication.ErrantNodePolicy == mysql.ErrantNodeRebuild {
		warnings = append(warnings,
			"spec.replication.errantNodePolicy: with Rebuild, transactions that only an old primary holds are deleted when it comes back, without being asked for")
	}
	if size > 1 && spec.MinAvailable != nil {
		if nodes, err := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, size, true); err == nil && nodes >= size {
			warnings = append(warnings, fmt.Sprintf(
				"spec.minAvailable: %s of %d nodes means all of them: no Kubernetes node with a pod of this cluster can be drained", spec.MinAvailable.String(), size))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.MysqlConf)) {
		value := spec.MysqlConf[name]
		switch mycnf.Normalize(name) {
		case "sync_binlog", "innodb_flush_log_at_trx_commit":
			if value.String() != "1" {
				warnings = append(warnings, fmt.Sprintf(
					"spec.mysqlConf[%s]: with another value than 1, a node that crashes loses commits that it has confirmed", name))
			}
		}
	}
	return warnings
}
