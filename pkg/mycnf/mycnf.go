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

// Package mycnf makes the my.cnf of a node from three lists: defaults that the user may override, settings that the user
// may not touch because the cluster's safety or operation depends on them, and settings computed from the node's memory,
// CPU and volume. It also tells which settings are reserved, and which ones a version of MySQL no longer knows.
//
// The package is pure: it reads no file and no clock.
package mycnf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MinimumVersion is the oldest MySQL whose replication statements, variables and semi-sync plugins have the names that are
// used throughout.
const MinimumVersion = "8.0.26"

// Input is all that the my.cnf of one node depends on.
type Input struct {
	// Version is the version of the mysqld that reads the file, such as "8.4.3".
	Version string
	// ServerID is unique in the cluster.
	ServerID uint32
	// ReportHost is the name under which other nodes reach this one, Port the TCP port of MySQL, BindAddress what it
	// listens on; empty means every address.
	ReportHost  string
	Port        int
	BindAddress string
	// AdminAddress and AdminPort are what the administrative interface listens on, one address and no wildcard. Without an address
	// there is none.
	AdminAddress string
	AdminPort    int

	// DataDir holds everything that MySQL keeps, the binary and relay logs included.
	DataDir string
	// TempDir takes the temporary files of large queries.
	TempDir string
	// Socket and PIDFile lie outside of the volume.
	Socket  string
	PIDFile string
	// CA, Cert and Key are the PEM files for TLS, for clients as well as between nodes.
	CA, Cert, Key string

	// MemoryBytes is the memory that the container may count on, CPUMillis its CPU in thousandths, VolumeBytes the
	// size of the volume. 0 means that it is not known, and leaves MySQL's own defaults.
	MemoryBytes int64
	CPUMillis   int64
	VolumeBytes int64

	// User holds the user's settings.
	User map[string]string
}

// Generate returns the my.cnf of a node. It refuses user settings that are reserved, that the version does not know, that are
// given twice under two spellings, or that cannot be written as one line.
func Generate(in Input) (string, error) {
	version, err := parseVersion(in.Version)
	if err != nil {
		return "", err
	}
	if version.less(mustVersion(MinimumVersion)) {
		return "", fmt.Errorf("MySQL %s is too old: %s or newer is needed", in.Version, MinimumVersion)
	}
	user, err := normalizeAll(in.User, in.Version)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("# Generated at each start of the node. Change spec.mysqlConf of the MysqlCluster instead.\n[mysqld]\n")
	section := func(title string, settings map[string]string) error {
		fmt.Fprintf(&out, "\n# %s\n", title)
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			line, err := writeSetting(name, settings[name])
			if err != nil {
				return err
			}
			out.WriteString(line)
		}
		return nil
	}
	// The last one of several equal settings counts, also when they are written with different aliases of a name.
	if err := section("Defaults", defaultsFor(version)); err != nil {
		return "", err
	}
	if err := section("Computed from memory, CPU and volume", computed(in, version)); err != nil {
		return "", err
	}
	if err := section("The user's", user); err != nil {
		return "", err
	}
	if err := section("Reserved", fixed(in, version)); err != nil {
		return "", err
	}
	return out.String(), nil
}

// normalizeAll checks the user's settings and returns them under their normal names.
func normalizeAll(user map[string]string, version string) (map[string]string, error) {
	settings := map[string]string{}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(user)) {
		if err := CheckSetting(name, user[name]); err != nil {
			return nil, err
		}
		normal := Normalize(name)
		if reason, reserved := Reserved(name); reserved {
			return nil, fmt.Errorf("mysqlConf: %s is reserved: %s", name, reason)
		}
		if hint, removed := Removed(name, version); removed {
			return nil, fmt.Errorf("mysqlConf: MySQL %s has no %s: %s", version, name, hint)
		}
		if other, twice := seen[normal]; twice {
			return nil, fmt.Errorf("mysqlConf: %s and %s are the same setting", other, name)
		}
		seen[normal] = name
		if isLoose(name) {
			normal = "loose_" + normal
		}
		settings[normal] = user[name]
	}
	return settings, nil
}

// writeSetting returns the line for a setting. Values are quoted where my.cnf would read them otherwise.
func writeSetting(name, value string) (string, error) {
	if value == "" {
		return name + " =\n", nil
	}
	if !strings.ContainsAny(value, "#;'\"\\ \t") {
		return name + " = " + value + "\n", nil
	}
	quote := `"`
	if strings.Contains(value, quote) {
		quote = `'`
	}
	if strings.Contains(value, quote) {
		return "", fmt.Errorf("mysqlConf: the value of %s contains both kinds of quotation marks, which my.cnf cannot express", name)
	}
	return name + " = " + quote + strings.ReplaceAll(value, `\`, `\\`) + quote + "\n", nil
}
