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
	"strings"
	"testing"
)

func TestPrimaryWithAFullVolumeHandsOver(t *testing.T) {
	o := healthy(3)
	o.Nodes[0].State.VolumeFull = true
	d := Decide(*o)
	if d.Record == nil || d.Record.Primary != nodeName(1) || d.Record.Operation.Kind != KindSwitchover {
		t.Fatalf("the record is %+v; %s", d.Record, d.Status.Phase)
	}
	o.Nodes[1].State.VolumeFull = true
	if d = Decide(*o); d.Record == nil || d.Record.Primary != nodeName(2) {
		t.Errorf("the record is %+v; %s", d.Record, d.Status.Phase)
	}
	o.Nodes[2].State.VolumeFull = true
	d = Decide(*o)
	wantNoRecord(t, d)
	if d.Status.Ready.True || !strings.Contains(d.Status.Ready.Message, "its volume is full") {
		t.Errorf("the verdict is %+v", d.Status.Ready)
	}
}
