package ovn

import (
	"net"
	"net/netip"
	"strings"

	"ovnbgp/internal/ovn"
)

// parser reads the values of one row. What cannot be understood becomes a fault and a zero value, so that one bad
// row costs nothing but itself.
type parser struct {
	table, row string
	faults     []ovn.Fault
}

func (p *parser) fault(column, value, reason string) {
	p.faults = append(p.faults, ovn.Fault{Table: p.table, Row: p.row, Column: column, Value: value, Reason: reason})
}

// mapped is what is wrong with "::ffff:203.0.113.9".
const mapped = "an IPv4-mapped IPv6 address"

// address reads an IP address; "" is none.
func (p *parser) address(column, value string) netip.Addr {
	if value == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		p.fault(column, value, "not an IP address")
		return netip.Addr{}
	}
	if a.Is4In6() {
		// It would be announced as the IPv4 address in it, which nobody has given to anybody.
		p.fault(column, value, mapped)
		return netip.Addr{}
	}
	return a
}

// prefix reads an address with the length of its subnet, host bits kept; "" is none.
func (p *parser) prefix(column, value string) netip.Prefix {
	if value == "" {
		return netip.Prefix{}
	}
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		p.fault(column, value, "not an IP address and prefix length")
		return netip.Prefix{}
	}
	if prefix.Addr().Is4In6() {
		p.fault(column, value, mapped)
		return netip.Prefix{}
	}
	return prefix
}

// network reads a prefix or a single address; "" is none.
func (p *parser) network(column, value string) netip.Prefix {
	if strings.Contains(value, "/") {
		return p.prefix(column, value)
	}
	if a := p.address(column, value); a.IsValid() {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.Prefix{}
}

// mac reads an Ethernet address and returns it in lower case; "" is none.
func (p *parser) mac(column, value string) string {
	if value == "" {
		return ""
	}
	mac, err := net.ParseMAC(value)
	if err != nil || len(mac) != 6 {
		p.fault(column, value, "not an Ethernet address")
		return ""
	}
	return mac.String()
}

// fields splits a list and drops what is empty.
func fields(list string) []string {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// isTrue reads a boolean of Neutron's, which writes "True" here and "true" there.
func isTrue(value string) bool { return strings.EqualFold(value, "true") }
