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

// Package layout says where everything of the local Kubernetes is: files, all below one directory, and addresses, all private to
// a bridge of its own. Nothing here touches the machine.
package layout

import (
	"net/netip"
	"path/filepath"
)

// Layout is one local Kubernetes' place on a machine.
type Layout struct {
	// Work is the absolute path of the repository's work directory: bin and mysql are beside kube.
	Work string
	// Repo is the absolute path of the repository; empty where nothing is deployed from it.
	Repo string
}

// Names that are visible on the machine or in the cluster.
const (
	// NodeName is the name of the only Node.
	NodeName = "local"
	// Bridge is the network interface that holds NodeIP. No pod is attached to it: it is the only kind of virtual interface that
	// every kernel with container support has.
	Bridge = "localkube0"
	// Cgroup is the control group, in each hierarchy, that holds every process of the local Kubernetes.
	Cgroup = "/localkube"
	// NftTable is the nftables table (family ip) that lets pods reach what lies outside.
	NftTable = "localkube"
	// ClusterDomain is the suffix of the cluster's DNS names.
	ClusterDomain = "cluster.local"
	// StorageClass is the default storage class and the name of its provisioner.
	StorageClass = "local"
)

// Addresses. Each is used on this machine alone.
var (
	// Network holds all addresses of nodes and pods.
	Network = netip.MustParsePrefix("10.244.0.0/16")
	// PodCIDR holds the pods' addresses.
	PodCIDR = netip.MustParsePrefix("10.244.0.0/24")
	// NodeIP is where every part of Kubernetes listens.
	NodeIP = netip.MustParseAddr("10.244.255.1")
	// ServiceCIDR holds the Services' addresses.
	ServiceCIDR = netip.MustParsePrefix("10.96.0.0/16")
	// KubernetesIP is the address of the Service kubernetes.default: the first one of ServiceCIDR.
	KubernetesIP = netip.MustParseAddr("10.96.0.1")
)

// Kube returns the path of something below the directory that holds the whole state.
func (l Layout) Kube(elem ...string) string {
	return filepath.Join(append([]string{l.Work, "kube"}, elem...)...)
}

// Bin returns the path of a program.
func (l Layout) Bin(name string) string { return filepath.Join(l.Work, "bin", name) }

// MySQL is the root of MySQL's file tree.
func (l Layout) MySQL() string { return filepath.Join(l.Work, "mysql") }

// Kubeconfig is the administrator's.
func (l Layout) Kubeconfig() string { return l.Kube("kubeconfig") }

// Log returns the path of a part's log.
func (l Layout) Log(part string) string { return l.Kube("logs", part+".log") }

// PKI returns the path of a certificate or key.
func (l Layout) PKI(file string) string { return l.Kube("pki", file) }

// Config returns the path of a part's configuration file.
func (l Layout) Config(file string) string { return l.Kube("config", file) }

// Containerd is the path of containerd's socket.
func (l Layout) Containerd() string { return l.Kube("run", "containerd.sock") }

// LongestSocket is the path of the longest of the sockets that the parts make; the kernel takes 107 bytes.
func (l Layout) LongestSocket() string { return l.Kube("kubelet", "pod-resources", "kubelet.sock") }
