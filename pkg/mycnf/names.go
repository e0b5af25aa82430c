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

package mycnf

import (
	"fmt"
	"strings"
	"unicode"
)

// Normalize returns the one spelling under which a setting is compared: lower case, underscores instead of dashes, and without
// the prefix loose_, which only tells mysqld to go on when it does not know the setting.
func Normalize(name string) string {
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_")
	return strings.TrimPrefix(name, "loose_")
}

func isLoose(name string) bool {
	return strings.HasPrefix(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_"), "loose_")
}

// CheckSetting refuses names and values that cannot stand on one line of my.cnf. It does not know which settings exist.
func CheckSetting(name, value string) error {
	normal := Normalize(name)
	if normal == "" || !isLetter(rune(normal[0])) {
		return fmt.Errorf("mysqlConf: %q is not the name of a setting: it has to start with a letter", name)
	}
	for _, r := range normal {
		if !isLetter(r) && (r < '0' || r > '9') && r != '_' && r != '.' {
			return fmt.Errorf("mysqlConf: %q is not the name of a setting: only letters, digits, dashes, underscores and dots are allowed", name)
		}
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("mysqlConf: the value of %s contains a line break or another control character", name)
	}
	if strings.Contains(value, `"`) && strings.Contains(value, `'`) {
		return fmt.Errorf("mysqlConf: the value of %s contains both kinds of quotation marks, which my.cnf cannot express", name)
	}
	return nil
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' }
