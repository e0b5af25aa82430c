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

// Progress prints what is new about an operation.
type Progress struct {
	Style  Style
	phases int
	note   string
}

// News returns the lines to print for what has happened since the last call; none if nothing has. note tells what is waited for.
func (p *Progress) News(o *v1alpha1.MysqlClusterOperation, note string) string {
	var b strings.Builder
	for ; p.phases < len(o.Phases); p.phases++ {
		b.WriteString("  " + phaseLine(o, &o.Phases[p.phases]) + "\n")
	}
	if note != p.note && note != "" {
		indentation := strings.Repeat(" ", 13)
		b.WriteString(p.Style.paragraph(plain, indentation, indentation, note))
	}
	p.note = note
	return b.String()
}

// Clock is the line that is shown, on a terminal, while nothing happens.
func (p *Progress) Clock(o *v1alpha1.MysqlClusterOperation, now time.Time) string {
	return fmt.Sprintf("  %9s  …", "+"+seconds(now.Sub(o.StartedAt.Time)))
}

// Outcome tells how an operation has ended.
func Outcome(o *v1alpha1.MysqlClusterOperation, s Style) string {
	text, c := "Succeeded: "+orElse(o.Message, o.To+" is the primary"), green
	if o.Outcome != v1alpha1.OperationSucceeded {
		text, c = "Given up: "+orElse(o.Message, "the primary was not changed"), red
	}
	if o.FinishedAt != nil {
		text += " (after " + seconds(o.FinishedAt.Sub(o.StartedAt.Time)) + ")"
	}
	lines := s.paragraph(c, "", "  ", text)
	if gtids := givenUp(o.GivenUpGTIDs); gtids != "" && o.Outcome == v1alpha1.OperationSucceeded {
		lines += s.paragraph(red, "  ", "    ", "gave up "+gtids)
	}
	return lines
}
