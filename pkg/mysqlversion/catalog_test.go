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

package mysqlversion

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestBuiltinCatalogIsValid(t *testing.T) {
	c := Builtin()
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	for name, image := range map[string]string{
		"8.0": "percona/percona-server:8.0", "8.4": "percona/percona-server:8.4", "9.7": "mysql:9.7",
	} {
		got, err := c.Image(name)
		if err != nil || got != image {
			t.Errorf("Image(%q) = %q, %v; want %q", name, got, err, image)
		}
	}
	if c.OrDefault("") != "9.7" || c.OrDefault("8.0") != "8.0" {
		t.Errorf("OrDefault: %q, %q", c.OrDefault(""), c.OrDefault("8.0"))
	}
}

func TestImageOfUnknownVersionNamesTheKnownOnes(t *testing.T) {
	_, err := Builtin().Image("5.7")
	if err == nil || !strings.Contains(err.Error(), `"5.7"`) || !strings.Contains(err.Error(), "8.0, 8.4, 9.7") {
		t.Errorf("got %v", err)
	}
	if Builtin().Has("5.7") || !Builtin().Has("8.4") {
		t.Error("Has disagrees with Image")
	}
}

func TestParseReadsACatalog(t *testing.T) {
	want := Catalog{Default: "8.4-debug", Versions: []Version{
		{Name: "8.4.3", Image: "registry.example:5000/percona@sha256:0123"}, {Name: "8.4-debug", Image: "debug"},
	}}
	got, err := Parse([]byte(`
default: 8.4-debug
versions:
- {name: "8.4.3", image: "registry.example:5000/percona@sha256:0123"}
- {name: "8.4-debug", image: debug}
`))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseRefusesWhatCannotBeWorkedWith(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"nothing":              {``, "lists no versions"},
		"no versions":          {`default: "8.4"`, "lists no versions"},
		"unknown field":        {`{default: "8.4", version: []}`, `unknown field "version"`},
		"field twice":          {"default: a\ndefault: b", `already set`},
		"a number":             {`{default: 8.0, versions: [{name: 8.0, image: x}]}`, "quotation marks"},
		"no name":              {`{default: "8.4", versions: [{image: x}]}`, "versions[0].name"},
		"not a version":        {`{default: "8.4", versions: [{name: latest, image: x}]}`, "versions[0].name"},
		"only a major version": {`{default: "8", versions: [{name: "8", image: x}]}`, "versions[0].name"},
		"name too long":        {`{default: "8.4", versions: [{name: "8.4-` + strings.Repeat("a", 29) + `", image: x}]}`, "versions[0].name"},
		"listed twice":         {`{default: "8.4", versions: [{name: "8.4", image: x}, {name: "8.4", image: y}]}`, "versions[1].name"},
		"no image":             {`{default: "8.4", versions: [{name: "8.4"}]}`, "versions[0].image"},
		"a blank in the image": {`{default: "8.4", versions: [{name: "8.4", image: "x y"}]}`, "versions[0].image"},
		"no default":           {`{versions: [{name: "8.4", image: x}]}`, "default"},
		"unknown default":      {`{default: "9.7", versions: [{name: "8.4", image: x}]}`, `"9.7" is not among the versions 8.4`},
		"not YAML":             {`{`, "not of the form"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error that says %q", err, tc.want)
			}
		})
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "versions.yaml")
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(file, []byte("versions: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("bad file: %v", err)
	}
	if err := os.WriteFile(file, []byte(`{default: "8.4", versions: [{name: "8.4", image: x}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(file); err != nil || c.Default != "8.4" {
		t.Errorf("good file: %+v, %v", c, err)
	}
}

func FuzzParseAcceptsOnlyWhatItWritesAgain(f *testing.F) {
	f.Add([]byte(`{default: "8.4", versions: [{name: "8.4", image: x}]}`))
	f.Add([]byte("default: 9.7-a\nversions:\n- name: 9.7-a\n  image: r.example/m:1\n"))
	f.Add([]byte(`{default: 8, versions: [null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		if _, err := c.Image(c.Default); err != nil {
			t.Errorf("the default has no image: %v", err)
		}
		again, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if c2, err := Parse(again); err != nil || !reflect.DeepEqual(c, c2) {
			t.Errorf("%+v became %+v, %v", c, c2, err)
		}
	})
}
