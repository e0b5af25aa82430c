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

package etcd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-semver/semver"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.uber.org/zap"
	"k8s.io/klog/v2/ktesting"
)

// crashDir, when it is set, makes this test binary the process that TestKillLosesNothing kills.
const crashDir = "ETCD_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(dir)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, options Options) *Server {
	t.Helper()
	_, ctx := ktesting.NewTestContext(t)
	s, err := Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T, s *Server) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: s.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func put(t *testing.T, s *Server, key, value string) {
	t.Helper()
	if _, err := client(t, s).Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *Server, key string) string {
	t.Helper()
	got, err := client(t, s).Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Kvs) == 0 {
		return ""
	}
	return string(got.Kvs[0].Value)
}

func TestRestartKeepsData(t *testing.T) {
	options := Options{DataDir: filepath.Join(t.TempDir(), "a", "data"), UnsafeNoFsync: true}
	s := start(t, options)
	put(t, s, "key", "value")
	s.Stop()
	if left, _ := filepath.Glob(filepath.Join(options.DataDir, "sockets", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	s = start(t, options)
	defer s.Stop()
	if got := get(t, s, "key"); got != "value" {
		t.Errorf("got %q after the restart", got)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	options := Options{DataDir: t.TempDir(), UnsafeNoFsync: true}
	s := start(t, options)
	put(t, s, "key", "value")

	_, ctx := ktesting.NewTestContext(t)
	_, err := Start(ctx, options)
	if want := fmt.Sprintf("%s is in use by another process (number %d)", options.DataDir, os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
	if got := get(t, s, "key"); got != "value" {
		t.Errorf("the refused start did harm: got %q", got)
	}
	s.Stop()
	start(t, options).Stop()
}

func TestOnlyTheOwnerReachesTheData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, Options{DataDir: dir, UnsafeNoFsync: true})
	defer s.Stop()
	for _, path := range []string{dir, filepath.Join(dir, "sockets")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	names := listeningSockets(t)
	for _, name := range []string{clientSocket, peerSocket} {
		if path := filepath.Join(dir, "sockets", name); !slices.Contains(names, path) {
			t.Errorf("nobody listens at %s", path)
		}
	}
	for _, name := range names {
		if !strings.HasPrefix(name, dir) {
			t.Errorf("this process listens at %q, which others can reach", name)
		}
	}
}

// listeningSockets are the names of the unix sockets that this process listens at, as the kernel tells them: paths, or names with an "@"
// in the abstract namespace.
func listeningSockets(t *testing.T) []string {
	t.Helper()
	own := map[string]bool{}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil {
			own[target] = true
		}
	}
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, line := range strings.Split(string(table), "\n") {
		// Num RefCount Protocol Flags Type St Inode Path; the flag is __SO_ACCEPTCON.
		if f := strings.Fields(line); len(f) >= 7 && f[3] == "00010000" && own["socket:["+f[6]+"]"] {
			names = append(names, strings.Join(f[7:], " "))
		}
	}
	return names
}

func TestLongPathsWork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	s := start(t, Options{DataDir: dir, UnsafeNoFsync: true})
	put(t, s, "key", "value")
	sockets := s.sockets
	if !strings.HasPrefix(sockets, os.TempDir()) {
		t.Errorf("the sockets are in %s", sockets)
	}
	s.Stop()
	if _, err := os.Stat(sockets); !os.IsNotExist(err) {
		t.Errorf("the directory of the sockets is left behind: %v", err)
	}
}

func TestForeignSocketDirectoryIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	s := start(t, Options{DataDir: dir, UnsafeNoFsync: true})
	sockets := s.sockets
	s.Stop()
	if err := os.Symlink(t.TempDir(), sockets); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(sockets)
	_, ctx := ktesting.NewTestContext(t)
	if s, err := Start(ctx, Options{DataDir: dir}); err == nil {
		s.Stop()
		t.Error("the sockets were made behind somebody's symbolic link")
	}
}

func TestDataOfNewerEtcdAreRefused(t *testing.T) {
	options := Options{DataDir: t.TempDir(), UnsafeNoFsync: true}
	start(t, options).Stop()

	be := backend.NewDefaultBackend(zap.NewNop(), filepath.Join(options.DataDir, "member", "snap", "db"))
	tx := be.BatchTx()
	tx.LockOutsideApply()
	schema.UnsafeSetStorageVersion(tx, &semver.Version{Major: 3, Minor: 99})
	tx.Unlock()
	be.ForceCommit()
	be.Close()

	_, ctx := ktesting.NewTestContext(t)
	s, err := Start(ctx, options)
	if err == nil {
		s.Stop()
		t.Fatal("data of etcd 3.99 were taken")
	}
	for _, want := range []string{options.DataDir, "3.99"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell %q", err, want)
		}
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	dir := t.TempDir()
	if s, err := Start(ctx, Options{DataDir: dir, UnsafeNoFsync: true}); err == nil {
		s.Stop() // it was ready first
	}
	start(t, Options{DataDir: dir, UnsafeNoFsync: true}).Stop()
}

func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	for round := range 3 {
		process := exec.Command(os.Args[0])
		process.Env = append(os.Environ(), crashDir+"="+data)
		process.Stderr = os.Stderr
		out, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		// The process tells each write that etcd acknowledged. Kill it in the middle of the writes.
		last := -1
		for {
			var n int
			if _, err := fmt.Fscanln(out, &n); err != nil {
				break
			}
			if last = n; n == 20 {
				if err := process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = process.Wait()
		if last < 20 {
			t.Fatalf("the process ended by itself after write %d", last)
		}
		s := start(t, Options{DataDir: data})
		for n := range last + 1 {
			if got := get(t, s, fmt.Sprintf("key-%d", n)); got != "value" {
				t.Errorf("round %d: the acknowledged write %d is lost", round, n)
			}
		}
		s.Stop()
	}
}

func writeUntilKilled(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Start(ctx, Options{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: s.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for n := 0; ; n++ {
		if _, err := c.Put(ctx, fmt.Sprintf("key-%d", n), "value"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Println(n)
	}
}
