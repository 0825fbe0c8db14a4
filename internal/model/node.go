// Package model holds the nouns of what must be: links, routes, rules, neighbours, flows, VRFs and announcements,
// each with its reason. They are plain values: package desired makes them, the appliers bring them about, and
// nobody in between gives them another meaning. Start at Node.
package model

import (
	"errors"
	"net/netip"
	"slices"
)

// ErrNotInSync says that a source cannot answer now: it is not connected, or has not caught up. Nothing may be
// concluded from it, least of all that things are gone.
var ErrNotInSync = errors.New("not in sync")

// Protocol is the number by which the kernel's routes, rules and neighbours of ours are known (rtm_protocol,
// FRA_PROTOCOL, NDA_PROTOCOL).
const Protocol = 179

// Cookie marks our OpenFlow flows; OldCookie marks those of ovn-bgp-agent's other method.
const (
	Cookie    = 999
	OldCookie = 998
)

// RulePriority is the priority of the rules that lead an announced address to its bridge's table.
const RulePriority = 32000

// Node is all that must be on one node. Slices are sorted; two equal inputs give two equal Nodes, byte for byte.
//
// Serves, on each object, lists the announcement keys that need the object. Nil means all of them, an empty list none:
// what nobody needs yet may fail without taking a key away.
type Node struct {
	// Bridges are the mapped provider bridges. They bound what is looked at: objects on other devices and in
	// other tables are nobody's business here.
	Bridges []Bridge
	// Unmapped are the switch's other bridges, the integration bridge apart, sorted. Only flows of ours are looked for
	// there, which an earlier mapping may have left.
	Unmapped []string
	VRF      VRF

	Links     []Link
	Addresses []Address
	Sysctls   []Sysctl
	Rules     []Rule
	Routes    []Route
	// LearnedUnknown tells that the routes learned by BGP are not all known yet: those in the main table stay, but for
	// LearnedGone, which were told and taken back since.
	LearnedUnknown bool
	LearnedGone    []netip.Prefix
	Neighbors      []Neighbor
	Proxies        []Proxy
	Flows          []Flow
	Leak           Leak
	BGP            BGP

	Announcements []Announcement
}

// Bridge is a mapped provider bridge and the routing table that leads to it.
type Bridge struct {
	Name  string
	Table uint32
}

// VRF is a routing domain. The underlay's is announced by leaking it into the default instance.
type VRF struct {
	Name   string
	Table  uint32
	Device string // the dummy device that holds announced addresses: "bgp-nic"
}

// LinkKind is the kind of a link, in the kernel's words.
type LinkKind string

// Link kinds. An Existing link is made by somebody else (Open vSwitch); it must be there and up.
const (
	LinkVRF      LinkKind = "vrf"
	LinkDummy    LinkKind = "dummy"
	LinkVLAN     LinkKind = "vlan"
	LinkExisting LinkKind = "existing"
)

// Link is a network device that must exist and be up.
type Link struct {
	Name   string
	Kind   LinkKind
	Table  uint32 // VRF
	Master string // enslaved to
	Parent string // VLAN: the device below
	VLAN   int    // VLAN: the tag
	Why    string
	Serves []string // nil: all keys; empty: none
}

// Address is an address on a bridge or VLAN device that makes the kernel answer ARP and ND there.
type Address struct {
	Device string
	Prefix netip.Prefix // a host's
	Why    string
	Serves []string // nil: all keys; empty: none
}

// Family is an address family, 4 or 6.
type Family int

// FamilyOf returns the family of an address.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return 4
	}
	return 6
}

// Sysctl is a setting under net.ipv4.conf or net.ipv6.conf. A Required one is only read: where it is off, the
// keys it serves cannot forward, and the operator is told the command.
type Sysctl struct {
	Family   Family
	Device   string // "all" for the global one
	Name     string // "proxy_arp", "proxy_ndp", "forwarding"
	Value    string
	Required bool
	Why      string
	Serves   []string // nil: all keys; empty: none
}

// Rule sends packets to Prefix to a table, at RulePriority.
type Rule struct {
	Prefix netip.Prefix // masked
	Table  uint32
	Why    string
	Serves []string // nil: all keys; empty: none
}

// Route is a route in a bridge's table. Without Gateway its scope is link.
type Route struct {
	Table   uint32
	Prefix  netip.Prefix // masked; /0 is the default route
	Device  string
	Gateway netip.Addr // optional
	// Of a route learned by BGP, which is in the main table: its next hops, sorted, in place of Device and Gateway, the
	// address that packets get as their source, and the metric.
	NextHops []NextHop
	Source   netip.Addr // optional
	Metric   uint32
	Why      string
	Serves   []string // nil: all keys; empty: none
}

// NextHop is one of a learned route's next hops.
type NextHop struct {
	Gateway netip.Addr `json:"gateway"`          // of either family
	Device  string     `json:"device,omitempty"` // "": the one that the gateway is on
}

// MainTable is the kernel's main routing table, and LearnedMetric the metric of learned routes in it: FRR's, which lets
// a management network's default route without a metric come first.
const (
	MainTable     = 254
	LearnedMetric = 20
)

// Neighbor is a permanent neighbour entry.
type Neighbor struct {
	Device string
	IP     netip.Addr
	MAC    string // lower case
	Why    string
	Serves []string // nil: all keys; empty: none
}

// Proxy is a neighbour-discovery proxy entry: the kernel answers for IP on Device.
type Proxy struct {
	Device string
	IP     netip.Addr
	Why    string
	Serves []string // nil: all keys; empty: none
}

// EtherType is a flow's network protocol, as Open vSwitch abbreviates it.
type EtherType string

// Ether types of flows.
const (
	EtherIPv4 EtherType = "ip"
	EtherIPv6 EtherType = "ipv6"
)

// Flow rewrites the destination MAC of what OVN sends out through a provider bridge, so that this node's kernel
// routes it.
type Flow struct {
	Bridge    string
	Priority  uint16
	EtherType EtherType
	InPort    string // name of the patch port; "" when the bridge has none yet
	Localnet  string // the localnet port InPort leads to
	OFPort    int    // its OpenFlow number; 0 while there is none: the flow's step then fails with that reason
	EthDst    string // MAC of the bridge; "" while unknown
	Why       string
	Serves    []string // nil: all keys; empty: none
}

// Leak is the BGP configuration that brings the VRF's addresses into the default instance and so to the peers.
type Leak struct {
	AS           uint32
	RouterID     netip.Addr // of the VRF's instance; unset: that of the default instance
	VRF          string
	Device       string   // the VRF's device: of "kernel", the routes that lead to it
	Redistribute []string // "connected", "kernel"
	Why          string
}

// Announcement is a prefix the world is told to send here.
type Announcement struct {
	VRF    string
	Prefix netip.Prefix
	Device string // forwarded by: "br-ex", "br-ex.100"
	// Gateway is whom the peers are told to send to, where that is not this node. The VRF's device then bears a route by
	// way of it, which the BGP daemon takes the next hop from.
	Gateway netip.Addr
	// AsRoute has the kernel bear a host's prefix as a route to the VRF's device, as it does a network's.
	AsRoute bool
	Kinds   []Kind // what it is the address of, sorted
	// Attributes are set on it towards every peer; a peer's filter may add its own.
	Attributes Attributes
	Whys       []string // every reason it is wanted for
}

// Kind is what an announced prefix belongs to. Attributes are chosen by it.
type Kind string

// Kinds of announcements.
const (
	KindPort       Kind = "port"        // of a machine on a provider network
	KindFloatingIP Kind = "floating-ip" // and what is forwarded from one
	KindGateway    Kind = "gateway"     // a router's address on a provider network
	KindBalancer   Kind = "load-balancer"
	KindTenant     Kind = "tenant" // of a tenant network: a machine's, or a subnet
	KindHost       Kind = "host"   // of the host itself: a control-plane address
)

// Key names an announcement: "bgp-vrf 203.0.113.9/32".
func Key(vrf string, p netip.Prefix) string {
	b := append(make([]byte, 0, 80), vrf...) // by hand: this is made for every announcement in every round
	return string(p.AppendTo(append(b, ' ')))
}

// Key returns the announcement's key.
func (a Announcement) Key() string { return Key(a.VRF, a.Prefix) }

// IsAddress tells that the kernel bears the announcement as an address on the VRF's device, and not as a route to it.
func (a Announcement) IsAddress() bool {
	return a.Prefix.IsSingleIP() && !a.Gateway.IsValid() && !a.AsRoute
}

// Keys lists the keys of all announcements, sorted as the announcements are.
func (n Node) Keys() []string {
	keys := make([]string, len(n.Announcements))
	for i, a := range n.Announcements {
		keys[i] = a.Key()
	}
	return keys
}

// KindNames names the kinds of each announcement, in the order of Keys: "port", of one of several "floating-ip,port".
func (n Node) KindNames() []string {
	names := make([]string, len(n.Announcements))
	for i, a := range n.Announcements {
		if len(a.Kinds) == 0 {
			continue
		}
		names[i] = string(a.Kinds[0])
		for _, k := range a.Kinds[1:] {
			names[i] += "," + string(k)
		}
	}
	return names
}

// Without returns the state without the announcements of these keys. What carries them stays.
func (n Node) Without(keys ...string) Node {
	if len(keys) == 0 {
		return n
	}
	drop := make(map[string]bool, len(keys))
	for _, k := range keys {
		drop[k] = true
	}
	kept := slices.Clone(n.Announcements)
	n.Announcements = slices.DeleteFunc(kept, func(a Announcement) bool { return drop[a.Key()] })
	return n
}
