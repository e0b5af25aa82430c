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
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

func TestEventsTellOfWorkThatWasBegunAndOfOrdersThatWereNotCarriedOut(t *testing.T) {
	cluster := newCluster()
	source := workload.NodeName(name, 2)
	cluster.Status.Nodes = []v1alpha1.NodeStatus{{Name: workload.NodeName(name, 1)}, {Name: source}}
	endpoint := &api.Endpoint{Host: workload.Host(source, name, namespace)}

	for name, test := range map[string]struct {
		order           api.Order
		result          api.OrderResult
		reason, message string
	}{
		"cloning":      {api.Order{Kind: api.OrderClone, Source: endpoint}, api.OrderResult{Outcome: api.OutcomeAccepted}, "CloneStarted", "db-mysql-1 copies the data of db-mysql-2"},
		"initialising": {api.Order{Kind: api.OrderInitialize}, api.OrderResult{Outcome: api.OutcomeAccepted}, "InitializeStarted", "db-mysql-1 is being initialised"},
		"done already": {api.Order{Kind: api.OrderInitialize}, api.OrderResult{Outcome: api.OutcomeDone}, "", ""},
		"busy":         {api.Order{Kind: api.OrderClone, Source: endpoint}, api.OrderResult{Outcome: api.OutcomeRefused, Reason: api.RefusedBusy}, "", ""},
		"promoted":     {api.Order{Kind: api.OrderPromote}, api.OrderResult{Outcome: api.OutcomeDone}, "", ""},
		"refused": {api.Order{Kind: api.OrderPromote}, api.OrderResult{Outcome: api.OutcomeRefused, Reason: api.RefusedNoData, Message: "no data"},
			"OrderRefused", "db-mysql-1 refused to become the primary: no data"},
		"failed": {api.Order{Kind: api.OrderFollow, Source: &api.Endpoint{Host: "elsewhere"}}, api.OrderResult{Outcome: api.OutcomeFailed, Message: "denied"},
			"OrderFailed", "db-mysql-1 failed to follow elsewhere: denied"},
	} {
		if _, reason, message := orderEvent(cluster, "db-mysql-1", test.order, test.result); reason != test.reason || message != test.message {
			t.Errorf("%s: %s: %s", name, reason, message)
		}
	}
}
