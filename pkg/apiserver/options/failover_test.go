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

package options_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
)

const source = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

// serve makes a cluster on the shared server whose status is that of one that does well.
func serve(t *testing.T, name string) *v1alpha1.MysqlCluster {
	t.Helper()
	return serveOn(t, server.Config, name)
}

// serveOn makes such a cluster: of three nodes, in term 7, with the status that its controller would write.
func serveOn(t *testing.T, config *rest.Config, name string) *v1alpha1.MysqlCluster {
	t.Helper()
	cluster, err := clusters(t, config).Create(t.Context(), newCluster(name), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node := func(ordinal int, role v1alpha1.NodeRole, last int, lag *int64) v1alpha1.NodeStatus {
		return v1alpha1.NodeStatus{
			Name: fmt.Sprintf("%s-mysql-%d", name, ordinal), Role: role, Health: v1alpha1.NodeHealthy,
			GTIDExecuted: fmt.Sprintf("%s:1-%d", source, last), LagSeconds: lag,
		}
	}
	cluster.Status = v1alpha1.MysqlClusterStatus{
		Phase: "Ready", Primary: name + "-mysql-0", Term: 7, InitializedAt: ptr.To(metav1.Now()),
		Nodes: []v1alpha1.NodeStatus{
			node(0, v1alpha1.NodeRolePrimary, 100, nil), node(1, v1alpha1.NodeRoleReplica, 100, ptr.To[int64](0)), node(2, v1alpha1.NodeRoleReplica, 98, ptr.To[int64](45)),
		},
	}
	if cluster, err = clusters(t, config).UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return cluster
}

func get(t *testing.T, name string) *v1alpha1.MysqlCluster {
	t.Helper()
	cluster, err := clusters(t, server.Config).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func forced(target string, term int64) *v1alpha1.MysqlFailover {
	return &v1alpha1.MysqlFailover{Spec: v1alpha1.MysqlFailoverSpec{Mode: v1alpha1.FailoverForced, Target: target, Term: &term}}
}

func TestFailoverIsRecorded(t *testing.T) {
	before := serve(t, "foo")
	answer, err := clusters(t, server.Config).Failover(t.Context(), "foo",
		&v1alpha1.MysqlFailover{Spec: v1alpha1.MysqlFailoverSpec{Reason: "an exercise"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after := get(t, "foo")
	o := after.Status.Operation
	if o == nil || o.UID == "" {
		t.Fatalf("the operation is %+v", o)
	}
	want := v1alpha1.MysqlClusterOperation{
		UID: o.UID, Type: v1alpha1.OperationSwitchover, Mode: v1alpha1.FailoverGraceful, RequestedBy: "admin", Reason: "an exercise", From: "foo-mysql-0", To: "foo-mysql-1",
		Phase: v1alpha1.OperationRequested, Phases: []v1alpha1.OperationPhaseTime{{Phase: v1alpha1.OperationRequested, At: o.StartedAt}}, StartedAt: o.StartedAt,
	}
	if !apiequality.Semantic.DeepEqual(*o, want) {
		t.Errorf("recorded is %+v\nwant %+v", *o, want)
	}
	if !apiequality.Semantic.DeepEqual(answer.Status.Operation, *o) {
		t.Errorf("the answer says %+v\nrecorded is %+v", answer.Status.Operation, *o)
	}
	if time.Since(o.StartedAt.Time).Abs() > time.Hour || answer.Name != "foo" || answer.Namespace != namespace(t) || !answer.CreationTimestamp.Time.Equal(o.StartedAt.Truncate(time.Second)) {
		t.Errorf("the answer is of %v about %s/%s, the operation of %v", answer.CreationTimestamp, answer.Namespace, answer.Name, o.StartedAt)
	}
	if c := answer.Status.Candidates; len(c) != 3 || c[0].Name != "foo-mysql-1" || !c[0].Eligible || c[2].Eligible || len(answer.Status.Steps) == 0 {
		t.Errorf("the answer is %+v", answer.Status)
	}
	// Nothing else has changed.
	after.Status.Operation, after.ResourceVersion = nil, before.ResourceVersion
	if !apiequality.Semantic.DeepEqual(before, after) {
		t.Errorf("before\n%+v\nafter\n%+v", before, after)
	}
}

// TestFailoverByHand sends what `kubectl create --raw … -f -` sends, and what people write.
func TestFailoverByHand(t *testing.T) {
	client, err := versioned.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	for contentType, body := range map[string]string{
		"application/json": `{"apiVersion":"mysql.presslabs.io/v1alpha1","kind":"MysqlFailover","spec":{"target":"NAME-mysql-2","mode":"Forced","term":7}}`,
		"application/yaml": "apiVersion: mysql.presslabs.io/v1alpha1\nkind: MysqlFailover\nmetadata:\n  name: NAME\nspec:\n  target: NAME-mysql-2\n  mode: Forced\n  term: 7\n",
	} {
		name := strings.TrimPrefix(contentType, "application/")
		t.Run(name, func(t *testing.T) {
			serve(t, name)
			status := 0
			path := fmt.Sprintf("/apis/mysql.presslabs.io/v1alpha1/namespaces/%s/mysqlclusters/%s/failover", namespace(t), name)
			raw, err := client.MysqlV1alpha1().RESTClient().Post().AbsPath(path).SetHeader("Content-Type", contentType).SetHeader("Accept", "application/json").
				Body([]byte(strings.ReplaceAll(body, "NAME", name))).Do(t.Context()).StatusCode(&status).Raw()
			if err != nil {
				t.Fatalf("%v: %s", err, raw)
			}
			answer := &v1alpha1.MysqlFailover{}
			if err := json.Unmarshal(raw, answer); err != nil {
				t.Fatal(err)
			}
			if status != http.StatusCreated || answer.Kind != "MysqlFailover" || answer.APIVersion != "mysql.presslabs.io/v1alpha1" {
				t.Errorf("the answer is %d %s %s", status, answer.APIVersion, answer.Kind)
			}
			o := get(t, name).Status.Operation
			if o == nil || o.Type != v1alpha1.OperationFailover || o.To != name+"-mysql-2" || o.GivenUpGTIDs != source+":99-100" {
				t.Errorf("recorded is %+v", o)
			}
			if answer.Status.GivenUpGTIDs != source+":99-100" {
				t.Errorf("the answer is %s", raw)
			}
		})
	}
}

func TestFailoverDryRunStoresNothing(t *testing.T) {
	before := serve(t, "foo")
	client := clusters(t, server.Config)
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	answer, err := client.Failover(t.Context(), "foo", forced("foo-mysql-2", 7), dryRun)
	if err != nil {
		t.Fatal(err)
	}
	if o := answer.Status.Operation; o.To != "foo-mysql-2" || o.RequestedBy != "admin" || answer.Status.GivenUpGTIDs == "" || len(answer.Status.Steps) < 3 || len(answer.Status.Candidates) != 3 {
		t.Errorf("the plan is %+v", answer.Status)
	}
	if after := get(t, "foo"); after.ResourceVersion != before.ResourceVersion || after.Status.Operation != nil {
		t.Errorf("something was stored: %+v", after.Status)
	}
	// A plan is judged no milder than the deed.
	if _, err := client.Failover(t.Context(), "foo", forced("foo-mysql-0", 7), dryRun); !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestFailoverIsRefused(t *testing.T) {
	cluster := serve(t, "foo")
	create(t, newCluster("fresh"))
	client := clusters(t, server.Config)
	request := func(change func(*v1alpha1.MysqlFailover)) *v1alpha1.MysqlFailover {
		f := &v1alpha1.MysqlFailover{}
		change(f)
		return f
	}
	target := func(name string) *v1alpha1.MysqlFailover {
		return request(func(f *v1alpha1.MysqlFailover) { f.Spec.Target = name })
	}
	type failover = v1alpha1.MysqlFailover
	const cannot = `Operation cannot be fulfilled on mysqlclusters.mysql.presslabs.io "foo": `
	const invalid = `MysqlFailover.mysql.presslabs.io "foo" is invalid: `
	for name, c := range map[string]struct {
		cluster string
		request *failover
		code    int32
		want    string
	}{
		"no cluster":     {"bar", &failover{}, http.StatusNotFound, `mysqlclusters.mysql.presslabs.io "bar" not found`},
		"a new cluster":  {"fresh", &failover{}, http.StatusConflict, `Operation cannot be fulfilled on mysqlclusters.mysql.presslabs.io "fresh": the cluster has no data yet: it is Pending`},
		"another name":   {"foo", request(func(f *failover) { f.Name = "bar" }), http.StatusBadRequest, `metadata.name is "bar", but the request is for the cluster "foo"`},
		"unknown target": {"foo", target("bar"), http.StatusUnprocessableEntity, invalid + `spec.target: Invalid value: "bar": the cluster has no such node; there are foo-mysql-0, foo-mysql-1, foo-mysql-2`},
		"unknown mode": {"foo", request(func(f *failover) { f.Spec.Mode = "forced" }), http.StatusUnprocessableEntity,
			invalid + `spec.mode: Unsupported value: "forced": supported values: "Forced", "Graceful"`},
		"a long reason": {"foo", request(func(f *failover) { f.Spec.Reason = strings.Repeat("a", 1025) }), http.StatusUnprocessableEntity,
			invalid + `spec.reason: Too long: may not be more than 1024 characters`},
		"the primary": {"foo", target("foo-mysql-0"), http.StatusConflict, cannot + "foo-mysql-0 is the primary already, in term 7"},
		"a lagging node": {"foo", target("foo-mysql-2"), http.StatusConflict,
			cannot + "foo-mysql-2 is lagging by 45 s, more than the 30 s of spec.maxSlaveLatency; it is missing GTIDs " + source + ":99-100"},
		"no term": {"foo", request(func(f *failover) { f.Spec.Mode = v1alpha1.FailoverForced }), http.StatusUnprocessableEntity,
			invalid + "spec.term: Required value: mode Forced can give up transactions: name the term that you decide on, which status.term of the cluster tells"},
		"an old term": {"foo", forced("foo-mysql-1", 6), http.StatusConflict, cannot + "the request is for term 6, but the present term is 7, in which foo-mysql-0 is the primary"},
		"another UID": {"foo", request(func(f *failover) { f.Spec.Preconditions = &metav1.Preconditions{UID: ptr.To[types.UID]("x")} }), http.StatusConflict,
			cannot + "the request is for the cluster with the UID x, this one has " + string(cluster.UID)},
		"another resourceVersion": {"foo", request(func(f *failover) { f.Spec.Preconditions = &metav1.Preconditions{ResourceVersion: ptr.To("1")} }), http.StatusConflict,
			cannot + "the request is for the resourceVersion 1, the cluster has " + cluster.ResourceVersion + " now"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := versioned.NewForConfig(server.Config)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.MysqlV1alpha1().MysqlClusters(cluster.Namespace).Failover(t.Context(), c.cluster, c.request, metav1.CreateOptions{})
			var status apierrors.APIStatus
			if !errors.As(err, &status) {
				t.Fatalf("got %v, %+v", err, answer)
			}
			if status.Status().Code != c.code || err.Error() != c.want {
				t.Errorf("got  %d %v\nwant %d %s", status.Status().Code, err, c.code, c.want)
			}
		})
	}
	if o := get(t, "foo").Status.Operation; o != nil {
		t.Errorf("a refused request was recorded: %+v", o)
	}
	// What the preconditions demand is there.
	met := request(func(f *failover) {
		f.Spec.Preconditions = &metav1.Preconditions{UID: &cluster.UID, ResourceVersion: &cluster.ResourceVersion}
	})
	if _, err := client.Failover(t.Context(), "foo", met, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := client.Failover(t.Context(), "foo", target("foo-mysql-1"), metav1.CreateOptions{})
	want := fmt.Sprintf("%sa switchover from foo-mysql-0 to foo-mysql-1 is under way, asked for by admin at %s: it is in phase Requested",
		cannot, get(t, "foo").Status.Operation.StartedAt.UTC().Format(time.RFC3339))
	if !apierrors.IsConflict(err) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestFailoverIsStrictAboutItsFields(t *testing.T) {
	serve(t, "foo")
	client, err := versioned.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	post := func(validation string) error {
		return client.MysqlV1alpha1().RESTClient().Post().Namespace(namespace(t)).Resource("mysqlclusters").Name("foo").SubResource("failover").
			Param("fieldValidation", validation).Param("dryRun", metav1.DryRunAll).SetHeader("Content-Type", "application/json").
			Body([]byte(`{"apiVersion":"mysql.presslabs.io/v1alpha1","kind":"MysqlFailover","spec":{"node":"foo-mysql-1"}}`)).Do(t.Context()).Error()
	}
	if err := post(metav1.FieldValidationStrict); err == nil || !strings.Contains(err.Error(), `unknown field "spec.node"`) {
		t.Errorf("got %v", err)
	}
	if err := post(metav1.FieldValidationIgnore); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestForcedFailoverOfAHealthyPrimaryIsWarnedOf(t *testing.T) {
	serve(t, "foo")
	var got warnings
	config := rest.CopyConfig(server.Config)
	config.WarningHandler = &got
	if _, err := clusters(t, config).Failover(t.Context(), "foo", forced("foo-mysql-1", 7), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != "the primary foo-mysql-0 is healthy: mode Graceful would give up nothing" {
		t.Errorf("the warnings are %q", got)
	}
}

// A status can be replaced only by who has seen all of it, so that no request is lost that was recorded in between.
func TestStatusUpdatesDoNotLoseRequests(t *testing.T) {
	seen := serve(t, "foo")
	client := clusters(t, server.Config)
	if _, err := client.Failover(t.Context(), "foo", &v1alpha1.MysqlFailover{}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	seen.Status.Phase = "written without knowing of the request"
	if _, err := client.UpdateStatus(t.Context(), seen, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("with an old resourceVersion: got %v, want a conflict", err)
	}
	seen.ResourceVersion = ""
	_, err := client.UpdateStatus(t.Context(), seen, metav1.UpdateOptions{})
	if got := causes(t, err); len(got) != 1 || got[0] != "metadata.resourceVersion" {
		t.Errorf("without a resourceVersion: got %v", err)
	}
	if _, err := client.Patch(t.Context(), "foo", types.MergePatchType, []byte(`{"status":{"phase":"patched"}}`), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	// The main resource leaves status alone, whatever it is sent.
	seen.Spec.ReadOnly = true
	if _, err := client.Update(t.Context(), seen, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := get(t, "foo"); after.Status.Operation == nil || after.Status.Phase != "patched" || !after.Spec.ReadOnly {
		t.Errorf("the status is %+v", after.Status)
	}
}

// TestFailoversAmongStatusUpdates has requests race with a controller that writes status all the time and ends operations as it sees
// them. Each request that was accepted has to be seen by it, and no two at a time.
func TestFailoversAmongStatusUpdates(t *testing.T) {
	serve(t, "foo")
	client := clusters(t, server.Config)
	const requests = 20
	var accepted []types.UID
	var lock sync.Mutex
	var users sync.WaitGroup
	for range 2 {
		users.Go(func() {
			for done := 0; done < requests/2; {
				answer, err := client.Failover(t.Context(), "foo", &v1alpha1.MysqlFailover{}, metav1.CreateOptions{})
				switch {
				case apierrors.IsConflict(err) && strings.Contains(err.Error(), "is under way"):
				case err != nil:
					t.Error(err)
					return
				default:
					done++
					lock.Lock()
					accepted = append(accepted, answer.Status.Operation.UID)
					lock.Unlock()
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		users.Wait()
		close(ended)
	}()
	seen := map[types.UID]bool{}
	write := func() error {
		cluster, err := client.Get(t.Context(), "foo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		cluster.Status.Nodes[1].GTIDExecuted = fmt.Sprintf("%s:1-%d", source, time.Now().UnixMicro())
		o := cluster.Status.Operation
		cluster.Status.Operation = nil
		if _, err := client.UpdateStatus(t.Context(), cluster, metav1.UpdateOptions{}); err != nil {
			return err
		}
		if o != nil {
			seen[o.UID] = true
		}
		return nil
	}
	for last := false; ; {
		if err := retry.RetryOnConflict(retry.DefaultRetry, write); err != nil && !apierrors.IsConflict(err) {
			t.Fatal(err)
		}
		if last {
			break
		}
		select {
		case <-ended:
			last = true // once more, for the last request
		default:
		}
	}
	if len(accepted) != requests || len(seen) != requests {
		t.Errorf("%d requests were accepted, %d seen", len(accepted), len(seen))
	}
	for _, uid := range accepted {
		if !seen[uid] {
			t.Errorf("the request %s was accepted, and lost", uid)
		}
	}
}
