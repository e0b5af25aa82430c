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

// Package standalone makes what an API server without Kubernetes behind it needs in order to know its only user: a certificate authority,
// a serving certificate, a client certificate and a kubeconfig, kept in files beside the data.
package standalone

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

const (
	// AdminUser is the name of the only user, and AdminGroup the group by which the server allows it everything.
	AdminUser  = "admin"
	AdminGroup = "system:masters"

	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	// skew lets a clock that is set back a little after the start not invalidate what was just issued.
	skew = time.Minute
)

// Files are the paths of what is kept.
type Files struct {
	CACert      string
	ServingCert string
	ServingKey  string
	Kubeconfig  string
}

// Ensure makes the files in dir, or renews those that need it, for a server that listens at addr. Files that are still good stay as they
// are, except for the kubeconfig, which follows the address.
func Ensure(dir string, addr *net.TCPAddr, now time.Time) (*Files, error) {
	pki := filepath.Join(dir, "pki")
	if err := os.MkdirAll(pki, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the certificates: %w", err)
	}
	ca, err := ensureCA(filepath.Join(pki, "ca"), now)
	if err != nil {
		return nil, err
	}
	serving, err := ensureLeaf(filepath.Join(pki, "serving"), ca, certs.Leaf{
		CommonName: "mysql-apiserver", DNSNames: []string{"localhost"}, IPs: []net.IP{addr.IP},
		Usages:    []x509.ExtKeyUsage{certs.UsageServer},
		NotBefore: now.Add(-skew), NotAfter: now.Add(leafLife),
	}, addr.IP.String(), now)
	if err != nil {
		return nil, err
	}
	client, err := ensureLeaf(filepath.Join(pki, "client"), ca, certs.Leaf{
		CommonName: AdminUser, Organization: []string{AdminGroup},
		Usages:    []x509.ExtKeyUsage{certs.UsageClient},
		NotBefore: now.Add(-skew), NotAfter: now.Add(leafLife),
	}, "", now)
	if err != nil {
		return nil, err
	}
	files := &Files{CACert: filepath.Join(pki, "ca.crt"), ServingCert: serving.path + ".crt", ServingKey: serving.path + ".key", Kubeconfig: filepath.Join(dir, "kubeconfig")}
	return files, writeKubeconfig(files.Kubeconfig, addr, ca, client)
}

// pair is a certificate with its key, in path + ".crt" and path + ".key".
type pair struct {
	path      string
	cert, key []byte
}

// readPair reads a pair. Missing files are no error: the pair is empty then.
func readPair(path string) (pair, error) {
	p := pair{path: path}
	var errCert, errKey error
	p.cert, errCert = os.ReadFile(path + ".crt")
	p.key, errKey = os.ReadFile(path + ".key")
	for _, err := range []error{errCert, errKey} {
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return pair{}, fmt.Errorf("read a certificate: %w", err)
		}
	}
	return p, nil
}

// write replaces the pair's files. The key goes first, so that a certificate never stands without its key.
func (p pair) write() error {
	for _, file := range []struct {
		path string
		data []byte
	}{{p.path + ".key", p.key}, {p.path + ".crt", p.cert}} {
		if err := replaceFile(file.path, file.data); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile puts data in place at once, readable by the owner only.
func replaceFile(path string, data []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func ensureCA(path string, now time.Time) (*certs.CA, error) {
	p, err := readPair(path)
	if err != nil {
		return nil, err
	}
	if ca, err := certs.LoadCA(p.cert, p.key); err == nil && !certs.NeedsRenewal(p.cert, now) {
		return ca, nil
	}
	ca, err := certs.NewCA("mysql-apiserver-standalone", now.Add(-skew), now.Add(caLife))
	if err != nil {
		return nil, err
	}
	p.cert, p.key = ca.CertPEM(), ca.KeyPEM()
	return ca, p.write()
}

func ensureLeaf(path string, ca *certs.CA, leaf certs.Leaf, host string, now time.Time) (pair, error) {
	p, err := readPair(path)
	if err != nil {
		return pair{}, err
	}
	if certs.IsPair(p.cert, p.key) && !certs.NeedsRenewal(p.cert, now) && certs.IssuedBy(p.cert, ca.CertPEM(), leaf.Usages[0], host, now) == nil {
		return p, nil
	}
	if p.cert, p.key, err = ca.Issue(leaf); err != nil {
		return pair{}, err
	}
	return p, p.write()
}

// writeKubeconfig writes a kubeconfig that needs no other file, so that it can be copied.
func writeKubeconfig(path string, addr *net.TCPAddr, ca *certs.CA, client pair) error {
	const name = "mysql-apiserver"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + addr.String(), CertificateAuthorityData: ca.CertPEM()}
	config.AuthInfos[AdminUser] = &clientcmdapi.AuthInfo{ClientCertificateData: client.cert, ClientKeyData: client.key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: AdminUser, Namespace: "default"}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode the kubeconfig: %w", err)
	}
	return replaceFile(path, data)
}
