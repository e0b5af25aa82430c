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

package validation

import (
	"fmt"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// validateVersion refuses versions that there are not and, once there are data, those that cannot open them.
func validateVersion(cluster, old *mysql.MysqlCluster, catalog mysqlversion.Catalog, path *field.Path) field.ErrorList {
	name, oldName := cluster.Spec.MysqlVersion, old.Spec.MysqlVersion
	if name == "" {
		return field.ErrorList{field.Required(path, "it is filled in when the cluster is created, and can not be removed")}
	}
	if name == oldName {
		return nil // also when the administrator has taken it off the catalogue since
	}
	if !catalog.Has(name) {
		return field.ErrorList{field.NotSupported(path, name, catalog.Names())}
	}
	if old.Status.InitializedAt == nil {
		return nil
	}
	if reason := cannotOpen(name, oldName); reason != "" {
		return field.ErrorList{field.Invalid(path, name, reason)}
	}
	return nil
}

// cannotOpen returns why MySQL of one version refuses a data directory of an older or newer one, or "" if it does not or that is
// not known. Within a series (8.4.x) nothing is refused.
func cannotOpen(name, oldName string) string {
	to, err := version.ParseGeneric(name)
	if err != nil {
		return ""
	}
	from, err := version.ParseGeneric(oldName)
	if err != nil || (to.Major() == from.Major() && to.Minor() == from.Minor()) {
		return ""
	}
	if to.LessThan(from) {
		return fmt.Sprintf("MySQL can not open data that version %s has written; create a new cluster and copy the data logically", oldName)
	}
	lts := version.MustParseGeneric("8.4")
	if from.LessThan(lts) && to.Major() > lts.Major() {
		return fmt.Sprintf("MySQL can not go from %s to %s in one step; go to an 8.4 first", oldName, name)
	}
	return ""
}

// imagePattern is what container runtimes take for the name of an image: host and port, path, tag and digest.
var imagePattern = regexp.MustCompile(`^(([a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?` +
	`[a-z0-9]+([._/-]+[a-z0-9]+)*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@[a-z0-9]+([+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?$`)

func validateImage(image string, path *field.Path) field.ErrorList {
	if image != "" && !imagePattern.MatchString(image) {
		return field.ErrorList{field.Invalid(path, image,
			`is not the name of an image, such as "percona/percona-server:8.4" or "registry.example/mysql@sha256:…"`)}
	}
	return nil
}
