package model

import (
	"fmt"
	"net/netip"
)

// MarkPrefix begins the keys in the local switch's external_ids that are ours.
const MarkPrefix = "ovnbgp-"

// Keys in the local switch's external_ids that keep which Northbound, and which Southbound, database was accepted. There
// are two, so that reading the one instead of the other is not taken for another database.
const (
	KnownNorthboundKey = "ovnbgp-nb"
	KnownSouthboundKey = "ovnbgp-sb"
)

// VLANDevice names the VLAN device of a tag on a bridge. The kernel allows 15 characters, so the bridge's name is cut
// to ten. It is the old agent's name, so that what it left is found.
func VLANDevice(bridge string, tag int) string {
	return fmt.Sprintf("%s.%d", bridge[:min(len(bridge), 10)], tag)
}

// The networks of the addresses that make the kernel answer on bridges and VLAN devices: all of ours are in them, and
// an address in them is ours.
func answeringNetworks() (v4, v6 netip.Prefix) {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254}), 16), netip.MustParsePrefix("fd53:d91e:400:7f17::/64")
}

// AnsweringAddresses are the two addresses that make the kernel answer ARP and neighbour discovery on a device: of the
// bridge mapping's place in the list, from 1, then for a bridge (tag 0) the same again, for a VLAN device the tag. They
// are the old agent's numbers, so that what it left is found and stays.
func AnsweringAddresses(index, tag int) [2]netip.Addr {
	low := tag % 256
	if tag == 0 {
		low = index
	}
	net4, net6 := answeringNetworks()
	v4, v6 := net4.Addr().As4(), net6.Addr().As16()
	v4[2], v4[3] = byte(index), byte(low)
	v6[12], v6[13], v6[14], v6[15] = byte(index>>8), byte(index), byte(low>>8), byte(low)
	return [2]netip.Addr{netip.AddrFrom4(v4), netip.AddrFrom16(v6)}
}

// EarlierAnsweringAddress is what the old agent's releases up to 4.0 gave a bridge in place of one of AnsweringAddresses:
// the place in the list alone. They gave VLAN devices none.
func EarlierAnsweringAddress(a netip.Addr) netip.Addr {
	if a.Is4() {
		v4 := a.As4()
		v4[2] = 0
		return netip.AddrFrom4(v4)
	}
	v6 := a.As16()
	v6[12], v6[13] = 0, 0
	return netip.AddrFrom16(v6)
}

// IsAnsweringAddress tells whether a prefix could be one of AnsweringAddresses, as a host's.
func IsAnsweringAddress(p netip.Prefix) bool {
	v4, v6 := answeringNetworks()
	return p.IsSingleIP() && (v4.Contains(p.Addr()) || v6.Contains(p.Addr()))
}
