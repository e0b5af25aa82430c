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
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
)

func requestFailovers(t *testing.T, s *subject) {
	runSteps(t, []step{
		{"DryRunChangesNothing", func(t *testing.T) { dryRunFailover(t, s) }},
		{"RefusalsSayWhy", func(t *testing.T) { refusedFailovers(t, s) }},
		{"ByTheOneOnCall", func(t *testing.T) { failoverByTheOneOnCall(t, s) }},
		{"ByKubectl", func(t *testing.T) { failoverByKubectl(t, s) }},
	})
}

func dryRunFailover(t *testing.T, s *subject) {
	replica := s.replica(t)
	s.undisturbed(t, func(t *testing.T) {
		before := getCluster(t, s.ns, s.name)
		for _, mode := range []v1alpha1.FailoverMode{v1alpha1.FailoverGraceful, v1alpha1.FailoverForced} {
			plan, err := api.MysqlV1alpha1().MysqlClusters(s.ns).Failover(t.Context(), s.name, &v1alpha1.MysqlFailover{
				Spec: v1alpha1.MysqlFailoverSpec{Target: replica, Mode: mode, Reason: "only asking", Term: &before.Status.Term},
			}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Fatal(err)
			}
			o := plan.Status.Operation
			if o.From != before.Status.Primary || o.To != replica || o.Mode != mode || len(plan.Status.Candidates) != int(s.nodes) || len(plan.Status.Steps) == 0 {
				t.Errorf("the plan is %+v", plan.Status)
			}
			t.Logf("%s: %q", mode, plan.Status.Steps)
		}
		after := getCluster(t, s.ns, s.name)
		if after.Status.Operation != nil || !equality.Semantic.DeepEqual(after.Status.LastFailovers, before.Status.LastFailovers) {
			t.Errorf("recorded: %+v, %+v", after.Status.Operation, after.Status.LastFailovers)
		}
	})
}

func refusedFailovers(t *testing.T, s *subject) {
	cluster := getCluster(t, s.ns, s.name)
	primary, replica, term := cluster.Status.Primary, s.replica(t), cluster.Status.Term
	for name, test := range map[string]struct {
		spec    v1alpha1.MysqlFailoverSpec
		refused func(error) bool
		want    []string
	}{
		"unknown target": {v1alpha1.MysqlFailoverSpec{Target: "nobody"}, apierrors.IsInvalid,
			[]string{"spec.target", `"nobody"`, "the cluster has no such node", primary, replica}},
		"the primary": {v1alpha1.MysqlFailoverSpec{Target: primary}, apierrors.IsConflict,
			[]string{fmt.Sprintf("%s is the primary already, in term %d", primary, term)}},
		"unknown mode":   {v1alpha1.MysqlFailoverSpec{Mode: "Brutal"}, apierrors.IsInvalid, []string{"spec.mode", "Brutal", "Graceful", "Forced"}},
		"forced blindly": {v1alpha1.MysqlFailoverSpec{Mode: v1alpha1.FailoverForced}, apierrors.IsInvalid, []string{"spec.term", "can give up transactions"}},
		"another term": {v1alpha1.MysqlFailoverSpec{Mode: v1alpha1.FailoverForced, Term: ptr.To(term - 1)}, apierrors.IsConflict,
			[]string{fmt.Sprintf("is for term %d, but the present term is %d", term-1, term)}},
		"another cluster": {v1alpha1.MysqlFailoverSpec{Preconditions: &metav1.Preconditions{UID: ptr.To(types.UID("other"))}}, apierrors.IsConflict,
			[]string{"UID other", string(cluster.UID)}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			_, err := api.MysqlV1alpha1().MysqlClusters(s.ns).Failover(t.Context(), s.name, &v1alpha1.MysqlFailover{Spec: test.spec}, metav1.CreateOptions{})
			if !test.refused(err) {
				t.Fatalf("the answer is %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the refusal does not mention %q: %v", want, err)
				}
			}
		})
	}
}

// failoverByTheOneOnCall asks as somebody who may do that and nothing else.
func failoverByTheOneOnCall(t *testing.T, s *subject) {
	user, client := onCall(t, s.ns)
	clusters := client.MysqlV1alpha1().MysqlClusters(s.ns)
	cluster := getCluster(t, s.ns, s.name)
	for verb, try := range map[string]func() error{
		"get":    func() error { _, err := clusters.Get(t.Context(), s.name, metav1.GetOptions{}); return err },
		"list":   func() error { _, err := clusters.List(t.Context(), metav1.ListOptions{}); return err },
		"update": func() error { _, err := clusters.Update(t.Context(), cluster, metav1.UpdateOptions{}); return err },
		"delete": func() error { return clusters.Delete(t.Context(), s.name, metav1.DeleteOptions{}) },
		"update of status": func() error {
			_, err := clusters.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{})
			return err
		},
		"get of scale": func() error { _, err := clusters.GetScale(t.Context(), s.name, metav1.GetOptions{}); return err },
		"failover elsewhere": func() error {
			_, err := client.MysqlV1alpha1().MysqlClusters("default").Failover(t.Context(), s.name, &v1alpha1.MysqlFailover{}, metav1.CreateOptions{})
			return err
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: the answer is %v", verb, err)
		}
	}
	target := s.replica(t)
	s.disturb(t, change{v1alpha1.OperationSwitchover, []string{"the disk makes noises"}, user, target}, func(t *testing.T, primary string) {
		answer, err := clusters.Failover(t.Context(), s.name, &v1alpha1.MysqlFailover{
			Spec: v1alpha1.MysqlFailoverSpec{Target: target, Reason: "the disk makes noises"},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if o := answer.Status.Operation; o.UID == "" || o.Phase != v1alpha1.OperationRequested || o.From != primary || o.To != target || o.RequestedBy != user {
			t.Errorf("the answer is %+v", answer.Status)
		}
	})
}

// onCall makes a ServiceAccount with the role for failovers alone, and a client that has its token.
func onCall(t *testing.T, ns string) (user string, client versioned.Interface) {
	t.Helper()
	const name = "on-call"
	if _, err := kube.CoreV1().ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := kube.RbacV1().RoleBindings(ns).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "mysql-failover"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: ns}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := kube.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	theirs := rest.AnonymousClientConfig(config)
	theirs.BearerToken = token.Status.Token
	if client, err = versioned.NewForConfig(theirs); err != nil {
		t.Fatal(err)
	}
	return "system:serviceaccount:" + ns + ":" + name, client
}

// failoverByKubectl asks without any client of ours.
func failoverByKubectl(t *testing.T, s *subject) {
	path := fmt.Sprintf("/apis/mysql.presslabs.io/v1alpha1/namespaces/%s/mysqlclusters/%s/failover", s.ns, s.name)
	const request = `{"apiVersion": "mysql.presslabs.io/v1alpha1", "kind": "MysqlFailover", "spec": {"reason": "typed by hand"}}`
	user := strings.TrimSpace(mustKubectl(t, "", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"))
	s.disturb(t, change{kind: v1alpha1.OperationSwitchover, reasons: []string{"typed by hand"}, by: user}, func(t *testing.T, primary string) {
		out := mustKubectl(t, request, "create", "--raw", path, "-f", "-")
		var answer v1alpha1.MysqlFailover
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if o := answer.Status.Operation; o.From != primary || o.To == "" || o.Mode != v1alpha1.FailoverGraceful {
			t.Errorf("the answer is %s", out)
		}
	})
	// While that is known to be the primary, it can not be asked for again.
	primary := getCluster(t, s.ns, s.name).Status.Primary
	out, err := kubectl(t, strings.Replace(request, `"spec": {`, `"spec": {"target": "`+primary+`", `, 1), "create", "--raw", path, "-f", "-")
	if want := primary + " is the primary already"; err == nil || !strings.Contains(out, want) {
		t.Errorf("kubectl does not show %q (%v): %s", want, err, out)
	}
}

// forcedFailover ends the reign of a healthy primary without asking it. Then nothing is lost only if the target has everything; so the
// application stops before.
func forcedFailover(t *testing.T, s *subject) {
	before := waitReady(t, s.ns, s.name, s.nodes)
	s.w.verify(t, s.ns, s.name, nodeNames(before))
	target := s.replica(t)
	if _, err := api.MysqlV1alpha1().MysqlClusters(s.ns).Failover(t.Context(), s.name, &v1alpha1.MysqlFailover{
		Spec: v1alpha1.MysqlFailoverSpec{Target: target, Mode: v1alpha1.FailoverForced, Term: &before.Status.Term, Reason: "at any price"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.waitChanged(t, before)
	after := waitReady(t, s.ns, s.name, s.nodes)
	o := after.Status.LastFailovers[0]
	if after.Status.Primary != target || o.To != target || o.Type != v1alpha1.OperationFailover || o.Mode != v1alpha1.FailoverForced ||
		o.Outcome != v1alpha1.OperationSucceeded || o.Term <= before.Status.Term {
		t.Errorf("the primary is %s, recorded: %+v", after.Status.Primary, o)
	}
	t.Logf("given up: %q", o.GivenUpGTIDs)
	s.w.check(t, s.ns, s.name, nodeNames(after))
}
