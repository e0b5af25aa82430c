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

// Package certs makes the certificates that the parts of the product show each other: certificate authorities, leaf certificates for
// servers and clients, and the bundles of authorities that carry a rotation. It keeps nothing and watches nothing; whoever uses it
// decides where the results live.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// CA is a certificate authority: a self-signed certificate and its key.
type CA struct {
	cert    *x509.Certificate
	key     crypto.Signer
	certPEM []byte
	keyPEM  []byte
}

// NewCA makes a new certificate authority with a new ECDSA P-256 key, valid between the two times. It fails only when the system has
// no randomness or the times make no sense.
func NewCA(commonName string, notBefore, notAfter time.Time) (*CA, error) {
	if !notAfter.After(notBefore) {
		return nil, fmt.Errorf("a CA that is valid until %s can not start at %s", notAfter.UTC(), notBefore.UTC())
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             notBefore.UTC(),
		NotAfter:              notAfter.UTC(),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the CA certificate %q: %w", commonName, err)
	}
	return LoadCA(encodeCertificate(der), keyPEM)
}

// LoadCA reads a certificate authority as CertPEM and KeyPEM gave it. If certPEM holds several certificates, the first one counts. It
// fails when one of the two can not be parsed, the certificate is not that of an authority, or the key belongs to another one.
func LoadCA(certPEM, keyPEM []byte) (*CA, error) {
	parsed, err := cert.ParseCertsPEM(certPEM)
	if err != nil {
		return nil, fmt.Errorf("parse the CA certificate: %w", err)
	}
	own := parsed[0]
	if !own.IsCA {
		return nil, fmt.Errorf("the certificate of %q is not that of a certificate authority", own.Subject.CommonName)
	}
	parsedKey, err := keyutil.ParsePrivateKeyPEM(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("parse the key of the CA %q: %w", own.Subject.CommonName, err)
	}
	key, ok := parsedKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the key of the CA %q can not sign", own.Subject.CommonName)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(own.PublicKey) {
		return nil, fmt.Errorf("the key is not that of the CA %q", own.Subject.CommonName)
	}
	return &CA{cert: own, key: key, certPEM: encodeCertificate(own.Raw), keyPEM: keyPEM}, nil
}

// CertPEM is the authority's certificate, for those who have to trust it.
func (ca *CA) CertPEM() []byte { return ca.certPEM }

// KeyPEM is the authority's private key. It belongs into a Secret or a file of mode 0600.
func (ca *CA) KeyPEM() []byte { return ca.keyPEM }

// NotAfter is the time when the authority expires.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }

func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return key, keyPEM, nil
}

// newSerial draws a random positive serial number, because two certificates of one authority must never share one and we keep no count.
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	if serial.Sign() == 0 {
		return nil, errors.New("draw a serial number: got zero")
	}
	return serial, nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der})
}
