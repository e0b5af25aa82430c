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

package certs

import (
	"bytes"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/util/cert"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func newTestCA(t *testing.T, name string, life time.Duration) *CA {
	t.Helper()
	ca, err := NewCA(name, now, now.Add(life))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func serverLeaf() Leaf {
	return Leaf{
		CommonName: "server", DNSNames: []string{"a.example"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
		Usages: []x509.ExtKeyUsage{UsageServer}, NotBefore: now, NotAfter: now.Add(time.Hour),
	}
}

func TestIssueMakesCertificatesThatVerify(t *testing.T) {
	ca, other := newTestCA(t, "ca", 24*time.Hour), newTestCA(t, "ca", 24*time.Hour)
	certPEM, keyPEM, err := ca.Issue(serverLeaf())
	if err != nil {
		t.Fatal(err)
	}
	if !IsPair(certPEM, keyPEM) {
		t.Error("certificate and key do not pair")
	}
	if IsPair(certPEM, ca.KeyPEM()) || IsPair(certPEM, nil) {
		t.Error("the certificate pairs with another key")
	}
	both := append(append([]byte{}, other.CertPEM()...), ca.CertPEM()...)
	cases := []struct {
		name, host string
		bundle     []byte
		usage      x509.ExtKeyUsage
		at         time.Time
		ok         bool
	}{
		{"its CA", "a.example", ca.CertPEM(), UsageServer, now, true},
		{"an address", "127.0.0.1", ca.CertPEM(), UsageServer, now, true},
		{"no host asked", "", ca.CertPEM(), UsageServer, now, true},
		{"bundle with another CA of the same name", "a.example", both, UsageServer, now, true},
		{"another CA of the same name", "a.example", other.CertPEM(), UsageServer, now, false},
		{"another host", "b.example", ca.CertPEM(), UsageServer, now, false},
		{"another usage", "a.example", ca.CertPEM(), UsageClient, now, false},
		{"expired", "a.example", ca.CertPEM(), UsageServer, now.Add(2 * time.Hour), false},
		{"no bundle", "a.example", nil, UsageServer, now, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := IssuedBy(certPEM, c.bundle, c.usage, c.host, c.at); (err == nil) != c.ok {
				t.Errorf("got %v, want ok=%v", err, c.ok)
			}
		})
	}
}

func TestIssueCutsTheLeafToItsCA(t *testing.T) {
	ca := newTestCA(t, "ca", time.Hour)
	leaf := serverLeaf()
	leaf.NotAfter = now.Add(48 * time.Hour)
	certPEM, _, err := ca.Issue(leaf)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := cert.ParseCertsPEM(certPEM)
	if err != nil {
		t.Fatal(err)
	}
	if !parsed[0].NotAfter.Equal(ca.NotAfter()) {
		t.Errorf("the leaf expires at %s, its CA at %s", parsed[0].NotAfter, ca.NotAfter())
	}
	if parsed[0].IsCA {
		t.Error("a leaf must not be a CA")
	}
}

func TestIssueRefusesNonsense(t *testing.T) {
	ca := newTestCA(t, "ca", time.Hour)
	cases := map[string]func(*Leaf){
		"common name": func(l *Leaf) { l.CommonName, l.DNSNames, l.IPs = "", nil, nil },
		"usage":       func(l *Leaf) { l.Usages = nil },
		"valid from":  func(l *Leaf) { l.NotBefore = now.Add(2 * time.Hour) },
	}
	for want, change := range cases {
		leaf := serverLeaf()
		change(&leaf)
		if _, _, err := ca.Issue(leaf); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := NewCA("ca", now, now); err == nil {
		t.Error("a CA without a validity was made")
	}
}

func TestLoadCARefusesWhatDoesNotBelongTogether(t *testing.T) {
	ca, other := newTestCA(t, "ca", time.Hour), newTestCA(t, "other", time.Hour)
	leafPEM, leafKey, err := ca.Issue(serverLeaf())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCA(ca.CertPEM(), ca.KeyPEM()); err != nil {
		t.Errorf("its own key is refused: %v", err)
	}
	cases := []struct {
		name      string
		cert, key []byte
	}{
		{"another key", ca.CertPEM(), other.KeyPEM()},
		{"a leaf", leafPEM, leafKey},
		{"no certificate", nil, ca.KeyPEM()},
		{"no key", ca.CertPEM(), nil},
		{"rubbish", []byte("x"), []byte("y")},
	}
	for _, c := range cases {
		if _, err := LoadCA(c.cert, c.key); err == nil {
			t.Errorf("%s is accepted", c.name)
		} else if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: the error reveals a key", c.name)
		}
	}
}

func TestNeedsRenewalAfterTwoThirds(t *testing.T) {
	ca := newTestCA(t, "ca", 3*time.Hour)
	cases := []struct {
		at   time.Time
		want bool
	}{
		{now.Add(-time.Second), true},
		{now, false},
		{now.Add(2*time.Hour - time.Second), false},
		{now.Add(2 * time.Hour), true},
		{now.Add(4 * time.Hour), true},
	}
	for _, c := range cases {
		if got := NeedsRenewal(ca.CertPEM(), c.at); got != c.want {
			t.Errorf("at %s: got %v, want %v", c.at, got, c.want)
		}
	}
	if !NeedsRenewal([]byte("rubbish"), now) || !NeedsRenewal(nil, now) {
		t.Error("what can not be read has to be renewed")
	}
	if got := RenewalTime(ca.CertPEM()); !got.Equal(now.Add(2 * time.Hour)) {
		t.Errorf("the renewal is at %s", got)
	}
}

func TestBundleKeepsTheOldAndDropsTheExpired(t *testing.T) {
	expired, old, current := newTestCA(t, "ca", time.Minute), newTestCA(t, "ca", time.Hour), newTestCA(t, "ca", 2*time.Hour)
	bundle, err := Bundle(old.CertPEM(), expired.CertPEM(), now)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err = Bundle(current.CertPEM(), bundle, now.Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if want := append(append([]byte{}, current.CertPEM()...), old.CertPEM()...); !bytes.Equal(bundle, want) {
		t.Errorf("got\n%s\nwant\n%s", bundle, want)
	}
	again, err := Bundle(current.CertPEM(), bundle, now.Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, bundle) {
		t.Error("adding what is already there changes the bundle")
	}
	if _, err := Bundle(current.CertPEM(), []byte("rubbish"), now); err == nil {
		t.Error("rubbish is accepted")
	}
}
