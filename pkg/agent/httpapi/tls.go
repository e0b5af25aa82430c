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

package httpapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

// File names of a TLS directory.
const (
	CAFile   = "ca.crt"
	CertFile = "tls.crt"
	KeyFile  = "tls.key"
)

// serverTLS demands a client certificate of the cluster's CA that is the controller's. The files are read for each connection, of
// which there are few, so that rotated ones count at once.
func serverTLS(dir string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			cert, err := tls.LoadX509KeyPair(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile))
			if err != nil {
				return nil, fmt.Errorf("load the node's certificate: %w", err)
			}
			ca, err := os.ReadFile(filepath.Join(dir, CAFile))
			if err != nil {
				return nil, fmt.Errorf("load the cluster's CA: %w", err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(ca) {
				return nil, errors.New("load the cluster's CA: no certificate in the file")
			}
			return &tls.Config{
				MinVersion:       tls.VersionTLS13,
				NextProtos:       []string{"h2", "http/1.1"},
				Certificates:     []tls.Certificate{cert},
				ClientCAs:        pool,
				ClientAuth:       tls.RequireAndVerifyClientCert,
				VerifyConnection: onlyController,
			}, nil
		},
	}
}

// onlyController keeps out the other holders of certificates of the same CA: the nodes themselves.
func onlyController(state tls.ConnectionState) error {
	if name := state.PeerCertificates[0].Subject.CommonName; name != api.ControllerCommonName {
		return fmt.Errorf("the client certificate is for %q, only %q may give orders", name, api.ControllerCommonName)
	}
	return nil
}
