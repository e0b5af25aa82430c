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

package agent

import (
	"fmt"
	"strings"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/volume"
)

// situation is all that decides whether an order may be carried out.
type situation struct {
	// clusterUID is that of the cluster that the node has been configured for.
	clusterUID string
	// podUID is that of the node's own pod.
	podUID string
	record volume.Record
	// basis is that of the present State.
	basis   string
	hasData bool
	// foreign is what the volume holds that is not ours, while it holds no data of ours.
	foreign []string
	phase   api.Phase
	// underway is the long order that is being carried out; empty if none is.
	underway api.OrderKind
}

// verdict tells what to do with an order.
type verdict int

const (
	execute verdict = iota
	// kill: mysqld hangs, so the order is fulfilled by its end.
	kill
	// alreadyDone: the order's repetition changes nothing.
	alreadyDone
	// alreadyUnderway: the same long order is being carried out.
	alreadyUnderway
	refuse
)

// judge decides whether an order may be carried out. If it is refused, reason is one of the api's, and message explains it.
func judge(o api.Order, s situation) (v verdict, reason, message string) {
	if problem := invalid(o); problem != "" {
		return refuse, api.RefusedInvalid, problem
	}
	if o.ClusterUID != s.clusterUID {
		return refuse, api.RefusedInvalid, fmt.Sprintf("the order is of cluster %s, the node belongs to %s", o.ClusterUID, s.clusterUID)
	}
	if o.PodUID != s.podUID {
		return refuse, api.RefusedInvalid, fmt.Sprintf("the order is for pod %s, this is pod %s", o.PodUID, s.podUID)
	}
	// The terms of another cluster, whose volume was kept, say nothing.
	if s.record.ClusterUID == o.ClusterUID && o.Term < s.record.Term {
		return refuse, api.RefusedOldTerm, fmt.Sprintf("term %d is over, the node obeys term %d", o.Term, s.record.Term)
	}
	// Decided on what was before another order, or before a start of mysqld: whoever decided has to look again.
	if o.Basis != s.basis {
		return refuse, api.RefusedOutdated, fmt.Sprintf("the order is based on state %q, the node is in state %q", o.Basis, s.basis)
	}
	if s.underway != "" {
		if s.underway == o.Kind {
			return alreadyUnderway, "", ""
		}
		return refuse, api.RefusedBusy, fmt.Sprintf("%s is under way", s.underway)
	}
	// They may be the only copy of somebody's data, so no order makes anything beside them, not even one that allows to discard ours.
	if len(s.foreign) > 0 && (o.Kind == api.OrderInitialize || o.Kind == api.OrderClone) {
		return refuse, api.RefusedHasData, foreignMessage(s.foreign)
	}
	switch o.Kind {
	case api.OrderInitialize:
		if s.hasData {
			return refuse, api.RefusedHasData, "the volume holds data"
		}
	case api.OrderClone:
		switch {
		case s.hasData && !o.Discard:
			return refuse, api.RefusedHasData, "the volume holds data"
		case s.hasData && s.record.ClusterUID == o.ClusterUID && s.record.DiscardTerm == o.Term:
			return alreadyDone, "", "the data have been replaced in this term"
		}
	default:
		if !s.hasData {
			return refuse, api.RefusedNoData, "the volume holds no data"
		}
		if s.phase == api.PhaseHung && (o.Kind == api.OrderDemote || o.Kind == api.OrderFollow) {
			return kill, "", ""
		}
		if s.phase != api.PhaseRunning {
			return refuse, api.RefusedBusy, fmt.Sprintf("mysqld is not running (%s)", s.phase)
		}
	}
	return execute, "", ""
}

// foreignNamed is how many of the foreign files a message names.
const foreignNamed = 5

// foreignMessage says what keeps a volume from being used, and what a person can do.
func foreignMessage(names []string) string {
	list := strings.Join(names[:min(len(names), foreignNamed)], ", ")
	if len(names) > foreignNamed {
		list += ", …"
	}
	return fmt.Sprintf("the volume holds files that are not ours (%s): move them away and delete the pod, or use another volume; nothing was touched", list)
}

// invalid says what is wrong with an order, whatever the node's situation is.
func invalid(o api.Order) string {
	if o.Term < 1 {
		return "the order has no term"
	}
	switch o.Kind {
	case api.OrderInitialize, api.OrderDemote:
	case api.OrderClone, api.OrderFollow:
		if o.Source == nil || o.Source.Host == "" || o.Source.Port < 1 || o.Source.Port > 65535 {
			return "the order names no source"
		}
	case api.OrderPromote:
		if o.RequiredAcks < 0 {
			return "the number of acknowledgements is negative"
		}
	default:
		return fmt.Sprintf("%q is no order", o.Kind)
	}
	return ""
}
