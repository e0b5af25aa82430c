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

package kubectlmysql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/report"
)

// formats are what status prints besides text.
var formats = []string{"json", "yaml"}

func (p *plugin) statusCommand() *cobra.Command {
	var output string
	var follow bool
	command := &cobra.Command{
		Use:   "status NAME",
		Short: "Show how a cluster is, and what to do about it",
		Long: `Show how a cluster is: a straight answer first, then what to do about it, the nodes as a tree with role, health, lag and the transactions that
each one lacks, durability, rollout, endpoints, the change of the primary that is under way, and the last ones.

GTID GAP compares what the nodes have reported, which may be some seconds old. "lacks" counts transactions of the primary that a replica has not
executed; "errant" counts those that a node has and the primary will never have.`,
		Example: "  " + program + " status foo -n shop\n  " + program + " status foo --watch",
		Args:    clusterName,
		RunE: func(command *cobra.Command, args []string) error {
			if output != "" && !slices.Contains(formats, output) {
				return &usageError{fmt.Sprintf("--output %q is unknown: there are %s", output, strings.Join(formats, ", "))}
			}
			return p.status(command.Context(), args[0], output, follow)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "json or yaml: the same, for programs")
	command.Flags().BoolVarP(&follow, "watch", "w", false, "go on and show each change")
	return command
}

func (p *plugin) status(ctx context.Context, name, output string, follow bool) error {
	clusters, _, err := p.clusters()
	if err != nil {
		return err
	}
	if !follow {
		cluster, err := clusters.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		text, err := p.format(cluster, output)
		p.print(text)
		return err
	}
	screen := &screen{plugin: p, output: output}
	f := &follower{clusters: clusters, name: name, see: screen.show, lost: p.tellOutage}
	if p.drawn() && output == "" {
		ticker := time.NewTicker(time.Second) // ages grow
		defer ticker.Stop()
		f.ticks = ticker.C
		p.print(home + eraseBelow)
	}
	err = f.run(ctx, true)
	if ctx.Err() != nil {
		return nil // that is how people end it
	}
	return err
}

// screen shows a cluster again and again.
type screen struct {
	*plugin
	output, shown string
}

func (s *screen) show(cluster *v1alpha1.MysqlCluster) (bool, error) {
	text, err := s.format(cluster, s.output)
	if err != nil {
		return false, err
	}
	switch {
	case text == s.shown: // a change that is not shown
	case s.output == "" && s.drawn():
		s.print(home + strings.ReplaceAll(text, "\n", eraseLine+"\n") + eraseBelow)
	case s.output == "yaml":
		s.print("---\n" + text)
	case s.output == "" && s.shown != "":
		s.print("\n" + s.Now().UTC().Format(time.RFC3339) + "\n" + text)
	default:
		s.print(text)
	}
	s.shown = text
	return false, nil
}

func (p *plugin) format(cluster *v1alpha1.MysqlCluster, output string) (string, error) {
	r := report.Of(cluster)
	switch output {
	case "json":
		text, err := json.MarshalIndent(r, "", "  ")
		return string(text) + "\n", err
	case "yaml":
		text, err := yaml.Marshal(r)
		return string(text), err
	default:
		return render.Status(r, p.Now(), p.style()), nil
	}
}

func (p *plugin) tellOutage(err error) {
	reason := "the connection was lost"
	if err != nil {
		reason = explain(err)
	}
	p.complain("%s; trying again", reason)
}
