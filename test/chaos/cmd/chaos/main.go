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

// Command chaos runs clusters of MySQL nodes as plain processes and lets everything go wrong with them that does in life: "make chaos".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
	"github.com/presslabs/mysql-apiserver/test/chaos/nemesis"
	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

func main() {
	os.Exit(netlab.Main(func(hub *netlab.Hub) int {
		if err := run(hub); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}))
}

func run(hub *netlab.Hub) error {
	o := nemesis.Options{Out: os.Stdout}
	flag.IntVar(&o.Rounds, "rounds", 20, "number of rounds")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the first round; the next has the next one")
	flag.StringVar(&o.Shape, "shape", "", "kind of cluster; all of them in turn if it is left out")
	flag.IntVar(&o.RoundsPerCluster, "rounds-per-cluster", 5, "number of rounds after which another cluster is made")
	faults := flag.String("faults", "", fmt.Sprintf("the only faults, separated by commas, of %v", nemesis.Faults()))
	flag.DurationVar(&o.Lasts, "lasts", 0, "how long faults last; by default it is part of the round")
	logs := flag.String("logs", ".work/chaos", "directory for logs")
	flag.Parse()
	for name := range strings.SplitSeq(*faults, ",") {
		if name != "" {
			o.Only = append(o.Only, nemesis.Fault(name))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := lab.New(hub, lab.Options{LogDir: *logs})
	if err != nil {
		return err
	}
	defer func() {
		if err := l.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return nemesis.Run(ctx, l, o)
}
