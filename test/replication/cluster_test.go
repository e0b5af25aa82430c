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
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/client"
)

// patience bounds each wait. It is far longer than anything takes, and only ends tests that have failed.
const patience = time.Minute

// cluster is what the nodes of one cluster have in common, with the test in the controller's place.
type cluster struct {
	t          *testing.T
	dir        string
	config     api.NodeConfig
	authority  *authority
	controller *tls.Config
	nodes      []*node
}

// newCluster prepares a cluster without nodes. change may adapt its configuration.
func newCluster(t *testing.T, change func(*api.NodeConfig)) *cluster {
	t.Helper()
	// The paths of sockets must be short: not t.TempDir, which has the test's name in it.
	dir, err := os.MkdirTemp("", "rpl-")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, dir: dir, authority: newAuthority(t), config: api.NodeConfig{
		ClusterUID: "uid-1", ServerIDOffset: 100, MysqlConf: lightConf(),
	}}
	if change != nil {
		change(&c.config)
	}
	c.controller = c.authority.clientTLS(t, api.ControllerCommonName)
	for _, name := range []string{api.CredentialAgent, api.CredentialReplication, api.CredentialClone} {
		c.write(filepath.Join("credentials", name), "secret-"+name+`-'"\%`)
	}
	c.write("user/ROOT_PASSWORD", `r'o"o\t`+"\n")
	c.write("user/USER", "app_user")
	c.write("user/PASSWORD", "app-secret")
	c.write("user/DATABASE", "app_db")
	c.writeConfig()
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.kill()
			n.stopWatching()
			if t.Failed() {
				t.Logf("log of %s:\n%s", n.name, n.output.String())
			}
		}
		os.RemoveAll(dir)
	})
	return c
}

// lightConf spares the disk: only processes crash in these tests, never the machine.
func lightConf() map[string]string {
	return map[string]string{
		"innodb-redo-log-capacity": "32M", "innodb_flush_method": "nosync", "innodb_doublewrite": "OFF", "sync-binlog": "0",
		"innodb_flush_log_at_trx_commit": "2",
	}
}

const rootPassword = `r'o"o\t`

func (c *cluster) writeConfig() {
	c.t.Helper()
	text, err := json.Marshal(c.config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(api.ConfigFile, string(text))
}

func (c *cluster) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// node is one node: an agent process with its own volume and ports.
type node struct {
	c           *cluster
	name        string
	ordinal     int
	mysqlPort   int
	adminPort   int
	controlPort int
	probePort   int
	// handover is how long the agent waits for another primary before it ends.
	handover time.Duration

	process *exec.Cmd
	ended   chan struct{}
	output  safeBuffer

	mu       sync.Mutex
	state    api.State
	watching bool // a stream is open
	news     chan struct{}
	stop     context.CancelFunc
}

// add starts the agent of a further node, with an empty volume, and watches it.
func (c *cluster) add() *node {
	c.t.Helper()
	n := c.prepare()
	n.start()
	return n
}

// prepare makes a further node, with an empty volume, and watches it. Its agent is not running yet.
func (c *cluster) prepare() *node {
	c.t.Helper()
	ordinal := len(c.nodes)
	n := &node{
		c: c, ordinal: ordinal, name: fmt.Sprintf("foo-mysql-%d", ordinal),
		mysqlPort: freePort(c.t), adminPort: freePort(c.t), controlPort: freePort(c.t), probePort: freePort(c.t), news: make(chan struct{}),
	}
	c.nodes = append(c.nodes, n)
	cert, key := c.authority.issue(c.t, n.name)
	c.write(n.path("tls/ca.crt"), string(c.authority.pem))
	c.write(n.path("tls/tls.crt"), string(cert))
	c.write(n.path("tls/tls.key"), string(key))
	n.boot("first")
	n.makeVolume()
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go n.watch(ctx)
	return n
}

// path returns the node's path of a file, relative to the cluster's directory.
func (n *node) path(name string) string { return filepath.Join(strconv.Itoa(n.ordinal), name) }

func (n *node) absolute(name string) string { return filepath.Join(n.c.dir, n.path(name)) }

// boot makes the node's machine look as if it had been booted. The agent must not be running.
func (n *node) boot(id string) {
	n.c.t.Helper()
	n.c.write(n.path("boot_id"), id+"\n")
}

func (n *node) makeVolume() {
	n.c.t.Helper()
	if err := os.MkdirAll(filepath.Join(n.absolute("volume"), "lost+found"), 0o700); err != nil {
		n.c.t.Fatal(err)
	}
}

// loseVolume replaces the volume by an empty one. The agent must not be running.
func (n *node) loseVolume() {
	n.c.t.Helper()
	if err := os.RemoveAll(n.absolute("volume")); err != nil {
		n.c.t.Fatal(err)
	}
	n.makeVolume()
}

// start starts the agent.
func (n *node) start() {
	n.c.t.Helper()
	args := []string{
		"run",
		"--config", filepath.Join(n.c.dir, api.ConfigFile),
		"--tls-dir", n.absolute("tls"),
		"--credentials-dir", filepath.Join(n.c.dir, "credentials"),
		"--user-secret-dir", filepath.Join(n.c.dir, "user"),
		"--volume-dir", n.absolute("volume"),
		"--run-dir", n.absolute("run"),
		"--boot-id-file", n.absolute("boot_id"),
		"--control-address", n.control(),
		"--probe-address", fmt.Sprintf("127.0.0.1:%d", n.probePort),
		"--mysql-host", "127.0.0.1",
		"--mysql-port", strconv.Itoa(n.mysqlPort),
		"--admin-host", "127.0.0.1",
		"--admin-port", strconv.Itoa(n.adminPort),
		"--poll-interval", "500ms",
		"--files-interval", "200ms",
		"--hung-after", "2s",
		"--handover-timeout", cmp.Or(n.handover, time.Millisecond).String(),
	}
	for _, word := range mysqlTree.Mysqld() {
		args = append(args, "--mysqld", word)
	}
	for _, option := range append(mysqlTree.MysqldOptions(), runAsOptions()...) {
		args = append(args, "--mysqld-option", option)
	}
	n.process = exec.Command(agentBinary, args...)
	n.process.Env = append(os.Environ(), api.EnvPodName+"="+n.name, api.EnvPodUID+"="+n.podUID(), api.EnvOrdinal+"="+strconv.Itoa(n.ordinal))
	n.process.Stdout, n.process.Stderr = &n.output, &n.output
	// Nothing may be left over when the test is killed.
	n.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ended := make(chan struct{})
	n.ended = ended
	process := n.process
	started := make(chan error)
	go func() {
		lockThread() // the death signal is tied to the thread
		err := process.Start()
		started <- err
		if err == nil {
			_ = process.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		n.c.t.Fatal(err)
	}
}

// signal sends a signal to the agent and waits for its end. An agent that does not run is no error.
func (n *node) signal(signal os.Signal) {
	n.c.t.Helper()
	if n.process == nil {
		return
	}
	n.tell(signal)
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.c.t.Fatalf("%s does not end after %s", n.name, signal)
	}
}

// tell sends a signal to the agent, which has been started.
func (n *node) tell(signal os.Signal) { _ = n.process.Process.Signal(signal) }

func (n *node) kill() { n.signal(syscall.SIGKILL) }

func (n *node) stopWatching() { n.stop() }

func (n *node) control() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.controlPort)) }

// endpoint is where other nodes reach the node: its administrative interface.
func (n *node) endpoint() *api.Endpoint {
	return &api.Endpoint{Host: "127.0.0.1", Port: n.adminPort}
}

// watch keeps a stream to the agent open, as the controller does.
func (n *node) watch(ctx context.Context) {
	for ctx.Err() == nil {
		_ = client.Watch(ctx, n.control(), n.c.controller, func(s api.State) { n.hear(s, true) })
		n.hear(n.last(), false)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // nobody tells when the port is open
		}
	}
}

func (n *node) hear(s api.State, watching bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	// An older State can arrive after the result of an order.
	if s.AgentStart != n.state.AgentStart || s.Sequence >= n.state.Sequence {
		n.state = s
	}
	n.watching = watching
	close(n.news)
	n.news = make(chan struct{})
}

func (n *node) last() api.State {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// waitFor waits until a State fulfils the condition, and returns it. Only what comes over an open stream counts.
func (n *node) waitFor(what string, condition func(api.State) bool) api.State {
	n.c.t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		state, watching, news := n.state, n.watching, n.news
		n.mu.Unlock()
		if watching && condition(state) {
			return state
		}
		select {
		case <-news:
		case <-deadline:
			n.c.t.Fatalf("%s: waited in vain for: %s; the last state is %s", n.name, what, asJSON(state))
		}
	}
}

// learn takes over the State that came with the result of an order.
func (n *node) learn(s api.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.AgentStart == n.state.AgentStart && s.Sequence > n.state.Sequence {
		n.state = s
		close(n.news)
		n.news = make(chan struct{})
	}
}

// send gives an order of the cluster, based on the last State unless it says otherwise, and returns the result.
func (n *node) send(order api.Order) api.OrderResult {
	n.c.t.Helper()
	if order.ClusterUID == "" {
		order.ClusterUID = n.c.config.ClusterUID
	}
	if order.PodUID == "" {
		order.PodUID = n.podUID()
	}
	if order.Basis == "" {
		order.Basis = n.last().Basis
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result, err := client.Send(ctx, n.control(), n.c.controller, order)
	if err != nil {
		n.c.t.Fatalf("%s: %v", n.name, err)
	}
	n.learn(result.State)
	return result
}

// sendAsync gives an order and delivers its result. An order that is not answered fails the test.
func (n *node) sendAsync(order api.Order) <-chan api.OrderResult {
	n.c.t.Helper()
	order.ClusterUID, order.PodUID, order.Basis = n.c.config.ClusterUID, n.podUID(), n.last().Basis
	results := make(chan api.OrderResult, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		result, err := client.Send(ctx, n.control(), n.c.controller, order)
		if err != nil {
			n.c.t.Errorf("%s: %v", n.name, err)
		}
		results <- result
	}()
	return results
}

func (n *node) podUID() string { return "pod-" + n.name }

// order gives an order and demands its outcome.
func (n *node) order(order api.Order, want api.Outcome) api.OrderResult {
	n.c.t.Helper()
	result := n.send(order)
	if result.Outcome != want {
		n.c.t.Fatalf("%s: %s is %s (%s: %s), want %s", n.name, order.Kind, result.Outcome, result.Reason, result.Message, want)
	}
	return result
}

// refuses gives an order and demands that it is refused for a reason.
func (n *node) refuses(order api.Order, reason string) {
	n.c.t.Helper()
	result := n.order(order, api.OutcomeRefused)
	if result.Reason != reason {
		n.c.t.Fatalf("%s: %s is refused because of %s (%s), want %s", n.name, order.Kind, result.Reason, result.Message, reason)
	}
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// safeBuffer is a buffer that a process writes to while the test reads.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (b *safeBuffer) contains(text string) bool { return strings.Contains(b.String(), text) }
