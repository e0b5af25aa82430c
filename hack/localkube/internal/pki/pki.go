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

// Package pki makes the certificates by which the parts of Kubernetes know each other, and the kubeconfigs that hold them.
package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// lifetime is longer than any local Kubernetes lives: it is made anew by the next up after a down.
const lifetime = 10 * 365 * 24 * time.Hour

// Authority is a certificate authority.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Leaf describes a certificate to be issued.
type Leaf struct {
	// Name is the common name: for a client, the user.
	Name string
	// Groups are the organisations: for a client, the user's groups.
	Groups []string
	// Hosts are the DNS names that a server is reached by, IPs its addresses.
	Hosts []string
	IPs   []net.IP
}

// EnsureAuthority returns the authority kept in dir/name.crt and dir/name.key, made first if it is not there.
func EnsureAuthority(dir, name string) (*Authority, error) {
	crt, key := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if a, err := readAuthority(crt, key); err == nil {
		return a, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "localkube " + name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := issue(template, template, private, private, crt, key); err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	return readAuthority(crt, key)
}

func readAuthority(crtFile, keyFile string) (*Authority, error) {
	crt, err := readPEM(crtFile)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(keyFile)
	if err != nil {
		return nil, err
	}
	a := &Authority{}
	if a.cert, err = x509.ParseCertificate(crt); err != nil {
		return nil, fmt.Errorf("read %s: %w", crtFile, err)
	}
	if a.key, err = x509.ParseECPrivateKey(key); err != nil {
		return nil, fmt.Errorf("read %s: %w", keyFile, err)
	}
	return a, nil
}

func readPEM(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("read %s: not PEM", file)
	}
	return block.Bytes, nil
}

// Ensure issues a certificate to dir/name.crt and dir/name.key unless it is there. It is good for servers and clients alike.
func (a *Authority) Ensure(dir, name string, leaf Leaf) error {
	crt, key := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if _, err := os.Stat(crt); err == nil { // written last
		return nil
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: leaf.Name, Organization: leaf.Groups},
		DNSNames:    leaf.Hosts,
		IPAddresses: leaf.IPs,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := issue(template, a.cert, private, a.key, crt, key); err != nil {
		return fmt.Errorf("issue the certificate %s: %w", name, err)
	}
	return nil
}

func issue(template, parent *x509.Certificate, private, signer *ecdsa.PrivateKey, crt, key string) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour) // a clock that is set back a little must not stop us
	template.NotAfter = time.Now().Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		return err
	}
	if err := writeKey(key, private); err != nil {
		return err
	}
	return os.WriteFile(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func writeKey(file string, private *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// EnsureKeyPair makes the key that signs service accounts' tokens, dir/name.key, and its public half, dir/name.pub.
func EnsureKeyPair(dir, name string) error {
	key, pub := filepath.Join(dir, name+".key"), filepath.Join(dir, name+".pub")
	if _, err := os.Stat(pub); err == nil {
		return nil
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return err
	}
	if err := writeKey(key, private); err != nil {
		return err
	}
	return os.WriteFile(pub, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644)
}

// WriteKubeconfig writes a kubeconfig for the client certificate dir/name.crt, with everything in the one file.
func WriteKubeconfig(file, server, dir, ca, name string) error {
	read := func(f string) (data []byte, err error) { return os.ReadFile(filepath.Join(dir, f)) }
	caData, err := read(ca + ".crt")
	if err != nil {
		return err
	}
	crt, err := read(name + ".crt")
	if err != nil {
		return err
	}
	key, err := read(name + ".key")
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: caData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: crt, ClientKeyData: key}
	config.Contexts["local"] = &clientcmdapi.Context{Cluster: "local", AuthInfo: name}
	config.CurrentContext = "local"
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", name, err)
	}
	if have, err := os.ReadFile(file); err == nil && bytes.Equal(have, data) {
		return nil
	}
	return os.WriteFile(file, data, 0o600)
}
