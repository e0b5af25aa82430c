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

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

func failTwo(t *testing.T, s *subject) {
	if cluster := getCluster(t, s.ns, s.name); cluster.Status.Durability != v1alpha1.DurabilityPreferred {
		t.Errorf("two nodes have durability %q, not Preferred", cluster.Status.Durability)
	}
	runSteps(t, []step{
		{"ReplicaAway", func(t *testing.T) { replicaAway(t, s) }},
		{"MysqldKilled", func(t *testing.T) {
			s.disturb(t, crash, func(t *testing.T, primary string) { s.signal(t, syscall.SIGKILL, "mysqld", primary) })
		}},
		{"PodDeleted", func(t *testing.T) {
			s.disturb(t, stopping, func(t *testing.T, primary string) { deletePod(t, s.ns, primary, metav1.DeleteOptions{}) })
		}},
		{"ErrantNode", func(t *testing.T) { errantNode(t, s) }},
	})
}

// replicaAway kills the only replica: the primary goes on alone, says so, and waits for the replica again once it is back.
func replicaAway(t *testing.T, s *subject) {
	s.undisturbed(t, func(t *testing.T) {
		durable := watchCondition(t, s.ns, s.name, v1alpha1.ConditionDurable)
		deletePod(t, s.ns, s.replica(t), metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
		waitReady(t, s.ns, s.name, s.nodes)
		from, to, message := durable.outage(t)
		t.Logf("not durable for %v: %s", to.Sub(from).Round(time.Millisecond), message)
		alone := 0
		for _, a := range s.w.acknowledged() {
			if a.at.After(from) && a.at.Before(to) {
				alone++
			}
		}
		if alone == 0 {
			t.Errorf("no write was acknowledged while the replica was away: %s", s.w.gap())
		}
	})
}

// A conditionWatch records what a condition was at which time.
type conditionWatch struct {
	mu   sync.Mutex
	seen []conditionAt
}

type conditionAt struct {
	metav1.Condition
	at time.Time
}

func watchCondition(t *testing.T, ns, name, condition string) *conditionWatch {
	t.Helper()
	w, err := api.MysqlV1alpha1().MysqlClusters(ns).Watch(t.Context(), metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(),
	})
	if err != nil {
		t.Fatalf("watch %s: %v", name, err)
	}
	t.Cleanup(w.Stop)
	c := &conditionWatch{}
	go func() {
		for event := range w.ResultChan() {
			cluster, ok := event.Object.(*v1alpha1.MysqlCluster)
			if !ok {
				continue
			}
			if now := meta.FindStatusCondition(cluster.Status.Conditions, condition); now != nil {
				c.mu.Lock()
				c.seen = append(c.seen, conditionAt{*now, time.Now()})
				c.mu.Unlock()
			}
		}
	}()
	return c
}

// outage returns from when to when the condition was False, and what it said first.
func (c *conditionWatch) outage(t *testing.T) (from, to time.Time, message string) {
	t.Helper()
	eventually(t, t.Context(), "the condition to have been False and to be True again", func(context.Context) (bool, string, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		from = time.Time{}
		for _, now := range c.seen {
			switch {
			case from.IsZero() && now.Status == metav1.ConditionFalse:
				from, message = now.at, now.Message
			case !from.IsZero() && now.Status == metav1.ConditionTrue:
				to = now.at
				return true, "", nil
			}
		}
		return false, fmt.Sprintf("%+v", c.seen), nil
	})
	return from, to, message
}

// errantNode writes to a replica behind everybody's back. Its data are kept until the policy says otherwise.
func errantNode(t *testing.T, s *subject) {
	s.undisturbed(t, func(t *testing.T) {
		setErrantNodePolicy(t, s, v1alpha1.ErrantNodeKeep)
		waitReady(t, s.ns, s.name, s.nodes)
		replica := s.replica(t)
		db := openPod(t, s.ns, s.name, replica)
		uuid, err := query(t.Context(), db, "SELECT @@server_uuid")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, t.Context(), "a write on "+replica, func(ctx context.Context) (bool, string, error) {
			conn, err := db.Conn(ctx)
			if err != nil {
				return false, "", err
			}
			defer conn.Close()
			if _, err := conn.ExecContext(ctx, "SET GLOBAL super_read_only = OFF"); err != nil {
				return false, "", err
			}
			// It may have worked although no answer came: what is writable without being asked to is made read-only at once.
			_, err = conn.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS errant")
			return err == nil, "", err
		})
		eventually(t, t.Context(), "the condition Ready to name the transactions of "+uuid, func(ctx context.Context) (bool, string, error) {
			cluster, err := api.MysqlV1alpha1().MysqlClusters(s.ns).Get(ctx, s.name, metav1.GetOptions{})
			if err != nil {
				return false, "", err
			}
			c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionReady)
			return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, replica) && strings.Contains(c.Message, uuid+":"), describe(cluster), nil
		})
		s.w.waitForProgress(t) // Preferred: the primary goes on alone
		if found, err := query(t.Context(), db, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'errant'"); err != nil || found != "1" {
			t.Errorf("the errant database is not kept: %q (%v)", found, err)
		}
		setErrantNodePolicy(t, s, v1alpha1.ErrantNodeRebuild)
		waitReady(t, s.ns, s.name, s.nodes)
		for _, node := range nodeNames(getCluster(t, s.ns, s.name)) {
			found, err := query(t.Context(), openPod(t, s.ns, s.name, node), "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'errant'")
			if err != nil || found != "0" {
				t.Errorf("the errant database is on %s: %q (%v)", node, found, err)
			}
		}
	})
}

func setErrantNodePolicy(t *testing.T, s *subject, policy v1alpha1.ErrantNodePolicy) {
	t.Helper()
	updateSpec(t, s.ns, s.name, func(spec *v1alpha1.MysqlClusterSpec) { spec.Replication.ErrantNodePolicy = policy })
}

// failOne kills the only node's mysqld, and then its agent: there is nobody to take over, and nothing to decide.
func failOne(t *testing.T, s *subject) {
	for _, program := range []string{"mysqld", "agent"} {
		t.Run(program, func(t *testing.T) {
			s.undisturbed(t, func(t *testing.T) {
				waitEnded(t, s.signal(t, syscall.SIGKILL, program, s.name+"-mysql-0"))
				s.w.waitForProgress(t)
			})
		})
	}
}
