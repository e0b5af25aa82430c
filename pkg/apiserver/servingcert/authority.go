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

package servingcert

import (
	"context"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

// Keys of the Secret that holds the authority. With them it looks to people like any other Secret of certificates.
const (
	keyCert   = "tls.crt"
	keyKey    = "tls.key"
	keyBundle = "ca.crt"
)

// authority is what the Secret holds: the CA that issues, and the bundle of all CAs that are to be trusted, the old ones included.
type authority struct {
	ca     *certs.CA
	bundle []byte
}

// nextAuthority reads the authority from the data of the Secret. If there is none that can be used, or if it has lived two thirds of its life,
// it makes a new one; data is then what the Secret has to hold, and otherwise nil.
func nextAuthority(old map[string][]byte, life time.Duration, now time.Time) (_ *authority, data map[string][]byte, err error) {
	oldBundle, err := certs.Bundle(nil, old[keyBundle], now)
	if err != nil {
		oldBundle = nil // rubbish; the CA itself is put back below
	}
	ca, err := certs.LoadCA(old[keyCert], old[keyKey])
	usable := err == nil && !certs.NeedsRenewal(old[keyCert], now)
	if err == nil && !usable {
		// It issues no more, but what it issued stays trusted as long as it lives.
		if oldBundle, err = certs.Bundle(old[keyCert], oldBundle, now); err != nil {
			return nil, nil, err
		}
	}
	if !usable {
		if ca, err = certs.NewCA("mysql-apiserver-ca", startOf(now, life), now.Add(life)); err != nil {
			return nil, nil, err
		}
	}
	bundle, err := certs.Bundle(ca.CertPEM(), oldBundle, now)
	if err != nil {
		return nil, nil, err
	}
	if usable && string(bundle) == string(old[keyBundle]) {
		return &authority{ca: ca, bundle: bundle}, nil, nil
	}
	data = maps.Clone(old)
	if data == nil {
		data = map[string][]byte{}
	}
	data[keyCert], data[keyKey], data[keyBundle] = ca.CertPEM(), ca.KeyPEM(), bundle
	return &authority{ca: ca, bundle: bundle}, data, nil
}

// ensureAuthority reads the authority from the Secret, and makes or renews it there if need be. When several servers do so at once, the
// Secret's resourceVersion lets one of them win, and the others get a conflict and come again.
func (m *Manager) ensureAuthority(ctx context.Context) (*authority, error) {
	secrets := m.kube.CoreV1().Secrets(m.options.Namespace)
	secret, err := secrets.Get(ctx, m.options.Secret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		// Made empty, by apply: everybody who does this at the same time makes the same. Unlike a plain create, an apply names the
		// object in the request, so that the right to do it can be limited to this name.
		secret, err = secrets.Apply(ctx, applycorev1.Secret(m.options.Secret, m.options.Namespace), metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	}
	if err != nil {
		return nil, fmt.Errorf("get the Secret of the certificate authority: %w", err)
	}
	found, data, err := nextAuthority(secret.Data, m.options.CALife, m.clock.Now())
	if err != nil || data == nil {
		return found, err
	}
	secret = secret.DeepCopy()
	secret.Data = data
	if _, err := secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return nil, fmt.Errorf("write the Secret of the certificate authority: %w", err)
	}
	klog.FromContext(ctx).Info("Wrote the certificate authority", "secret", klog.KObj(secret), "expires", found.ca.NotAfter())
	return found, nil
}
