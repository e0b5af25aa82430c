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

package main

import (
	"context"
	"strings"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/images"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/progress"
)

func (u *upper) product(ctx context.Context, s *progress.Stage) error {
	_, tag, err := images.OfProduct(u.Layout)
	if err != nil {
		return err
	}
	if err := u.client.Product(ctx, images.Product, tag); err != nil {
		return err
	}
	if err := u.client.Rollout(ctx, func(lacks string) { s.Note("%s", lacks) }); err != nil {
		return err
	}
	s.Done("%s:%s runs", images.Product, tag)
	return nil
}

func (u *upper) example(ctx context.Context, s *progress.Stage) error {
	names, created, err := u.client.Example(ctx, u.options.example)
	if err != nil {
		return err
	}
	if created {
		s.Note("applied %s", u.options.example)
	}
	if err := u.client.Clusters(ctx, names, func(lacks string) { s.Note("%s", lacks) }); err != nil {
		return err
	}
	s.Done("%s ready", strings.Join(names, ", "))
	return nil
}

// farewell prints what to type next.
func (u *upper) farewell(ctx context.Context) error {
	u.report.Line("\nup after %.1fs; logs: %s", u.report.Elapsed().Seconds(), u.Kube("logs"))
	if !u.options.noDeploy {
		shown, err := u.client.Show(ctx)
		if err != nil {
			return err
		}
		u.report.Line("\n%s", strings.TrimRight(shown, "\n"))
	}
	next := "kubectl get nodes"
	if !u.options.noDeploy {
		next = "kubectl get mysqlclusters"
	}
	u.report.Line("\nNow type:\n  export %sKUBECONFIG=%s PATH=%s:$PATH\n  %s", proxyAdvice(), u.Kubeconfig(), u.Bin(""), next)
	return nil
}
