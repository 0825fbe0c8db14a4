// Package netlink reads and changes the kernel's links, addresses, routes, rules, neighbours and their switches,
// and decides nothing.
//
// Conn joins its two halves. A Mirror keeps a copy of what the kernel has, true by notifications: Actual brings it
// up to date, one's own writes included, and returns it. A Writer changes one object per call. Both speak about
// plain comparable values (Link, Addr, Route, Rule, Neighbor, NetConf), of the network namespace they were opened
// in. Start at Open.
package netlink

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Routing protocol numbers (rtm_protocol, FRA_PROTOCOL, NDA_PROTOCOL).
const (
	ProtoUnspec = 0
	ProtoKernel = 2
	ProtoBoot   = 3 // what iproute2 and pyroute2 write when not told otherwise
	ProtoStatic = 4
)

// Routing tables with a name of the kernel's.
const (
	TableMain  = 254
	TableLocal = 255
)

// Scopes of routes and addresses.
const (
	ScopeUniverse = 0
	ScopeLink     = 253
	ScopeHost     = 254
)

// TypeUnicast is the type of an ordinary route (RTN_UNICAST).
const TypeUnicast = 1

// MetricIPv6 is the metric the kernel gives IPv6 routes written without one.
const MetricIPv6 = 1024

// Family is an address family of the kernel: IPv4 or IPv6.
type Family uint8

// Address families (AF_INET, AF_INET6).
const (
	IPv4 Family = 2
	IPv6 Family = 10
)

// FamilyOf returns the family of an address.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// Link is a network device.
type Link struct {
	Index   int
	Name    string
	Kind    string // "vrf", "dummy", "vlan", "veth", "bridge", "openvswitch", "tun", …; "" for hardware
	Master  int    // index of the device it is enslaved to, 0 for none
	Parent  int    // index of the device below, 0 for none or one in another namespace
	VLAN    int    // tag of a VLAN device
	Table   uint32 // table of a VRF device
	MAC     string // "02:00:00:00:00:01", lower case; "" where the device has no Ethernet address
	Alias   string // ifalias
	AdminUp bool   // IFF_UP
	Running bool   // IFF_RUNNING: up, and with a carrier
	MTU     int
}

// String returns the link as `ip link` would be asked for it: "link br-ex.100 type vlan".
func (l Link) String() string {
	s := "link " + l.Name
	if l.Kind != "" {
		s += " type " + l.Kind
	}
	return s
}

// maxNested is how deep the kernel lets links be enslaved to one another (MAX_NEST_DEV).
const maxNested = 8

// InVRF tells by index which links are a VRF, or in one: by themselves, or with a bridge or bond whose ports they are. The
// VRF of the given name counts whatever its kind.
func InVRF(links []Link, name string) map[int]bool {
	byIndex := make(map[int]Link, len(links))
	for _, l := range links {
		byIndex[l.Index] = l
	}
	in := map[int]bool{}
	for _, l := range links {
		at, there := l, true
		for range maxNested + 1 {
			if !there {
				break // in another namespace, or just gone
			}
			if at.Kind == "vrf" || at.Name == name {
				in[l.Index] = true
				break
			}
			at, there = byIndex[at.Master]
		}
	}
	return in
}

// Addr is an address on a link.
type Addr struct {
	LinkIndex int
	Prefix    netip.Prefix // the address and its length; host bits are kept
	Scope     uint8
	NoDAD     bool // IPv6: used without duplicate address detection
	DADFailed bool // IPv6: another host has it, so it is not used
	Tentative bool // IPv6: duplicate address detection runs
}

// Route is an entry of a routing table.
type Route struct {
	Table     uint32
	Dst       netip.Prefix // /0 for a default route, never invalid
	Gateway   netip.Addr   // invalid for none; an IPv4 route may have an IPv6 one
	LinkIndex int          // 0 for none (a blackhole, a multipath route)
	Protocol  uint8
	Scope     uint8 // IPv4; always ScopeUniverse in IPv6
	Type      uint8
	Metric    uint32
	TOS       uint8
	OnLink    bool       // the gateway is reached without a route to it
	Source    netip.Addr // preferred source; invalid for none
	NextHops  NextHops   // several, in place of Gateway and LinkIndex; "" for one
	// Extra holds, undecoded, attributes this package has no field for (weights of next hops, encapsulation). It is empty for all routes a Writer makes, and a route that has it is never written.
	Extra string
}

// NextHop is one of several next hops.
type NextHop struct {
	Gateway   netip.Addr
	LinkIndex int // 0: the link that the gateway is on; the kernel tells which
}

// NextHops is a set of next hops in a form that can be compared. MakeNextHops makes it, List takes it apart.
type NextHops string

// MakeNextHops makes a set of next hops.
func MakeNextHops(hops []NextHop) NextHops {
	texts := make([]string, len(hops))
	for i, h := range hops {
		texts[i] = h.Gateway.WithZone(strconv.Itoa(h.LinkIndex)).String()
		if h.Gateway.Is4() {
			texts[i] = h.Gateway.String() + "%" + strconv.Itoa(h.LinkIndex)
		}
	}
	slices.Sort(texts)
	return NextHops(strings.Join(texts, " "))
}

// List returns the next hops, sorted.
func (n NextHops) List() []NextHop {
	var hops []NextHop
	for text := range strings.FieldsSeq(string(n)) {
		gateway, index, _ := strings.Cut(text, "%")
		a, errA := netip.ParseAddr(gateway)
		i, errI := strconv.Atoi(index)
		if errA == nil && errI == nil { // else nobody made it by MakeNextHops
			hops = append(hops, NextHop{a, i})
		}
	}
	return hops
}

// Rule is a routing policy rule. The kernel identifies one by all its values: two rules may differ by Protocol only.
type Rule struct {
	Family   Family
	Priority uint32
	Dst      netip.Prefix // invalid for any; host bits are kept, and ignored by the kernel in matching
	Table    uint32
	Protocol uint8
	// Extra holds, undecoded, any other selector or action (source, mark, device, l3mdev, goto). It is empty for
	// all rules a Writer makes, and a rule that has it is never written.
	Extra string
}

// Neighbor is a permanent neighbour entry, or a proxy entry: an address for which the kernel answers on a link.
type Neighbor struct {
	LinkIndex int
	IP        netip.Addr
	MAC       string // lower case; "" for a proxy entry
	Proxy     bool
	Protocol  uint8
}

// NetConf holds the switches of a link that notifications tell about, for one family. LinkIndex is ConfAll for
// net.ipv*.conf.all and ConfDefault for net.ipv*.conf.default.
type NetConf struct {
	Family     Family
	LinkIndex  int
	Forwarding bool
	RPFilter   int  // IPv4: 0 off, 1 strict, 2 loose
	ProxyNeigh bool // proxy_arp, or proxy_ndp
}

// Pseudo-indexes of NetConf.
const (
	ConfAll     = -1
	ConfDefault = -2
)

// Namer gives the name of a link, for texts. It returns "" for one it does not know.
type Namer func(index int) string

func (n Namer) dev(index int) string {
	if n != nil {
		if name := n(index); name != "" {
			return name
		}
	}
	return fmt.Sprintf("if%d", index)
}

// Text returns the address as `ip address` prints it: "address 203.0.113.9/32 dev bgp-nic".
func (a Addr) Text(name Namer) string {
	return fmt.Sprintf("address %s dev %s", a.Prefix, name.dev(a.LinkIndex))
}

// Text returns the route as `ip route` prints it: "route 203.0.113.9/32 dev br-ex table 10 proto 179".
func (r Route) Text(name Namer) string {
	var b strings.Builder
	b.WriteString("route ")
	if r.Dst.Bits() == 0 {
		b.WriteString("default")
		if r.Dst.Addr().Is6() {
			b.WriteString("6")
		}
	} else {
		b.WriteString(r.Dst.String())
	}
	if r.Gateway.IsValid() {
		fmt.Fprintf(&b, " via %s", r.Gateway)
	}
	if r.LinkIndex != 0 {
		fmt.Fprintf(&b, " dev %s", name.dev(r.LinkIndex))
	}
	for _, h := range r.NextHops.List() {
		fmt.Fprintf(&b, " nexthop via %s", h.Gateway)
		if h.LinkIndex != 0 {
			fmt.Fprintf(&b, " dev %s", name.dev(h.LinkIndex))
		}
	}
	if r.Source.IsValid() {
		fmt.Fprintf(&b, " src %s", r.Source)
	}
	fmt.Fprintf(&b, " table %d proto %d", r.Table, r.Protocol)
	if r.TOS != 0 {
		fmt.Fprintf(&b, " tos %#x", r.TOS)
	}
	if r.Metric != 0 && (r.Metric != MetricIPv6 || r.Dst.Addr().Is4()) {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

// String returns the rule as `ip rule` prints it: "rule 32000: to 203.0.113.9/32 lookup 10 proto 179".
func (r Rule) String() string {
	to := "all"
	if r.Dst.IsValid() {
		to = r.Dst.String()
	}
	s := fmt.Sprintf("rule %d: to %s lookup %d proto %d", r.Priority, to, r.Table, r.Protocol)
	if r.Extra != "" {
		s += " …"
	}
	return s
}

// Text returns the entry as `ip neighbour` prints it: "neighbour 203.0.113.9 lladdr fa:16:… dev br-ex".
func (n Neighbor) Text(name Namer) string {
	if n.Proxy {
		return fmt.Sprintf("proxy %s dev %s", n.IP, name.dev(n.LinkIndex))
	}
	return fmt.Sprintf("neighbour %s lladdr %s dev %s", n.IP, n.MAC, name.dev(n.LinkIndex))
}
