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
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/mycnf"
)

const (
	maxSettingName  = 128
	maxSettingValue = 1024
	maxStatement    = 4096 // bytes
)

// validateMysqlConf refuses settings that are reserved, that the version of MySQL does not know, or that my.cnf cannot express.
func validateMysqlConf(spec, old *mysql.MysqlClusterSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	newVersion := spec.MysqlVersion != old.MysqlVersion
	first := map[string]string{} // by the normal name, the spelling that came first
	for _, name := range slices.Sorted(maps.Keys(spec.MysqlConf)) {
		value := spec.MysqlConf[name]
		oldValue, existed := old.MysqlConf[name]
		isNew := !existed || oldValue != value
		if isNew {
			errs = append(errs, validateSetting(name, value, path.Key(name))...)
		}
		if hint, removed := mycnf.Removed(name, spec.MysqlVersion); removed && (isNew || newVersion) {
			errs = append(errs, field.Forbidden(path.Key(name), fmt.Sprintf("MySQL %s has no %s: %s", spec.MysqlVersion, name, hint)))
		}
		normal := mycnf.Normalize(name)
		other, twice := first[normal]
		if !twice {
			first[normal] = name
			continue
		}
		if _, otherExisted := old.MysqlConf[other]; !existed || !otherExisted {
			errs = append(errs, field.Invalid(path.Key(name), value.String(), fmt.Sprintf("is the same setting as %s: keep one of them", other)))
		}
	}
	return errs
}

func validateSetting(name string, value intstr.IntOrString, path *field.Path) field.ErrorList {
	if len(name) > maxSettingName {
		return field.ErrorList{field.TooLong(path, "", maxSettingName)}
	}
	if reason, reserved := mycnf.Reserved(name); reserved {
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("%s is reserved: %s", name, reason))}
	}
	if len(value.String()) > maxSettingValue {
		return field.ErrorList{field.TooLong(path, "", maxSettingValue)}
	}
	if err := mycnf.CheckSetting(name, value.String()); err != nil {
		return field.ErrorList{field.Invalid(path, value.String(), strings.TrimPrefix(err.Error(), "mysqlConf: "))}
	}
	return nil
}

// validateInitFileExtraSQL refuses what MySQL could not read as one statement on one line of its init file.
func validateInitFileExtraSQL(statements, old []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, statement := range statements {
		switch {
		case slices.Contains(old, statement):
		case strings.Trim(statement, " \t;") == "":
			errs = append(errs, field.Required(path.Index(i), "it has to be an SQL statement"))
		case len(statement) > maxStatement:
			errs = append(errs, field.TooLong(path.Index(i), "", maxStatement))
		case strings.ContainsAny(statement, "\n\r\x00"):
			errs = append(errs, field.Invalid(path.Index(i), statement, "a statement has to be on one line"))
		}
	}
	return errs
}
