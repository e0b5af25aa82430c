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

// kubectl-mysql is a plugin of kubectl: `kubectl mysql` shows MySQL clusters, and makes other nodes the primary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways to log in that kubeconfigs may name

	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := kubectlmysql.Execute(ctx, os.Args[1:], kubectlmysql.Console())
	stop()
	os.Exit(code)
}
