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
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/topology"
)

// resyncInterval is how often a cluster is looked at even if nothing happens.
const resyncInterval = 5 * time.Minute

// reconcileTimeout bounds one reconciliation, so that a server that does not answer holds up no other cluster for long.
const reconcileTimeout = 30 * time.Second

// maxRecords bounds the number of decisions that are recorded in one reconciliation.
const maxRecords = 4

// reconcile brings one cluster a step further: gather, decide, act. It returns the time after which to look again.
func (c *Controller) reconcile(ctx context.Context, namespace, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	key := cache.NewObjectName(namespace, name).String()
	cached, err := c.clusters.MysqlClusters(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		c.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("get the cluster: %w", err)
	}
	m := c.memoryOf(key)
	cluster := m.newer(cached, c.Now())
	if cluster.DeletionTimestamp != nil {
		return 0, c.finalize(ctx, cluster)
	}
	if cluster, err = c.ensureFinalizer(ctx, m, cluster); err != nil {
		return 0, err
	}

	// Secrets first: without them, agents can not be talked to.
	secretsErr := c.ensureSecrets(ctx, m, cluster)

	// Decide, and record what was decided before anything follows from it (safety rule 2).
	g, d, cluster, err := c.decide(ctx, m, cluster)
	if err != nil {
		return 0, errors.Join(err, secretsErr)
	}

	if err := c.confirm(ctx, m, cluster, d, g); err != nil {
		return 0, errors.Join(err, secretsErr)
	}

	// Act. What concerns MySQL comes first, and does not depend on whether Kubernetes takes our requests.
	c.order(d, g)
	applyErr := errors.Join(
		secretsErr,
		c.label(ctx, cluster, d, g),
		c.applyObjects(ctx, m, cluster),
		c.applyStatefulSet(ctx, m, cluster, d.Size, g),
		c.replacePod(ctx, cluster, d, g),
		c.volumes(ctx, cluster, d, g),
	)
	if g.listening {
		return min(c.lookAgain(m, d), listenTime), applyErr
	}
	statusErr := c.writeStatus(ctx, m, cluster, c.newStatus(cluster, m, d, g, applyErr), false, d.Status.Blocked)
	return c.lookAgain(m, d), errors.Join(applyErr, statusErr)
}

// decide gathers and decides until the record stands.
func (c *Controller) decide(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster) (*gathered, topology.Decision, *v1alpha1.MysqlCluster, error) {
	for range maxRecords {
		g, err := c.gather(m, cluster)
		if err != nil {
			return nil, topology.Decision{}, cluster, err
		}
		d := topology.Decide(g.observed)
		if d.Record == nil {
			return g, d, cluster, nil
		}
		before := cluster.Status
		if err := c.writeStatus(ctx, m, cluster, c.newStatus(cluster, m, d, g, nil), true, d.Status.Blocked); err != nil {
			return nil, d, cluster, fmt.Errorf("record a decision: %w", err)
		}
		cluster = m.newest
		klog.FromContext(ctx).Info("Recorded a decision", "primary", d.Record.Primary, "term", d.Record.Term,
			"requiredAcks", d.Record.RequiredAcks, "initialized", d.Record.Initialized)
		c.announce(cluster, before)
	}
	return nil, topology.Decision{}, cluster, errors.New("decisions do not come to an end")
}

// confirm makes sure that the record which a decision rests on is the one that is stored, before a primary is told to demand fewer
// acknowledgements than it does. The term protects from all other orders of a stale record; but within a term, the cache may be behind a
// record that counts on more of them.
func (c *Controller) confirm(ctx context.Context, m *memory, cluster *v1alpha1.MysqlCluster, d topology.Decision, g *gathered) error {
	if !lowers(d, g) {
		return nil
	}
	stored, err := c.MySQL.MysqlV1alpha1().MysqlClusters(cluster.Namespace).Get(ctx, cluster.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("confirm the record: %w", err)
	}
	if stored.UID != cluster.UID || stored.Status.Term != cluster.Status.Term ||
		stored.Status.RequiredAcknowledgements != cluster.Status.RequiredAcknowledgements {
		m.newest, m.newestAt = stored, c.Now()
		return errors.New("the record was changed in the meantime")
	}
	return nil
}

// lowers is true when a node is ordered to demand fewer acknowledgements than it does.
func lowers(d topology.Decision, g *gathered) bool {
	for _, o := range d.Orders {
		i := slices.IndexFunc(g.observed.Nodes, func(n topology.Node) bool { return n.Name == o.Node })
		if o.Order.Kind != api.OrderPromote || i < 0 {
			continue
		}
		if s := g.observed.Nodes[i].State; s != nil && s.SemiSync.SourceEnabled && s.SemiSync.RequiredAcks > o.Order.RequiredAcks {
			return true
		}
	}
	return false
}

// announce tells people what was decided.
func (c *Controller) announce(cluster *v1alpha1.MysqlCluster, before v1alpha1.MysqlClusterStatus) {
	now := &cluster.Status
	if now.Term != before.Term {
		c.Events.Eventf(cluster, corev1.EventTypeNormal, "PrimaryChosen", "%s is the primary of term %d", now.Primary, now.Term)
	}
	if op := now.Operation; op != nil && (before.Operation == nil || op.Term != before.Operation.Term) {
		c.Events.Eventf(cluster, corev1.EventTypeWarning, string(op.Type)+"Started", "from %s to %s, term %d: %s", op.From, now.Primary, op.Term, op.Reason)
	}
	if len(now.LastFailovers) > 0 && (len(before.LastFailovers) == 0 || now.LastFailovers[0].UID != before.LastFailovers[0].UID) {
		op := now.LastFailovers[0]
		c.Events.Eventf(cluster, corev1.EventTypeNormal, string(op.Type)+string(op.Outcome), "from %s to %s after %s: %s", op.From, op.To,
			op.FinishedAt.Sub(op.StartedAt.Time).Round(time.Millisecond), op.Message)
	}
	if before.InitializedAt == nil && now.InitializedAt != nil {
		c.Events.Eventf(cluster, corev1.EventTypeNormal, "Initialized", "the cluster's data exist, on %s", now.Primary)
	}
	if before.InitializedAt != nil && now.RequiredAcknowledgements != before.RequiredAcknowledgements {
		c.Events.Eventf(cluster, corev1.EventTypeNormal, "AcknowledgementsChanged", "acknowledged commits are on %d replicas at least; before, on %d",
			now.RequiredAcknowledgements, before.RequiredAcknowledgements)
	}
}

// lookAgain is the time until the cluster has to be looked at again even if nothing happens.
func (c *Controller) lookAgain(m *memory, d topology.Decision) time.Duration {
	after := resyncInterval
	if d.Wake > 0 {
		after = min(after, d.Wake)
	}
	if m.secrets != nil {
		after = min(after, max(m.secrets.nextCheck.Sub(c.Now()), time.Second))
	}
	return after
}

// maxBehind is how long the cache may be behind what was written before it is believed anyway: resource versions go back when the API
// server's storage is restored from a backup.
const maxBehind = time.Minute

// newer is the cluster as cached, or as it was written last if the cache is behind that.
func (m *memory) newer(cached *v1alpha1.MysqlCluster, now time.Time) *v1alpha1.MysqlCluster {
	if m.newest == nil || m.newest.UID != cached.UID || now.Sub(m.newestAt) > maxBehind {
		m.newest = nil
		return cached
	}
	order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, m.newest.ResourceVersion)
	if err != nil || order >= 0 {
		m.newest = nil
		return cached
	}
	return m.newest
}
