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

// Command bench measures how long writes are away when the primary of a cluster is lost: "make bench-failover".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/presslabs/mysql-apiserver/test/chaos/bench"
	"github.com/presslabs/mysql-apiserver/test/chaos/lab"
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
	o := bench.Options{Out: os.Stdout}
	flag.IntVar(&o.Rounds, "rounds", 50, "number of rounds of each kind")
	faults := flag.String("faults", "", "the only faults, separated by commas")
	logs := flag.String("logs", ".work/bench", "directory for logs")
	memory := flag.Bool("memory", false, "keep the data in memory instead of on the disk")
	flag.Parse()
	if *faults != "" {
		o.Only = strings.Split(*faults, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := lab.New(hub, lab.Options{LogDir: *logs, OnDisk: !*memory})
	if err != nil {
		return err
	}
	defer func() {
		if err := l.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return bench.Run(ctx, l, o)
}
