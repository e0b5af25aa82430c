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

package options

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/apiserver/servingcert"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/standalone"
	"github.com/presslabs/mysql-apiserver/pkg/etcd"
)

// Server is an API server with what it runs on.
type Server struct {
	// Kubeconfig is the path of the kubeconfig of a standalone server; empty otherwise.
	Kubeconfig string

	generic *genericapiserver.GenericAPIServer
	etcd    *etcd.Server
}

// NewServer starts the embedded etcd, unless another is given, and makes the server. The caller has to call Run, which ends both.
func (o *Options) NewServer(ctx context.Context) (_ *Server, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{}
	defer func() {
		if err != nil {
			s.stopEtcd()
		}
	}()

	endpoints := o.Recommended.Etcd.StorageConfig.Transport.ServerList
	if o.embedded() {
		// It comes first because it holds the lock of the data directory.
		s.etcd, err = etcd.Start(ctx, etcd.Options{
			DataDir: filepath.Join(o.DataDir, "etcd"), QuotaBytes: o.EtcdQuotaBytes, UnsafeNoFsync: o.EtcdUnsafeNoFsync,
		})
		if err != nil {
			return nil, err
		}
		endpoints = s.etcd.Endpoints()
	}
	var alone *standalone.Files
	if o.Standalone {
		if alone, err = o.prepareStandalone(time.Now()); err != nil {
			return nil, err
		}
		s.Kubeconfig = alone.Kubeconfig
	}
	var certificate *servingcert.Manager
	if o.managesCertificate() {
		if certificate, err = o.startServingCert(ctx); err != nil {
			return nil, err
		}
	}
	config, err := o.config(endpoints, alone)
	if err != nil {
		return nil, fmt.Errorf("configure the API server: %w", err)
	}
	if s.generic, err = config.Complete().New(); err != nil {
		return nil, err
	}
	if certificate != nil {
		s.generic.AddPostStartHookOrDie("manage-serving-certificate", func(hook genericapiserver.PostStartHookContext) error {
			go certificate.Run(hook)
			return nil
		})
	}
	return s, nil
}

// Loopback is the configuration of a client that the server allows everything. It only works in this process.
func (s *Server) Loopback() *rest.Config { return s.generic.LoopbackClientConfig }

// Run serves until ctx ends, and then ends gracefully. It fails when the embedded etcd ends before that.
func (s *Server) Run(ctx context.Context) error {
	defer s.stopEtcd()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	failed := make(chan error, 1)
	if s.etcd != nil {
		go func() {
			select {
			case err := <-s.etcd.Err():
				failed <- err
				cancel(err)
			case <-ctx.Done():
			}
		}()
	}
	err := s.generic.PrepareRun().RunWithContext(ctx)
	select {
	case etcdErr := <-failed:
		return errors.Join(etcdErr, err)
	default:
		return err
	}
}

// WhenReady calls ready once when the server says that it is ready, unless ctx ends before. Call it before Run.
func (s *Server) WhenReady(ready func()) error {
	return s.generic.AddPostStartHook("announce-readiness", func(hook genericapiserver.PostStartHookContext) error {
		go announce(hook, hook.LoopbackClientConfig, ready)
		return nil
	})
}

func (s *Server) stopEtcd() {
	if s.etcd != nil {
		s.etcd.Stop()
		klog.Background().V(1).Info("The embedded etcd has stopped")
	}
}
