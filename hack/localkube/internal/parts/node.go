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

package parts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"sigs.k8s.io/yaml"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// CNIPlugins is where Debian's package containernetworking-plugins puts the plugins.
const CNIPlugins = "/usr/lib/cni"

// PauseImage holds each pod's namespaces.
const PauseImage = "localkube/pause:1"

// Containerd is the container runtime. The snapshotter is overlayfs, or native where the kernel has none.
func Containerd(l layout.Layout) process.Command {
	c := command(l, "containerd", "--config="+l.Config("containerd.toml"))
	c.Files = []string{l.Config("containerd.toml")}
	return c
}

// Kubelet is the node's agent.
func Kubelet(l layout.Layout) process.Command {
	c := command(l, "kubelet",
		"--config="+l.Config("kubelet.yaml"),
		"--kubeconfig="+l.Config("kubelet.kubeconfig"),
		"--root-dir="+l.Kube("kubelet"),
		"--hostname-override="+layout.NodeName,
		"--node-ip="+layout.NodeIP.String(),
	)
	c.Files = []string{l.Config("kubelet.yaml")}
	return c
}

// Proxy is kube-proxy: it makes the Services' addresses work, for pods and for this machine.
func Proxy(l layout.Layout) process.Command {
	c := command(l, "kube-proxy", "--config="+l.Config("proxy.yaml"))
	c.Files = []string{l.Config("proxy.yaml")}
	return c
}

// DNS is CoreDNS, on the node's own address.
func DNS(l layout.Layout) process.Command {
	c := command(l, "coredns", "-conf="+l.Config("Corefile"))
	c.Files = []string{l.Config("Corefile")}
	return c
}

// DNSReadyURL answers once CoreDNS serves.
func DNSReadyURL() string { return "http://" + node(dnsReadyPort) + "/ready" }

// KubeletHealthURL answers once the kubelet runs.
func KubeletHealthURL() string { return "http://" + node(kubeletHealthPort) + "/healthz" }

// ProxyHealthURL answers once kube-proxy has written its rules.
func ProxyHealthURL() string { return "http://" + node(proxyHealthPort) + "/healthz" }

// Volumes is the provisioner of the default storage class: this very program.
func Volumes(l layout.Layout) process.Command {
	return process.Command{
		Name: "volumes",
		Argv: []string{l.Bin("localkube"), "volumes",
			"--kubeconfig=" + l.Config("volumes.kubeconfig"), "--dir=" + l.Kube("volumes")},
		Log: l.Log("volumes"),
	}
}

// WriteConfigs writes the configuration files of the parts that have one.
func WriteConfigs(l layout.Layout, snapshotter string) error {
	pause, err := reference.ParseNormalizedNamed(PauseImage)
	if err != nil {
		return fmt.Errorf("the name of the image pause: %w", err)
	}
	files := map[string]string{
		l.Config("containerd.toml"): containerdConfig(l, snapshotter, pause.String()),
		l.Config("Corefile"):        corefile(l),
	}
	for file, config := range map[string]any{
		l.Config("kubelet.yaml"):                       kubeletConfig(l),
		l.Config("proxy.yaml"):                         proxyConfig(l),
		filepath.Join(cniDir(l), "localkube.conflist"): cniConfig(l),
	} {
		data, err := yaml.Marshal(config)
		if strings.HasSuffix(file, ".conflist") {
			data, err = json.MarshalIndent(config, "", "  ")
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
		files[file] = string(data)
	}
	for file, text := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := writeChanged(file, text); err != nil {
			return err
		}
	}
	return nil
}

// writeChanged leaves a file alone that has the text already: kube-proxy ends when its file is as much as touched.
func writeChanged(file, text string) error {
	if have, err := os.ReadFile(file); err == nil && string(have) == text {
		return nil
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func cniDir(l layout.Layout) string { return l.Config("cni") }

// containerdConfig: an OOM score below a parent's needs CAP_SYS_RESOURCE, which a container or a small machine lacks, and AppArmor
// profiles cannot be loaded everywhere, so neither is asked for.
func containerdConfig(l layout.Layout, snapshotter, pause string) string {
	return fmt.Sprintf(`version = 3
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs"]

[grpc]
  address = %[3]q

[ttrpc]
  address = %[4]q

[plugins."io.containerd.cri.v1.images"]
  snapshotter = %[5]q
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = %[6]q

[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  enable_cdi = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [%[7]q]
    conf_dir = %[8]q
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = %[9]q
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      Root = %[10]q
      SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
`, l.Kube("containerd"), l.Kube("run", "containerd"), l.Containerd(), l.Containerd()+".ttrpc", snapshotter, pause,
		CNIPlugins, cniDir(l), l.Bin("containerd-shim-runc-v2"), l.Kube("run", "runc"))
}

// cniConfig attaches each pod by a cable of its own (ptp) and lets the kernel route between them. A bridge would need the module
// br_netfilter, or else the answers to a connection through a Service would bypass the address translation.
func cniConfig(l layout.Layout) any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "localkube",
		"plugins": []any{map[string]any{
			"type": "ptp",
			"ipam": map[string]any{
				"type":    "host-local",
				"dataDir": l.Kube("run", "cni"),
				"ranges":  []any{[]any{map[string]any{"subnet": layout.PodCIDR.String()}}},
				"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
			},
		}},
	}
}

func kubeletConfig(l layout.Layout) any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"address":    layout.NodeIP.String(),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": l.PKI("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"tlsCertFile":              l.PKI("kubelet-server.crt"),
		"tlsPrivateKeyFile":        l.PKI("kubelet-server.key"),
		"containerRuntimeEndpoint": "unix://" + l.Containerd(),
		"healthzBindAddress":       layout.NodeIP.String(),
		"healthzPort":              kubeletHealthPort,
		"clusterDNS":               []string{layout.NodeIP.String()},
		"clusterDomain":            layout.ClusterDomain,
		"podLogsDir":               l.Kube("logs", "pods"),
		"volumePluginDir":          l.Kube("kubelet", "volume-plugins"),

		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             layout.Cgroup,
		"failCgroupV1":           false,
		"enforceNodeAllocatable": []string{},
		"failSwapOn":             false,
		"makeIPTablesUtilChains": false,

		// A developer's disk may be nearly full: only the last of it is worth an eviction. Images are never collected, since they
		// could not be pulled again.
		"evictionHard": map[string]string{
			"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
			"imagefs.available": "1%", "imagefs.inodesFree": "1%",
		},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		"serializeImagePulls":         false,
		"registryPullQPS":             0,
		"eventRecordQPS":              0,
		"kubeAPIQPS":                  100,
		"kubeAPIBurst":                200,
	}
}

func proxyConfig(l layout.Layout) any {
	return map[string]any{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"clientConnection":   map[string]any{"kubeconfig": l.Config("proxy.kubeconfig")},
		"mode":               "nftables",
		"clusterCIDR":        layout.PodCIDR.String(),
		"hostnameOverride":   layout.NodeName,
		"healthzBindAddress": node(proxyHealthPort),
		"metricsBindAddress": node(proxyMetricsPort),
		"nodePortAddresses":  []string{layout.NodeIP.String() + "/32"},
		// The machine's connection tracking is left as it is.
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

// corefile: the cluster's own names are never cached, so that a pod that moved is found at once. Names outside are asked from whoever this
// machine asks.
func corefile(l layout.Layout) string {
	return fmt.Sprintf(`.:53 {
    bind %[1]s
    errors
    health %[2]s
    ready %[3]s
    kubernetes %[4]s in-addr.arpa ip6.arpa {
        kubeconfig %[5]s
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }
    forward . /etc/resolv.conf
    cache 30 {
        disable success %[4]s
        disable denial %[4]s
    }
}
`, layout.NodeIP, node(dnsHealthPort), node(dnsReadyPort), layout.ClusterDomain, l.Config("coredns.kubeconfig"))
}
