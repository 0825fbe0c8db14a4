package lab

import (
	"fmt"
	"net/netip"
)

// Role says which daemons a node runs.
type Role string

// The roles of a fabric.
const (
	RoleCentral Role = "central" // the OVN databases and ovn-northd
	RoleLeaf    Role = "leaf"    // FRR, the nodes' only BGP peer and the outside host's router
	RoleOutside Role = "outside" // a plain host beyond the leaf
	RoleCompute Role = "compute" // FRR, Open vSwitch, ovn-controller; virtual machines
	RoleGateway Role = "gateway" // as compute, and a candidate for routers' gateway ports
)

// NodeSpec is what a node is before it runs. Addresses a role has no use for are zero.
type NodeSpec struct {
	Name       string
	Role       Role
	AS         int
	Loopbacks  []netip.Prefix // host addresses on lo, announced to the leaf
	Management netip.Prefix   // on mgmt0: the way to the OVN databases, apart from the fabric
	Encap      netip.Prefix   // on br-tun: the tunnel end, apart from BGP (user-space tunnels need an OVS device)
}

// Chassis reports whether the node runs ovn-controller.
func (n NodeSpec) Chassis() bool { return n.Role == RoleCompute || n.Role == RoleGateway }

// Speaker reports whether the node runs FRR.
func (n NodeSpec) Speaker() bool { return n.Chassis() || n.Role == RoleLeaf }

// Topology is a fabric: one central, one leaf, one outside host, any number of chassis, every one with an uplink to
// the leaf.
type Topology struct {
	Nodes []NodeSpec
	// Embedded nodes run no FRR: their agents speak BGP themselves.
	Embedded bool `json:",omitempty"`
	// OutsideLeaf and OutsideHost are the two ends of the link beyond the leaf, IPv4 then IPv6.
	OutsideLeaf, OutsideHost []netip.Prefix
	NBPort, SBPort           int
	OverlayVLAN              int // VLAN of each uplink that carries Geneve
}

// Names and numbers of the default fabric that more than one file needs.
const (
	centralName = "central"
	leafName    = "leaf"
	outsideName = "outside"

	nodeAS = 64999
	leafAS = 65000
)

// DefaultTopology is what `ovnbgp lab up` builds: two computes, two gateways.
func DefaultTopology() Topology {
	t := Topology{
		OutsideLeaf: prefixes("192.0.2.1/24", "2001:db8:c000::1/64"),
		OutsideHost: prefixes("192.0.2.10/24", "2001:db8:c000::10/64"),
		NBPort:      6641,
		SBPort:      6642,
		OverlayVLAN: 100,
	}
	t.Nodes = []NodeSpec{
		{Name: centralName, Role: RoleCentral, Management: netip.MustParsePrefix("172.30.1.10/24")},
		{Name: leafName, Role: RoleLeaf, AS: leafAS, Loopbacks: prefixes("172.30.0.1/32", "2001:db8:30::1/128")},
		{Name: outsideName, Role: RoleOutside},
		chassisSpec("compute1", RoleCompute, 11),
		chassisSpec("compute2", RoleCompute, 12),
		chassisSpec("gateway1", RoleGateway, 21),
		chassisSpec("gateway2", RoleGateway, 22),
	}
	return t
}

// chassisSpec derives a chassis' addresses from its number.
func chassisSpec(name string, role Role, number byte) NodeSpec {
	return NodeSpec{
		Name: name,
		Role: role,
		AS:   nodeAS,
		Loopbacks: prefixes(
			fmt.Sprintf("172.30.0.%d/32", number),
			fmt.Sprintf("2001:db8:30::%d/128", number)),
		Management: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 30, 1, number}), 24),
		Encap:      netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 30, 2, number}), 24),
	}
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(texts))
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// Node finds a node by name.
func (t Topology) Node(name string) (NodeSpec, error) {
	for _, n := range t.Nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return NodeSpec{}, fmt.Errorf("no node %q in the lab", name)
}

// Chassis lists the nodes that run ovn-controller, in the topology's order.
func (t Topology) Chassis() []NodeSpec { return t.where(NodeSpec.Chassis) }

// Speakers lists the nodes that run FRR.
func (t Topology) Speakers() []NodeSpec {
	return t.where(func(n NodeSpec) bool { return n.Speaker() && !(t.Embedded && n.Chassis()) })
}

func (t Topology) where(keep func(NodeSpec) bool) []NodeSpec {
	var out []NodeSpec
	for _, n := range t.Nodes {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

// Remote is the OVSDB address of the Northbound or Southbound database as seen by the nodes.
func (t Topology) Remote(port int) string {
	central, err := t.Node(centralName)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("tcp:%s:%d", central.Management.Addr(), port)
}
