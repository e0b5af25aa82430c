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

// Package architecture guards the direction in which the packages may depend on each other.
package architecture

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/presslabs/mysql-apiserver/"

// rooms says, for each part of the tree (by the longest matching prefix), which other parts of ours it may import. A part may
// always import what lies below itself. cmd, hack and test may import anything.
var rooms = map[string][]string{
	"pkg/apis":                  {},
	"pkg/apis/mysql/validation": {"pkg/apis", "pkg/mycnf", "pkg/mysqlversion"},
	"pkg/mysqlversion":          {},
	"pkg/gtid":                  {},
	"pkg/mycnf":                 {"pkg/apis"},
	"pkg/certs":                 {},
	"pkg/etcd":                  {},
	"pkg/generated":             {"pkg/apis"},
	"pkg/topology":              {"pkg/apis", "pkg/gtid", "pkg/agent/api"},
	"pkg/workload":              {"pkg/apis", "pkg/mycnf", "pkg/agent/api"},
	"pkg/registry":              {"pkg/apis", "pkg/gtid", "pkg/mysqlversion"},
	"pkg/apiserver":             {"pkg/apis", "pkg/registry", "pkg/etcd", "pkg/certs", "pkg/generated/openapi", "pkg/mysqlversion"},
	"pkg/agent/api":             {},
	"pkg/agent":                 {"pkg/gtid", "pkg/mycnf"},
	"pkg/controller": {"pkg/apis", "pkg/generated", "pkg/topology", "pkg/workload", "pkg/agent/api", "pkg/agent/client",
		"pkg/certs", "pkg/gtid", "pkg/mysqlversion"},
	"pkg/kubectlmysql":        {"pkg/apis", "pkg/generated"},
	"pkg/kubectlmysql/report": {"pkg/apis", "pkg/gtid"},
	"pkg/kubectlmysql/render": {"pkg/apis", "pkg/gtid", "pkg/kubectlmysql/report"},
}

// outside says which modules that are not ours only some parts of the tree may import, and why.
var outside = []struct {
	prefix, why string
	allowed     []string
}{
	{"go.etcd.io/etcd/server/v3", "one package owns the embedded etcd", []string{"pkg/etcd"}},
	{"github.com/go-sql-driver/mysql", "only the agent talks to MySQL", []string{"pkg/agent", "test"}},
	{"database/sql", "only the agent talks to MySQL", []string{"pkg/agent", "test"}},
	{"k8s.io/client-go", "pure packages and the agent have no client of Kubernetes",
		[]string{"cmd", "pkg/apiserver", "pkg/controller", "pkg/generated", "pkg/certs", "pkg/kubectlmysql", "pkg/registry", "pkg/workload", "test", "hack"}},
	{"k8s.io/cli-runtime", "only the plugin is a program for kubectl's users", []string{"pkg/kubectlmysql"}},
	{"k8s.io/apiserver", "the API server's library stays in the API server", []string{"cmd/apiserver", "pkg/apiserver", "pkg/registry", "test", "hack"}},
}

func TestImportsFollowTheArrows(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, imported := range imports {
			if own, ok := strings.CutPrefix(imported, module); ok {
				checkRoom(t, pkg, own)
				continue
			}
			for _, rule := range outside {
				if within(imported, rule.prefix) && !withinAny(pkg, rule.allowed) {
					t.Errorf("%s imports %s, but %s", pkg, imported, rule.why)
				}
			}
		}
	}
}

func checkRoom(t *testing.T, pkg, imported string) {
	if withinAny(pkg, []string{"cmd", "hack", "test"}) {
		return
	}
	room := ""
	for candidate := range rooms {
		if within(pkg, candidate) && len(candidate) > len(room) {
			room = candidate
		}
	}
	if room == "" {
		t.Errorf("%s belongs to no room: add it to the list in this test, with what it may import", pkg)
		return
	}
	if !within(imported, room) && !withinAny(imported, rooms[room]) {
		t.Errorf("%s may not import %s: the arrows from %s lead to %v only", pkg, imported, room, rooms[room])
	}
}

// packages returns the direct imports of each package of the module, without those of tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	result := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		result[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	if len(result) < 10 {
		t.Fatalf("go list found only %d packages", len(result))
	}
	return result
}

func within(pkg, prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") }

func withinAny(pkg string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if within(pkg, prefix) {
			return true
		}
	}
	return false
}
