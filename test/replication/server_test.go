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

package replication

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/gtid"
	"github.com/presslabs/mysql-apiserver/pkg/mycnf"
)

// run runs a program to its end.
func run(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// TestGTIDSetsAgreeWithTheServer compares pkg/gtid with GTID_SUBSET, GTID_SUBTRACT and the server's own way to write sets.
func TestGTIDSetsAgreeWithTheServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	db := n.root()
	r := rand.New(rand.NewPCG(3, 4))
	uuids := []string{"3e11fa47-71ca-11e1-9e33-c80aa9429562", "4E11FA47-71CA-11E1-9E33-C80AA9429562"}
	tags := []string{"", "", "tag", "Other_1"}
	random := func() string {
		var parts []string
		for range r.IntN(7) {
			part := uuids[r.IntN(len(uuids))]
			if tag := tags[r.IntN(len(tags))]; tag != "" {
				part += ":" + tag
			}
			for range 1 + r.IntN(3) {
				first := 1 + r.IntN(20)
				part += fmt.Sprintf(":%d-%d", first, max(1, first-1+r.IntN(6))) // now and then empty
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, ",\n")
	}
	for range 300 {
		a, b := random(), random()
		x, err := gtid.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := gtid.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		var difference, normal string
		var subset bool
		if err := db.QueryRow("SELECT GTID_SUBTRACT(?, ?), GTID_SUBTRACT(?, ''), GTID_SUBSET(?, ?)", a, b, a, a, b).Scan(&difference, &normal, &subset); err != nil {
			t.Fatalf("%q, %q: %v", a, b, err)
		}
		if got := x.Subtract(y).String(); got != oneLine(difference) {
			t.Errorf("%q − %q = %q, the server says %q", a, b, got, oneLine(difference))
		}
		if got := x.String(); got != oneLine(normal) {
			t.Errorf("%q is written %q, by the server %q", a, got, oneLine(normal))
		}
		if got := y.Contains(x); got != subset {
			t.Errorf("%q ⊆ %q: %t, the server says %t", a, b, got, subset)
		}
	}
	// What the server refuses, we do; and the other way round.
	for _, text := range []string{
		"x", uuids[0], uuids[0] + ":", uuids[0] + ":0", uuids[0] + ":1-", uuids[0] + ":5-3", uuids[0] + ":1-0", uuids[0] + ":0-1", uuids[0] + ":1:", uuids[0] + "::1", uuids[0] + ":tag", uuids[0] + ":tag:",
		uuids[0] + ":tag:a:1", uuids[0] + ":9223372036854775806", uuids[0] + ":9223372036854775807", uuids[0] + ": 1 - 3 ", " " + uuids[0] + " : 1", ",,",
		uuids[0] + ":1,", strings.ReplaceAll(uuids[0], "-", "") + ":1", "{" + uuids[0] + "}:1", strings.Replace(uuids[0], "-", "", 1) + ":1",
		uuids[0] + ":1;" + uuids[1] + ":1", uuids[0] + ":ta-g:1", uuids[0] + ":_:1", uuids[0] + ":+1", uuids[0] + ":1-2-3",
		uuids[0] + ":" + strings.Repeat("t", 32) + ":1", uuids[0] + ":" + strings.Repeat("t", 33) + ":1",
	} {
		_, err := gtid.Parse(text)
		var ignored string
		serverErr := db.QueryRow("SELECT GTID_SUBTRACT(?, '')", text).Scan(&ignored)
		if (err == nil) != (serverErr == nil) {
			t.Errorf("%q: we say %v, the server says %v", text, err, serverErr)
		}
	}
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "") }

// TestTheServerHasWhatWeSaySettingsAre checks pkg/mycnf's lists against the mysqld of the tree.
func TestTheServerHasWhatWeSaySettingsAre(t *testing.T) {
	t.Parallel()
	argv := slices.Concat(mysqlTree.Mysqld(), []string{"--no-defaults"}, mysqlTree.MysqldOptions(), runAsOptions())
	out, err := run(argv[0], append(argv[1:], "--version")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, version, _ := strings.Cut(out, "Ver ")
	version, _, _ = strings.Cut(version, " ")
	out, err = run(argv[0], append(argv[1:], "--verbose", "--help")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, table, found := strings.Cut(out, "\n---")
	if !found {
		t.Fatal("mysqld --verbose --help has no table of settings")
	}
	known := 0
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		known++
		if hint, removed := mycnf.Removed(words[0], version); removed {
			t.Errorf("MySQL %s has %s; we say that it has not (%s)", version, words[0], hint)
		}
	}
	if known < 400 {
		t.Errorf("only %d settings found: the table of mysqld looks different now", known)
	}
}
