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
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
)

// failoverPlan is what a request for another primary comes to.
type failoverPlan struct {
	// operation is what is to be recorded. Its UID is left to the caller.
	operation mysql.MysqlClusterOperation
	// displaced is the operation that a forced request takes the place of; nil if there is none.
	displaced *mysql.MysqlClusterOperation
	// candidates are all nodes, the best first.
	candidates []mysql.FailoverCandidate
	// steps tell what is done then, and warnings what the user may have overlooked; both are for people.
	steps, warnings []string
}

// status is the answer to the request.
func (p *failoverPlan) status() mysql.MysqlFailoverStatus {
	return mysql.MysqlFailoverStatus{Operation: p.operation, Candidates: p.candidates, GivenUpGTIDs: p.operation.GivenUpGTIDs, Steps: p.steps}
}

// planFailover decides on a request by what is known of the cluster. The error says why it can not be done: Invalid when the request is
// wrong in itself, Conflict when the state of the cluster stands against it.
//
// What is known may be some seconds old. So a plan promises nothing: the controller, which hears the nodes, decides again.
func planFailover(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec, user string, now metav1.MicroTime) (*failoverPlan, error) {
	for _, judge := range []func(*mysql.MysqlCluster, *mysql.MysqlFailoverSpec) error{
		judgePreconditions, judgeLife, judgeRequest, judgeTerm, judgeOperation, judgePrimary,
	} {
		if err := judge(cluster, request); err != nil {
			return nil, err
		}
	}
	candidates := rank(cluster, request.Mode)
	target, err := choose(cluster, request, candidates)
	if err != nil {
		return nil, err
	}
	plan := &failoverPlan{operation: mysql.MysqlClusterOperation{
		Type:        mysql.OperationSwitchover,
		Mode:        mysql.FailoverGraceful,
		RequestedBy: user,
		Reason:      request.Reason,
		From:        cluster.Status.Primary,
		To:          target.node.Name,
		Phase:       mysql.OperationRequested,
		Phases:      []mysql.OperationPhaseTime{{Phase: mysql.OperationRequested, At: now}},
		StartedAt:   now,
	}}
	for _, c := range candidates {
		plan.candidates = append(plan.candidates, c.told())
	}
	if request.Mode == mysql.FailoverForced {
		plan.operation.Type, plan.operation.Mode = mysql.OperationFailover, mysql.FailoverForced
		plan.operation.GivenUpGTIDs = target.missing.String()
		plan.displace(cluster.Status.Operation, now)
		plan.steps = forcedSteps(cluster, target, candidates)
		if primary := findNode(cluster, cluster.Status.Primary); primary != nil && primary.Health == mysql.NodeHealthy {
			plan.warnings = append(plan.warnings, fmt.Sprintf("the primary %s is healthy: mode Graceful would give up nothing", primary.Name))
		}
	} else {
		plan.steps = gracefulSteps(cluster, target)
	}
	return plan, nil
}

// displace ends the operation that is under way. What it has led to so far still has to be known: nodes that may have been opened.
func (p *failoverPlan) displace(running *mysql.MysqlClusterOperation, now metav1.MicroTime) {
	if running == nil || running.Outcome != "" {
		return
	}
	if running.Term != 0 {
		p.operation.Term, p.operation.From, p.operation.Via = running.Term, running.From, running.Via
		p.operation.RequiredAcknowledgements = running.RequiredAcknowledgements
	}
	ended := running.DeepCopy()
	ended.Phase, ended.Outcome, ended.FinishedAt = mysql.OperationCompleted, mysql.OperationGivenUp, &now
	ended.Phases = append(ended.Phases, mysql.OperationPhaseTime{Phase: mysql.OperationCompleted, At: now})
	ended.Message = fmt.Sprintf("a forced failover took its place, asked for by %s", p.operation.RequestedBy)
	p.displaced = ended
}

func judgePreconditions(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec) error {
	demanded := ptr.Deref(request.Preconditions, metav1.Preconditions{})
	if demanded.UID != nil && *demanded.UID != cluster.UID {
		return conflict(cluster, "the request is for the cluster with the UID %s, this one has %s", *demanded.UID, cluster.UID)
	}
	if demanded.ResourceVersion != nil && *demanded.ResourceVersion != cluster.ResourceVersion {
		return conflict(cluster, "the request is for the resourceVersion %s, the cluster has %s now", *demanded.ResourceVersion, cluster.ResourceVersion)
	}
	return nil
}

// judgeLife refuses what is no running cluster.
func judgeLife(cluster *mysql.MysqlCluster, _ *mysql.MysqlFailoverSpec) error {
	switch status := &cluster.Status; {
	case cluster.DeletionTimestamp != nil:
		return conflict(cluster, "the cluster is being deleted")
	case status.InitializedAt == nil || status.Primary == "":
		return conflict(cluster, "the cluster has no data yet: it is %s", orElse(status.Phase, "Pending"))
	case ptr.Deref(cluster.Spec.Replicas, 1) == 0:
		return conflict(cluster, "the cluster is stopped: spec.replicas is 0")
	case !slices.ContainsFunc(status.Nodes, func(n mysql.NodeStatus) bool { return n.Name != status.Primary }):
		return conflict(cluster, "the cluster has a single node, %s: there is no other that could be the primary", status.Primary)
	}
	return nil
}

// judgeRequest refuses what could never be meant.
func judgeRequest(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec) error {
	spec := field.NewPath("spec")
	var errs field.ErrorList
	if request.Target != "" && findNode(cluster, request.Target) == nil {
		var names []string
		for _, n := range cluster.Status.Nodes {
			names = append(names, n.Name)
		}
		errs = append(errs, field.Invalid(spec.Child("target"), request.Target, "the cluster has no such node; there are "+strings.Join(names, ", ")))
	}
	if request.Mode == mysql.FailoverForced && request.Term == nil {
		errs = append(errs, field.Required(spec.Child("term"),
			"mode Forced can give up transactions: name the term that you decide on, which status.term of the cluster tells"))
	}
	if len(errs) > 0 {
		return errors.NewInvalid(mysql.Kind("MysqlFailover"), cluster.Name, errs)
	}
	return nil
}

func judgeTerm(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec) error {
	if request.Term != nil && *request.Term != cluster.Status.Term {
		return conflict(cluster, "the request is for term %d, but the present term is %d, in which %s is the primary",
			*request.Term, cluster.Status.Term, cluster.Status.Primary)
	}
	return nil
}

// judgeOperation lets one operation run at a time: two that overtake each other could leave the cluster where neither wanted it. A forced
// one takes the place of one that is stuck.
func judgeOperation(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec) error {
	o := cluster.Status.Operation
	if o == nil || o.Outcome != "" || request.Mode == mysql.FailoverForced && (o.Mode != mysql.FailoverForced || isStuck(cluster)) {
		return nil
	}
	by := "begun by the controller"
	if o.RequestedBy != "" {
		by = "asked for by " + o.RequestedBy
	}
	to := ""
	if o.To != "" {
		to = " to " + o.To
	}
	return conflict(cluster, "a %s from %s%s is under way, %s at %s: it is in phase %s%s",
		strings.ToLower(string(o.Type)), o.From, to, by, o.StartedAt.UTC().Format(time.RFC3339), o.Phase, because(o.Message))
}

func judgePrimary(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec) error {
	primary := findNode(cluster, cluster.Status.Primary)
	switch {
	case request.Mode == mysql.FailoverForced && isPending(cluster):
		return nil
	case request.Target == cluster.Status.Primary:
		return conflict(cluster, "%s is the primary already, in term %d", cluster.Status.Primary, cluster.Status.Term)
	case request.Mode == mysql.FailoverForced:
		return nil
	case primary == nil:
		return conflict(cluster, "the primary %s does not exist: automatic failover handles that, or mode Forced", cluster.Status.Primary)
	case primary.Health != mysql.NodeHealthy:
		return conflict(cluster, "the primary %s is not serving%s: automatic failover handles that, or mode Forced", primary.Name, because(primary.Message))
	}
	return nil
}

// isPending is true while the recorded primary has not been opened yet.
func isPending(cluster *mysql.MysqlCluster) bool {
	o := cluster.Status.Operation
	return o != nil && o.Outcome == "" && o.Term != 0
}

// isStuck is true when the recorded primary has not been opened yet, and does not look as if it would be. The term that a forced request has
// to name keeps two people from forcing one after the other.
func isStuck(cluster *mysql.MysqlCluster) bool {
	primary := findNode(cluster, cluster.Status.Primary)
	return isPending(cluster) && cluster.Status.Operation.Phase != mysql.OperationRequested && (primary == nil || primary.Health == mysql.NodeUnreachable)
}

// choose returns the candidate that the request asks for, or the best one.
func choose(cluster *mysql.MysqlCluster, request *mysql.MysqlFailoverSpec, candidates []candidate) (*candidate, error) {
	if request.Target == "" {
		if best := &candidates[0]; best.obstacle == "" {
			return best, nil
		}
		var reasons []string
		for _, c := range candidates {
			if c.node.Name != cluster.Status.Primary {
				reasons = append(reasons, c.node.Name+" "+c.obstacle)
			}
		}
		return nil, conflict(cluster, "no node can take over from %s: %s", cluster.Status.Primary, strings.Join(reasons, "; "))
	}
	i := slices.IndexFunc(candidates, func(c candidate) bool { return c.node.Name == request.Target })
	if c := &candidates[i]; c.obstacle == "" {
		return c, nil
	}
	return nil, conflict(cluster, "%s %s", request.Target, candidates[i].obstacle)
}

func findNode(cluster *mysql.MysqlCluster, name string) *mysql.NodeStatus {
	i := slices.IndexFunc(cluster.Status.Nodes, func(n mysql.NodeStatus) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &cluster.Status.Nodes[i]
}

// because puts a message that may be empty behind a statement.
func because(message string) string {
	if message == "" {
		return ""
	}
	return " (" + message + ")"
}

func conflict(cluster *mysql.MysqlCluster, format string, args ...any) error {
	return errors.NewConflict(mysql.Resource("mysqlclusters"), cluster.Name, fmt.Errorf(format, args...))
}
