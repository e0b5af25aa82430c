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
	"strings"
	"testing"
)

func input(version string, user map[string]string) Input {
	return Input{
		Version: version, ServerID: 101, ReportHost: "foo-mysql-1.foo.ns.svc", Port: 3306,
		AdminAddress: "10.0.0.7", AdminPort: 33062,
		DataDir: "/v/data", TempDir: "/v/tmp",
		Socket: "/r/mysql.sock", PIDFile: "/r/mysqld.pid", CA: "/t/ca.crt", Cert: "/t/tls.crt", Key: "/t/tls.key",
		MemoryBytes: gibi, CPUMillis: 2000, VolumeBytes: 10 * gibi, User: user,
	}
}

// parse reads a generated file as mysqld does: of several equal settings the last one counts.
func parse(t *testing.T, text string) map[string]string {
	t.Helper()
	settings := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || line == "[mysqld]" {
			continue
		}
		name, value, found := strings.Cut(line, " =")
		if !found {
			t.Fatalf("line %q is no setting", line)
		}
		settings[name] = strings.TrimSpace(value)
	}
	return settings
}

func TestGenerateKeepsTheSafetyRules(t *testing.T) {
	for _, version := range []string{"8.0.26", "8.0.36-28", "8.4.3", "9.7.4-2"} {
		text, err := Generate(input(version, nil))
		if err != nil {
			t.Fatalf("Generate for %s: %v", version, err)
		}
		got := parse(t, text)
		for name, want := range map[string]string{
			"super_read_only": "ON", "read_only": "ON", "skip_replica_start": "ON", "persisted_globals_load": "OFF",
			"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "log_replica_updates": "ON",
			"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1", "relay_log_recovery": "OFF",
			"binlog_error_action": "ABORT_SERVER", "disabled_storage_engines": "MyISAM,CSV,ARCHIVE,BLACKHOLE,FEDERATED,MRG_MYISAM", "skip_name_resolve": "ON", "server_id": "101",
			"admin_address": "10.0.0.7", "admin_port": "33062", "create_admin_listener_thread": "ON", "admin_ssl_ca": "/t/ca.crt",
		} {
			if got[name] != want {
				t.Errorf("MySQL %s: %s = %q, want %q", version, name, got[name], want)
			}
		}
		for name := range got {
			if strings.HasPrefix(name, "rpl_semi_sync") {
				t.Errorf("MySQL %s: %s is set at start; only the agent may set it, at run time", version, name)
			}
		}
	}
}

func TestGenerateWritesNothingThatTheVersionLacks(t *testing.T) {
	for _, version := range []string{"8.0.26", "8.0.30", "8.0.42", "8.4.0", "9.7.0"} {
		text, err := Generate(input(version, nil))
		if err != nil {
			t.Fatal(err)
		}
		for name := range parse(t, text) {
			if hint, removed := Removed(name, version); removed {
				t.Errorf("MySQL %s has no %s (%s)", version, name, hint)
			}
		}
	}
	old, _ := Generate(input("8.0.29", nil))
	if settings := parse(t, old); settings["innodb_log_file_size"] != "128M" || settings["innodb_redo_log_capacity"] != "" {
		t.Errorf("MySQL 8.0.29 sizes its redo log by innodb_log_file_size, got %q", settings)
	}
}

func TestGenerateGivesEveryFixedSettingAReason(t *testing.T) {
	text, err := Generate(input("9.7.0", nil))
	if err != nil {
		t.Fatal(err)
	}
	_, fixedPart, _ := strings.Cut(text, "# Reserved")
	for name := range parse(t, "# "+fixedPart) {
		if name == "plugin_load_add" {
			continue // adding more is harmless
		}
		if _, reserved := Reserved(name); !reserved {
			t.Errorf("%s is written after the user's settings but not reserved", name)
		}
	}
}

func TestGenerateLetsTheUserOverrideDefaults(t *testing.T) {
	text, err := Generate(input("8.4.0", map[string]string{
		"innodb-buffer-pool-size": "64M", "Max_Connections": "7", "loose-innodb_x": "1", "init_connect": `SET @a='#\n'`, "sql-mode": "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, text)
	for name, want := range map[string]string{
		"innodb_buffer_pool_size": "64M", "max_connections": "7", "loose_innodb_x": "1", "init_connect": `"SET @a='#\\n'"`, "sql_mode": "",
	} {
		if value, set := got[name]; !set || value != want {
			t.Errorf("%s = %q, want %q", name, value, want)
		}
	}
}

func TestGenerateRefusesBadSettings(t *testing.T) {
	tests := map[string]struct {
		user map[string]string
		want string
	}{
		"reserved":                {map[string]string{"super-read-only": "OFF"}, "reserved"},
		"reserved, loose":         {map[string]string{"loose-super_read_only": "OFF"}, "reserved"},
		"reserved, negated":       {map[string]string{"skip-log-bin": ""}, "reserved"},
		"reserved, upper case":    {map[string]string{"GTID_MODE": "OFF"}, "reserved"},
		"removed":                 {map[string]string{"query_cache_size": "1M"}, "query cache"},
		"never existed":           {map[string]string{"innodb-buffer-size": "128M"}, "innodb_buffer_pool_size"},
		"twice":                   {map[string]string{"max-connections": "1", "max_connections": "2"}, "same setting"},
		"a line break":            {map[string]string{"init_connect": "x\nsuper_read_only=OFF"}, "line break"},
		"a section":               {map[string]string{"[client]": ""}, "not the name"},
		"an include":              {map[string]string{"!include": "/etc/passwd"}, "not the name"},
		"an equals sign":          {map[string]string{"a=b": "c"}, "not the name"},
		"empty":                   {map[string]string{"": "c"}, "not the name"},
		"both kinds of quotation": {map[string]string{"init_connect": `'"`}, "quotation"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if text, err := Generate(input("8.4.0", test.user)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Generate = %v, want an error with %q; wrote:\n%s", err, test.want, text)
			}
		})
	}
}

func TestGenerateRefusesVersions(t *testing.T) {
	for _, version := range []string{"", "9", "8.0.25", "5.7.44", "8.x", "1.2.3.4"} {
		if _, err := Generate(input(version, nil)); err == nil {
			t.Errorf("Generate accepts MySQL %q", version)
		}
	}
}

func TestReservedCoversAliasesAndPrefixes(t *testing.T) {
	for name, want := range map[string]bool{
		"datadir": true, "rpl_semi_sync_source_timeout": true, "replicate-do-db": true, "skip-slave-start": true, "slave_skip_errors": true,
		"disable-log-bin": true, "loose_group_replication_group_name": true, "enable-read-only": true, "port": true,
		"disabled-storage-engines": true, "max_connections": false, "innodb_buffer_pool_size": false, "skip_show_database": false, "sql_mode": false, "replica_net_timeout": false,
	} {
		reason, got := Reserved(name)
		if got != want || got != (reason != "") {
			t.Errorf("Reserved(%q) = %q, %t, want %t", name, reason, got, want)
		}
	}
}

func TestRemovedDependsOnTheVersion(t *testing.T) {
	tests := []struct {
		name, version string
		want          bool
	}{
		{"skip-host-cache", "8.0.36", false},
		{"skip-host-cache", "8.4", true},
		{"default_authentication_plugin", "8.0", false},
		{"default-authentication-plugin", "8.4.0", true},
		{"innodb_log_file_size", "8.4", false},
		{"innodb_log_file_size", "9.7", true},
		{"query_cache_size", "8.0.26", true},
		{"innodb-buffer-size", "8.0", true},
		{"innodb-buffer-size", "", true},
		{"innodb_buffer_pool_size", "9.7", false},
		{"expire_logs_days", "nonsense", false},
	}
	for _, test := range tests {
		hint, got := Removed(test.name, test.version)
		if got != test.want || got != (hint != "") {
			t.Errorf("Removed(%q, %q) = %q, %t, want %t", test.name, test.version, hint, got, test.want)
		}
	}
}

func TestComputedSizesFitTheNode(t *testing.T) {
	tests := []struct {
		memory, volume int64
		pool, redo     string
	}{
		{0, 0, "", ""},
		{512 * mebi, gibi, "", "96M"},
		{gibi, gibi, "384M", "102M"},
		{4 * gibi, 100 * gibi, "2880M", "256M"},
		{16 * gibi, 100 * gibi, "12697M", "2048M"},
		{64 * gibi, 10 * gibi, "52019M", "1024M"},
	}
	for _, test := range tests {
		got := computed(Input{MemoryBytes: test.memory, VolumeBytes: test.volume}, mustVersion("8.4.0"))
		if got["innodb_buffer_pool_size"] != test.pool || got["innodb_redo_log_capacity"] != test.redo {
			t.Errorf("%d MiB of memory, %d MiB of volume: pool %q, redo %q, want %q, %q", test.memory/mebi, test.volume/mebi,
				got["innodb_buffer_pool_size"], got["innodb_redo_log_capacity"], test.pool, test.redo)
		}
	}
}
