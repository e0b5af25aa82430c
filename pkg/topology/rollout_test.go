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

package topology

import (
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func TestRollout(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		want   string
	}{
		"the highest replica first":         {func(*Observed) {}, nodeName(2)},
		"then the next":                     {func(o *Observed) { o.Nodes[2].ConfigHash = wantedHash }, nodeName(1)},
		"the primary last, and not as such": {func(o *Observed) { o.Nodes[1].ConfigHash, o.Nodes[2].ConfigHash = wantedHash, wantedHash }, ""},
		"the primary that is alone": {func(o *Observed) {
			*o = *healthy(1)
			o.Nodes[0].ConfigHash = "old"
		}, nodeName(0)},
		"not while the primary changes": {func(o *Observed) {
			o.Record.Operation = &Operation{UID: "op", Kind: KindFailover, From: nodeName(1), To: nodeName(0), Term: 3, Acks: 1}
			o.Nodes[0].State.SuperReadOnly = true
		}, ""},
		"nothing to do": {func(o *Observed) {
			for i := range o.Nodes {
				o.Nodes[i].ConfigHash = wantedHash
			}
		}, ""},
		"not while another node is unwell":   {func(o *Observed) { o.Nodes[1].Connected = false }, ""},
		"not before all pods are ready":      {func(o *Observed) { o.Nodes[0].Ready = false }, ""},
		"not while a pod is missing":         {func(o *Observed) { o.Nodes[2] = Node{Name: nodeName(2), Ordinal: 2} }, ""},
		"not while a pod is being deleted":   {func(o *Observed) { o.Nodes[2].Terminating = true }, ""},
		"not before the template is applied": {func(o *Observed) { o.TemplateApplied = false }, ""},
		"not while writes wait":              {func(o *Observed) { o.Nodes[0].State.SemiSync.Clients = 0 }, ""},
		"a new pod that fails stops it": {func(o *Observed) {
			o.Nodes[2].ConfigHash, o.Nodes[2].Ready, o.Nodes[2].State.Phase = wantedHash, false, api.PhaseStopped
		}, ""},
		"an old pod that fails is replaced first": {func(o *Observed) {
			o.Nodes[1].Ready, o.Nodes[1].State.Phase = false, api.PhaseStopped
		}, nodeName(1)},
		"not on the agent's word alone": {func(o *Observed) { o.Nodes[1].State.Phase = api.PhaseStopped }, ""},
		"not while its data come into being": {func(o *Observed) {
			o.Nodes[1].Ready, o.Nodes[1].State = false, &api.State{Phase: api.PhaseCloning}
		}, ""},
		"a primary that waits for its orders works": {func(o *Observed) {
			o.Nodes[0].Ready, o.Nodes[0].State = false, started(theTx)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			for i := range o.Nodes {
				o.Nodes[i].ConfigHash = "old"
			}
			test.change(o)
			if d := Decide(*o); d.Replace != test.want {
				t.Errorf("%q is replaced instead of %q; %s", d.Replace, test.want, d.Status.Phase)
			}
		})
	}
}

// A mistake in the first configuration can be mended.
func TestPodThatCannotInitializeIsReplaced(t *testing.T) {
	o := fresh(1)
	o.Record = Record{Primary: nodeName(0), Term: 1}
	o.Nodes[0].ConfigHash = "old"
	if d := Decide(*o); d.Replace != nodeName(0) {
		t.Errorf("%q is replaced", d.Replace)
	}
}

// A rollout that is paused replaces nothing, not even what does not work, and says so. It goes on where it was.
func TestPauseRollout(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Observed)
		next   string
	}{
		"replicas": {func(*Observed) {}, nodeName(2)},
		"a pod that does not work": {func(o *Observed) {
			o.Nodes[1].Ready, o.Nodes[1].State.Phase = false, api.PhaseStopped
		}, nodeName(1)},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy(3)
			o.Nodes[1].ConfigHash, o.Nodes[2].ConfigHash = "old", "old"
			test.change(o)
			o.Spec.PauseRollout = true
			d := Decide(*o)
			if got := d.Status.Progressing; d.Replace != "" || got.True || got.Reason != "Paused" ||
				got.Message != "1 of 3 nodes have the wanted configuration; spec.pauseRollout is set" || d.Status.UpdatedNodes != 1 {
				t.Errorf("%q is replaced; %+v", d.Replace, got)
			}
			o.Spec.PauseRollout = false
			if d = Decide(*o); d.Replace != test.next || d.Status.Progressing.Reason != "RollingOut" {
				t.Errorf("%q is replaced; %+v", d.Replace, d.Status.Progressing)
			}
		})
	}
	t.Run("nothing to pause", func(t *testing.T) {
		o := healthy(3)
		o.Spec.PauseRollout = true
		if d := Decide(*o); !d.Status.Ready.True || d.Status.Progressing.Reason != "Complete" || d.Status.UpdatedNodes != 3 {
			t.Errorf("%+v", d.Status)
		}
	})
}
