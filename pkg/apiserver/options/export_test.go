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
	"path/filepath"
	"time"

	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/presslabs/mysql-apiserver/pkg/etcd"
)

// NewServerWithAuthorizer makes a standalone server that asks the authorizer who may do what.
func (o *Options) NewServerWithAuthorizer(ctx context.Context, decides authorizer.Authorizer) (_ *Server, err error) {
	s := &Server{}
	defer func() {
		if err != nil {
			s.stopEtcd()
		}
	}()
	s.etcd, err = etcd.Start(ctx, etcd.Options{DataDir: filepath.Join(o.DataDir, "etcd"), UnsafeNoFsync: true})
	if err != nil {
		return nil, err
	}
	alone, err := o.prepareStandalone(time.Now())
	if err != nil {
		return nil, err
	}
	s.Kubeconfig = alone.Kubeconfig
	config, err := o.config(s.etcd.Endpoints(), alone)
	if err != nil {
		return nil, err
	}
	config.Generic.Authorization.Authorizer = decides
	s.generic, err = config.Complete().New()
	return s, err
}
