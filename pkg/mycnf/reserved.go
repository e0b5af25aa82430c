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

import "strings"

// Why settings are reserved. Each reason ends the sentence "… is reserved: …".
const (
	whyPaths       = "the agent decides where files, sockets and logs are"
	whyNetwork     = "the Services of the cluster depend on the address and port"
	whyAdmin       = "the nodes replicate from each other over the administrative interface"
	whyIdentity    = "the identity of a node comes from its ordinal and spec.serverIDOffset"
	whyGTID        = "replication, cloning and failover of the cluster depend on GTIDs"
	whyBinlog      = "each node needs a complete binary log, so that any replica can become the primary"
	whySameData    = "every node has to hold the same data, or a failover would lose some"
	whyReadOnly    = "a node starts read-only, and only the controller's order makes it writable; use spec.readOnly for the whole cluster"
	whyReplication = "the agent starts replication when the controller has ordered it"
	whySemiSync    = "the agent sets semi-synchronous replication as spec.replication.durability asks"
	whyRelayLog    = "received transactions may be the only copy of an acknowledged commit and must survive a restart"
	whyTLS         = "the cluster's own certificates are used, which the nodes also trust each other by"
	whyPlugins     = "it would drop the plugins that the cluster needs; load more with plugin-load-add"
	whyAccess      = "it would open the server to everybody or lock the agent out"
	whyProcess     = "the agent starts and supervises mysqld"
	whyInitFile    = "use spec.initFileExtraSQL"
	whyPersisted   = "persisted variables would override this file, the read-only start included"
	whyDNS         = "without it, connecting waits for reverse DNS look-ups in the pod network"
	whyXProtocol   = "the X protocol is not served"
	whyEngines     = "CLONE copies only InnoDB's tables; those of other engines would arrive empty on a new replica"
	whyLogRaw      = "it would write passwords to the logs"
)

// reserved maps each setting that the user may not touch to the reason.
var reserved = map[string]string{
	"basedir": whyPaths, "datadir": whyPaths, "tmpdir": whyPaths, "replica_load_tmpdir": whyPaths, "slave_load_tmpdir": whyPaths,
	"socket": whyPaths, "pid_file": whyPaths, "log_error": whyPaths, "chroot": whyPaths, "secure_file_priv": whyPaths,
	"plugin_dir": whyPaths, "innodb_data_home_dir": whyPaths, "innodb_log_group_home_dir": whyPaths,
	"innodb_undo_directory": whyPaths, "innodb_directories": whyPaths, "innodb_doublewrite_dir": whyPaths,
	"innodb_temp_tablespaces_dir": whyPaths,

	"port": whyNetwork, "bind_address": whyNetwork, "skip_networking": whyNetwork,
	"admin_address": whyAdmin, "admin_port": whyAdmin, "create_admin_listener_thread": whyAdmin,
	"mysqlx": whyXProtocol, "mysqlx_port": whyXProtocol, "mysqlx_socket": whyXProtocol, "mysqlx_bind_address": whyXProtocol,

	"server_id": whyIdentity, "server_id_bits": whyIdentity, "report_host": whyIdentity, "report_port": whyIdentity,
	"report_user": whyIdentity, "report_password": whyIdentity,

	"gtid_mode": whyGTID, "enforce_gtid_consistency": whyGTID, "binlog_gtid_simple_recovery": whyGTID,

	"log_bin": whyBinlog, "log_bin_index": whyBinlog, "log_replica_updates": whyBinlog, "log_slave_updates": whyBinlog,
	"binlog_format": whyBinlog, "binlog_error_action": whyBinlog, "binlog_order_commits": whyBinlog, "sql_log_bin": whyBinlog,

	"binlog_do_db": whySameData, "binlog_ignore_db": whySameData, "replica_skip_errors": whySameData, "slave_skip_errors": whySameData,
	"replica_exec_mode": whySameData, "slave_exec_mode": whySameData, "replica_preserve_commit_order": whySameData,
	"slave_preserve_commit_order": whySameData, "init_replica": whySameData, "init_slave": whySameData,

	"read_only": whyReadOnly, "super_read_only": whyReadOnly, "innodb_read_only": whyReadOnly,

	"skip_replica_start": whyReplication, "skip_slave_start": whyReplication,
	"master_info_repository": whyReplication, "relay_log_info_repository": whyReplication, "relay_log_info_file": whyReplication,

	"replication_sender_observe_commit_only": whySemiSync,

	"relay_log": whyRelayLog, "relay_log_index": whyRelayLog, "relay_log_recovery": whyRelayLog, "relay_log_purge": whyRelayLog,

	"ssl_ca": whyTLS, "ssl_capath": whyTLS, "ssl_cert": whyTLS, "ssl_key": whyTLS, "ssl_crl": whyTLS, "ssl_crlpath": whyTLS, "ssl": whyTLS,
	"admin_ssl": whyTLS, "admin_ssl_ca": whyTLS, "admin_ssl_capath": whyTLS, "admin_ssl_cert": whyTLS, "admin_ssl_key": whyTLS,
	"admin_ssl_crl": whyTLS, "admin_ssl_crlpath": whyTLS,
	"clone_ssl_ca": whyTLS, "clone_ssl_cert": whyTLS, "clone_ssl_key": whyTLS,

	"plugin_load": whyPlugins, "clone": whyPlugins,

	"skip_grant_tables": whyAccess, "offline_mode": whyAccess,

	"user": whyProcess, "daemonize": whyProcess, "initialize": whyProcess, "initialize_insecure": whyProcess, "upgrade": whyProcess,
	"validate_config": whyProcess, "help": whyProcess, "verbose": whyProcess, "version": whyProcess, "gdb": whyProcess, "console": whyProcess,
	"no_defaults": whyProcess, "defaults_file": whyProcess, "defaults_extra_file": whyProcess, "defaults_group_suffix": whyProcess,
	"print_defaults": whyProcess, "no_monitor": whyProcess, "debug": whyProcess,

	"disabled_storage_engines": whyEngines,

	"init_file": whyInitFile, "persisted_globals_load": whyPersisted, "skip_name_resolve": whyDNS, "log_raw": whyLogRaw,
}

// reservedPrefixes are starts of names that are reserved as a whole.
var reservedPrefixes = map[string]string{
	"rpl_semi_sync_":    whySemiSync,
	"replicate_":        whySameData,
	"group_replication": "the cluster replicates by GTIDs and semi-synchronous replication, not by Group Replication",
}

// negations are the prefixes by which mysqld lets an option be written the other way round, or changed with its maximum.
var negations = []string{"skip_", "disable_", "enable_", "maximum_"}

// Reserved tells whether the user may not set a setting, in any spelling, and why: the reason ends the sentence
// "<name> is reserved: …".
func Reserved(name string) (reason string, isReserved bool) {
	normal := Normalize(name)
	if reason, ok := lookUpReserved(normal); ok {
		return reason, true
	}
	for _, prefix := range negations {
		if rest, found := strings.CutPrefix(normal, prefix); found {
			if reason, ok := lookUpReserved(rest); ok {
				return reason, true
			}
		}
	}
	return "", false
}

func lookUpReserved(normal string) (string, bool) {
	if reason, ok := reserved[normal]; ok {
		return reason, true
	}
	for prefix, reason := range reservedPrefixes {
		if strings.HasPrefix(normal, prefix) {
			return reason, true
		}
	}
	return "", false
}
