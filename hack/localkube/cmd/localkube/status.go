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
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/deploy"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// status prints each part with its process and log. It fails when something does not run.
func status(ctx context.Context, l layout.Layout) error {
	table := process.Table{Dir: l.Kube("run", "processes")}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "PART\tPID\tSTATE\tLOG")
	stopped := 0
	for _, name := range append(append([]string{}, afterPods...), beforePods...) {
		id, log, err := table.Find(name)
		switch {
		case err != nil:
			stopped++
			fmt.Fprintf(out, "%s\t-\tnot started\t\n", name)
		case !id.Alive():
			stopped++
			fmt.Fprintf(out, "%s\t%d\tended\t%s\n", name, id.PID, log)
		default:
			fmt.Fprintf(out, "%s\t%d\truns\t%s\n", name, id.PID, log)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if stopped > 0 {
		return fmt.Errorf("%d parts do not run: up starts them", stopped)
	}
	client, err := deploy.NewClient(l)
	if err != nil {
		return err
	}
	if err := client.Ready(ctx); err != nil {
		return fmt.Errorf("the API server is not ready: %w", err)
	}
	fmt.Printf("\nThe API server is ready.\n  export %sKUBECONFIG=%s PATH=%s:$PATH\n", proxyAdvice(), l.Kubeconfig(), l.Bin(""))
	return nil
}
