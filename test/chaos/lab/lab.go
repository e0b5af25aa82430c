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

// Package lab runs whole clusters as plain processes: our API server on a real etcd, the real controller, and nodes that are real
// agents with real mysqld, in a network whose lines can be cut. Only Kubernetes itself is played (package kubesim).
package lab

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/hack/mysqltree/tree"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/apiservertest"
	"github.com/presslabs/mysql-apiserver/test/chaos/netlab"
)

// Lab is what all clusters share.
type Lab struct {
	Hub *netlab.Hub
	// Clients is where the clients of MySQL are: cuts between nodes and the controller do not concern them.
	Clients *netlab.Place
	// API is the way to our API server.
	API *Proxy

	server *apiservertest.Server
	agent  string
	mysql  tree.Tree
	// dir holds what is not kept, logDir what is.
	dir, logDir string
	apiLog      *os.File
	// volumeBytes is the size of each node's volume; 0 where it is on the disk.
	volumeBytes int64
}

// Options say how a lab is made.
type Options struct {
	// LogDir gets the logs of everything.
	LogDir string
	// OnDisk keeps the nodes' data on the disk instead of in memory.
	OnDisk bool
}

// volumeBytes is the size of volumes in memory.
const volumeBytes = 1 << 30

// New starts a lab in the network of the hub. The caller has to call Close.
func New(hub *netlab.Hub, options Options) (*Lab, error) {
	l := &Lab{Hub: hub}
	var err error
	if l.logDir, err = filepath.Abs(options.LogDir); err != nil {
		return nil, fmt.Errorf("find the directory for logs: %w", err)
	}
	if err := os.MkdirAll(l.logDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory for logs: %w", err)
	}
	if l.mysql, err = tree.Find(); err != nil {
		return nil, err
	}
	// The path is short because there are sockets below it.
	if l.dir, err = os.MkdirTemp("", "lab"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	if err := l.start(options); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) start(options Options) error {
	if !options.OnDisk {
		// It ends with the namespace, whatever becomes of us.
		if err := unix.Mount("tmpfs", l.dir, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount a file system in memory: %w", err)
		}
		l.volumeBytes = volumeBytes
	}
	l.agent = filepath.Join(l.dir, "agent")
	build := exec.Command("go", "build", "-o", l.agent, "github.com/presslabs/mysql-apiserver/cmd/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the agent: %w: %s", err, output)
	}
	var err error
	if l.Clients, err = l.Hub.NewPlace(); err != nil {
		return err
	}
	if l.apiLog, err = os.Create(filepath.Join(l.logDir, "apiserver.log")); err != nil {
		return fmt.Errorf("log the API server: %w", err)
	}
	if err := logTo(l.apiLog); err != nil {
		return err
	}
	if l.server, err = apiservertest.New(filepath.Join(l.dir, "api")); err != nil {
		return fmt.Errorf("start the API server: %w", err)
	}
	l.API, err = newProxy(l.server.Config.Host)
	return err
}

// logTo has everything that is logged without a logger of its own go to a file.
func logTo(file *os.File) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL"} {
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("set up logging: %w", err)
		}
	}
	klog.SetOutput(file)
	return nil
}

// Close ends the lab, once its clusters have been closed.
func (l *Lab) Close() error {
	var errs []error
	if l.API != nil {
		errs = append(errs, l.API.Close())
	}
	if l.server != nil {
		errs = append(errs, l.server.Stop())
	}
	if l.apiLog != nil {
		klog.SetOutput(os.Stderr)
		errs = append(errs, l.apiLog.Close())
	}
	_ = unix.Unmount(l.dir, unix.MNT_DETACH) // where nothing is mounted, nothing has to be done
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

// logger logs to a file of the lab.
func (l *Lab) logger(dir, name string) (*slog.Logger, *os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("log: %w", err)
	}
	return slog.New(slog.NewTextHandler(file, nil)), file, nil
}
