package openflow

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Flow is one entry of a bridge's flow table.
type Flow struct {
	Table    uint8
	Priority uint16
	Cookie   uint64
	Match    Match
	Actions  []Action // in order, applied at once; none drops the packet
	// IdleTimeout and HardTimeout are in seconds; 0 means that the flow stays.
	IdleTimeout, HardTimeout uint16
	// Instructions holds, as on the wire, what the flow does besides applying actions (a jump to a table, a
	// meter). This package reads it, compares it and writes it back, and knows no more about it.
	Instructions string
}

// Match says which packets a flow takes. A zero field takes any packet. Two matches that take the same packets
// are equal by ==, once normal (see Flow.Normal).
type Match struct {
	InPort  uint32 // OpenFlow port number
	EthSrc  MAC
	EthDst  MAC
	EthType EthType
	VLAN    VLAN
	IPProto uint8
	// IPSrc and IPDst need the EthType of their family.
	IPSrc, IPDst netip.Prefix
	// Other holds the fields this package has no name for, as on the wire (OXM), so that a flow of whatever
	// kind can be named exactly when it is deleted.
	Other string
}

// Key is what tells two flows of a bridge apart: the switch holds at most one flow for a Key.
type Key struct {
	Table    uint8
	Priority uint16
	Match    Match
}

// EthType is the number of a network protocol; see IEEE 802 Numbers at IANA.
type EthType uint16

// Ether types with a name in flow text.
const (
	IPv4 EthType = 0x0800
	ARP  EthType = 0x0806
	IPv6 EthType = 0x86dd
)

// VLAN is an 802.1Q tag to match: 1 to 4095, or Untagged.
type VLAN int16

// Untagged takes packets without an 802.1Q header.
const Untagged VLAN = -1

// MAC is an Ethernet address. All zeros stands for none.
type MAC [6]byte

// ParseMAC reads "02:aa:bb:cc:dd:01".
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("parse %q: not an Ethernet address", s)
	}
	return MAC(hw), nil
}

// String returns "02:aa:bb:cc:dd:01".
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// Key returns the flow's identity in its bridge.
func (f Flow) Key() Key { return Key{Table: f.Table, Priority: f.Priority, Match: f.Match} }

// Normal returns the flow as a switch gives it back: prefixes masked, and those of no length gone.
func (f Flow) Normal() Flow {
	f.Match.IPSrc, f.Match.IPDst = normalPrefix(f.Match.IPSrc), normalPrefix(f.Match.IPDst)
	return f
}

func normalPrefix(p netip.Prefix) netip.Prefix {
	if !p.IsValid() || p.Bits() == 0 {
		return netip.Prefix{}
	}
	return p.Masked()
}

// Equal tells whether the two flows, both normal, take the same packets, do the same with them and carry the
// same cookie.
func (f Flow) Equal(g Flow) bool { return f.Cookie == g.Cookie && f.Same(g) }

// Same is Equal but for the cookie.
func (f Flow) Same(g Flow) bool {
	return f.Key() == g.Key() && slices.Equal(f.Actions, g.Actions) && f.Instructions == g.Instructions &&
		f.IdleTimeout == g.IdleTimeout && f.HardTimeout == g.HardTimeout
}

// validate refuses what the encoding cannot say; all else is for the switch to judge.
func (f Flow) validate() error {
	m := f.Match
	for _, p := range []netip.Prefix{m.IPSrc, m.IPDst} {
		if p.IsValid() && (m.EthType == IPv4) != p.Addr().Is4() || p.IsValid() && m.EthType != IPv4 && m.EthType != IPv6 {
			return fmt.Errorf("prefix %s does not fit the ether type", p)
		}
	}
	if m.VLAN < Untagged || m.VLAN > 4095 {
		return errors.New("VLAN tag out of range")
	}
	return nil
}

// String returns the flow as ovs-ofctl prints it:
// "cookie=0x3e7, priority=900,ip,in_port=1 actions=mod_dl_dst:02:aa:bb:cc:dd:01,NORMAL".
func (f Flow) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cookie=%#x, ", f.Cookie)
	if f.IdleTimeout != 0 {
		fmt.Fprintf(&b, "idle_timeout=%d, ", f.IdleTimeout)
	}
	if f.HardTimeout != 0 {
		fmt.Fprintf(&b, "hard_timeout=%d, ", f.HardTimeout)
	}
	b.WriteString(f.Key().String())
	b.WriteString(" actions=")
	b.WriteString(actionsText(f.Actions))
	if f.Instructions != "" {
		fmt.Fprintf(&b, ",instructions:%x", f.Instructions)
	}
	return b.String()
}

// String returns "priority=900,ip,in_port=1", with the table before it unless it is 0.
func (k Key) String() string {
	s := fmt.Sprintf("priority=%d", k.Priority)
	if k.Table != 0 {
		s = fmt.Sprintf("table=%d, %s", k.Table, s)
	}
	if m := k.Match.String(); m != "" {
		s += "," + m
	}
	return s
}

// String returns "ip,in_port=1,nw_dst=203.0.113.0/24"; it is empty when the match takes every packet.
func (m Match) String() string {
	var parts []string
	add := func(format string, a ...any) { parts = append(parts, fmt.Sprintf(format, a...)) }
	src, dst := "nw_src", "nw_dst"
	switch m.EthType {
	case 0:
	case IPv4:
		add("ip")
	case IPv6:
		add("ipv6")
		src, dst = "ipv6_src", "ipv6_dst"
	case ARP:
		add("arp")
	default:
		add("dl_type=%#04x", uint16(m.EthType))
	}
	if m.InPort != 0 {
		add("in_port=%s", portText(m.InPort))
	}
	switch {
	case m.VLAN == Untagged:
		add("vlan_tci=0x0000/0x1fff")
	case m.VLAN != 0:
		add("dl_vlan=%d", m.VLAN)
	}
	if m.EthSrc != (MAC{}) {
		add("dl_src=%s", m.EthSrc)
	}
	if m.EthDst != (MAC{}) {
		add("dl_dst=%s", m.EthDst)
	}
	if m.IPSrc.IsValid() {
		add("%s=%s", src, prefixText(m.IPSrc))
	}
	if m.IPDst.IsValid() {
		add("%s=%s", dst, prefixText(m.IPDst))
	}
	if m.IPProto != 0 {
		add("nw_proto=%d", m.IPProto)
	}
	if m.Other != "" {
		add("oxm=%x", m.Other)
	}
	return strings.Join(parts, ",")
}

// prefixText leaves out the length of a host's prefix, as ovs-ofctl does.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Reserved OpenFlow ports.
const (
	PortInPort     uint32 = 0xfffffff8
	PortNormal     uint32 = 0xfffffffa
	PortFlood      uint32 = 0xfffffffb
	PortController uint32 = 0xfffffffd
	PortLocal      uint32 = 0xfffffffe
	portAny        uint32 = 0xffffffff
)

func portText(p uint32) string {
	switch p {
	case PortInPort:
		return "IN_PORT"
	case PortNormal:
		return "NORMAL"
	case PortFlood:
		return "FLOOD"
	case PortController:
		return "CONTROLLER"
	case PortLocal:
		return "LOCAL"
	}
	return strconv.FormatUint(uint64(p), 10)
}
