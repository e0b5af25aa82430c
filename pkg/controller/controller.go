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

// Package controller makes clusters what their specs say: it gathers what is, lets topology.Decide decide, and acts.
//
// One reconciliation of one cluster, in reconcile.go, shows the whole of it. Nothing is remembered that a restart could not find again: what
// was decided is in the cluster's status, what was done shows in the objects and in the reports of the agents.
package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/controller/agents"
	"github.com/presslabs/mysql-apiserver/pkg/controller/apply"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	mysqllisters "github.com/presslabs/mysql-apiserver/pkg/generated/listers/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// Config is what a Controller works with.
type Config struct {
	Kube     kubernetes.Interface
	Metadata metadata.Interface
	MySQL    versioned.Interface
	// Agents is how the agents are talked to.
	Agents agents.Transport
	// Versions says which image each version of MySQL stands for.
	Versions mysqlversion.Catalog
	// AgentImage is the image that the agent is copied from.
	AgentImage string
	// Events records Events.
	Events record.EventRecorder
	// Now is the clock.
	Now func() time.Time
}

// Controller reconciles MysqlClusters. Create it with New.
type Controller struct {
	Config
	queue  workqueue.TypedRateLimitingInterface[string]
	agents *agents.Manager

	clusters     mysqllisters.MysqlClusterLister
	pods         corelisters.PodLister
	claims       corelisters.PersistentVolumeClaimLister
	nodes        corelisters.NodeLister
	statefulSets appslisters.StatefulSetLister
	// simple are the kinds of objects of which only the metadata is of interest.
	simple map[schema.GroupVersionResource]cache.GenericLister

	start  []func(context.Context)
	synced []cache.InformerSynced

	mu         sync.Mutex
	remembered map[string]*memory
	drains     map[string]bool
}

// memory is what is remembered of a cluster from one reconciliation to the next, to save requests only.
type memory struct {
	applied apply.Memory
	secrets *secrets
	// newest is the cluster as it was written last; the cache may be behind it.
	newest   *v1alpha1.MysqlCluster
	newestAt time.Time
	// statusWritten is the time of the last write of the status.
	statusWritten time.Time
	// secretEvent is the last complaint about the user's Secret.
	secretEvent string
	// failure is the last error, told at toldAt.
	failure string
	toldAt  time.Time
}

// repeatErrors is how often an error is logged that stays the same. While one server is away, the agents' reports go on and lead to many
// reconciliations that fail in the same way.
const repeatErrors = time.Minute

// isNews is true when an error should be logged.
func (m *memory) isNews(err error, now time.Time) bool {
	if err.Error() == m.failure && now.Sub(m.toldAt) < repeatErrors {
		return false
	}
	m.failure, m.toldAt = err.Error(), now
	return true
}

// The kinds of objects of which only the metadata is watched.
var (
	servicesResource        = corev1.SchemeGroupVersion.WithResource("services")
	configMapsResource      = corev1.SchemeGroupVersion.WithResource("configmaps")
	serviceAccountsResource = corev1.SchemeGroupVersion.WithResource("serviceaccounts")
	budgetsResource         = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
)

// New returns a controller whose streams to the agents end with ctx. Run runs it.
func New(ctx context.Context, config Config) (*Controller, error) {
	c := &Controller{
		Config: config,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](200*time.Millisecond, 30*time.Second),
			workqueue.TypedRateLimitingQueueConfig[string]{Name: "mysqlclusters"}),
		simple:     map[schema.GroupVersionResource]cache.GenericLister{},
		remembered: map[string]*memory{},
		drains:     map[string]bool{},
	}
	c.agents = agents.New(ctx, config.Agents, agents.Callbacks{Changed: c.enqueueAfter, Ordered: c.ordered}, config.Now)

	clusters := newClusterCache(config.MySQL, c.queue.Add)
	c.clusters = mysqllisters.NewMysqlClusterLister(clusters)
	ours := informers.NewSharedInformerFactoryWithOptions(config.Kube, 0, informers.WithTransform(slim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = v1alpha1.LabelCluster }))
	// Claims are watched whatever their labels: those of an earlier installation may have none of ours.
	all := informers.NewSharedInformerFactoryWithOptions(config.Kube, 0, informers.WithTransform(slim))
	metas := metadatainformer.NewFilteredSharedInformerFactory(config.Metadata, 0, metav1.NamespaceAll,
		func(o *metav1.ListOptions) { o.LabelSelector = v1alpha1.LabelCluster })

	c.pods = ours.Core().V1().Pods().Lister()
	c.statefulSets = ours.Apps().V1().StatefulSets().Lister()
	c.claims = all.Core().V1().PersistentVolumeClaims().Lister()
	c.nodes = all.Core().V1().Nodes().Lister()

	for _, informer := range []cache.SharedIndexInformer{
		ours.Core().V1().Pods().Informer(),
		ours.Apps().V1().StatefulSets().Informer(),
		all.Core().V1().PersistentVolumeClaims().Informer(),
		c.metadataInformer(metas, servicesResource),
		c.metadataInformer(metas, configMapsResource),
		c.metadataInformer(metas, serviceAccountsResource),
		c.metadataInformer(metas, budgetsResource),
	} {
		registration, err := informer.AddEventHandler(handler(c.enqueueOwner))
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		c.synced = append(c.synced, registration.HasSynced)
	}
	registration, err := all.Core().V1().Nodes().Informer().AddEventHandler(handler(c.enqueueOnMachine))
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	c.synced = append(c.synced, clusters.hasSynced, registration.HasSynced)
	c.start = []func(context.Context){
		func(ctx context.Context) { go clusters.run(ctx) },
		func(ctx context.Context) { ours.StartWithContext(ctx) },
		func(ctx context.Context) { all.StartWithContext(ctx) },
		func(ctx context.Context) { metas.Start(ctx.Done()) },
	}
	return c, nil
}

func (c *Controller) metadataInformer(factory metadatainformer.SharedInformerFactory, resource schema.GroupVersionResource) cache.SharedIndexInformer {
	informer := factory.ForResource(resource)
	c.simple[resource] = informer.Lister()
	return informer.Informer()
}

// slim drops what is never read, to save memory.
func slim(object any) (any, error) {
	if machine, ok := object.(*corev1.Node); ok {
		// Their status changes all the time.
		machine.Status = corev1.NodeStatus{}
	}
	return slimmed(object), nil
}

// Run reconciles with that many workers until ctx ends, and then until the last reconciliation has ended.
func (c *Controller) Run(ctx context.Context, workers int) error {
	logger := klog.FromContext(ctx)
	for _, start := range c.start {
		start(ctx)
	}
	logger.Info("Waiting for the caches")
	if !cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		return errors.New("ended before the caches were filled")
	}
	logger.Info("Working", "workers", workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for c.work(ctx) {
			}
		})
	}
	<-ctx.Done()
	c.queue.ShutDown()
	running.Wait()
	c.agents.Wait()
	return nil
}

// work reconciles one cluster; it returns false when there are no more.
func (c *Controller) work(ctx context.Context) bool {
	key, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(key)
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		utilruntime.HandleErrorWithContext(ctx, err, "Not a key", "key", key)
		return true
	}
	logger := klog.FromContext(ctx).WithValues("cluster", key)
	after, err := c.reconcile(klog.NewContext(ctx, logger), namespace, name)
	switch {
	case err == nil:
		c.queue.Forget(key)
	case ctx.Err() != nil:
		return true
	case isConflict(err):
		// The cache was behind.
		logger.V(2).Info("Trying again with the newest state", "err", err)
		c.queue.AddRateLimited(key)
	case isTerminating(err):
		// Nothing can be made any more, and the cluster will be deleted with the rest of the namespace.
		logger.V(2).Info("The namespace is being deleted", "err", err)
		c.queue.AddRateLimited(key)
	default:
		if c.memoryOf(key).isNews(err, c.Now()) {
			logger.Error(err, "Reconciliation failed, trying again")
		}
		c.queue.AddRateLimited(key)
	}
	if after > 0 {
		c.queue.AddAfter(key, after)
	}
	return true
}

func handler(enqueue func(object metav1.Object)) cache.ResourceEventHandler {
	enqueueAny := func(object any) {
		if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		if o, ok := object.(metav1.Object); ok {
			enqueue(o)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueueAny,
		UpdateFunc: func(_, object any) { enqueueAny(object) },
		DeleteFunc: enqueueAny,
	}
}

// enqueueOwner enqueues the cluster that an object belongs to.
func (c *Controller) enqueueOwner(o metav1.Object) {
	if name := o.GetLabels()[v1alpha1.LabelCluster]; name != "" {
		c.queue.Add(cache.NewObjectName(o.GetNamespace(), name).String())
	}
}

// enqueueOnMachine enqueues the clusters that have pods on a machine which is to be emptied, or was.
func (c *Controller) enqueueOnMachine(o metav1.Object) {
	machine, ok := o.(*corev1.Node)
	if !ok || machine.Spec.Unschedulable == c.emptied(machine) {
		return
	}
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return // a cache does not fail
	}
	for _, pod := range pods {
		if pod.Spec.NodeName == machine.Name {
			c.enqueueOwner(pod)
		}
	}
}

// emptied remembers whether a machine is to be emptied, and returns what was so before. Machines send an update every few seconds.
func (c *Controller) emptied(machine *corev1.Node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.drains[machine.Name]
	c.drains[machine.Name] = machine.Spec.Unschedulable
	return before
}

func (c *Controller) enqueueAfter(cluster string, after time.Duration) {
	c.queue.AddAfter(cluster, after)
}

// memoryOf returns what is remembered of a cluster.
func (c *Controller) memoryOf(key string) *memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.remembered[key]
	if !ok {
		m = &memory{}
		c.remembered[key] = m
	}
	return m
}

// forget drops all that is known of a cluster that is gone.
func (c *Controller) forget(key string) {
	c.agents.Forget(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.remembered, key)
}
