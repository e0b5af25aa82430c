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

package render

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

// shownFailovers is how many of the last failovers there is room for on one screen.
const shownFailovers = 3

// Status is a cluster on one screen, as it is at the time now.
func Status(r *report.Report, now time.Time, s Style) string {
	var b strings.Builder
	b.WriteString(s.paragraph(serviceColor(r.Service), "", "  ", r.Namespace+"/"+r.Name+": "+r.Summary))
	if len(r.ToDo) > 0 {
		b.WriteString("\n" + s.title("What to do:"))
		for _, text := range r.ToDo {
			b.WriteString(s.paragraph(plain, "  - ", "    ", text))
		}
	}
	if len(r.Nodes) > 0 {
		b.WriteString("\n" + tree(r, now, s))
	}
	if r.Operation != nil {
		b.WriteString("\n" + underWay(r.Operation, now, s))
	}
	b.WriteString("\n" + facts(r, s))
	if len(r.Conditions) > 0 {
		b.WriteString("\n" + s.title("Conditions that are not as they should be:"))
		for _, c := range r.Conditions {
			b.WriteString(condition(&c, r.Summary, now, s))
		}
	}
	if len(r.LastFailovers) > 0 {
		b.WriteString("\n" + s.title("Last changes of the primary:"))
		for i := range r.LastFailovers[:min(len(r.LastFailovers), shownFailovers)] {
			b.WriteString(ended(&r.LastFailovers[i], now, s))
		}
		if more := len(r.LastFailovers) - shownFailovers; more > 0 {
			b.WriteString(fmt.Sprintf("  and %d before: -o yaml shows them\n", more))
		}
	}
	return b.String()
}

func serviceColor(service report.Service) color {
	switch service {
	case report.Full:
		return green
	case report.Partial:
		return yellow
	default:
		return red
	}
}

// facts are what else there is to know, by name.
func facts(r *report.Report, s Style) string {
	cluster := fmt.Sprintf("%d of %d nodes ready", r.ReadyNodes, r.WantedNodes)
	if r.MysqlVersion != "" {
		cluster = "MySQL " + r.MysqlVersion + ", " + cluster
	}
	if r.Term > 0 {
		cluster += fmt.Sprintf(", term %d", r.Term)
	}
	var b strings.Builder
	fact := func(name, text string) {
		if text != "" {
			b.WriteString(s.paragraph(plain, s.paint(bold, pad(name, 12)), strings.Repeat(" ", 12), text))
		}
	}
	fact("Cluster:", cluster)
	if r.Durability != "" {
		durability := string(r.Durability)
		if r.Copies != "" {
			durability += ": " + r.Copies
		}
		fact("Durability:", durability)
	}
	fact("Rollout:", fmt.Sprintf("%d of %d nodes updated; %s", r.UpdatedNodes, r.WantedNodes, r.Rollout))
	name := "Endpoints:"
	for _, e := range []struct{ kind, address string }{
		{"primary", r.Endpoints.Primary}, {"replicas", r.Endpoints.Replicas}, {"all", r.Endpoints.All},
	} {
		if e.address != "" {
			b.WriteString(s.paint(bold, pad(name, 12)) + pad(e.kind, 10) + e.address + "\n")
			name = ""
		}
	}
	return b.String()
}

// condition is a condition that is not as it should be. What the summary says already is not repeated.
func condition(c *metav1.Condition, summary string, now time.Time, s Style) string {
	text := fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason)
	if !c.LastTransitionTime.IsZero() {
		text += " for " + age(now, c.LastTransitionTime.Time)
	}
	if c.Message != "" && !strings.Contains(summary, c.Message) {
		text += ": " + c.Message
	}
	return s.paragraph(plain, "  ", "    ", text)
}
