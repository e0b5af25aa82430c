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

package app

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func holder(t *testing.T, kube kubernetes.Interface, o *Options) string {
	t.Helper()
	lease, err := kube.CoordinationV1().Leases(o.LeaseNamespace).Get(t.Context(), o.LeaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func TestLeaseIsHeldUntilTheWorkHasEnded(t *testing.T) {
	o, kube := NewOptions(), fake.NewClientset()
	ctx, stop := context.WithCancel(t.Context())
	err := o.lead(ctx, kube, func(ctx context.Context) error {
		stop()
		<-ctx.Done()
		if holder(t, kube, o) == "" {
			t.Error("the Lease was released while the work went on")
		}
		return nil
	})
	if err != nil {
		t.Errorf("the error is %v", err)
	}
	if got := holder(t, kube, o); got != "" {
		t.Errorf("the Lease is still held by %s", got)
	}
}

func TestErrorOfTheWorkEndsTheProgramAndReleasesTheLease(t *testing.T) {
	o, kube, broken := NewOptions(), fake.NewClientset(), errors.New("broken")
	if err := o.lead(t.Context(), kube, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if got := holder(t, kube, o); got != "" {
		t.Errorf("the Lease is still held by %s", got)
	}
}

func TestWorkEndsWhenTheLeaseIsLost(t *testing.T) {
	o, kube := NewOptions(), fake.NewClientset()
	o.leaseDuration, o.renewDeadline, o.retryPeriod = 300*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
	var silent atomic.Bool
	kube.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return silent.Load(), nil, errors.New("no answer")
	})
	err := o.lead(t.Context(), kube, func(ctx context.Context) error {
		silent.Store(true)
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, errLeaseLost) {
		t.Errorf("the error is %v", err)
	}
}

func TestNothingIsBegunWithoutTheLease(t *testing.T) {
	o, kube := NewOptions(), fake.NewClientset()
	ctx, stop := context.WithCancel(t.Context())
	kube.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		stop()
		return true, nil, errors.New("no answer")
	})
	err := o.lead(ctx, kube, func(context.Context) error {
		t.Error("the work was begun")
		return nil
	})
	if err != nil {
		t.Errorf("the error is %v", err)
	}
}

func TestOptionsAreValidated(t *testing.T) {
	t.Setenv(envPodName, "")
	valid := NewOptions()
	valid.AgentImage = "image"
	if err := valid.Validate(); err != nil {
		t.Errorf("valid options are refused: %v", err)
	}
	for name, change := range map[string]func(*Options){
		"no image": func(o *Options) { o.AgentImage = "" },
		"workers":  func(o *Options) { o.Workers = 0 },
		"requests": func(o *Options) { o.QPS = 0 },
	} {
		o := *valid
		change(&o)
		if o.Validate() == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}
