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

package standalone

import (
	"bytes"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

var (
	start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	addr  = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4567}
)

func ensure(t *testing.T, dir string, now time.Time) *Files {
	t.Helper()
	files, err := Ensure(dir, addr, now)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// usable checks that the server and the bearer of the kubeconfig would accept each other.
func usable(t *testing.T, files *Files, now time.Time) {
	t.Helper()
	bundle := read(t, files.CACert)
	if err := certs.IssuedBy(read(t, files.ServingCert), bundle, x509.ExtKeyUsageServerAuth, "127.0.0.1", now); err != nil {
		t.Errorf("the serving certificate: %v", err)
	}
	if !certs.IsPair(read(t, files.ServingCert), read(t, files.ServingKey)) {
		t.Error("the serving certificate has another key")
	}
	config, err := clientcmd.BuildConfigFromFlags("", files.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:4567" || !bytes.Equal(config.CAData, bundle) {
		t.Errorf("the kubeconfig leads to %s", config.Host)
	}
	if err := certs.IssuedBy(config.CertData, bundle, x509.ExtKeyUsageClientAuth, "", now); err != nil {
		t.Errorf("the client certificate: %v", err)
	}
	if !certs.IsPair(config.CertData, config.KeyData) {
		t.Error("the client certificate has another key")
	}
}

func TestFilesStayAsLongAsTheyAreGood(t *testing.T) {
	dir := t.TempDir()
	files := ensure(t, dir, start)
	usable(t, files, start)
	before := map[string][]byte{}
	for _, path := range []string{files.CACert, files.ServingCert, files.ServingKey, files.Kubeconfig} {
		before[path] = read(t, path)
	}
	ensure(t, dir, start.Add(24*time.Hour))
	for path, data := range before {
		if !bytes.Equal(read(t, path), data) {
			t.Errorf("%s changed without need", path)
		}
	}
}

func TestOldFilesAreRenewed(t *testing.T) {
	dir := t.TempDir()
	files := ensure(t, dir, start)
	ca, serving := read(t, files.CACert), read(t, files.ServingCert)
	later := start.Add(300 * 24 * time.Hour)
	usable(t, ensure(t, dir, later), later)
	if bytes.Equal(read(t, files.ServingCert), serving) {
		t.Error("the serving certificate is as old as before")
	}
	if !bytes.Equal(read(t, files.CACert), ca) {
		t.Error("the CA changed without need")
	}
	muchLater := start.Add(8 * 365 * 24 * time.Hour)
	usable(t, ensure(t, dir, muchLater), muchLater)
	if bytes.Equal(read(t, files.CACert), ca) {
		t.Error("the CA is as old as before")
	}
}

func TestDamagedFilesAreMended(t *testing.T) {
	for _, name := range []string{"ca.crt", "ca.key", "serving.crt", "serving.key", "client.crt", "client.key"} {
		dir := t.TempDir()
		ensure(t, dir, start)
		path := filepath.Join(dir, "pki", name)
		if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
		usable(t, ensure(t, dir, start), start)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		usable(t, ensure(t, dir, start), start)
	}
}
