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

	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

// branch is a line of the tree: a node, and what stands to its left.
type branch struct {
	node *report.Node
	// stem is put before the node's name, trunk before what is said below it.
	stem, trunk string
	cells       []cell
}

// cell is a field of the table.
type cell struct {
	text  string
	color color
}

var columns = []string{"NODE", "ROLE", "HEALTH", "MODE", "LAG", "GTID GAP", "SINCE"}

// tree draws the primary with the others below it: as a table, or, where that is too wide, with the facts below each name.
func tree(r *report.Report, now time.Time, s Style) string {
	branches := grow(r)
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = width(c)
	}
	total := 0
	for i := range branches {
		branches[i].cells = cells(&branches[i], r, now)
		for j, c := range branches[i].cells {
			widths[j] = max(widths[j], width(c.text))
		}
	}
	for _, w := range widths {
		total += w + 2
	}
	var b strings.Builder
	table := s.Width == 0 || total-2 <= s.Width
	if table {
		head := make([]cell, len(columns))
		for i, c := range columns {
			head[i] = cell{c, bold}
		}
		b.WriteString(line(head, widths, s))
	}
	for i := range branches {
		branch := &branches[i]
		if table {
			b.WriteString(line(branch.cells, widths, s))
		} else {
			b.WriteString(s.paint(bold, branch.cells[0].text) + "\n")
			b.WriteString(s.paragraph(plain, branch.trunk, branch.trunk, sentence(branch)))
		}
		for _, d := range details(branch.node, r) {
			b.WriteString(s.paragraph(d.color, branch.trunk, branch.trunk+"  ", d.text))
		}
	}
	return b.String()
}

// grow arranges the nodes: what the primary is to the others, the root is to its branches.
func grow(r *report.Report) []branch {
	nodes := r.Nodes
	var branches []branch
	rooted := r.Primary != "" && nodes[0].Name == r.Primary
	if rooted {
		trunk := "   "
		if len(nodes) > 1 {
			trunk = "│  "
		}
		branches = append(branches, branch{node: &nodes[0], trunk: trunk})
		nodes = nodes[1:]
	}
	for i := range nodes {
		branch := branch{node: &nodes[i], stem: "├─ ", trunk: "│  "}
		if i == len(nodes)-1 {
			branch.stem, branch.trunk = "└─ ", "   "
		}
		if !rooted {
			branch.stem, branch.trunk = "", "   "
		}
		branches = append(branches, branch)
	}
	return branches
}

func line(cells []cell, widths []int, s Style) string {
	var b strings.Builder
	for i, c := range cells {
		text := pad(c.text, widths[i])
		if i == len(cells)-1 {
			text = c.text
		}
		b.WriteString(s.paint(c.color, text))
		if i < len(cells)-1 {
			b.WriteString("  ")
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// cells are the fields of a node in the table.
func cells(b *branch, r *report.Report, now time.Time) []cell {
	n := b.node
	since := "?"
	if n.Since != nil {
		since = age(now, n.Since.Time)
	}
	health := cell{orElse(string(n.Health), "?"), red}
	switch n.Health {
	case v1alpha1.NodeHealthy:
		health.color = green
	case v1alpha1.NodeUnhealthy:
		health.color = yellow
	}
	return []cell{
		{b.stem + n.Name, plain}, {orElse(string(n.Role), "?"), plain}, health, {mode(n), plain}, {lag(n, r), plain}, gap(n, r), {since, plain},
	}
}

// sentence is what the table says of a node, where there is no room for one.
func sentence(b *branch) string {
	names := []string{"", "", "", "lag ", "GTID gap: ", "since "} // of all columns but the first
	var parts []string
	for i, c := range b.cells[1:] {
		if c.text != "-" {
			parts = append(parts, names[i]+c.text)
		}
	}
	return strings.Join(parts, ", ")
}

func mode(n *report.Node) string {
	switch {
	case n.ReadOnly == nil:
		return "?"
	case ptr.Deref(n.ReadOnly, true):
		return "read-only"
	default:
		return "read-write"
	}
}

func lag(n *report.Node, r *report.Report) string {
	switch {
	case n.Name == r.Primary:
		return "-"
	case n.LagSeconds == nil:
		return "?"
	default:
		return fmt.Sprintf("%ds", *n.LagSeconds)
	}
}

// gap is how many transactions a node lacks, and has too many.
func gap(n *report.Node, r *report.Report) cell {
	switch {
	case n.Name == r.Primary:
		return cell{"-", plain}
	case !n.Compared:
		return cell{"?", plain}
	}
	var parts []string
	if n.Lacks != nil {
		parts = append(parts, fmt.Sprintf("lacks %d", n.Lacks.Count))
	}
	if n.Ahead != nil {
		parts = append(parts, fmt.Sprintf("ahead %d", n.Ahead.Count))
	}
	if n.Errant != nil {
		return cell{strings.Join(append(parts, fmt.Sprintf("errant %d", n.Errant.Count)), ", "), red}
	}
	return cell{orElse(strings.Join(parts, ", "), "none"), plain}
}

// details are what is said below a node. What the summary says already is not repeated.
func details(n *report.Node, r *report.Report) []cell {
	var lines []cell
	if n.Message != "" && !strings.Contains(r.Summary, n.Message) {
		lines = append(lines, cell{n.Message, plain})
	}
	if n.Joining {
		lines = append(lines, cell{"joining: may lack commits that it confirmed before its data were copied, so it is no candidate for the primary", plain})
	}
	if n.Errant != nil {
		lines = append(lines, cell{"errant, the primary will never have " + told(n.Errant), red})
	}
	if n.Ahead != nil {
		lines = append(lines, cell{"ahead of what the primary has reported by " + told(n.Ahead), yellow})
	}
	if n.Lacks != nil {
		lines = append(lines, cell{"lacks " + told(n.Lacks), dim})
	}
	return lines
}

func told(t *report.Transactions) string { return count(t.Count, "transaction") + ": " + t.GTIDs }
