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
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// announce asks the server whether it is ready until it is, for want of an event that tells it: the server finds out by being asked.
func announce(ctx context.Context, config *rest.Config, ready func()) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Readiness will not be announced")
		return
	}
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/readyz", nil)
		if err != nil {
			return false, err
		}
		response, err := client.Do(request)
		if err != nil {
			return false, nil
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK, nil
	})
	if err == nil {
		ready()
	}
}

// logStandalone tells what a standalone server lacks, so that nobody takes it for the real thing.
func logStandalone(logger klog.Logger) {
	for _, what := range []string{
		"there is no controller: clusters are recorded, but no MySQL is started",
		"there is no Kubernetes behind this server: admission webhooks, admission policies and quotas do not apply",
		"namespaces are not checked: every name is taken for an existing one",
		"there is one user, the one in the kubeconfig, who may do everything: tokens, other certificates and roles are not known",
		"requests are limited in number, but not by priority and fairness",
	} {
		logger.Info("Standalone: " + what)
	}
}

// printTour tells what to type next.
func printTour(out io.Writer, kubeconfig string) {
	fmt.Fprintf(out, `
The MySQL API server is ready. Stop it with Ctrl-C. In another terminal:

export KUBECONFIG=%s
kubectl explain mysqlcluster.spec
kubectl create -f - <<END
apiVersion: mysql.presslabs.io/v1alpha1
kind: MysqlCluster
metadata: {name: foo}
spec: {replicas: 3, secretName: the-secret}
END
kubectl get mysql -o wide
kubectl scale mysql/foo --replicas=5

`, kubeconfig)
}
