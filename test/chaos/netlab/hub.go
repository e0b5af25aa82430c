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

package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const bridgeName = "hub0"

var (
	network = netip.MustParsePrefix("10.77.0.0/16")
	hubIP   = netip.MustParseAddr("10.77.0.1")
)

// Hub is the middle of the network.
type Hub struct {
	// Place is the hub's own place in the network.
	*Place
	bridge netlink.Link

	mu   sync.Mutex
	last netip.Addr
}

// newHub sets up the namespaces that the program has just been started in.
func newHub() (*Hub, error) {
	if err := privateMounts(); err != nil {
		return nil, err
	}
	own, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("open the hub's network namespace: %w", err)
	}
	handle, err := netlink.NewHandleAt(own)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	if err := loopbackUp(handle); err != nil {
		return nil, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := handle.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("add the bridge: %w", err)
	}
	if err := addressUp(handle, bridge, hubIP); err != nil {
		return nil, err
	}
	return &Hub{Place: &Place{IP: hubIP, ns: own, handle: handle, link: bridge, hub: own}, bridge: bridge, last: hubIP}, nil
}

// NewPlace makes a network namespace with an address that nobody has had before.
func (h *Hub) NewPlace() (*Place, error) {
	h.mu.Lock()
	h.last = h.last.Next()
	ip := h.last
	h.mu.Unlock()

	p := &Place{IP: ip, hub: h.ns}
	err := inNamespace(h.ns, h.ns, func() error {
		ns, err := netns.New() // also enters it; the caller leaves it again
		p.ns = ns
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	if err := h.connect(p); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// connect lays a cable from the bridge to a place.
func (h *Hub) connect(p *Place) error {
	attrs := netlink.NewLinkAttrs()
	b := p.IP.As4()
	attrs.Name = fmt.Sprintf("to-%d-%d", b[2], b[3])
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(p.ns)}
	if err := h.handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("add a cable: %w", err)
	}
	if err := h.handle.LinkSetMaster(veth, h.bridge); err != nil {
		return fmt.Errorf("connect a cable: %w", err)
	}
	if err := h.handle.LinkSetUp(veth); err != nil {
		return fmt.Errorf("bring a cable up: %w", err)
	}
	var err error
	if p.handle, err = netlink.NewHandleAt(p.ns); err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	if err := loopbackUp(p.handle); err != nil {
		return err
	}
	if p.link, err = p.handle.LinkByName("eth0"); err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	return addressUp(p.handle, p.link, p.IP)
}

func loopbackUp(handle *netlink.Handle) error {
	lo, err := handle.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	if err := handle.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	return nil
}

func addressUp(handle *netlink.Handle, link netlink.Link, ip netip.Addr) error {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(network.Bits(), 32)}}
	if err := handle.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add the address %s: %w", ip, err)
	}
	if err := handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring the interface of %s up: %w", ip, err)
	}
	return nil
}

// inNamespace calls do on a thread that is in one network namespace, and was and will be in the other.
func inNamespace(ns, home netns.NsHandle, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("enter a network namespace: %w", err)
			return
		}
		err := do()
		if back := netns.Set(home); back != nil {
			// The thread stays locked, and ends with this goroutine: nobody else may get it.
			result <- errors.Join(err, fmt.Errorf("leave a network namespace: %w", back))
			return
		}
		runtime.UnlockOSThread()
		result <- err
	}()
	return <-result
}
