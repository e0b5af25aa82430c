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

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// Plan tells what a request for another primary would do, by the answer to its dry run.
func Plan(f *v1alpha1.MysqlFailover, s Style) string {
	var b strings.Builder
	o := &f.Status.Operation
	b.WriteString(s.paragraph(bold, "", "  ", upperFirst(change(o))+" of "+f.Namespace+"/"+f.Name))
	b.WriteString(s.paragraph(plain, "  ", "    ", origin(o)))
	b.WriteString("\n" + atRisk(f, s))
	b.WriteString("\n" + s.title("Candidates:"))
	for i := range f.Status.Candidates {
		b.WriteString(candidate(&f.Status.Candidates[i], o.To, s))
	}
	b.WriteString("\n" + s.title("Steps:"))
	for i, step := range f.Status.Steps {
		b.WriteString(s.paragraph(plain, fmt.Sprintf("%4d. ", i+1), "      ", step))
	}
	return b.String()
}

// atRisk tells what the change may cost.
func atRisk(f *v1alpha1.MysqlFailover, s Style) string {
	title := s.title("Transactions that would be given up:")
	if f.Status.Operation.Mode != v1alpha1.FailoverForced {
		return title + s.paragraph(green, "  ", "    ", "none: it ends well only when nothing is lost, and is given up otherwise")
	}
	text, c := "none is known of", yellow
	if gtids := givenUp(f.Status.GivenUpGTIDs); gtids != "" {
		text, c = gtids, red
	}
	return title + s.paragraph(c, "  ", "    ", text) + s.paragraph(c, "  ", "    ", "there can be more: this is by what the nodes reported last")
}

func candidate(c *v1alpha1.FailoverCandidate, chosen string, s Style) string {
	mark, paint := "no   ", plain
	switch {
	case c.Name == chosen:
		mark, paint = "taken", green
	case c.Eligible:
		mark = "yes  "
	}
	return s.paragraph(plain, "  "+s.paint(paint, mark)+" ", "        ", c.Name+" "+c.Reason+missing(c))
}

// missing names the transactions that a candidate lacks, unless its reason does.
func missing(c *v1alpha1.FailoverCandidate) string {
	if c.MissingGTIDs == "" || strings.Contains(c.Reason, c.MissingGTIDs) {
		return ""
	}
	return ": " + c.MissingGTIDs
}

// Recorded tells that a request was accepted.
func Recorded(f *v1alpha1.MysqlFailover, s Style) string {
	o := &f.Status.Operation
	text := s.paragraph(bold, "", "  ", upperFirst(change(o))+" of "+f.Namespace+"/"+f.Name+" is recorded as operation "+string(o.UID))
	if gtids := givenUp(o.GivenUpGTIDs); gtids != "" {
		text += s.paragraph(red, "", "  ", "Gives up "+gtids)
	}
	return text
}
