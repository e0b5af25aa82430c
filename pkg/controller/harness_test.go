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
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	kubefake "k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/agents"
	mysqlfake "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/fake"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
)

// harness is a controller between fake API servers and fake agents. The test plays the part of Kubernetes' own controllers.
type harness struct {
	t      *testing.T
	ctx    context.Context
	c      *Controller
	kube   *kubefake.Clientset
	mysql  *mysqlfake.Clientset
	events *record.FakeRecorder

	mu  sync.Mutex
	now time.Time
	// streams by address.
	streams map[string]chan report
	orders  chan sent
	// failures of requests by verb and resource.
	failures map[string]error
}

type report struct {
	state api.State
	taken chan struct{}
}

// sent is an order that arrived, with the status that was stored at that moment.
type sent struct {
	addr   string
	order  api.Order
	status v1alpha1.MysqlClusterStatus
}

const (
	namespace = "shop"
	name      = "db"
)

func newCluster() *v1alpha1.MysqlCluster {
	return &v1alpha1.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: "cluster-uid", Generation: 1},
		Spec:       v1alpha1.MysqlClusterSpec{Replicas: ptr.To[int32](2), SecretName: "the-secret", MysqlVersion: "9.7"},
	}
}

func newHarness(t *testing.T, cluster *v1alpha1.MysqlCluster) *harness {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h := &harness{
		t: t, ctx: ctx, kube: kubefake.NewClientset(), mysql: mysqlfake.NewClientset(cluster), events: record.NewFakeRecorder(1000),
		now: time.Now(), streams: map[string]chan report{}, orders: make(chan sent, 100), failures: map[string]error{},
	}
	// They are there before anything runs: a fake's list of reactors must not be changed while it is used.
	h.kube.PrependReactor("*", "*", h.refuse)
	h.mysql.PrependReactor("*", "*", h.refuse)
	h.kube.PrependWatchReactor("*", watchCopies(h.kube.Tracker()))
	h.mysql.PrependWatchReactor("*", watchCopies(h.mysql.Tracker()))
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var err error
	h.c, err = New(ctx, Config{
		Kube: h.kube, Metadata: metadatafake.NewSimpleMetadataClient(scheme), MySQL: h.mysql,
		Agents:     agents.Transport{Watch: h.watch, Send: h.send},
		Versions:   mysqlversion.Builtin(),
		AgentImage: "agent:test", Events: h.events, Now: h.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range h.c.start {
		start(ctx)
	}
	t.Cleanup(func() {
		cancel()
		h.c.agents.Wait()
	})
	return h
}

// fail makes requests fail from now on; with a nil error they succeed again.
func (h *harness) fail(verb, resource string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures[verb+" "+resource] = err
}

func (h *harness) refuse(action clienttesting.Action) (bool, runtime.Object, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.failures[action.GetVerb()+" "+action.GetResource().Resource]
	return err != nil, nil, err
}

func (h *harness) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *harness) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// until waits for something that is about to be so.
func (h *harness) until(what string, is func(context.Context) (bool, error)) {
	h.t.Helper()
	if err := wait.PollUntilContextTimeout(h.ctx, time.Millisecond, 20*time.Second, true, is); err != nil {
		h.t.Fatalf("waiting for %s: %v", what, err)
	}
}

// cached waits until the controller's caches show what the API servers have.
func (h *harness) cached() {
	h.t.Helper()
	h.until("the caches", func(ctx context.Context) (bool, error) {
		var errs []error
		check := func(err error) { errs = append(errs, err) }

		clusters, err := h.mysql.MysqlV1alpha1().MysqlClusters("").List(ctx, metav1.ListOptions{})
		check(err)
		cachedClusters, err := h.c.clusters.List(labels.Everything())
		check(err)
		pods, err := h.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
		check(err)
		cachedPods, err := h.c.pods.List(labels.Everything())
		check(err)
		claims, err := h.kube.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{})
		check(err)
		cachedClaims, err := h.c.claims.List(labels.Everything())
		check(err)
		sets, err := h.kube.AppsV1().StatefulSets("").List(ctx, metav1.ListOptions{})
		check(err)
		cachedSets, err := h.c.statefulSets.List(labels.Everything())
		check(err)
		if err := errors.Join(errs...); err != nil {
			return false, err
		}
		return same(clusters.Items, cachedClusters) && same(pods.Items, cachedPods) && same(claims.Items, cachedClaims) && same(sets.Items, cachedSets), nil
	})
}

// same compares what is stored with what is cached, managed fields apart.
func same[T any, P interface {
	*T
	metav1.Object
}](stored []T, cached []P) bool {
	if len(stored) != len(cached) {
		return false
	}
	for i := range stored {
		one := P(&stored[i])
		one.SetManagedFields(nil)
		if !slices.ContainsFunc(cached, func(o P) bool {
			return o.GetName() == one.GetName() && apiequality.Semantic.DeepEqual(o, one)
		}) {
			return false
		}
	}
	return true
}

// reconcile reconciles once, on fresh caches.
func (h *harness) reconcile() error {
	h.t.Helper()
	h.cached()
	_, err := h.c.reconcile(h.ctx, namespace, name)
	h.cached()
	return err
}

func (h *harness) mustReconcile() {
	h.t.Helper()
	if err := h.reconcile(); err != nil {
		h.t.Fatalf("reconcile: %v", err)
	}
}

func (h *harness) cluster() *v1alpha1.MysqlCluster {
	h.t.Helper()
	cluster, err := h.mysql.MysqlV1alpha1().MysqlClusters(namespace).Get(h.ctx, name, metav1.GetOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return cluster
}

func (h *harness) condition(kind string) metav1.Condition {
	h.t.Helper()
	condition := meta.FindStatusCondition(h.cluster().Status.Conditions, kind)
	if condition == nil {
		h.t.Fatalf("there is no condition %s", kind)
	}
	return *condition
}

func (h *harness) createSecret(data map[string][]byte) {
	h.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "the-secret", Namespace: namespace}, Data: data}
	if _, err := h.kube.CoreV1().Secrets(namespace).Create(h.ctx, secret, metav1.CreateOptions{}); err != nil {
		h.t.Fatal(err)
	}
}

// set is the StatefulSet, nil if there is none.
func (h *harness) set() *appsv1.StatefulSet {
	h.t.Helper()
	sets, err := h.kube.AppsV1().StatefulSets(namespace).List(h.ctx, metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(sets.Items) == 0 {
		return nil
	}
	return &sets.Items[0]
}

// runPods does what the StatefulSet's controller and the kubelet do.
func (h *harness) runPods() {
	h.t.Helper()
	set := h.set()
	set.UID, set.Generation, set.Status.ObservedGeneration = "set-uid", 1, 1
	if _, err := h.kube.AppsV1().StatefulSets(namespace).Update(h.ctx, set, metav1.UpdateOptions{}); err != nil {
		h.t.Fatal(err)
	}
	for ordinal := range int(*set.Spec.Replicas) {
		node := workload.NodeName(name, ordinal)
		claim := set.Spec.VolumeClaimTemplates[0].DeepCopy()
		claim.Name, claim.Namespace, claim.UID = workload.ClaimName(node), namespace, types.UID("claim-"+node)
		if _, err := h.kube.CoreV1().PersistentVolumeClaims(namespace).Create(h.ctx, claim, metav1.CreateOptions{}); err != nil {
			h.t.Fatal(err)
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name: node, Namespace: namespace, UID: types.UID("uid-" + node), Labels: set.Spec.Template.Labels, Annotations: set.Spec.Template.Annotations,
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: set.Name, UID: set.UID, Controller: ptr.To(true)}},
			},
			Spec:   corev1.PodSpec{NodeName: "machine"},
			Status: corev1.PodStatus{PodIP: fmt.Sprintf("10.0.0.%d", ordinal+1), ContainerStatuses: []corev1.ContainerStatus{{Name: "mysql"}}},
		}
		if _, err := h.kube.CoreV1().Pods(namespace).Create(h.ctx, pod, metav1.CreateOptions{}); err != nil {
			h.t.Fatal(err)
		}
	}
}

func addr(ordinal int) string { return fmt.Sprintf("10.0.0.%d:%d", ordinal+1, api.ControlPort) }

func (h *harness) stream(addr string) chan report {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[addr] == nil {
		h.streams[addr] = make(chan report)
	}
	return h.streams[addr]
}

// watch is the agents' side of a stream.
func (h *harness) watch(ctx context.Context, addr string, _ *tls.Config, onState func(api.State)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-h.stream(addr):
			onState(r.state)
			close(r.taken)
		}
	}
}

// report makes a node's agent report, and waits until the controller has taken it in.
func (h *harness) report(ordinal int, state api.State) {
	h.t.Helper()
	state.Node = workload.NodeName(name, ordinal)
	state.PodUID = "uid-" + state.Node
	state.AgentStart = h.now
	r := report{state: state, taken: make(chan struct{})}
	for _, step := range []func() bool{
		func() bool {
			select {
			case h.stream(addr(ordinal)) <- r:
				return true
			case <-time.After(20 * time.Second):
				return false
			}
		},
		func() bool {
			select {
			case <-r.taken:
				return true
			case <-time.After(20 * time.Second):
				return false
			}
		},
	} {
		if !step() {
			h.t.Fatalf("nobody listens to %s", state.Node)
		}
	}
}

// send is the agents' side of an order.
func (h *harness) send(_ context.Context, addr string, _ *tls.Config, order api.Order) (api.OrderResult, error) {
	h.orders <- sent{addr: addr, order: order, status: h.cluster().Status}
	return api.OrderResult{Outcome: api.OutcomeAccepted}, nil
}

func (h *harness) order() sent {
	h.t.Helper()
	select {
	case s := <-h.orders:
		return s
	case <-time.After(20 * time.Second):
		h.t.Fatal("no order arrives")
		return sent{}
	}
}

func (h *harness) noOrder() {
	h.t.Helper()
	select {
	case s := <-h.orders:
		h.t.Fatalf("an order was sent: %+v", s)
	default:
	}
}

// running brings the cluster to the point where its pods run.
func (h *harness) running() {
	h.t.Helper()
	h.createSecret(map[string][]byte{v1alpha1.SecretKeyRootPassword: []byte("secret")})
	h.mustReconcile()
	h.runPods()
	h.mustReconcile()
}

// typedSet is a StatefulSet of the cluster's name that another controller has.
func typedSet(owner types.UID) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: workload.StatefulSetName(name), Namespace: namespace, UID: "their-set", Labels: map[string]string{v1alpha1.LabelCluster: name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Other", Name: "other", UID: owner, Controller: ptr.To(true)}},
		},
		Spec: appsv1.StatefulSetSpec{ServiceName: "theirs"},
	}
}
