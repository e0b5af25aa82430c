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
	"slices"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/operation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apiserver/pkg/audit"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// auditAnnotation names what is told to the audit log about a request that was accepted. The log has it even where bodies are left out.
const auditAnnotation = "failover.mysql.presslabs.io/recorded"

// FailoverREST serves mysqlclusters/failover: who may create there asks for another primary. The request is judged by what is known of the
// cluster at this moment, and recorded in its status.operation. The controller does the rest; nothing here waits for it.
type FailoverREST struct {
	// store has the strategy of the status, so that spec and generation stay.
	store *genericregistry.Store
	rest.DeclarativeValidation
}

var _ rest.NamedCreater = &FailoverREST{}

// New implements rest.Storage.
func (*FailoverREST) New() runtime.Object { return &mysql.MysqlFailover{} }

// Destroy implements rest.Storage. The store is destroyed by REST.
func (*FailoverREST) Destroy() {}

// Create implements rest.NamedCreater. The answer is the request with its status: what was recorded, or with dryRun=All would be.
func (r *FailoverREST) Create(ctx context.Context, name string, obj runtime.Object, createValidation rest.ValidateObjectFunc,
	options *metav1.CreateOptions,
) (runtime.Object, error) {
	failover, ok := obj.(*mysql.MysqlFailover)
	if !ok {
		return nil, errors.NewBadRequest(fmt.Sprintf("expected a MysqlFailover, got %T", obj))
	}
	if err := r.prepare(ctx, name, failover); err != nil {
		return nil, err
	}
	if createValidation != nil {
		if err := createValidation(ctx, failover.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	plan, err := r.record(ctx, name, &failover.Spec, options)
	if err != nil {
		return nil, err
	}
	for _, text := range plan.warnings {
		warning.AddWarning(ctx, "", text)
	}
	failover.CreationTimestamp = metav1.NewTime(plan.operation.StartedAt.Time)
	failover.Status = plan.status()
	return failover, nil
}

// prepare judges what can be judged without looking at the cluster.
func (r *FailoverREST) prepare(ctx context.Context, name string, failover *mysql.MysqlFailover) error {
	if failover.Name == "" {
		failover.Name = name
	}
	if failover.Name != name {
		return errors.NewBadRequest(fmt.Sprintf("metadata.name is %q, but the request is for the cluster %q", failover.Name, name))
	}
	failover.Status = mysql.MysqlFailoverStatus{}
	failover.ManagedFields = nil // nothing of it is stored
	errs := r.ValidateDeclaratively(ctx, failover, nil, nil, operation.Create, r.DeclarativeValidationConfig(ctx, failover, nil))
	if len(errs) > 0 {
		return errors.NewInvalid(mysql.Kind("MysqlFailover"), name, errs)
	}
	return nil
}

// record decides on the stored cluster and writes the operation into it. When somebody else writes at the same time, the store starts over
// with what there is then, and so does the decision.
func (r *FailoverREST) record(ctx context.Context, name string, spec *mysql.MysqlFailoverSpec, options *metav1.CreateOptions) (*failoverPlan, error) {
	user, ok := genericapirequest.UserFrom(ctx)
	if !ok {
		return nil, errors.NewInternalError(fmt.Errorf("the request does not tell its user"))
	}
	uid := uuid.NewUUID()
	var plan *failoverPlan
	update := rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
		cluster, ok := old.DeepCopyObject().(*mysql.MysqlCluster)
		if !ok {
			return nil, errors.NewBadRequest(fmt.Sprintf("expected a MysqlCluster, got %T", old))
		}
		var err error
		if plan, err = planFailover(cluster, spec, user.GetName(), metav1.NowMicro()); err != nil {
			return nil, err
		}
		plan.operation.UID = uid
		cluster.Status.Operation = plan.operation.DeepCopy()
		if plan.displaced != nil {
			last := slices.Insert(cluster.Status.LastFailovers, 0, *plan.displaced)
			cluster.Status.LastFailovers = last[:min(len(last), v1alpha1.MaxLastFailovers)]
		}
		return cluster, nil
	})
	// The admission of the request has been asked; that of status is for those who write status.
	obj, _, err := r.store.Update(ctx, name, update, rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false,
		&metav1.UpdateOptions{DryRun: options.DryRun})
	if err != nil {
		return nil, err
	}
	cluster, ok := obj.(*mysql.MysqlCluster)
	if !ok || cluster.Status.Operation == nil {
		return nil, errors.NewInternalError(fmt.Errorf("the operation was not recorded in the %T", obj))
	}
	// As stored: times are cut there.
	plan.operation = *cluster.Status.Operation.DeepCopy()
	if len(options.DryRun) == 0 {
		o := &plan.operation
		audit.AddAuditAnnotation(ctx, auditAnnotation, fmt.Sprintf("%s %s from %s to %s in term %d", o.Mode, o.Type, o.From, o.To, cluster.Status.Term))
		klog.FromContext(ctx).Info("Recorded a request for another primary", "cluster", klog.KObj(cluster), "user", o.RequestedBy, "type", o.Type,
			"mode", o.Mode, "from", o.From, "to", o.To, "term", cluster.Status.Term, "operation", o.UID)
	}
	return plan, nil
}
