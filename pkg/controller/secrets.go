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

package controller

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/certs"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

const (
	caValidity   = 10 * 365 * 24 * time.Hour
	leafValidity = 365 * 24 * time.Hour
	// nodeCommonName is the subject of the nodes' certificates. It is the same for all clusters: agents know the controller by the common
	// name, which must not be for a user to choose.
	nodeCommonName = "mysql-node"
	// clockSkew is how far the clocks of the machines may be apart.
	clockSkew = 10 * time.Minute
	// secretsInterval is how often Secrets are read again. They are read by name: to watch them would need the right to read all
	// Secrets at any time, and each of their changes that matters is either made by us or awaited by missingInterval.
	secretsInterval = 2 * time.Minute
	missingInterval = 5 * time.Second
)

// secrets is what is known of a cluster's Secrets.
type secrets struct {
	// complaint says what is wrong with the user's Secret, and what to do; empty if it is complete.
	complaint string
	// passwords are those of the internal accounts.
	passwords map[string][]byte
	// client is how the controller shows itself to the agents, without a server's name.
	client *tls.Config
	// nextCheck is when to look again.
	nextCheck time.Time
}

// clientFor returns the TLS configuration for the agent with that name.
func (s *secrets) clientFor(host string) *tls.Config {
	config := s.client.Clone()
	config.ServerName = host
	return config
}

// ensureSecrets checks the user's Secret, and makes those of our own that are missing or about to expire. What is known already stays
// known if Kubernetes does not answer.
func (c *Controller) ensureSecrets(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster) error {
	now := c.Now()
	if m.secrets != nil && now.Before(m.secrets.nextCheck) {
		return nil
	}
	err := c.readSecrets(ctx, m, cluster, now)
	if err != nil && m.secrets != nil {
		m.secrets.nextCheck = now.Add(missingInterval)
	}
	return err
}

func (c *Controller) readSecrets(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster, now time.Time) error {
	next := &secrets{nextCheck: now.Add(secretsInterval)}
	if m.secrets != nil {
		next.passwords = m.secrets.passwords
	}
	var err error
	if next.complaint, err = c.checkUserSecret(ctx, cluster); err != nil {
		return err
	}
	if next.complaint != "" {
		next.nextCheck = now.Add(missingInterval)
	}
	if next.passwords, err = c.ensurePasswords(ctx, cluster, next.passwords); err != nil {
		return err
	}
	ca, renewal, err := c.ensureCertificates(ctx, cluster)
	if err != nil {
		return err
	}
	if renewal.Before(next.nextCheck) {
		next.nextCheck = renewal
	}
	if next.client, err = c.clientConfig(ca, m.secrets); err != nil {
		return err
	}
	c.complain(m, cluster, next.complaint)
	m.secrets = next
	return nil
}

// complain sends an Event when there is something new to say about the user's Secret.
func (c *Controller) complain(m *memory, cluster *v1alpha1.MysqlCluster, complaint string) {
	if complaint != m.secretEvent {
		if complaint != "" {
			c.Events.Event(cluster, corev1.EventTypeWarning, "SecretIncomplete", complaint)
		} else {
			c.Events.Event(cluster, corev1.EventTypeNormal, "SecretComplete", "the Secret "+cluster.Spec.SecretName+" is complete")
		}
	}
	m.secretEvent = complaint
}

// getOwn reads a Secret of our own; nil if it does not exist. One of that name that is not the cluster's is an error.
func (c *Controller) getOwn(ctx context.Context, cluster *v1alpha1.MysqlCluster, name string) (*corev1.Secret, error) {
	secret, err := c.Kube.CoreV1().Secrets(cluster.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the Secret %s: %w", name, err)
	}
	if foreign(secret, cluster) {
		return nil, fmt.Errorf("secret %s: %w", name, apply.ErrNameTaken)
	}
	return secret, nil
}

func (c *Controller) applySecret(ctx context.Context, secret *corev1ac.SecretApplyConfiguration) error {
	if _, err := c.Kube.CoreV1().Secrets(*secret.Namespace).Apply(ctx, secret, apply.Options); err != nil {
		return fmt.Errorf("apply the Secret %s: %w", *secret.Name, err)
	}
	return nil
}

// ensurePasswords makes the passwords of the internal accounts once. A Secret that was lost is made again with the passwords that are
// known: the accounts of the running nodes have them.
func (c *Controller) ensurePasswords(ctx context.Context, cluster *v1alpha1.MysqlCluster, known map[string][]byte) (map[string][]byte, error) {
	secret, err := c.getOwn(ctx, cluster, workload.OperatedSecretName(cluster.Name))
	if err != nil {
		return nil, err
	}
	passwords, complete := map[string][]byte{}, secret != nil && metav1.IsControlledBy(secret, cluster)
	for _, account := range []string{api.CredentialAgent, api.CredentialReplication, api.CredentialClone} {
		switch {
		case secret != nil && len(secret.Data[account]) > 0:
			passwords[account] = secret.Data[account]
			continue
		case len(known[account]) > 0:
			passwords[account] = known[account]
		default:
			passwords[account] = []byte(rand.Text())
		}
		complete = false
	}
	if complete {
		return passwords, nil
	}
	return passwords, c.applySecret(ctx, workload.OperatedSecret(cluster, passwords))
}

// ensureCertificates makes the cluster's certificate authority once, and the nodes' certificate anew when two thirds of its time are over.
// The agents read the new one where it is mounted. It returns when to look again.
func (c *Controller) ensureCertificates(ctx context.Context, cluster *v1alpha1.MysqlCluster) (*certs.CA, time.Time, error) {
	ca, err := c.ensureCA(ctx, cluster)
	if err != nil {
		return nil, time.Time{}, err
	}
	secret, err := c.getOwn(ctx, cluster, workload.TLSSecretName(cluster.Name))
	if err != nil {
		return nil, time.Time{}, err
	}
	now, names := c.Now(), workload.DNSNames(cluster.Name, cluster.Namespace)
	if secret != nil {
		leaf := secret.Data[corev1.TLSCertKey]
		problem := certs.IssuedBy(leaf, ca.CertPEM(), certs.UsageServer, workload.Host(workload.NodeName(cluster.Name, 0), cluster.Name, cluster.Namespace), now)
		if problem == nil && !certs.NeedsRenewal(leaf, now) && string(secret.Data[workload.CACertKey]) == string(ca.CertPEM()) {
			return ca, certs.RenewalTime(leaf), nil
		}
		klog.FromContext(ctx).Info("Renewing the nodes' certificate", "problem", problem)
	}
	certPEM, keyPEM, err := ca.Issue(certs.Leaf{
		CommonName: nodeCommonName, DNSNames: names, Usages: []x509.ExtKeyUsage{certs.UsageServer, certs.UsageClient},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafValidity),
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("issue the nodes' certificate: %w", err)
	}
	if err := c.applySecret(ctx, workload.TLSSecret(cluster, ca.CertPEM(), certPEM, keyPEM)); err != nil {
		return nil, time.Time{}, err
	}
	return ca, certs.RenewalTime(certPEM), nil
}

func (c *Controller) ensureCA(ctx context.Context, cluster *v1alpha1.MysqlCluster) (*certs.CA, error) {
	secret, err := c.getOwn(ctx, cluster, workload.CASecretName(cluster.Name))
	if err != nil {
		return nil, err
	}
	if secret != nil {
		ca, err := certs.LoadCA(secret.Data[workload.CACertKey], secret.Data[workload.CAKeyKey])
		if err == nil {
			return ca, nil
		}
		return nil, fmt.Errorf("the Secret %s is damaged; delete it to have a new authority made: %w", secret.Name, err)
	}
	now := c.Now()
	ca, err := certs.NewCA("mysql "+cluster.Namespace+"/"+cluster.Name, now.Add(-clockSkew), now.Add(caValidity))
	if err != nil {
		return nil, fmt.Errorf("make the cluster's certificate authority: %w", err)
	}
	return ca, c.applySecret(ctx, workload.CASecret(cluster, ca.CertPEM(), ca.KeyPEM()))
}

// clientConfig is how the controller shows itself to the agents. Its certificate lives in memory only.
func (c *Controller) clientConfig(ca *certs.CA, before *secrets) (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.CertPEM()) {
		return nil, errors.New("the cluster's certificate authority can not be read")
	}
	now := c.Now()
	if before != nil && before.client != nil && before.client.RootCAs.Equal(roots) {
		if leaf := before.client.Certificates[0].Leaf; leaf != nil && now.Before(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore)/3*2)) {
			return before.client, nil
		}
	}
	certPEM, keyPEM, err := ca.Issue(certs.Leaf{
		CommonName: api.ControllerCommonName, Usages: []x509.ExtKeyUsage{certs.UsageClient},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafValidity),
	})
	if err != nil {
		return nil, fmt.Errorf("issue the controller's certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("load the controller's certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair}}, nil
}
