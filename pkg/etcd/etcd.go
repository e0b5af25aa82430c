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

// Package etcd runs the etcd server that the API server keeps its objects in when it is given no other: one member, in this process,
// reachable through a unix socket only. It is the only package that imports etcd's server.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
)

// DefaultQuotaBytes is the size that the database may grow to before etcd refuses writes.
const DefaultQuotaBytes int64 = 4 << 30

// memberName is what the only member calls itself. It is part of what is on disk: never change it.
const memberName = "mysql-apiserver"

// Options say how to run the etcd server.
type Options struct {
	// DataDir is the directory that holds the data, and nothing else. It is made, with mode 0700, if it is not there.
	DataDir string
	// QuotaBytes is the size in bytes that the database may grow to; 0 means DefaultQuotaBytes.
	QuotaBytes int64
	// UnsafeNoFsync leaves it to the kernel when data reach the disk. A loss of power then loses data: for tests only.
	UnsafeNoFsync bool
}

// Server is a running etcd server.
type Server struct {
	etcd    *embed.Etcd
	log     *klogCore
	sockets string
	lock    *dirLock
	err     chan error
	stop    chan struct{}
	watched chan struct{}
}

// Start runs an etcd server on the data in options.DataDir and returns when it serves. It fails when another process uses the data, when
// they come from a newer etcd or are damaged, or when ctx ends before the server is ready. The caller has to call Stop.
func Start(ctx context.Context, options Options) (_ *Server, err error) {
	if options.DataDir == "" {
		return nil, errors.New("the embedded etcd needs a data directory")
	}
	dir, err := filepath.Abs(options.DataDir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory %q: %w", options.DataDir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()
	sockets, err := socketDir(dir)
	if err != nil {
		return nil, err
	}

	log := newKlogCore(klog.FromContext(ctx).WithName("etcd"))
	running, err := startMember(config(log, dir, sockets, options))
	if err != nil {
		return nil, fmt.Errorf("start etcd on the data in %s: %w", dir, err)
	}
	select {
	case <-running.Server.ReadyNotify():
	case err := <-running.Err():
		running.Close()
		return nil, fmt.Errorf("start etcd on the data in %s: %w", dir, err)
	case <-running.Server.StopNotify():
		running.Close()
		return nil, fmt.Errorf("etcd stopped while it started on the data in %s", dir)
	case <-ctx.Done():
		running.Close()
		return nil, fmt.Errorf("wait for etcd on the data in %s: %w", dir, context.Cause(ctx))
	}
	s := &Server{
		etcd: running, log: log, sockets: sockets, lock: lock,
		err: make(chan error, 1), stop: make(chan struct{}), watched: make(chan struct{}),
	}
	go s.watch()
	return s, nil
}

// Endpoints are the addresses that a client of etcd connects to.
func (s *Server) Endpoints() []string {
	return []string{"unix://" + filepath.Join(s.sockets, clientSocket)}
}

// Err delivers one error when the server ends without Stop.
func (s *Server) Err() <-chan error { return s.err }

// Stop ends the server and gives the data directory free. Close the clients first: a graceful end waits some seconds for them.
func (s *Server) Stop() {
	close(s.stop)
	<-s.watched
	s.log.stopping.Store(true)
	s.etcd.Close()
	removeSockets(s.sockets)
	s.lock.release()
}

func (s *Server) watch() {
	defer close(s.watched)
	select {
	case <-s.stop:
	case err := <-s.etcd.Err():
		s.err <- fmt.Errorf("the embedded etcd failed: %w", err)
	case <-s.etcd.Server.StopNotify():
		s.err <- errors.New("the embedded etcd stopped")
	}
}

// startMember turns the panics, by which etcd reports some kinds of damage while it reads its data, into errors.
func startMember(cfg *embed.Config) (e *embed.Etcd, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("etcd can not use them: %v", p)
		}
	}()
	return embed.StartEtcd(cfg)
}

func config(log *klogCore, dir, sockets string, options Options) *embed.Config {
	c := embed.NewConfig()
	c.Name = memberName
	c.Dir = dir
	client := url.URL{Scheme: "unix", Path: filepath.Join(sockets, clientSocket)}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(sockets, peerSocket)}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.AdvertisePeerUrls = []url.URL{peer}
	// There are no peers, but etcd insists on a listener for them. For that one it heeds the host of a URL and not the path, and would
	// take a missing host for any name in the abstract namespace, where every user of the machine could reach it.
	c.ListenPeerUrls = []url.URL{{Scheme: "unix", Host: peer.Path}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)

	c.QuotaBackendBytes = options.QuotaBytes
	if c.QuotaBackendBytes == 0 {
		c.QuotaBackendBytes = DefaultQuotaBytes
	}
	// The API server compacts by itself, every five minutes.
	c.AutoCompactionRetention = "0"
	// The API server's watch cache learns from these how fresh it is; etcd's own default is ten minutes.
	c.WatchProgressNotifyInterval = 5 * time.Second
	c.UnsafeNoFsync = options.UnsafeNoFsync
	c.EnableGRPCGateway = false
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(log))
	return c
}
