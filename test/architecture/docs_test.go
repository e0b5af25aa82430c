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

package architecture

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSafetyRulesNameTestsThatExist keeps docs/safety.md true: each rule names tests, and each test that is named exists.
func TestSafetyRulesNameTestsThatExist(t *testing.T) {
	doc, err := os.ReadFile("../../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testFunctions(t)
	named := regexp.MustCompile("`(?:.*/)?(Test[A-Za-z0-9]+)")
	for _, rule := range strings.Split(string(doc), "\n## ")[1:] {
		title, _, _ := strings.Cut(rule, "\n")
		names := named.FindAllStringSubmatch(rule, -1)
		if len(names) == 0 {
			t.Errorf("rule %q names no test", title)
		}
		for _, name := range names {
			if !bytes.Contains(tests, []byte("func "+name[1]+"(")) {
				t.Errorf("rule %q names %s, which does not exist", title, name[1])
			}
		}
	}
}

// testFunctions returns the source of all tests.
func testFunctions(t *testing.T) []byte {
	t.Helper()
	var all []byte
	for _, root := range []string{"../../pkg", "../../test"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			all = append(all, source...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
