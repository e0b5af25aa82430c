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

// Package mysqlversion holds the catalogue of the versions of MySQL that clusters may ask for, and of the image that each
// one stands for. It is configuration of the API server, which refuses other versions, and of the controller, which runs the
// images.
package mysqlversion

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// Catalog is the set of versions that clusters may ask for.
type Catalog struct {
	// Default is the name of the version of clusters that do not ask for one.
	Default string `json:"default"`
	// Versions are the versions, in the order in which they are shown to people.
	Versions []Version `json:"versions"`
}

// Version is one version of MySQL.
type Version struct {
	// Name is what spec.mysqlVersion has to say, such as "8.4" or "8.4.3": the version of the mysqld in the image, as exactly as
	// the image tells it. A suffix after a dash tells builds of one version apart, such as "8.4-debug".
	Name string `json:"name"`
	// Image is the container image that has this version of MySQL or Percona Server inside.
	Image string `json:"image"`
}

// Builtin returns the catalogue that the servers have when they are not given one.
func Builtin() Catalog {
	return Catalog{
		Default: "9.7",
		Versions: []Version{
			{Name: "8.0", Image: "percona/percona-server:8.0"},
			{Name: "8.4", Image: "percona/percona-server:8.4"},
			{Name: "9.7", Image: "mysql:9.7"},
		},
	}
}

// Load reads a catalogue from a YAML file, as Parse does.
func Load(file string) (Catalog, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Catalog{}, fmt.Errorf("reading the catalogue of MySQL versions: %w", err)
	}
	catalog, err := Parse(data)
	if err != nil {
		return Catalog{}, fmt.Errorf("%s: %w", file, err)
	}
	return catalog, nil
}

// Parse reads a catalogue from YAML (or JSON). Unknown fields are errors, and so is a catalogue that cannot be worked with:
// without versions, with an unknown default, with two versions of one name, without an image.
func Parse(data []byte) (Catalog, error) {
	var catalog Catalog
	if err := yaml.UnmarshalStrict(data, &catalog); err != nil {
		return Catalog{}, fmt.Errorf("the catalogue of MySQL versions is not of the form %s: %w",
			`{default: "8.4", versions: [{name: "8.4", image: example/mysql:8.4}]}`, err)
	}
	if err := catalog.check(); err != nil {
		return Catalog{}, fmt.Errorf("the catalogue of MySQL versions: %w", err)
	}
	return catalog, nil
}

// namePattern keeps names comparable: they start with the version's numbers.
var namePattern = regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?(-[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$`)

// maxNameLength is the limit that the API has for spec.mysqlVersion.
const maxNameLength = 32

func (c Catalog) check() error {
	if len(c.Versions) == 0 {
		return errors.New("it lists no versions")
	}
	seen := map[string]bool{}
	for i, v := range c.Versions {
		switch {
		case len(v.Name) > maxNameLength || !namePattern.MatchString(v.Name):
			return fmt.Errorf(`versions[%d].name: %q is not the name of a version, such as "8.4", "8.4.3" or "8.4-debug", of at most %d characters`+
				` (put it in quotation marks: YAML takes 8.0 for the number 8)`, i, v.Name, maxNameLength)
		case seen[v.Name]:
			return fmt.Errorf("versions[%d].name: %q is listed twice", i, v.Name)
		case v.Image == "" || strings.ContainsFunc(v.Image, func(r rune) bool { return r <= ' ' || r > '~' }):
			return fmt.Errorf("versions[%d].image: %q is not an image", i, v.Image)
		}
		seen[v.Name] = true
	}
	if !seen[c.Default] {
		return fmt.Errorf("default: %q is not among the versions %s", c.Default, strings.Join(c.Names(), ", "))
	}
	return nil
}

// Names returns the names of the versions, in the catalogue's order.
func (c Catalog) Names() []string {
	names := make([]string, 0, len(c.Versions))
	for _, v := range c.Versions {
		names = append(names, v.Name)
	}
	return names
}

// Has tells whether the catalogue lists a version.
func (c Catalog) Has(name string) bool {
	_, err := c.Image(name)
	return err == nil
}

// OrDefault returns name, or the catalogue's default if name is empty.
func (c Catalog) OrDefault(name string) string {
	if name == "" {
		return c.Default
	}
	return name
}

// Image returns the image that a version stands for. The error names the versions that there are.
func (c Catalog) Image(name string) (string, error) {
	for _, v := range c.Versions {
		if v.Name == name {
			return v.Image, nil
		}
	}
	return "", fmt.Errorf("there is no version %q of MySQL; the administrator offers %s", name, strings.Join(c.Names(), ", "))
}
