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

package controller

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
)

// operationOf is the operation in a status, for the decision.
func operationOf(o *v1alpha1.MysqlClusterOperation) *topology.Operation {
	if o == nil {
		return nil
	}
	t := &topology.Operation{
		UID: string(o.UID), Kind: topology.OperationKind(o.Type), Forced: o.Mode == v1alpha1.FailoverForced, RequestedBy: o.RequestedBy, Reason: o.Reason,
		From: o.From, To: o.To, Via: o.Via, Term: o.Term, Acks: int(o.RequiredAcknowledgements), GivenUp: o.GivenUpGTIDs,
		Phase: topology.OperationPhase(o.Phase), StartedAt: o.StartedAt.Time, Outcome: topology.OperationOutcome(o.Outcome), Message: o.Message,
	}
	for _, p := range o.Phases {
		t.Steps = append(t.Steps, topology.OperationStep{Phase: topology.OperationPhase(p.Phase), At: p.At.Time})
	}
	return t
}

// statusOperation is the operation of a decision, for the status.
func statusOperation(t *topology.Operation) *v1alpha1.MysqlClusterOperation {
	if t == nil {
		return nil
	}
	o := &v1alpha1.MysqlClusterOperation{
		UID: types.UID(t.UID), Type: v1alpha1.OperationType(t.Kind), RequestedBy: t.RequestedBy, Reason: cut(t.Reason),
		From: t.From, To: t.To, Via: t.Via, Term: t.Term, RequiredAcknowledgements: int32(t.Acks), GivenUpGTIDs: t.GivenUp,
		Phase: v1alpha1.OperationPhase(t.Phase), StartedAt: microTime(t.StartedAt), Outcome: v1alpha1.OperationOutcome(t.Outcome), Message: cut(t.Message),
	}
	switch {
	case t.Forced:
		o.Mode = v1alpha1.FailoverForced
	case t.Kind == topology.KindSwitchover:
		o.Mode = v1alpha1.FailoverGraceful
	}
	for _, s := range t.Steps {
		o.Phases = append(o.Phases, v1alpha1.OperationPhaseTime{Phase: v1alpha1.OperationPhase(s.Phase), At: microTime(s.At)})
	}
	if !t.EndedAt.IsZero() {
		o.FinishedAt = ptr.To(microTime(t.EndedAt))
	}
	return o
}

// microTime is a time as precise as it is stored.
func microTime(t time.Time) metav1.MicroTime {
	return metav1.NewMicroTime(t.Truncate(time.Microsecond))
}

// withEnded puts an ended operation before those that ended earlier.
func withEnded(last []v1alpha1.MysqlClusterOperation, ended *topology.Operation) []v1alpha1.MysqlClusterOperation {
	if ended == nil {
		return last
	}
	all := append([]v1alpha1.MysqlClusterOperation{*statusOperation(ended)}, last...)
	return all[:min(len(all), v1alpha1.MaxLastFailovers)]
}

// gaveUpAt is when the last switchover was given up that was not followed by another change of the primary.
func gaveUpAt(status *v1alpha1.MysqlClusterStatus) time.Time {
	if len(status.LastFailovers) == 0 {
		return time.Time{}
	}
	last := status.LastFailovers[0]
	if last.Outcome != v1alpha1.OperationGivenUp || last.FinishedAt == nil {
		return time.Time{}
	}
	return last.FinishedAt.Time
}
