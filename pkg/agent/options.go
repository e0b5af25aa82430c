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

package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// Options is all that the agent is told from outside. NewOptions fills in what holds in a pod.
type Options struct {
	// ConfigFile is the file with the api.NodeConfig.
	ConfigFile     string
	TLSDir         string
	CredentialsDir string
	UserSecretDir  string
	VolumeDir      string
	RunDir         string
	// BootIDFile tells one run of the machine's kernel from another.
	BootIDFile string

	// ControlAddress and ProbeAddress are what the agent listens on, host:port.
	ControlAddress string
	ProbeAddress   string
	// MySQLHost is the address that MySQL listens on; empty means every address.
	MySQLHost string
	MySQLPort int
	// AdminHost and AdminPort are what MySQL's administrative interface listens on, for replicas: one address, not a wildcard.
	AdminHost string
	AdminPort int

	// PodName names the node. MemoryBytes and CPUMillis are 0 if not known.
	PodName     string
	PodUID      string
	Ordinal     int
	MemoryBytes int64
	CPUMillis   int64

	// Mysqld are the words that run mysqld, MysqldOptions further options for it.
	Mysqld        []string
	MysqldOptions []string

	// PollInterval is how often MySQL is asked for its state when nothing else gives reason to.
	PollInterval time.Duration
	// FilesInterval is how often mounted Secrets are looked at. The kubelet itself takes a minute to change them.
	FilesInterval time.Duration
	// HungAfter is how long MySQL may be silent before it is reported as hung.
	HungAfter time.Duration
	// HandoverTimeout bounds how long a primary that is to end goes on serving until another node is the primary.
	HandoverTimeout time.Duration
	// OrderTimeout bounds how long an order that is carried out at once may take.
	OrderTimeout time.Duration
}

// NewOptions returns the options for a pod, from its environment.
func NewOptions(getenv func(string) string) (Options, error) {
	var errs []error
	number := func(name string, required bool) int64 {
		text := getenv(name)
		if text == "" && !required {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			errs = append(errs, fmt.Errorf("the environment variable %s is %q, not a number", name, text))
		}
		return n
	}
	o := Options{
		ConfigFile:      filepath.Join(api.ConfigDir, api.ConfigFile),
		TLSDir:          api.TLSDir,
		CredentialsDir:  api.CredentialsDir,
		UserSecretDir:   api.UserSecretDir,
		VolumeDir:       api.VolumeDir,
		RunDir:          api.RunDir,
		BootIDFile:      "/proc/sys/kernel/random/boot_id",
		ControlAddress:  ":" + strconv.Itoa(api.ControlPort),
		ProbeAddress:    ":" + strconv.Itoa(api.ProbePort),
		MySQLPort:       api.MySQLPort,
		AdminHost:       getenv(api.EnvPodIP),
		AdminPort:       api.AdminPort,
		PodName:         getenv(api.EnvPodName),
		PodUID:          getenv(api.EnvPodUID),
		Ordinal:         int(number(api.EnvOrdinal, true)),
		MemoryBytes:     number(api.EnvMemoryRequest, false),
		CPUMillis:       number(api.EnvCPULimit, false),
		Mysqld:          []string{"mysqld"},
		PollInterval:    500 * time.Millisecond,
		FilesInterval:   10 * time.Second,
		HungAfter:       3 * time.Second,
		HandoverTimeout: 10 * time.Second,
		OrderTimeout:    2 * time.Minute,
	}
	if o.PodName == "" {
		errs = append(errs, fmt.Errorf("the environment variable %s is empty", api.EnvPodName))
	}
	return o, errors.Join(errs...)
}

// loadConfig reads what is the same for all nodes of the cluster.
func (o Options) loadConfig() (api.NodeConfig, error) {
	var config api.NodeConfig
	text, err := os.ReadFile(o.ConfigFile)
	if err != nil {
		return config, fmt.Errorf("read the node's configuration: %w", err)
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return config, fmt.Errorf("read the node's configuration %s: %w", o.ConfigFile, err)
	}
	if config.ClusterUID == "" || config.ServerIDOffset < 1 {
		return config, fmt.Errorf("the node's configuration %s lacks clusterUID or serverIDOffset", o.ConfigFile)
	}
	return config, nil
}

// credentials are the passwords of the internal accounts.
type credentials struct{ agent, replication, clone string }

func (o Options) loadCredentials() (credentials, error) {
	var c credentials
	for name, target := range map[string]*string{
		api.CredentialAgent: &c.agent, api.CredentialReplication: &c.replication, api.CredentialClone: &c.clone,
	} {
		value, err := readSecret(filepath.Join(o.CredentialsDir, name))
		if err != nil {
			return c, err
		}
		if value == "" {
			return c, fmt.Errorf("the password of the internal account for %s is empty", name)
		}
		*target = value
	}
	return c, nil
}

// Keys of the user's Secret.
const (
	keyRootPassword = "ROOT_PASSWORD"
	keyUser         = "USER"
	keyPassword     = "PASSWORD"
	keyDatabase     = "DATABASE"
)

// userSecret is what the user's Secret holds; all but the password of root is optional.
type userSecret struct{ rootPassword, user, password, database string }

func (o Options) loadUserSecret() (userSecret, error) {
	var s userSecret
	for key, target := range map[string]*string{
		keyRootPassword: &s.rootPassword, keyUser: &s.user, keyPassword: &s.password, keyDatabase: &s.database,
	} {
		value, err := readSecret(filepath.Join(o.UserSecretDir, key))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return s, err
		}
		*target = value
	}
	if s.rootPassword == "" {
		return s, fmt.Errorf("the cluster's Secret has no %s", keyRootPassword)
	}
	return s, nil
}

// readSecret reads one key of a mounted Secret. The line break that an editor or echo left at the end is not part of it.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
