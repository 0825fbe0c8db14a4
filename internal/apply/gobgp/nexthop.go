package gobgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"

	"ovnbgp/internal/model"
)

// errNoNextHop is the error of a neighbour that can be told all but IPv6 prefixes.
var errNoNextHop = errors.New("the embedded speaker cannot tell IPv6 prefixes")

// nextHops finds the next hops of IPv6 paths on sessions between IPv4 addresses. It reads the addresses of this host once,
// and only when a neighbour has it ask.
type nextHops struct {
	read       bool
	interfaces [][]netip.Prefix
	err        error
}

// of returns an address of the interface that the neighbour is on, which the session itself does not name; invalid where
// none is needed.
func (n *nextHops) of(p model.Peer, address netip.Addr) (netip.Addr, error) {
	if address.Is6() || !hasFamily(p, model.IPv6Unicast) {
		return netip.Addr{}, nil
	}
	if !n.read {
		n.read = true
		n.interfaces, n.err = hostAddresses()
	}
	if n.err != nil {
		return netip.Addr{}, fmt.Errorf("peer %s: read the addresses of this host: %w", p.Name, n.err)
	}
	if found := nextHopOn(n.interfaces, p.Source, address); found.IsValid() {
		return found, nil
	}
	return netip.Addr{}, fmt.Errorf("peer %s: %w to %s: no interface with an address on its link has a global IPv6 address to be "+
		"the next hop; give it one, or take ipv6 out of the neighbour's families; all else is told", p.Name, errNoNextHop, address)
}

// nextHopOn picks the first global IPv6 address of an interface that the address is on, or that has the source.
func nextHopOn(interfaces [][]netip.Prefix, source, address netip.Addr) netip.Addr {
	for _, prefixes := range interfaces {
		var on bool
		var found netip.Addr
		for _, prefix := range prefixes {
			switch {
			case prefix.Contains(address) || prefix.Addr() == source:
				on = true
			case prefix.Addr().Is6() && !prefix.Addr().IsLinkLocalUnicast() && !found.IsValid():
				found = prefix.Addr()
			}
		}
		if on && found.IsValid() {
			return found
		}
	}
	return netip.Addr{}
}

// hostAddresses lists the addresses of this host by interface, in the kernel's order, in one read: package net reads all of
// them for each interface.
func hostAddresses() ([][]netip.Prefix, error) {
	raw, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseNetlinkMessage(raw)
	if err != nil {
		return nil, err
	}
	byIndex := map[uint32][]netip.Prefix{}
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return nil, err
		}
		// The header: family, prefix length, flags, scope, and the interface's index.
		bits, index := int(m.Data[1]), binary.NativeEndian.Uint32(m.Data[4:8])
		if own := ownAddress(attributes); own.IsValid() {
			byIndex[index] = append(byIndex[index], netip.PrefixFrom(own, bits))
		}
	}
	var list [][]netip.Prefix
	for _, index := range slices.Sorted(maps.Keys(byIndex)) {
		list = append(list, byIndex[index])
	}
	return list, nil
}

// ownAddress picks the host's own address: on a link with two ends the other one is an attribute, too.
func ownAddress(attributes []syscall.NetlinkRouteAttr) (own netip.Addr) {
	for _, a := range attributes {
		addr, ok := netip.AddrFromSlice(a.Value)
		switch {
		case ok && a.Attr.Type == syscall.IFA_LOCAL:
			return addr
		case ok && a.Attr.Type == syscall.IFA_ADDRESS:
			own = addr
		}
	}
	return own
}
