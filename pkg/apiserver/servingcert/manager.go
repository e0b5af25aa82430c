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

// Package servingcert looks after the certificate that an aggregated API server shows to kube-apiserver: it keeps a certificate authority in a
// Secret, issues the serving certificate from it, renews both in time without a restart, and keeps the caBundle of the APIService right.
package servingcert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/clock"

	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

const (
	fieldManager = "mysql-apiserver-certificates"
	// maxSkew is how far the clocks of other machines may be behind ours.
	maxSkew = 5 * time.Minute
	// longestWait bounds how long a change that no event told goes unnoticed, and retryAfter how long a failure lasts.
	longestWait = time.Hour
	retryAfter  = 2 * time.Second
)

// Options say whom the certificate is for and where things are kept.
type Options struct {
	// Service is the name of the Service, in Namespace, through which kube-apiserver reaches the server.
	Service, Namespace string
	// Secret is the name of the Secret in Namespace that holds the authority.
	Secret string
	// APIServices are the names of the APIServices that lead to the Service.
	APIServices []string
	// CALife and CertificateLife are how long the authority and the certificate are valid. Each is renewed after two thirds.
	CALife, CertificateLife time.Duration
}

// Manager does what the package is for. It provides the serving certificate to the server.
type Manager struct {
	options    Options
	kube       kubernetes.Interface
	aggregator aggregator.Interface
	clock      clock.WithTicker

	authority *authority // the last one seen; used by one goroutine at a time
	trigger   chan struct{}

	mu        sync.RWMutex
	cert, key []byte
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = &Manager{}

// New makes a Manager. Call Start before the server is configured, and Run while it runs.
func New(options Options, kube kubernetes.Interface, aggregator aggregator.Interface, clock clock.WithTicker) *Manager {
	return &Manager{options: options, kube: kube, aggregator: aggregator, clock: clock, trigger: make(chan struct{}, 1)}
}

// Start gets the first certificate. It tries until ctx ends.
func (m *Manager) Start(ctx context.Context) error {
	for {
		err := m.syncCertificate(ctx)
		if err == nil {
			return nil
		}
		klog.FromContext(ctx).Info("There is no serving certificate yet", "err", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("get a serving certificate: %w", err)
		case <-m.clock.After(retryAfter):
		}
	}
}

// Run keeps everything right until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	logger := klog.FromContext(ctx)
	if err := m.watch(ctx); err != nil {
		logger.Error(err, "Changes of the certificate authority and of the APIService will be noticed late")
	}
	for {
		wait := retryAfter
		if err := m.sync(ctx); err == nil {
			wait = m.untilRenewal()
		} else if ctx.Err() == nil {
			logger.Error(err, "Will try again to keep the serving certificate right")
		}
		select {
		case <-ctx.Done():
			return
		case <-m.trigger:
		case <-m.clock.After(wait):
		}
	}
}

// sync does all there is to do now. The certificate is looked after even when the APIService can not be, and the other way round.
func (m *Manager) sync(ctx context.Context) error {
	certificateErr := m.syncCertificate(ctx)
	if m.authority == nil {
		return certificateErr
	}
	return errors.Join(certificateErr, m.publish(ctx, m.authority.bundle))
}

// syncCertificate brings authority and certificate up to date. If the Secret can not be reached, the authority that was last seen goes on issuing.
func (m *Manager) syncCertificate(ctx context.Context) error {
	found, err := m.ensureAuthority(ctx)
	if err == nil {
		m.authority = found
	} else if m.authority == nil {
		return err
	}
	return errors.Join(err, m.ensureCertificate(ctx))
}

// ensureCertificate issues a new certificate if the present one is old, or not trusted by who trusts the bundle. A new authority alone is no
// reason: the old one stays in the bundle for as long as it lives, so that kube-apiserver has long heard of the new one when it is first used.
func (m *Manager) ensureCertificate(ctx context.Context) error {
	host, now := m.options.Service+"."+m.options.Namespace+".svc", m.clock.Now()
	cert, key := m.CurrentCertKeyContent()
	if certs.IsPair(cert, key) && !certs.NeedsRenewal(cert, now) && certs.IssuedBy(cert, m.authority.bundle, certs.UsageServer, host, now) == nil {
		return nil
	}
	cert, key, err := m.authority.ca.Issue(certs.Leaf{
		CommonName: host, DNSNames: []string{host}, Usages: []x509.ExtKeyUsage{certs.UsageServer},
		NotBefore: startOf(now, m.options.CertificateLife), NotAfter: now.Add(m.options.CertificateLife),
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.cert, m.key = cert, key
	listeners := m.listeners
	m.mu.Unlock()
	for _, listener := range listeners {
		listener.Enqueue()
	}
	klog.FromContext(ctx).Info("Issued the serving certificate", "host", host, "renewal", certs.RenewalTime(cert))
	return nil
}

// untilRenewal is how long there is nothing to do, if nothing happens.
func (m *Manager) untilRenewal() time.Duration {
	cert, _ := m.CurrentCertKeyContent()
	next := certs.RenewalTime(cert)
	if m.authority != nil {
		if ca := certs.RenewalTime(m.authority.ca.CertPEM()); ca.Before(next) {
			next = ca
		}
	}
	// A little more than zero, so that a renewal that is due but does nothing can not keep the processor busy.
	return min(max(next.Sub(m.clock.Now()), retryAfter), longestWait)
}

// startOf is when a certificate of that life that is issued now becomes valid: a little earlier, for clocks that are behind.
func startOf(now time.Time, life time.Duration) time.Time {
	return now.Add(-min(maxSkew, life/10))
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (m *Manager) Name() string { return "managed-serving-certificate" }

// CurrentCertKeyContent implements dynamiccertificates.CertKeyContentProvider.
func (m *Manager) CurrentCertKeyContent() (cert, key []byte) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.cert, m.key
}

// AddListener implements dynamiccertificates.Notifier.
func (m *Manager) AddListener(listener dynamiccertificates.Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners = append(m.listeners, listener)
}
