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

// Package network makes the address that the node has, on an interface of its own, and the way from pods to the world outside.
package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// proxyTables are the nftables tables that kube-proxy makes and leaves behind.
var proxyTables = []string{"ip kube-proxy", "ip6 kube-proxy"}

// Owner returns the directory of the local Kubernetes that has the node's interface now; empty if there is no such interface.
func Owner() (string, error) {
	link, err := netlink.LinkByName(layout.Bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the interface %s: %w", layout.Bridge, err)
	}
	return link.Attrs().Alias, nil
}

// Conflict describes a network of this machine, other than our own, that overlaps with one that we need; empty if there is none.
func Conflict() (string, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return "", fmt.Errorf("list the routes: %w", err)
	}
	owner, err := Owner()
	if err != nil {
		return "", err
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		prefix, ok := prefixOf(route.Dst)
		if !ok || prefix.Bits() == 0 || !(prefix.Overlaps(layout.Network) || prefix.Overlaps(layout.ServiceCIDR)) {
			continue
		}
		link, err := netlink.LinkByIndex(route.LinkIndex)
		if err != nil {
			continue // gone since the list was made
		}
		if link.Attrs().Name == layout.Bridge || (owner != "" && link.Type() == "veth" && layout.PodCIDR.Contains(prefix.Addr())) {
			continue // ours, from before
		}
		return fmt.Sprintf("%s at %s", route.Dst, link.Attrs().Name), nil
	}
	return "", nil
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}

// Ensure makes the interface with the node's address, owned by the given directory, and the pods' way out.
func Ensure(ctx context.Context, owner string) error {
	link, err := netlink.LinkByName(layout.Bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = layout.Bridge
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return fmt.Errorf("add the interface %s: %w", layout.Bridge, err)
		}
		link, err = netlink.LinkByName(layout.Bridge)
	}
	if err != nil {
		return fmt.Errorf("look for the interface %s: %w", layout.Bridge, err)
	}
	if err := netlink.LinkSetAlias(link, owner); err != nil {
		return fmt.Errorf("mark the interface %s as ours: %w", layout.Bridge, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: layout.NodeIP.AsSlice(), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add the address %s: %w", layout.NodeIP, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring the interface %s up: %w", layout.Bridge, err)
	}
	return nft(ctx, masquerade())
}

// masquerade lets pods reach addresses outside under this machine's own. Declared, emptied and filled in one transaction: it may be there already.
func masquerade() string {
	return fmt.Sprintf(`table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %[2]s ip daddr != %[3]s masquerade
	}
}
`, layout.NftTable, layout.PodCIDR, layout.Network)
}

// Remove takes away the interface, the pods' ends of cables, and every nftables table that is ours or kube-proxy's.
func Remove(ctx context.Context) error {
	var errs []error
	errs = append(errs, removeVeths())
	link, err := netlink.LinkByName(layout.Bridge)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil && !errors.As(err, &netlink.LinkNotFoundError{}) {
		errs = append(errs, fmt.Errorf("remove the interface %s: %w", layout.Bridge, err))
	}
	if _, err := exec.LookPath("nft"); err == nil {
		script := ""
		for _, table := range append([]string{"ip " + layout.NftTable}, proxyTables...) {
			// Declared first, so that deleting succeeds whether or not it was there.
			script += "table " + table + "\ndelete table " + table + "\n"
		}
		errs = append(errs, nft(ctx, script))
	}
	return errors.Join(errs...)
}

// removeVeths removes what is left of pods that were not taken down in order: their route leads to an address of ours.
func removeVeths() error {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list the routes: %w", err)
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		prefix, ok := prefixOf(route.Dst)
		if !ok || !prefix.IsSingleIP() || !layout.PodCIDR.Contains(prefix.Addr()) {
			continue
		}
		link, err := netlink.LinkByIndex(route.LinkIndex)
		if err != nil || link.Type() != "veth" {
			continue
		}
		if err := netlink.LinkDel(link); err != nil && !errors.As(err, &netlink.LinkNotFoundError{}) {
			return fmt.Errorf("remove the interface %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

func nft(ctx context.Context, script string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = bytes.NewBufferString(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
