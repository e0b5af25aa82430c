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

package kubectlmysql_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// step is what a controller does to an operation.
type step struct {
	phase v1alpha1.OperationPhase
	// after is the time since the request.
	after time.Duration
	// line is the phase line of the cluster.
	line string
	// outcome and message are those of the end.
	outcome v1alpha1.OperationOutcome
	message string
}

// succeeding are the steps of a switchover that goes well.
var succeeding = []step{
	{phase: v1alpha1.OperationSteppingDown, after: 12 * time.Millisecond,
		line: "Switching over from foo-mysql-0 to foo-mysql-1: waiting for foo-mysql-1 to apply what it has received"},
	{phase: v1alpha1.OperationPromoting, after: 180 * time.Millisecond, line: "Switching over from foo-mysql-0 to foo-mysql-1"},
	{phase: v1alpha1.OperationCompleted, after: 310 * time.Millisecond, line: "Ready", outcome: v1alpha1.OperationSucceeded,
		message: "foo-mysql-1 is the primary of term 8"},
}

// control plays the controller: it waits for a request and carries it through the steps. The channel tells of its end.
func (p *place) control(t *testing.T, steps []step) <-chan error {
	t.Helper()
	clusters := p.clusters(t)
	cluster := p.get(t)
	changes, err := clusters.Watch(t.Context(), metav1.ListOptions{ResourceVersion: cluster.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer changes.Stop()
		cluster, err := requested(t.Context(), changes)
		for i := 0; err == nil && i < len(steps); i++ {
			steps[i].applyTo(cluster)
			cluster, err = clusters.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{})
		}
		done <- err
	}()
	return done
}

// requested waits for a request.
func requested(ctx context.Context, changes watch.Interface) (*v1alpha1.MysqlCluster, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case event, ok := <-changes.ResultChan():
			if !ok {
				return nil, fmt.Errorf("the watch ended")
			}
			if cluster, ok := event.Object.(*v1alpha1.MysqlCluster); ok && cluster.Status.Operation != nil {
				return cluster.DeepCopy(), nil
			}
		}
	}
}

func (s *step) applyTo(cluster *v1alpha1.MysqlCluster) {
	o := cluster.Status.Operation
	at := metav1.NewMicroTime(o.StartedAt.Add(s.after))
	o.Phase = s.phase
	o.Phases = append(o.Phases, v1alpha1.OperationPhaseTime{Phase: s.phase, At: at})
	cluster.Status.Phase = s.line
	if s.outcome == "" {
		return
	}
	o.Outcome, o.Message, o.FinishedAt = s.outcome, s.message, &at
	cluster.Status.LastFailovers = append([]v1alpha1.MysqlClusterOperation{*o}, cluster.Status.LastFailovers...)
	cluster.Status.Operation = nil
}
