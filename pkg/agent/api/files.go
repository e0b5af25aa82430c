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

package api

// The files that the workload gives to the agent, and the environment of its container. The controller writes them
// (pkg/workload), the agent reads them (pkg/agent); tests of the agent write them themselves.
const (
	// ConfigDir holds ConfigFile, from the cluster's ConfigMap.
	ConfigDir  = "/etc/mysql-agent/config"
	ConfigFile = "node.json"
	// TLSDir holds ca.crt, tls.crt and tls.key: the certificate of the node for MySQL and for the control API, of the
	// cluster's own CA.
	TLSDir = "/etc/mysql-agent/tls"
	// CredentialsDir holds a file for each internal account's password: agent, replication, clone.
	CredentialsDir = "/etc/mysql-agent/credentials"
	// UserSecretDir holds the keys of the user's Secret: ROOT_PASSWORD, and optionally USER, PASSWORD, DATABASE.
	UserSecretDir = "/etc/mysql-agent/user"
	// VolumeDir is the node's volume. The data directory is a directory of it, beside the agent's own record.
	VolumeDir = "/var/lib/mysql"
	// RunDir holds the socket, the pid file and the generated my.cnf.
	RunDir = "/run/mysqld"
	// BinDir is where the init container puts the agent.
	BinDir = "/opt/mysql-agent"
)

// Environment variables of the MySQL container, set from the downward API.
const (
	EnvPodName       = "POD_NAME"
	EnvPodUID        = "POD_UID"
	EnvPodIP         = "POD_IP"
	EnvOrdinal       = "NODE_ORDINAL" // from the label apps.kubernetes.io/pod-index
	EnvMemoryRequest = "MEMORY_REQUEST_BYTES"
	EnvCPULimit      = "CPU_LIMIT_MILLIS"
)

// NodeConfig is the content of ConfigFile: what is the same for all nodes of a cluster.
type NodeConfig struct {
	ClusterUID string `json:"clusterUID"`
	// HostDomain is appended to the pod's name to make the name under which other nodes reach it (report_host):
	// <headless service>.<namespace>.svc
	HostDomain     string `json:"hostDomain"`
	ServerIDOffset int32  `json:"serverIDOffset"`
	// MysqlConf holds the user's settings, values as strings.
	MysqlConf map[string]string `json:"mysqlConf,omitempty"`
	// InitFileExtraSQL is executed at each start of mysqld, without binary logging.
	InitFileExtraSQL []string `json:"initFileExtraSQL,omitempty"`
	// VolumeBytes is the requested size of the volume; 0 if unknown.
	VolumeBytes int64 `json:"volumeBytes,omitempty"`
}

// Keys of the credentials Secret, and names of the internal accounts that they belong to.
const (
	CredentialAgent       = "agent"       // account sys_agent@localhost, over the socket only
	CredentialReplication = "replication" // account sys_replication@'%', TLS only
	CredentialClone       = "clone"       // account sys_clone@'%', TLS only, BACKUP_ADMIN on the donor
	AccountAgent          = "sys_agent"
	AccountReplication    = "sys_replication"
	AccountClone          = "sys_clone"
)
