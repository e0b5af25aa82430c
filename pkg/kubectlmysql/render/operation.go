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

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// underWay is a change of the primary that has not ended yet.
func underWay(o *v1alpha1.MysqlClusterOperation, now time.Time, s Style) string {
	var b strings.Builder
	b.WriteString(s.paragraph(bold, "", "  ", fmt.Sprintf("Under way for %s: %s", seconds(now.Sub(o.StartedAt.Time)), change(o))))
	b.WriteString(s.paragraph(plain, "  ", "    ", origin(o)))
	if o.Term > 0 {
		b.WriteString(s.paragraph(plain, "  ", "    ",
			fmt.Sprintf("in term %d; each commit acknowledged before is on %s", o.Term, count(uint64(o.RequiredAcknowledgements), "replica"))))
	}
	if text := givenUp(o.GivenUpGTIDs); text != "" {
		b.WriteString(s.paragraph(red, "  ", "    ", "gives up "+text))
	}
	for i, p := range o.Phases {
		text := phaseLine(o, &o.Phases[i])
		if i == len(o.Phases)-1 {
			text = pad(text, 26) + "for " + seconds(now.Sub(p.At.Time))
		}
		b.WriteString("  " + text + "\n")
	}
	if o.Message != "" {
		b.WriteString(s.paragraph(plain, "  ", "    ", o.Message))
	}
	return b.String()
}

// phaseLine tells when a phase began, counted from the beginning of the operation.
func phaseLine(o *v1alpha1.MysqlClusterOperation, p *v1alpha1.OperationPhaseTime) string {
	return fmt.Sprintf("%9s  %s", "+"+seconds(p.At.Sub(o.StartedAt.Time)), p.Phase)
}

// ended is a change of the primary that is over.
func ended(o *v1alpha1.MysqlClusterOperation, now time.Time, s Style) string {
	head, outcomeColor := "", red
	if o.Outcome == v1alpha1.OperationSucceeded {
		outcomeColor = green
	}
	if o.FinishedAt != nil {
		head = age(now, o.FinishedAt.Time) + " ago, "
	}
	head += o.StartedAt.UTC().Format(time.RFC3339) + ": " + change(o) + ", "
	if o.FinishedAt != nil {
		head += "after " + seconds(o.FinishedAt.Sub(o.StartedAt.Time)) + ": "
	}
	var b strings.Builder
	// The outcome is a word of its own, so that colours do not disturb how lines are broken.
	lines := s.wrap(head+string(o.Outcome), 4)
	for i, line := range lines {
		indentation := "    "
		if i == 0 {
			indentation = "  "
		}
		if i == len(lines)-1 {
			line = strings.TrimSuffix(line, string(o.Outcome)) + s.paint(outcomeColor, string(o.Outcome))
		}
		b.WriteString(indentation + line + "\n")
	}
	b.WriteString(s.paragraph(plain, "    ", "      ", origin(o)))
	if o.Message != fmt.Sprintf("%s is the primary of term %d", o.To, o.Term) && o.Message != "" { // that has been said
		b.WriteString(s.paragraph(plain, "    ", "      ", o.Message))
	}
	if text := givenUp(o.GivenUpGTIDs); text != "" && o.Outcome == v1alpha1.OperationSucceeded {
		b.WriteString(s.paragraph(red, "    ", "      ", "gave up "+text))
	}
	return b.String()
}
