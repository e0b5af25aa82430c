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

package replication

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/client"
)

// TestOrdersOfAnOlderTermAreRefused guards safety rule 2.
func TestOrdersOfAnOlderTermAreRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	demote := func(term int64) api.Order { return api.Order{Kind: api.OrderDemote, Term: term} }
	n.order(demote(5), api.OutcomeDone)
	orders := []api.Order{
		{Kind: api.OrderPromote, Term: 4}, {Kind: api.OrderFollow, Term: 4, Source: n.endpoint()}, demote(4), {Kind: api.OrderInitialize, Term: 4},
		{Kind: api.OrderClone, Term: 4, Source: n.endpoint(), Discard: true},
	}
	for _, order := range orders {
		n.refuses(order, api.RefusedOldTerm)
	}
	n.order(demote(5), api.OutcomeDone)

	n.signal(syscall.SIGKILL)
	n.start()
	if state := n.waitFor("mysqld to run again", newborn); state.Term != 5 {
		t.Errorf("after a restart the term is %d, was 5", state.Term)
	}
	for _, order := range orders {
		n.refuses(order, api.RefusedOldTerm)
	}
	n.promote(6, 0)
	n.refuses(demote(5), api.RefusedOldTerm)
	if state := n.last(); !writable(state) {
		t.Errorf("a refused order has changed the node: %s", asJSON(state))
	}
}

// TestAKeptVolumeIsAdopted: the volume of a deleted cluster serves one of the same name, whose terms begin anew.
func TestAKeptVolumeIsAdopted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	n.promote(7, 0)
	n.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)")
	n.signal(syscall.SIGTERM)
	c.config.ClusterUID = "uid-2"
	c.writeConfig()
	n.start()
	if state := n.waitFor("mysqld to run", newborn); state.ClusterUID != "uid-1" || !state.HasData {
		t.Errorf("a node with another cluster's volume reports %s", asJSON(state))
	}
	n.refuses(api.Order{Kind: api.OrderPromote, Term: 8, ClusterUID: "uid-1"}, api.RefusedInvalid)
	n.refuses(api.Order{Kind: api.OrderInitialize, Term: 1}, api.RefusedHasData)
	n.promote(1, 0)
	if state := n.last(); state.ClusterUID != "uid-2" || state.Term != 1 {
		t.Errorf("an adopted node reports %s", asJSON(state))
	}
	n.exec("INSERT INTO app_db.t VALUES (1)")
}

func TestOnlyTheControllerGivesOrders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.add()
	n.waitFor("an empty volume", empty)
	withoutCertificate := c.controller.Clone()
	withoutCertificate.Certificates = nil
	stranger := newAuthority(t).clientTLS(t, api.ControllerCommonName)
	stranger.RootCAs = c.controller.RootCAs
	for name, config := range map[string]*tls.Config{
		"a node's certificate":                   c.authority.clientTLS(t, n.name),
		"no certificate":                         withoutCertificate,
		"a certificate of another CA":            stranger,
		"a certificate with an empty name":       c.authority.clientTLS(t, ""),
		"a certificate with a name that ends so": c.authority.clientTLS(t, "x-"+api.ControllerCommonName),
	} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		result, err := client.Send(ctx, n.control(), config, api.Order{ClusterUID: "uid-1", PodUID: n.podUID(), Term: 1, Kind: api.OrderInitialize})
		if err == nil {
			t.Errorf("%s: the order is answered with %s", name, asJSON(result))
		}
		err = client.Watch(ctx, n.control(), config, func(s api.State) { t.Errorf("%s: the state is shown", name) })
		if err == nil || ctx.Err() != nil {
			t.Errorf("%s: Watch = %v", name, err)
		}
		cancel()
	}
	if state := n.last(); state.Term != 0 {
		t.Errorf("an order of a stranger was accepted: %s", asJSON(state))
	}
	if _, err := client.Send(context.Background(), n.control(), &tls.Config{Certificates: c.controller.Certificates, MinVersion: tls.VersionTLS13}, api.Order{}); err == nil {
		t.Error("the client trusts an agent of an unknown CA")
	}
}

func TestRotatedCertificatesAreUsed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.addInitialized()
	n.waitFor("mysqld to run", running)
	n.promote(1, 0)
	c.authority = newAuthority(t)
	c.controller = c.authority.clientTLS(t, api.ControllerCommonName)
	cert, key := c.authority.issue(t, n.name)
	c.write(n.path("tls/ca.crt"), string(c.authority.pem))
	c.write(n.path("tls/tls.crt"), string(cert))
	c.write(n.path("tls/tls.key"), string(key))
	// The control API at once, MySQL when the agent has looked at the files.
	n.order(api.Order{Kind: api.OrderPromote, Term: 1}, api.OutcomeDone)
	n.eventually("MySQL to use the new certificate", func() bool { return n.root().Ping() == nil })
	n.eventually("the administrative interface to use it too", func() bool { return n.openAt(n.adminPort, "root", rootPassword).Ping() == nil })
}

func TestRootsPasswordFollowsTheSecret(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	const changed = `chang'ed"\`
	c.write("user/ROOT_PASSWORD", changed)
	for _, n := range []*node{primary, replica} {
		n.eventually("the new password", func() bool { return n.open("root", changed).Ping() == nil })
		if err := n.root().Ping(); err == nil {
			t.Errorf("%s still takes the old password", n.name)
		}
	}
	if primary.output.contains("chang'ed") {
		t.Error("the log shows the password")
	}
}

func TestProbesTellWhetherTheNodeServes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := c.addInitialized(), c.addInitialized()
	probe := func(n *node, path string) int {
		t.Helper()
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", n.probePort, path))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); len(text) > 20 {
			t.Errorf("%s tells too much: %q", path, text)
		}
		return response.StatusCode
	}
	expect := func(n *node, when string, ready int) {
		t.Helper()
		if got := probe(n, "/readyz"); got != ready {
			t.Errorf("%s: /readyz of %s answers %d, want %d", when, n.name, got, ready)
		}
		if got := probe(n, "/livez"); got != http.StatusOK {
			t.Errorf("%s: /livez of %s answers %d", when, n.name, got)
		}
	}
	primary.waitFor("mysqld to run", running)
	replica.waitFor("mysqld to run", running)
	expect(primary, "without a role", http.StatusServiceUnavailable)
	joinPair(primary, replica)
	expect(primary, "as primary", http.StatusOK)
	expect(replica, "as replica", http.StatusOK)
	primary.signal(syscall.SIGTERM)
	replica.waitFor("the receiver to notice", func(s api.State) bool { return s.Replication.ReceiverState != api.ReceiverOn })
	expect(replica, "while its source is away", http.StatusOK)
	replica.order(api.Order{Kind: api.OrderDemote, Term: 1}, api.OutcomeDone)
	expect(replica, "demoted", http.StatusServiceUnavailable)
	if got := probe(replica, "/v1/state"); got != http.StatusNotFound {
		t.Errorf("the probes' port shows the state: %d", got)
	}
}

func TestAHungAgentIsNoticed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	n := c.add()
	n.waitFor("an empty volume", empty)
	first := make(chan struct{})
	ended := make(chan error, 1)
	heard := false
	go func() {
		ended <- client.Watch(context.Background(), n.control(), c.controller, func(api.State) {
			if !heard {
				close(first)
				heard = true
			}
		})
	}()
	<-first
	if err := n.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := mustReturn(t, "Watch", ended); !errors.Is(err, client.ErrSilent) {
		t.Errorf("Watch of a hung agent = %v", err)
	}
	if err := n.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

func TestTheAgentInstallsItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 { // also over a copy that is there
		if out, err := run(agentBinary, "install", dir); err != nil {
			t.Fatalf("install: %v\n%s", err, out)
		}
	}
	out, err := run(filepath.Join(dir, "agent"), "dance")
	if err == nil || !strings.Contains(out, "usage") {
		t.Errorf("the installed agent answers %q, %v", out, err)
	}
}
