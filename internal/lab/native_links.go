package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Names of links in the nodes.
const (
	uplink     = "eth0"    // to the leaf, where the link has the node's name
	overlay    = "overlay" // the leaf's bridge that joins the nodes' overlay VLANs
	tunnelPort = "tun0"    // the node's overlay VLAN, a port of br-tun
	management = "mgmt0"   // to the OVN databases; on central the bridge that joins them
)

// forwarding is set on the nodes that forward and on the leaf. Loose ends of reverse path filtering would drop what
// comes in on one table and leaves by another.
func forwarding() []string {
	return []string{
		"net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1", "net/ipv6/conf/default/forwarding=1",
		"net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
	}
}

// wire lays every link and address of the fabric.
func (f *Fabric) wire() error {
	central, leaf := f.nodes[centralName], f.nodes[leafName]
	for _, spec := range f.Topology.Nodes {
		if err := prepare(f.nodes[spec.Name]); err != nil {
			return err
		}
	}
	if err := withLinks(central, func(h *netlink.Handle) error {
		return addLink(h, bridge(management), central.Management)
	}); err != nil {
		return err
	}
	if err := withLinks(leaf, func(h *netlink.Handle) error { return addLink(h, bridge(overlay)) }); err != nil {
		return err
	}
	if err := f.wireOutside(leaf); err != nil {
		return err
	}
	for _, n := range f.Chassis() {
		if err := wireManagement(central, n); err != nil {
			return err
		}
		if err := wireUplink(leaf, n, f.Topology.OverlayVLAN); err != nil {
			return err
		}
	}
	return nil
}

// prepare sets a node's kernel parameters and its loopback.
func prepare(n Node) error {
	// Without duplicate address detection a link-local address can be used, and BGP started, two seconds earlier.
	settings := []string{"net/ipv6/conf/all/accept_dad=0", "net/ipv6/conf/default/accept_dad=0"}
	if n.Speaker() {
		settings = append(settings, forwarding()...)
	}
	if err := n.Sysctl(settings...); err != nil {
		return err
	}
	return withLinks(n, func(h *netlink.Handle) error { return configure(h, "lo", n.Loopbacks...) })
}

func (f *Fabric) wireOutside(leaf Node) error {
	host := f.nodes[outsideName]
	if err := veth(leaf, outsideName, host, uplink); err != nil {
		return err
	}
	if err := withLinks(leaf, func(h *netlink.Handle) error {
		return configure(h, outsideName, f.Topology.OutsideLeaf...)
	}); err != nil {
		return err
	}
	return withLinks(host, func(h *netlink.Handle) error {
		if err := configure(h, uplink, f.Topology.OutsideHost...); err != nil {
			return err
		}
		for _, p := range f.Topology.OutsideLeaf {
			if err := addDefaultRoute(h, uplink, p.Addr()); err != nil {
				return err
			}
		}
		return nil
	})
}

func wireManagement(central, n Node) error {
	if err := veth(central, n.Name, n, management); err != nil {
		return err
	}
	if err := withLinks(central, func(h *netlink.Handle) error { return enslave(h, n.Name, management) }); err != nil {
		return err
	}
	return withLinks(n, func(h *netlink.Handle) error { return configure(h, management, n.Management) })
}

// wireUplink joins a node to the leaf by one veth with two uses: untagged for BGP and what it routes, a VLAN for Geneve.
// Cutting it cuts both, as on a real node.
func wireUplink(leaf, n Node, vlan int) error {
	if err := veth(leaf, n.Name, n, uplink); err != nil {
		return err
	}
	leafVLAN := fmt.Sprintf("%s.%d", n.Name, vlan)
	if err := withLinks(leaf, func(h *netlink.Handle) error {
		if err := configure(h, n.Name); err != nil {
			return err
		}
		if err := addVLAN(h, n.Name, leafVLAN, vlan); err != nil {
			return err
		}
		return enslave(h, leafVLAN, overlay)
	}); err != nil {
		return err
	}
	if err := withLinks(n, func(h *netlink.Handle) error {
		if err := configure(h, uplink); err != nil {
			return err
		}
		return addVLAN(h, uplink, tunnelPort, vlan)
	}); err != nil {
		return err
	}
	// The encap address is on br-tun. The kernel would answer for it on tun0 as well, with tun0's MAC, and the overlay
	// would be dead or alive by luck.
	if err := n.Sysctl("net/ipv4/conf/"+tunnelPort+"/arp_ignore=1", "net/ipv6/conf/"+tunnelPort+"/disable_ipv6=1"); err != nil {
		return err
	}
	return withLinks(n, func(h *netlink.Handle) error { return configure(h, tunnelPort) })
}

// withLinks runs fn with a netlink handle in the node and names the node in its error.
func withLinks(n Node, fn func(*netlink.Handle) error) error {
	h, err := n.Links()
	if err != nil {
		return err
	}
	defer h.Close()
	if err := fn(h); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return nil
}

func bridge(name string) netlink.Link {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	return &netlink.Bridge{LinkAttrs: attrs}
}

// veth makes a pair with one end in each of two nodes. Both are down.
func veth(a Node, nameA string, b Node, nameB string) error {
	ns, err := netns.GetFromPid(b.Pid)
	if err != nil {
		return fmt.Errorf("node %s: network namespace: %w", b.Name, err)
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = nameA
	return withLinks(a, func(h *netlink.Handle) error {
		pair := netlink.NewVeth(attrs)
		pair.PeerName, pair.PeerNamespace = nameB, netlink.NsFd(ns)
		if err := h.LinkAdd(pair); err != nil {
			return fmt.Errorf("add link %s to node %s: %w", nameA, b.Name, err)
		}
		return nil
	})
}

func addLink(h *netlink.Handle, link netlink.Link, addrs ...netip.Prefix) error {
	if err := h.LinkAdd(link); err != nil {
		return fmt.Errorf("add link %s: %w", link.Attrs().Name, err)
	}
	return configure(h, link.Attrs().Name, addrs...)
}

func addVLAN(h *netlink.Handle, parent, name string, id int) error {
	on, err := h.LinkByName(parent)
	if err != nil {
		return fmt.Errorf("link %s: %w", parent, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = name, on.Attrs().Index
	if err := h.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: id, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}); err != nil {
		return fmt.Errorf("add link %s: %w", name, err)
	}
	return nil
}

// configure gives a link addresses and sets it up.
func configure(h *netlink.Handle, name string, addrs ...netip.Prefix) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	for _, a := range addrs {
		if err := h.AddrReplace(link, &netlink.Addr{IPNet: ipNet(a)}); err != nil {
			return fmt.Errorf("add address %s to %s: %w", a, name, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

func enslave(h *netlink.Handle, name, master string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	to, err := h.LinkByName(master)
	if err != nil {
		return fmt.Errorf("link %s: %w", master, err)
	}
	if err := errors.Join(h.LinkSetMaster(link, to), h.LinkSetUp(link)); err != nil {
		return fmt.Errorf("add %s to %s: %w", name, master, err)
	}
	return nil
}

func addDefaultRoute(h *netlink.Handle, dev string, via netip.Addr) error {
	link, err := h.LinkByName(dev)
	if err != nil {
		return fmt.Errorf("link %s: %w", dev, err)
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if via.Is6() {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(all), Gw: via.AsSlice()}
	if err := h.RouteReplace(route); err != nil {
		return fmt.Errorf("add default route via %s: %w", via, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// SetUplink cuts a chassis from the leaf, or heals it, at the leaf's end: BGP and the overlay at once. The way to the OVN
// databases stays.
func (f *Fabric) SetUplink(node string, up bool) error {
	n, err := f.Node(node)
	if err != nil {
		return err
	}
	if !n.Chassis() {
		return fmt.Errorf("node %s has no uplink", node)
	}
	return withLinks(f.nodes[leafName], func(h *netlink.Handle) error {
		link, err := h.LinkByName(node)
		if err != nil {
			return fmt.Errorf("link %s: %w", node, err)
		}
		if up {
			// Setting a link down also downs the VLAN on it, and setting it up does not bring that back.
			return errors.Join(h.LinkSetUp(link), configure(h, fmt.Sprintf("%s.%d", node, f.Topology.OverlayVLAN)))
		}
		return h.LinkSetDown(link)
	})
}
