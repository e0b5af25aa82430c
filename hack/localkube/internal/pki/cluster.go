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

package pki

import (
	"fmt"
	"net"
	"os"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// The clients that get a kubeconfig: what certificate they show, and the groups that the certificate puts them into.
var clients = map[string]Leaf{
	"admin":              {Name: "admin", Groups: []string{"system:masters"}},
	"controller-manager": {Name: "system:kube-controller-manager"},
	"scheduler":          {Name: "system:kube-scheduler"},
	"proxy":              {Name: "system:kube-proxy"},
	"kubelet":            {Name: "system:node:" + layout.NodeName, Groups: []string{"system:nodes"}},
	"coredns":            {Name: "localkube:coredns"},
	"volumes":            {Name: "localkube:volumes"},
}

// EnsureCluster makes every certificate, key and kubeconfig of the local Kubernetes that is not there yet. Three authorities keep
// apart what must not be confused: the cluster's, etcd's, and the one by which extension API servers know the aggregator.
func EnsureCluster(l layout.Layout, server string) error {
	dir := l.PKI("")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Config(""), 0o700); err != nil {
		return err
	}
	ca, err := EnsureAuthority(dir, "ca")
	if err != nil {
		return err
	}
	etcd, err := EnsureAuthority(dir, "etcd-ca")
	if err != nil {
		return err
	}
	front, err := EnsureAuthority(dir, "front-proxy-ca")
	if err != nil {
		return err
	}

	node := net.IP(layout.NodeIP.AsSlice())
	loopback := net.IPv4(127, 0, 0, 1)
	service := "kubernetes.default.svc"
	for _, c := range []struct {
		authority *Authority
		file      string
		leaf      Leaf
	}{
		{etcd, "etcd", Leaf{Name: "etcd", IPs: []net.IP{node, loopback}}},
		{etcd, "apiserver-etcd", Leaf{Name: "kube-apiserver"}},
		{front, "front-proxy", Leaf{Name: "front-proxy-client"}},
		{ca, "apiserver-kubelet", Leaf{Name: "kube-apiserver", Groups: []string{"system:masters"}}},
		{ca, "kubelet-server", Leaf{Name: layout.NodeName, Hosts: []string{layout.NodeName}, IPs: []net.IP{node}}},
		{ca, "apiserver", Leaf{
			Name: "kube-apiserver",
			IPs:  []net.IP{node, loopback, layout.KubernetesIP.AsSlice()},
			Hosts: []string{"kubernetes", "kubernetes.default", service, service + "." + layout.ClusterDomain,
				"localhost"},
		}},
	} {
		if err := c.authority.Ensure(dir, c.file, c.leaf); err != nil {
			return err
		}
	}
	for name, leaf := range clients {
		if err := ca.Ensure(dir, name, leaf); err != nil {
			return err
		}
		file := l.Config(name + ".kubeconfig")
		if name == "admin" {
			file = l.Kubeconfig()
		}
		if err := WriteKubeconfig(file, server, dir, "ca", name); err != nil {
			return err
		}
	}
	if err := EnsureKeyPair(dir, "service-account"); err != nil {
		return fmt.Errorf("make the key of service accounts: %w", err)
	}
	return nil
}
