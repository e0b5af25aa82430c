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

package options_test

import (
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

// withCertificate is a client of the same server with another certificate.
func withCertificate(t *testing.T, base *rest.Config, ca *certs.CA, user string, groups ...string) *rest.Config {
	t.Helper()
	cert, key, err := ca.Issue(certs.Leaf{
		CommonName: user, Organization: groups, Usages: []x509.ExtKeyUsage{certs.UsageClient},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(base)
	config.CertData, config.KeyData = cert, key
	return config
}

func TestStandaloneLetsNobodyElseIn(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(server.DataDir, "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	ca, err := certs.LoadCA(read("ca.crt"), read("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := certs.NewCA("mysql-apiserver-standalone", time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	anonymous, token := rest.AnonymousClientConfig(server.Config), rest.AnonymousClientConfig(server.Config)
	token.BearerToken = "made-up"
	cases := []struct {
		name    string
		config  *rest.Config
		refused func(error) bool
	}{
		{"nobody", anonymous, apierrors.IsForbidden},
		{"a token", token, apierrors.IsForbidden},
		{"another CA", withCertificate(t, server.Config, foreign, "admin", "system:masters"), apierrors.IsUnauthorized},
		{"another group", withCertificate(t, server.Config, ca, "admin", "others"), apierrors.IsForbidden},
		{"the user by name", withCertificate(t, server.Config, ca, "admin"), apierrors.IsForbidden},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := clusters(t, c.config).List(t.Context(), metav1.ListOptions{})
			if !c.refused(err) {
				t.Errorf("list: got %v", err)
			}
			_, err = clusters(t, c.config).Create(t.Context(), newCluster("foo"), metav1.CreateOptions{})
			if !c.refused(err) {
				t.Errorf("create: got %v", err)
			}
		})
	}
	if _, err := clusters(t, withCertificate(t, server.Config, ca, "somebody", "system:masters")).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("the group of the only user is refused: %v", err)
	}
}

func TestStandaloneListensOnLoopbackOnly(t *testing.T) {
	address, err := url.Parse(server.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), address.Port()), time.Second)
		if err == nil {
			conn.Close()
			t.Errorf("the server answers at %s", ip)
		}
	}
	if ip := net.ParseIP(address.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Errorf("the kubeconfig leads to %s", address.Host)
	}
}

func TestStandaloneFilesAreTheOwners(t *testing.T) {
	err := filepath.WalkDir(filepath.Join(server.DataDir, "pki"), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(server.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig has mode %v", info.Mode())
	}
}
