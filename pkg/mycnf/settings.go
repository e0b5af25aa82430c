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

// setting is one line of my.cnf, with the versions of MySQL that it is for. This is the only place where versions matter.
type setting struct {
	name, value string
	// since is the first version with the setting, before the first one without it; empty means always.
	since, before string
}

func (s setting) appliesTo(v version) bool {
	return (s.since == "" || !v.less(mustVersion(s.since))) && (s.before == "" || v.less(mustVersion(s.before)))
}

func pick(settings []setting, v version) map[string]string {
	picked := map[string]string{}
	for _, s := range settings {
		if s.appliesTo(v) {
			picked[s.name] = s.value
		}
	}
	return picked
}

// defaults are what the user may override.
var defaults = []setting{
	// Durable: a commit that was acknowledged survives the crash of the node.
	{name: "innodb_flush_log_at_trx_commit", value: "1"},
	{name: "sync_binlog", value: "1"},

	{name: "character_set_server", value: "utf8mb4"},
	{name: "default_storage_engine", value: "InnoDB"},
	// Data files bypass the page cache, which would hold them a second time and count against the container's memory.
	{name: "innodb_flush_method", value: "O_DIRECT"},

	// A week: enough for a replica that was away, and for whoever reads the binary log; small enough for small volumes.
	{name: "binlog_expire_logs_seconds", value: "604800"},
	// Lets replicas apply in parallel whatever does not touch the same rows; later versions do nothing else.
	{name: "binlog_transaction_dependency_tracking", value: "WRITESET", before: "8.4.0"},
	{name: "replica_parallel_workers", value: "4"},
	// Notice a source that hung within seconds instead of a minute.
	{name: "replica_net_timeout", value: "5"},

	// A donor serves one recipient at a time. How many minutes it keeps the place for one that has vanished; MySQL says 5.
	{name: "loose_clone_donor_timeout_after_network_failure", value: "1"},

	{name: "max_connections", value: "500"},
	{name: "max_connect_errors", value: "1000000"},
	{name: "max_allowed_packet", value: "64M"},
	{name: "thread_cache_size", value: "50"},
	{name: "table_open_cache", value: "4096"},
	{name: "table_definition_cache", value: "4096"},
	// NOW() and SYSDATE() agree, so that queries with it can use indexes.
	{name: "sysdate_is_now", value: "1"},
	// Notes and warnings of the server go to the container's log; 3 would add a line for each aborted connection.
	{name: "log_error_verbosity", value: "2"},
}

func defaultsFor(v version) map[string]string {
	return pick(defaults, v)
}

// fixed are what the user may not override; pkg reserved.go gives the reasons.
func fixed(in Input, v version) map[string]string {
	settings := map[string]string{
		"datadir":          in.DataDir,
		"tmpdir":           in.TempDir,
		"socket":           in.Socket,
		"pid_file":         in.PIDFile,
		"secure_file_priv": "NULL", // no LOAD DATA INFILE, no SELECT … INTO OUTFILE on the server's files

		"port":              itoa(in.Port),
		"bind_address":      orElse(in.BindAddress, "*"),
		"skip_name_resolve": "ON",
		"loose_mysqlx":      "OFF",

		"server_id":   itoa(in.ServerID),
		"report_host": in.ReportHost,
		"report_port": itoa(in.Port),

		"gtid_mode":                "ON",
		"enforce_gtid_consistency": "ON",
		// Relative names: the lists of log files stay true when the data directory is renamed. The format is always ROW, the
		// default; naming it only makes later versions complain.
		"log_bin":             "binlog",
		"log_replica_updates": "ON",
		// If the binary log cannot be written, stop instead of committing what no replica will ever see.
		"binlog_error_action": "ABORT_SERVER",

		// Born read-only, with replication stopped: the first thing that any mysqld does is to wait for the controller.
		"read_only":          "ON",
		"super_read_only":    "ON",
		"skip_replica_start": "ON",
		// Variables persisted with SET PERSIST would be read after this file, and could undo the lines above.
		"persisted_globals_load": "OFF",

		"relay_log": "relay-log",
		// ON would throw away at each start what was received and not yet applied. With semi-sync, the primary may have
		// acknowledged just that, and be gone. GTIDs make what is applied twice harmless.
		"relay_log_recovery":            "OFF",
		"replica_preserve_commit_order": "ON", // a replica never shows a state that the primary was not in

		// Loaded here, switched on by the agent at run time: a primary must never start with a setting of a past term.
		"plugin_load_add": "mysql_clone.so;semisync_source.so;semisync_replica.so",

		// CLONE would copy the definitions of such tables without their rows, and say nothing. MEMORY is left: nobody expects its rows
		// to survive anything.
		"disabled_storage_engines": "MyISAM,CSV,ARCHIVE,BLACKHOLE,FEDERATED,MRG_MYISAM",

		"ssl_ca":             in.CA,
		"ssl_cert":           in.Cert,
		"ssl_key":            in.Key,
		"loose_clone_ssl_ca": in.CA,
	}
	if in.AdminAddress != "" {
		// Replicas connect there, so that clients can not use up the connections that commits are waiting for. The thread of its own
		// serves them also while the one for clients is busy.
		settings["admin_address"] = in.AdminAddress
		settings["admin_port"] = itoa(in.AdminPort)
		settings["create_admin_listener_thread"] = "ON"
		settings["admin_ssl_ca"] = in.CA
		settings["admin_ssl_cert"] = in.Cert
		settings["admin_ssl_key"] = in.Key
	}
	return settings
}
