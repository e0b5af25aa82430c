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

// Package nemesis does to clusters what life does to them, and checks that they keep their promises.
package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Fault names something that can go wrong.
type Fault string

// What can go wrong.
const (
	MysqldKilled  Fault = "mysqld-killed"
	MysqldHangs   Fault = "mysqld-hangs"
	AgentKilled   Fault = "agent-killed"
	AgentHangs    Fault = "agent-hangs"
	NodeFreezes   Fault = "node-freezes"
	PodDeleted    Fault = "pod-deleted"
	PodKilled     Fault = "pod-killed"
	Drained       Fault = "drained"
	VolumeFull    Fault = "volume-full"
	VolumeLost    Fault = "volume-lost"
	CutTo         Fault = "cut-to-others"
	CutFrom       Fault = "cut-from-others"
	CutOne        Fault = "cut-to-one"
	CutUp         Fault = "cut-to-controller"
	CutDown       Fault = "cut-from-controller"
	Isolated      Fault = "isolated"
	ControlKilled Fault = "controller-killed"
	ControlAt     Fault = "controller-killed-at"
	ControlTwice  Fault = "two-controllers"
	APIHangs      Fault = "api-hangs"
	APIAway       Fault = "api-away"
	KubeHangs     Fault = "kubernetes-hangs"
	KubeAway      Fault = "kubernetes-away"
	Switchover    Fault = "switchover"
	PowerLost     Fault = "power-lost"
)

// ofNode are the faults that concern a node; the others concern nobody in particular.
var ofNode = []Fault{
	MysqldKilled, MysqldHangs, AgentKilled, AgentHangs, NodeFreezes, PodDeleted, PodKilled, Drained, VolumeFull, CutTo, CutFrom, CutOne, CutUp, CutDown, Isolated,
}

// ofControl are the faults that take away who could help.
var ofControl = []Fault{ControlKilled, ControlAt, ControlTwice, APIHangs, APIAway, KubeHangs, KubeAway}

// Faults are all faults.
func Faults() []Fault {
	return slices.Concat(ofNode, ofControl, []Fault{VolumeLost, Switchover, PowerLost})
}

// Step is a fault at a moment.
type Step struct {
	// After is the time since the step before.
	After time.Duration
	Fault Fault
	// Primary tells whether the primary is meant, as it is then; otherwise it is the replica with the index Which.
	Primary bool
	Which   int
	// Nth and Late are for ControlAt: the request at which the controller ends, and whether that one still goes out.
	Nth  int
	Late bool
}

// Plan is what happens in one round.
type Plan struct {
	Seed  uint64
	Steps []Step
	// Lasts is how long after the last step everything is healed.
	Lasts time.Duration
	// Back is how long after its end the controller is started again.
	Back time.Duration
}

// NewPlan makes the plan of a round: the same one for the same seed. With only, other faults do not occur.
func NewPlan(seed uint64, replicas int, only []Fault) Plan {
	random := rand.New(rand.NewPCG(seed, 0x6d7973716c))
	allowed := func(faults []Fault) []Fault {
		if len(only) == 0 {
			return faults
		}
		return slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return !slices.Contains(only, f) })
	}
	p := Plan{Seed: seed, Lasts: time.Duration(2000+random.IntN(6000)) * time.Millisecond, Back: time.Duration(random.IntN(4000)) * time.Millisecond}
	add := func(faults []Fault, after time.Duration) {
		faults = allowed(faults)
		if len(faults) == 0 {
			return
		}
		s := Step{Fault: faults[random.IntN(len(faults))], After: after, Primary: random.IntN(10) < 7, Which: random.IntN(max(replicas-1, 1)),
			Nth: 1 + random.IntN(8), Late: random.IntN(2) == 0}
		if s.Fault == VolumeLost && replicas < 3 {
			// Of two nodes, the replica: the primary may be confirming commits alone at that moment.
			s.Primary = false
		}
		p.Steps = append(p.Steps, s)
	}
	soon := func() time.Duration { return time.Duration(random.IntN(2000)) * time.Millisecond }
	switch kind := random.IntN(100); {
	case kind < 35: // something happens to a node
		add(ofNode, 0)
	case kind < 45: // to two nodes, or twice to one
		add(ofNode, 0)
		add(ofNode, soon())
	case kind < 70: // to a node while nobody can help
		add(ofControl, 0)
		add(slices.Concat(ofNode, []Fault{Switchover}), soon())
	case kind < 80:
		add([]Fault{Switchover}, 0)
		add(slices.Concat(ofNode, ofControl), soon()/4)
	case kind < 87:
		add([]Fault{Switchover}, 0)
	case kind < 93: // the only thing that ever takes data away comes alone
		add([]Fault{VolumeLost}, 0)
	default:
		add([]Fault{PowerLost}, 0)
		add(ofControl, soon())
	}
	if len(p.Steps) == 0 {
		add(Faults(), 0)
	}
	return p
}

func (s Step) String() string {
	text := string(s.Fault)
	switch {
	case s.Fault == ControlAt:
		text += fmt.Sprintf(" request %d", s.Nth)
		if s.Late {
			text += " sent"
		}
	case slices.Contains(ofNode, s.Fault) || s.Fault == VolumeLost:
		if s.Primary {
			text += " primary"
		} else {
			text += fmt.Sprintf(" replica %d", s.Which)
		}
	}
	if s.After > 0 {
		text = fmt.Sprintf("+%s %s", s.After, text)
	}
	return text
}

func (p Plan) String() string {
	var steps []string
	for _, s := range p.Steps {
		steps = append(steps, s.String())
	}
	text := strings.Join(steps, ", ") + fmt.Sprintf(", for %s", p.Lasts)
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Fault == ControlKilled || s.Fault == ControlAt }) {
		text += fmt.Sprintf(", controller back after %s", p.Back)
	}
	return text
}
