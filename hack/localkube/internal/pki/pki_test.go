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

package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

const server = "https://10.244.255.1:6443"

func certificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	der, err := readPEM(file)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestServersAreTrustedByTheirOwnAuthorityAlone(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	if err := EnsureCluster(l, server); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ authority, file, host string }{
		{"ca", "apiserver", layout.NodeIP.String()},
		{"ca", "apiserver", layout.KubernetesIP.String()},
		{"ca", "apiserver", "kubernetes.default.svc"},
		{"ca", "kubelet-server", layout.NodeIP.String()},
		{"etcd-ca", "etcd", layout.NodeIP.String()},
		{"front-proxy-ca", "front-proxy", ""},
	} {
		cert := certificate(t, l.PKI(test.file+".crt"))
		for _, authority := range []string{"ca", "etcd-ca", "front-proxy-ca"} {
			roots := x509.NewCertPool()
			roots.AddCert(certificate(t, l.PKI(authority+".crt")))
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: test.host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if (err == nil) != (authority == test.authority) {
				t.Errorf("%s as %q by %s: %v", test.file, test.host, authority, err)
			}
		}
	}
}

func TestEnsureClusterKeepsWhatIsThere(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	contents := func() map[string]string {
		if err := EnsureCluster(l, server); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(l.Kube("*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found[file] = string(data)
		}
		return found
	}
	first, second := contents(), contents()
	if len(first) < 20 || len(first) != len(second) {
		t.Errorf("%d files, then %d", len(first), len(second))
	}
	for file, data := range first {
		if second[file] != data {
			t.Errorf("%s was made anew", file)
		}
	}
}

func TestPrivateKeysAreForTheirOwnerAlone(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	if err := EnsureCluster(l, server); err != nil {
		t.Fatal(err)
	}
	secret, err := filepath.Glob(l.PKI("*.key"))
	if err != nil || len(secret) == 0 {
		t.Fatalf("no keys: %v", err)
	}
	for _, file := range append(secret, l.Kubeconfig()) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", file, info.Mode())
		}
	}
}

func TestKubeconfigNamesTheServer(t *testing.T) {
	l := layout.Layout{Work: t.TempDir()}
	if err := EnsureCluster(l, server); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != server {
		t.Errorf("got %s", config.Host)
	}
}
