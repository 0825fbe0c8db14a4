package model

import "net/netip"

// Learning is what is known of the way out that BGP neighbours tell this node, whoever speaks BGP on it. Nothing is decided
// by it: it is for people and metrics.
type Learning struct {
	// RIB holds the default routes alone, with the paths that are used at once. The speaker may know the Internet's.
	RIB RIB
	// Unusable are prefixes, sorted, that are told and of which the speaker has chosen no path.
	Unusable []netip.Prefix
	// Neighbors are the speaker's, sorted by name.
	Neighbors []Session
	// Main are the default routes that the kernel's main table has, the one in use first. Of another's only those are known
	// that the speaker tells of, so an empty list says that BGP's is not there.
	Main []MainRoute
	// MainUnknown says why Main cannot be told, "" when it can.
	MainUnknown string
}

// MainRoute is a route of the kernel's main table.
type MainRoute struct {
	Prefix netip.Prefix `json:"prefix"`
	// By is who put it there: "bgp", or what another is called by who knows it ("kernel", "static").
	By       string    `json:"by"`
	NextHops []NextHop `json:"nextHops"`
}

// ByBGP is what put learned routes into the main table.
const ByBGP = "bgp"

// DefaultRoute is the prefix of a family's default route.
func DefaultRoute(f BGPFamily) netip.Prefix {
	if f == IPv6Unicast {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// TakesDefault tells whether the default route of a family is taken from some neighbour.
func (b BGP) TakesDefault(f BGPFamily) bool {
	for _, p := range b.Peers {
		for _, family := range p.Families {
			if family.Family == f && (family.In.All || family.In.Default) {
				return true
			}
		}
	}
	return false
}
