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

// removal tells when MySQL lost a setting, and what to do instead.
type removal struct {
	// in is the first version without the setting; empty if there never was one of that name in any supported version.
	in   string
	hint string
}

const (
	hintNoEffect     = "it no longer has any effect; remove it"
	hintUTF8         = "the server's and the clients' character sets are set with character_set_server and by the clients"
	hintQueryCache   = "the query cache is gone; remove it"
	hintRedoCapacity = "use innodb_redo_log_capacity, the size of all redo log files together"
)

// removals are settings that people still carry around. Which 9.x release dropped one does not matter: 9.0 stands for all of them.
var removals = map[string]removal{
	// Never existed, but is often written.
	"innodb_buffer_size":    {"", "use innodb_buffer_pool_size"},
	"innodb_buffer_pool":    {"", "use innodb_buffer_pool_size"},
	"innodb_log_size":       {"", hintRedoCapacity},
	"max_connection":        {"", "use max_connections"},
	"max_packet_size":       {"", "use max_allowed_packet"},
	"character_set":         {"", "use character_set_server"},
	"collation":             {"", "use collation_server"},
	"slow_query_log_time":   {"", "use long_query_time"},
	"binlog_expire_days":    {"", "use binlog_expire_logs_seconds"},
	"innodb_flush_log":      {"", "use innodb_flush_log_at_trx_commit"},
	"table_cache":           {"", "use table_open_cache"},
	"key_buffer":            {"", "use key_buffer_size"},
	"default_character_set": {"", "use character_set_server"},
	"log_slow_queries":      {"", "use slow_query_log"},
	"thread_concurrency":    {"", hintNoEffect},

	// Gone in 8.0.
	"query_cache_size":                 {"8.0.3", hintQueryCache},
	"query_cache_type":                 {"8.0.3", hintQueryCache},
	"query_cache_limit":                {"8.0.3", hintQueryCache},
	"query_cache_min_res_unit":         {"8.0.3", hintQueryCache},
	"query_cache_wlock_invalidate":     {"8.0.3", hintQueryCache},
	"innodb_file_format":               {"8.0.0", hintNoEffect},
	"innodb_file_format_check":         {"8.0.0", hintNoEffect},
	"innodb_file_format_max":           {"8.0.0", hintNoEffect},
	"innodb_large_prefix":              {"8.0.0", hintNoEffect},
	"innodb_locks_unsafe_for_binlog":   {"8.0.0", "use transaction_isolation = READ-COMMITTED"},
	"innodb_support_xa":                {"8.0.0", hintNoEffect},
	"innodb_checksums":                 {"8.0.0", "use innodb_checksum_algorithm"},
	"innodb_stats_sample_pages":        {"8.0.0", "use innodb_stats_transient_sample_pages"},
	"innodb_undo_logs":                 {"8.0.2", "use innodb_rollback_segments"},
	"innodb_additional_mem_pool_size":  {"8.0.0", hintNoEffect},
	"internal_tmp_disk_storage_engine": {"8.0.16", hintNoEffect},
	"log_warnings":                     {"8.0.3", "use log_error_verbosity"},
	"secure_auth":                      {"8.0.3", hintNoEffect},
	"old_passwords":                    {"8.0.11", hintNoEffect},
	"sync_frm":                         {"8.0.3", hintNoEffect},
	"tx_isolation":                     {"8.0.3", "use transaction_isolation"},
	"tx_read_only":                     {"8.0.3", "use transaction_read_only"},
	"max_tmp_tables":                   {"8.0.3", hintNoEffect},
	"ignore_db_dirs":                   {"8.0.0", hintNoEffect},
	"ignore_builtin_innodb":            {"8.0.3", hintNoEffect},
	"multi_range_count":                {"8.0.3", hintNoEffect},
	"show_compatibility_56":            {"8.0.1", hintNoEffect},
	"metadata_locks_cache_size":        {"8.0.13", hintNoEffect},
	"metadata_locks_hash_instances":    {"8.0.13", hintNoEffect},
	"log_syslog":                       {"8.0.13", "log lines go to the container's log"},
	"date_format":                      {"8.0.3", hintNoEffect},
	"datetime_format":                  {"8.0.3", hintNoEffect},
	"time_format":                      {"8.0.3", hintNoEffect},
	"simplified_binlog_gtid_recovery":  {"8.0.0", hintNoEffect},

	// Gone between 8.0 and 8.4.
	"skip_host_cache":                        {"8.3.0", "use host_cache_size = 0"},
	"default_authentication_plugin":          {"8.4.0", "use authentication_policy; accounts use caching_sha2_password by default"},
	"expire_logs_days":                       {"8.4.0", "use binlog_expire_logs_seconds"},
	"binlog_transaction_dependency_tracking": {"8.4.0", "write sets are always used; remove it"},
	"transaction_write_set_extraction":       {"8.4.0", "write sets are always used; remove it"},
	"slave_rows_search_algorithms":           {"8.3.0", hintNoEffect},
	"log_bin_use_v1_row_events":              {"8.3.0", hintNoEffect},
	"avoid_temporal_upgrade":                 {"8.4.0", hintNoEffect},
	"show_old_temporals":                     {"8.4.0", hintNoEffect},
	"language":                               {"8.4.0", "use lc_messages"},
	"old_style_user_limits":                  {"8.4.0", hintNoEffect},
	"new":                                    {"8.4.0", hintNoEffect},
	"old":                                    {"8.4.0", hintNoEffect},
	"authentication_fido_rp_id":              {"8.4.0", "use authentication_webauthn_rp_id"},
	"keyring_file_data":                      {"8.4.0", "use the component component_keyring_file"},

	// Gone in 9.
	"mysql_native_password":          {"9.0.0", "accounts use caching_sha2_password"},
	"innodb_log_file_size":           {"9.0.0", hintRedoCapacity},
	"innodb_log_files_in_group":      {"9.0.0", hintRedoCapacity},
	"replica_parallel_type":          {"9.0.0", "transactions are always applied in parallel by LOGICAL_CLOCK; remove it"},
	"slave_parallel_type":            {"9.0.0", "transactions are always applied in parallel by LOGICAL_CLOCK; remove it"},
	"character_set_client_handshake": {"9.0.0", hintUTF8},
	"temptable_use_mmap":             {"9.0.0", "use temptable_max_mmap = 0"},
	"innodb_undo_tablespaces":        {"9.0.0", hintNoEffect},
}

// Removed tells whether a version of MySQL no longer knows a setting, or never did although its name is often written. The hint
// says what to do instead. A false answer does not mean that the setting exists; an unparsable version knows everything.
func Removed(name, version string) (hint string, removed bool) {
	r, listed := removals[Normalize(name)]
	if !listed {
		return "", false
	}
	if r.in == "" {
		return r.hint, true
	}
	v, err := parseVersion(version)
	if err != nil || v.less(mustVersion(r.in)) {
		return "", false
	}
	return r.hint, true
}
