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

// Package parts says how each part of Kubernetes is started: its arguments and configuration files. Nothing here runs anything.
package parts

import (
	"fmt"
	"net"
	"strconv"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// Ports on the node's address.
const (
	apiServerPort     = 6443
	etcdPort          = 2379
	etcdPeerPort      = 2380
	dnsHealthPort     = 8080
	dnsReadyPort      = 8181
	kubeletHealthPort = 10248
	proxyMetricsPort  = 10249
	proxyHealthPort   = 10256
)

// node returns an address of the node.
func node(port int) string {
	return net.JoinHostPort(layout.NodeIP.String(), strconv.Itoa(port))
}

// APIServerURL is where kube-apiserver is reached.
func APIServerURL() string { return "https://" + node(apiServerPort) }

// Etcd is Kubernetes' own etcd; the product's has nothing to do with it.
func Etcd(l layout.Layout) process.Command {
	client, peer := "https://"+node(etcdPort), "https://"+node(etcdPeerPort)
	return command(l, "etcd",
		"--name=local",
		"--data-dir="+l.Kube("etcd"),
		"--listen-client-urls="+client,
		"--advertise-client-urls="+client,
		"--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer,
		"--initial-cluster=local="+peer,
		"--client-cert-auth",
		"--trusted-ca-file="+l.PKI("etcd-ca.crt"),
		"--cert-file="+l.PKI("etcd.crt"),
		"--key-file="+l.PKI("etcd.key"),
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file="+l.PKI("etcd-ca.crt"),
		"--peer-cert-file="+l.PKI("etcd.crt"),
		"--peer-key-file="+l.PKI("etcd.key"),
		"--log-level=warn",
	)
}

// APIServer is kube-apiserver. It listens on the address that it advertises, or no pod would reach it; and it finds the pods behind an
// APIService by itself, because it is no pod and does not go through kube-proxy.
func APIServer(l layout.Layout) process.Command {
	return command(l, "kube-apiserver",
		"--bind-address="+layout.NodeIP.String(),
		"--advertise-address="+layout.NodeIP.String(),
		fmt.Sprintf("--secure-port=%d", apiServerPort),
		"--service-cluster-ip-range="+layout.ServiceCIDR.String(),
		"--etcd-servers=https://"+node(etcdPort),
		"--etcd-cafile="+l.PKI("etcd-ca.crt"),
		"--etcd-certfile="+l.PKI("apiserver-etcd.crt"),
		"--etcd-keyfile="+l.PKI("apiserver-etcd.key"),
		"--tls-cert-file="+l.PKI("apiserver.crt"),
		"--tls-private-key-file="+l.PKI("apiserver.key"),
		"--client-ca-file="+l.PKI("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc."+layout.ClusterDomain,
		"--service-account-key-file="+l.PKI("service-account.pub"),
		"--service-account-signing-key-file="+l.PKI("service-account.key"),
		"--kubelet-certificate-authority="+l.PKI("ca.crt"),
		"--kubelet-client-certificate="+l.PKI("apiserver-kubelet.crt"),
		"--kubelet-client-key="+l.PKI("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file="+l.PKI("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--proxy-client-cert-file="+l.PKI("front-proxy.crt"),
		"--proxy-client-key-file="+l.PKI("front-proxy.key"),
		"--enable-aggregator-routing",
		"--allow-privileged",
		"--profiling=false",
	)
}

// ControllerManager is kube-controller-manager. It is alone, so it needs no election of a leader.
func ControllerManager(l layout.Layout) process.Command {
	return command(l, "kube-controller-manager",
		"--kubeconfig="+l.Config("controller-manager.kubeconfig"),
		"--authentication-kubeconfig="+l.Config("controller-manager.kubeconfig"),
		"--authorization-kubeconfig="+l.Config("controller-manager.kubeconfig"),
		"--bind-address="+layout.NodeIP.String(),
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file="+l.PKI("service-account.key"),
		"--root-ca-file="+l.PKI("ca.crt"),
		"--cluster-signing-cert-file="+l.PKI("ca.crt"),
		"--cluster-signing-key-file="+l.PKI("ca.key"),
		"--client-ca-file="+l.PKI("ca.crt"),
		"--requestheader-client-ca-file="+l.PKI("front-proxy-ca.crt"),
		"--cluster-cidr="+layout.PodCIDR.String(),
		"--service-cluster-ip-range="+layout.ServiceCIDR.String(),
		"--allocate-node-cidrs=false",
		"--flex-volume-plugin-dir="+l.Kube("kubelet", "volume-plugins"),
		"--kube-api-qps=100",
		"--kube-api-burst=200",
		"--profiling=false",
	)
}

// Scheduler is kube-scheduler.
func Scheduler(l layout.Layout) process.Command {
	return command(l, "kube-scheduler",
		"--kubeconfig="+l.Config("scheduler.kubeconfig"),
		"--authentication-kubeconfig="+l.Config("scheduler.kubeconfig"),
		"--authorization-kubeconfig="+l.Config("scheduler.kubeconfig"),
		"--bind-address="+layout.NodeIP.String(),
		"--leader-elect=false",
		"--profiling=false",
	)
}

func command(l layout.Layout, name string, args ...string) process.Command {
	return process.Command{
		Name: name,
		Argv: append([]string{l.Bin(name)}, args...),
		Log:  l.Log(name),
	}
}
