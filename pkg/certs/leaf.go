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
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/util/cert"
)

// Leaf describes a certificate that a CA is to issue.
type Leaf struct {
	// CommonName and Organization are the subject; Kubernetes reads them as user and groups.
	CommonName   string
	Organization []string
	// DNSNames and IPs are what a client may call the server.
	DNSNames []string
	IPs      []net.IP
	// Usages is UsageServer, UsageClient or both.
	Usages []x509.ExtKeyUsage
	// NotBefore and NotAfter bound the validity. A leaf never outlives its CA: NotAfter is cut to the CA's.
	NotBefore, NotAfter time.Time
}

// What a leaf certificate may be used for.
const (
	UsageServer = x509.ExtKeyUsageServerAuth
	UsageClient = x509.ExtKeyUsageClientAuth
)

// Issue signs a leaf certificate with a new ECDSA P-256 key. It fails when the description lacks a name or a usage, when the validity is
// empty, or when the CA itself is not valid at leaf.NotBefore.
func (ca *CA) Issue(leaf Leaf) (certPEM, keyPEM []byte, err error) {
	if leaf.CommonName == "" && len(leaf.DNSNames) == 0 && len(leaf.IPs) == 0 {
		return nil, nil, errors.New("a certificate needs a common name, a DNS name or an IP address")
	}
	if len(leaf.Usages) == 0 {
		return nil, nil, fmt.Errorf("the certificate of %q needs a usage", leaf.CommonName)
	}
	notAfter := leaf.NotAfter
	if notAfter.After(ca.cert.NotAfter) {
		notAfter = ca.cert.NotAfter
	}
	if !notAfter.After(leaf.NotBefore) {
		return nil, nil, fmt.Errorf("the certificate of %q would be valid from %s to %s only", leaf.CommonName, leaf.NotBefore.UTC(), notAfter.UTC())
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organization},
		DNSNames:              leaf.DNSNames,
		IPAddresses:           leaf.IPs,
		NotBefore:             leaf.NotBefore.UTC(),
		NotAfter:              notAfter.UTC(),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           leaf.Usages,
		BasicConstraintsValid: true,
	}, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %q: %w", leaf.CommonName, err)
	}
	return encodeCertificate(der), keyPEM, nil
}

// NeedsRenewal tells whether the first certificate in certPEM has lived two thirds of its life at the time now, or can not be read at all.
func NeedsRenewal(certPEM []byte, now time.Time) bool {
	parsed, err := cert.ParseCertsPEM(certPEM)
	if err != nil {
		return true
	}
	return !now.Before(renewalTime(parsed[0])) || now.Before(parsed[0].NotBefore)
}

// RenewalTime is the time from which NeedsRenewal is true. It is the zero time for what can not be read.
func RenewalTime(certPEM []byte) time.Time {
	parsed, err := cert.ParseCertsPEM(certPEM)
	if err != nil {
		return time.Time{}
	}
	return renewalTime(parsed[0])
}

func renewalTime(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}

// IssuedBy tells whether the first certificate in certPEM is signed by one of the authorities in bundlePEM, valid at the time now, good
// for the usage, and, unless host is empty, for the host name. The error says what is wrong with it.
func IssuedBy(certPEM, bundlePEM []byte, usage x509.ExtKeyUsage, host string, now time.Time) error {
	parsed, err := cert.ParseCertsPEM(certPEM)
	if err != nil {
		return fmt.Errorf("parse the certificate: %w", err)
	}
	roots, err := cert.NewPoolFromBytes(bundlePEM)
	if err != nil {
		return fmt.Errorf("parse the bundle: %w", err)
	}
	_, err = parsed[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// IsPair tells whether certPEM and keyPEM can be parsed and belong together.
func IsPair(certPEM, keyPEM []byte) bool {
	_, err := tls.X509KeyPair(certPEM, keyPEM)
	return err == nil
}
