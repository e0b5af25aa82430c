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
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
)

// clusterCache holds the clusters as our own API server has them. It is an informer that comes back quickly: a shared informer waits up to
// a minute when the server was away for a while, and for that time nobody would see that a cluster was changed or deleted.
type clusterCache struct {
	cache.Indexer
	reflector *cache.Reflector
	// changed is called with the key of each cluster that is new, changed or gone.
	changed func(key string)

	filled   chan struct{}
	fillOnce sync.Once
}

func newClusterCache(client versioned.Interface, changed func(key string)) *clusterCache {
	c := &clusterCache{
		Indexer: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}),
		changed: changed,
		filled:  make(chan struct{}),
	}
	clusters := client.MysqlV1alpha1().MysqlClusters(metav1.NamespaceAll)
	source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return clusters.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return clusters.Watch(ctx, options)
		},
	}, client)
	c.reflector = cache.NewReflectorWithOptions(source, &v1alpha1.MysqlCluster{}, c, cache.ReflectorOptions{
		Name:    "mysqlclusters",
		Backoff: &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 5, Cap: 2 * time.Second},
	})
	return c
}

// run keeps the cache up to date until ctx ends.
func (c *clusterCache) run(ctx context.Context) { c.reflector.RunWithContext(ctx) }

// hasSynced is true once the cache has been filled.
func (c *clusterCache) hasSynced() bool {
	select {
	case <-c.filled:
		return true
	default:
		return false
	}
}

// Add implements cache.Store.
func (c *clusterCache) Add(object any) error { return c.told(object, c.Indexer.Add(slimmed(object))) }

// Update implements cache.Store.
func (c *clusterCache) Update(object any) error {
	return c.told(object, c.Indexer.Update(slimmed(object)))
}

// Delete implements cache.Store.
func (c *clusterCache) Delete(object any) error { return c.told(object, c.Indexer.Delete(object)) }

func (c *clusterCache) told(object any, err error) error {
	if err != nil {
		return err
	}
	key, err := cache.MetaNamespaceKeyFunc(object)
	if err != nil {
		return err
	}
	c.changed(key)
	return nil
}

// Replace implements cache.Store: it is called with all clusters at the beginning and after each time when the server was away.
func (c *clusterCache) Replace(objects []any, resourceVersion string) error {
	keys := sets.New(c.ListKeys()...)
	for i, object := range objects {
		objects[i] = slimmed(object)
	}
	if err := c.Indexer.Replace(objects, resourceVersion); err != nil {
		return err
	}
	for key := range keys.Insert(c.ListKeys()...) {
		c.changed(key)
	}
	c.fillOnce.Do(func() { close(c.filled) })
	return nil
}

func slimmed(object any) any {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return object
}
