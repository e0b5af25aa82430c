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
	"bytes"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2/ktesting"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregatorfake "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/fake"
	testclock "k8s.io/utils/clock/testing"

	"github.com/presslabs/mysql-apiserver/pkg/certs"
)

const (
	host       = "api.ours.svc"
	apiService = "v1.example"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a Kubernetes cluster for one or more managers.
type world struct {
	kube       *kubefake.Clientset
	aggregator *aggregatorfake.Clientset
	clock      *testclock.FakeClock
}

func newWorld(apiServices ...runtime.Object) *world {
	return &world{kube: kubefake.NewClientset(), aggregator: aggregatorfake.NewSimpleClientset(apiServices...), clock: testclock.NewFakeClock(start)}
}

func (w *world) manager() *Manager {
	return New(Options{
		Service: "api", Namespace: "ours", Secret: "ca", APIServices: []string{apiService},
		CALife: 300 * time.Hour, CertificateLife: 30 * time.Hour,
	}, w.kube, w.aggregator, w.clock)
}

func registration(changes ...func(*apiregistrationv1.APIService)) *apiregistrationv1.APIService {
	service := &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: apiService},
		Spec:       apiregistrationv1.APIServiceSpec{Service: &apiregistrationv1.ServiceReference{Namespace: "ours", Name: "api"}},
	}
	for _, change := range changes {
		change(service)
	}
	return service
}

func (w *world) registered(t *testing.T) *apiregistrationv1.APIService {
	t.Helper()
	service, err := w.aggregator.ApiregistrationV1().APIServices().Get(t.Context(), apiService, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func (w *world) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret, err := w.kube.CoreV1().Secrets("ours").Get(t.Context(), "ca", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// trusted checks that kube-apiserver would accept the manager's certificate now.
func (w *world) trusted(t *testing.T, m *Manager) {
	t.Helper()
	cert, key := m.CurrentCertKeyContent()
	if !certs.IsPair(cert, key) {
		t.Fatal("the certificate has another key")
	}
	if err := certs.IssuedBy(cert, w.registered(t).Spec.CABundle, x509.ExtKeyUsageServerAuth, host, w.clock.Now()); err != nil {
		t.Errorf("at %s kube-apiserver refuses the certificate: %v", w.clock.Now().Sub(start), err)
	}
}

func sync1(t *testing.T, m *Manager) {
	t.Helper()
	_, ctx := ktesting.NewTestContext(t)
	if err := m.sync(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateIsTrustedAllItsLife(t *testing.T) {
	w := newWorld(registration())
	m := w.manager()
	seen := map[string]bool{}
	// Two lives of the authority, hour by hour: each state that kube-apiserver may see has to fit the certificate of the hour before too.
	for range 600 {
		before, _ := m.CurrentCertKeyContent()
		sync1(t, m)
		w.trusted(t, m)
		if before != nil {
			if err := certs.IssuedBy(before, w.registered(t).Spec.CABundle, x509.ExtKeyUsageServerAuth, host, w.clock.Now()); err != nil {
				t.Fatalf("at %s the previous certificate is no longer trusted: %v", w.clock.Now().Sub(start), err)
			}
		}
		seen[string(w.secret(t).Data[keyCert])] = true
		w.clock.Step(time.Hour)
	}
	if len(seen) < 3 {
		t.Errorf("in two lives there were only %d authorities", len(seen))
	}
}

func TestNewAuthorityIsPublishedBeforeItIsUsed(t *testing.T) {
	w := newWorld(registration())
	m := w.manager()
	sync1(t, m)
	oldBundle := w.registered(t).Spec.CABundle
	w.clock.Step(195 * time.Hour) // just before the authority is renewed
	sync1(t, m)
	w.clock.Step(6 * time.Hour) // and after
	sync1(t, m)
	if bytes.Equal(w.registered(t).Spec.CABundle, oldBundle) {
		t.Fatal("the authority was not renewed")
	}
	cert, _ := m.CurrentCertKeyContent()
	if err := certs.IssuedBy(cert, oldBundle, x509.ExtKeyUsageServerAuth, host, w.clock.Now()); err != nil {
		t.Errorf("who has not heard of the new authority yet refuses the certificate: %v", err)
	}
}

func TestNothingIsWrittenWhenNothingChanges(t *testing.T) {
	w := newWorld(registration())
	m := w.manager()
	sync1(t, m)
	w.kube.ClearActions()
	w.aggregator.ClearActions()
	sync1(t, m)
	sync1(t, w.manager()) // a restarted server
	for _, action := range append(w.kube.Actions(), w.aggregator.Actions()...) {
		if action.GetVerb() != "get" {
			t.Errorf("unnecessary: %s %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
}

func TestSeveralServersShareOneAuthority(t *testing.T) {
	w := newWorld(registration())
	managers := []*Manager{w.manager(), w.manager(), w.manager()}
	_, ctx := ktesting.NewTestContext(t)
	var started sync.WaitGroup
	for _, m := range managers {
		started.Go(func() {
			for m.sync(ctx) != nil && ctx.Err() == nil { // as Run does: a conflict is tried again
			}
		})
	}
	started.Wait()
	for _, m := range managers {
		sync1(t, m)
		w.trusted(t, m)
		if !bytes.Equal(m.authority.ca.CertPEM(), managers[0].authority.ca.CertPEM()) {
			t.Error("two servers have different authorities")
		}
	}
}

// The fake client knows no resource versions; the update has to carry the one that was read.
func TestAuthorityIsWrittenWithItsResourceVersion(t *testing.T) {
	w := newWorld(registration())
	if err := w.kube.Tracker().Add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "ca", Namespace: "ours", ResourceVersion: "7"}}); err != nil {
		t.Fatal(err)
	}
	conflict := errors.New("conflict")
	w.kube.PrependReactor("update", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.(clienttesting.UpdateAction).GetObject().(*corev1.Secret).ResourceVersion != "7" {
			t.Error("an update without a resourceVersion may overwrite another server's authority")
		}
		return true, nil, conflict
	})
	_, ctx := ktesting.NewTestContext(t)
	m := w.manager()
	if err := m.sync(ctx); !errors.Is(err, conflict) {
		t.Errorf("got %v", err)
	}
	if cert, _ := m.CurrentCertKeyContent(); cert != nil {
		t.Error("a certificate was issued by an authority that was not written down")
	}
}

func TestDamageIsMended(t *testing.T) {
	cases := map[string]func(*corev1.Secret){
		"no certificate":     func(s *corev1.Secret) { delete(s.Data, keyCert) },
		"no key":             func(s *corev1.Secret) { delete(s.Data, keyKey) },
		"rubbish":            func(s *corev1.Secret) { s.Data[keyKey] = []byte("rubbish") },
		"no bundle":          func(s *corev1.Secret) { delete(s.Data, keyBundle) },
		"rubbish for bundle": func(s *corev1.Secret) { s.Data[keyBundle] = []byte("rubbish") },
		"nothing at all":     func(s *corev1.Secret) { s.Data = nil },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(registration())
			m := w.manager()
			sync1(t, m)
			secret := w.secret(t)
			secret.Data["note"] = []byte("somebody's")
			damage(secret)
			if _, err := w.kube.CoreV1().Secrets("ours").Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			sync1(t, m)
			w.trusted(t, m)
			if _, err := certs.LoadCA(w.secret(t).Data[keyCert], w.secret(t).Data[keyKey]); err != nil {
				t.Error(err)
			}
			if name != "nothing at all" && string(w.secret(t).Data["note"]) != "somebody's" {
				t.Error("what somebody else wrote is gone")
			}
		})
	}
}

func TestUnreachableSecretDoesNotStopRenewal(t *testing.T) {
	w := newWorld(registration())
	m := w.manager()
	sync1(t, m)
	down := errors.New("down")
	w.kube.PrependReactor("*", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, down })
	_, ctx := ktesting.NewTestContext(t)
	for range 100 {
		w.clock.Step(time.Hour)
		if err := m.sync(ctx); !errors.Is(err, down) {
			t.Fatalf("got %v", err)
		}
		w.trusted(t, m)
	}
}

func TestCABundleOfOthersIsLeftAlone(t *testing.T) {
	_, ctx := ktesting.NewTestContext(t)
	elsewhere := registration(func(s *apiregistrationv1.APIService) {
		s.Spec.Service.Namespace, s.Spec.CABundle = "another", []byte("theirs")
	})
	local := registration(func(s *apiregistrationv1.APIService) { s.Spec.Service = nil })
	for _, service := range []*apiregistrationv1.APIService{elsewhere, local} {
		w := newWorld(service)
		if err := w.manager().sync(ctx); err != nil {
			t.Fatal(err)
		}
		if got := w.registered(t).Spec.CABundle; !bytes.Equal(got, service.Spec.CABundle) {
			t.Errorf("the caBundle of another became %q", got)
		}
	}
}

func TestInsecureRegistrationIsMadeSecure(t *testing.T) {
	w := newWorld(registration(func(s *apiregistrationv1.APIService) { s.Spec.InsecureSkipTLSVerify = true }))
	m := w.manager()
	sync1(t, m)
	if w.registered(t).Spec.InsecureSkipTLSVerify {
		t.Error("kube-apiserver still skips the check")
	}
	w.trusted(t, m)
}
