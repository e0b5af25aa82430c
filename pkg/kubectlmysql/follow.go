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

package kubectlmysql

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	mysqlclient "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/typed/mysql/v1alpha1"
)

// follower sees a cluster and each of its changes, through outages of the API: those are what people want to look at clusters in.
type follower struct {
	clusters mysqlclient.MysqlClusterInterface
	name     string
	// see is called with the cluster as it is, then after each change, then at each tick. It returns true when it has seen enough.
	see func(*v1alpha1.MysqlCluster) (enough bool, err error)
	// ticks may be nil.
	ticks <-chan time.Time
	// lost is told about an outage, once for each.
	lost func(error)

	last *v1alpha1.MysqlCluster
	done bool
}

const (
	// firstRetry and longestRetry bound the time between two tries to reach the server.
	firstRetry   = 200 * time.Millisecond
	longestRetry = 5 * time.Second
)

// run returns when enough was seen, when ctx is done, or when trying again does not help. The very first try has to succeed if impatient.
func (f *follower) run(ctx context.Context, impatient bool) error {
	retry, told := firstRetry, false
	for {
		reached, err := f.look(ctx)
		switch {
		case f.done:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && (lasting(err) || impatient && f.last == nil):
			return err
		case reached:
			retry, told = firstRetry, false
		case !told:
			told = true
			f.lost(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retry):
			retry = min(2*retry, longestRetry)
		}
	}
}

// look sees the cluster, and its changes for as long as the connection lasts. reached is true if the server answered.
func (f *follower) look(ctx context.Context) (reached bool, err error) {
	cluster, err := f.clusters.Get(ctx, f.name, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	if err := f.show(cluster); f.done {
		return true, err
	}
	changes, err := f.watch(ctx, cluster.ResourceVersion)
	if err != nil {
		return false, err
	}
	defer changes.Stop()
	for {
		select {
		case <-f.ticks:
			err = f.show(f.last)
		case event, ok := <-changes.ResultChan():
			if !ok {
				return true, nil
			}
			err = f.event(event)
		}
		if f.done || err != nil {
			return true, err
		}
	}
}

func (f *follower) watch(ctx context.Context, resourceVersion string) (watch.Interface, error) {
	return f.clusters.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, f.name).String(), ResourceVersion: resourceVersion,
	})
}

func (f *follower) event(event watch.Event) error {
	switch event.Type {
	case watch.Deleted:
		f.done = true
		return fmt.Errorf("the cluster %s was deleted", f.name)
	case watch.Error:
		return apierrors.FromObject(event.Object)
	}
	cluster, ok := event.Object.(*v1alpha1.MysqlCluster)
	if !ok {
		return fmt.Errorf("expected a MysqlCluster, got %T", event.Object)
	}
	return f.show(cluster)
}

func (f *follower) show(cluster *v1alpha1.MysqlCluster) error {
	f.last = cluster
	enough, err := f.see(cluster)
	f.done = enough || err != nil
	return err
}

// mayFollow finds out whether the user may see the cluster and its changes.
func (f *follower) mayFollow(ctx context.Context) error {
	cluster, err := f.clusters.Get(ctx, f.name, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		return &missingRight{"get", err}
	} else if err != nil {
		return err
	}
	changes, err := f.watch(ctx, cluster.ResourceVersion)
	if apierrors.IsForbidden(err) {
		return &missingRight{"watch", err}
	} else if err != nil {
		return err
	}
	changes.Stop()
	return nil
}
