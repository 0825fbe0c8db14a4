package netlink

import (
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// Each parse function decodes the body of one RTM_NEW… or RTM_DEL… message, and tells whether it is one of the
// objects that this package is about.

func parseLink(b []byte) (Link, bool) {
	// Bridge ports are told in the same group under another family: they are not links that come or go.
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return Link{}, false
	}
	flags := getUint32(b[8:])
	l := Link{
		Index:   int(int32(getUint32(b[4:]))),
		AdminUp: flags&unix.IFF_UP != 0,
		Running: flags&unix.IFF_RUNNING != 0,
	}
	foreignParent := false
	for typ, data := range attrs(b[unix.SizeofIfInfomsg:]) {
		switch typ {
		case unix.IFLA_IFNAME:
			l.Name = getString(data)
		case unix.IFLA_MASTER:
			l.Master = int(getUint32(data))
		case unix.IFLA_LINK:
			l.Parent = int(getUint32(data))
		case unix.IFLA_LINK_NETNSID:
			foreignParent = true
		case unix.IFLA_ADDRESS:
			l.MAC = getMAC(data)
		case unix.IFLA_IFALIAS:
			l.Alias = getString(data)
		case unix.IFLA_MTU:
			l.MTU = int(getUint32(data))
		case unix.IFLA_LINKINFO:
			parseLinkInfo(data, &l)
		}
	}
	if foreignParent {
		l.Parent = 0
	}
	return l, true
}

func parseLinkInfo(b []byte, l *Link) {
	var inner []byte
	for typ, data := range attrs(b) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			l.Kind = getString(data)
		case unix.IFLA_INFO_DATA:
			inner = data
		}
	}
	for typ, data := range attrs(inner) {
		switch {
		case l.Kind == "vrf" && typ == unix.IFLA_VRF_TABLE:
			l.Table = getUint32(data)
		case l.Kind == "vlan" && typ == unix.IFLA_VLAN_ID:
			l.VLAN = int(getUint16(data))
		}
	}
}

func parseAddr(b []byte) (Addr, bool) {
	if len(b) < unix.SizeofIfAddrmsg || !isIP(b[0]) {
		return Addr{}, false
	}
	a := Addr{LinkIndex: int(getUint32(b[4:])), Scope: b[3]}
	flags := uint32(b[2])
	var local, address netip.Addr
	for typ, data := range attrs(b[unix.SizeofIfAddrmsg:]) {
		switch typ {
		case unix.IFA_LOCAL:
			local = getAddr(data)
		case unix.IFA_ADDRESS:
			address = getAddr(data) // the peer's, on a point-to-point link
		case unix.IFA_FLAGS:
			flags = getUint32(data)
		}
	}
	if !local.IsValid() {
		local = address
	}
	a.Prefix = netip.PrefixFrom(local, int(b[1]))
	a.NoDAD = flags&unix.IFA_F_NODAD != 0
	a.DADFailed = flags&unix.IFA_F_DADFAILED != 0
	a.Tentative = flags&unix.IFA_F_TENTATIVE != 0
	return a, local.IsValid()
}

func parseRoute(b []byte) (Route, bool) {
	if len(b) < unix.SizeofRtMsg || !isIP(b[0]) || getUint32(b[8:])&unix.RTM_F_CLONED != 0 {
		return Route{}, false
	}
	r := Route{
		Table: uint32(b[4]), Protocol: b[5], Scope: b[6], Type: b[7], TOS: b[3],
		OnLink: getUint32(b[8:])&unix.RTNH_F_ONLINK != 0,
		Dst:    netip.PrefixFrom(unspecified(b[0]), int(b[1])),
	}
	var extra strings.Builder
	for typ, data := range attrs(b[unix.SizeofRtMsg:]) {
		switch typ {
		case unix.RTA_TABLE:
			r.Table = getUint32(data)
		case unix.RTA_DST:
			r.Dst = netip.PrefixFrom(getAddr(data), int(b[1]))
		case unix.RTA_GATEWAY:
			r.Gateway = getAddr(data)
		case unix.RTA_VIA:
			r.Gateway = getVia(data)
		case unix.RTA_PREFSRC:
			r.Source = getAddr(data)
		case unix.RTA_MULTIPATH:
			hops, ok := parseNextHops(data)
			if !ok {
				appendExtra(&extra, typ, data)
			}
			r.NextHops = MakeNextHops(hops)
		case unix.RTA_OIF:
			r.LinkIndex = int(getUint32(data))
		case unix.RTA_PRIORITY:
			r.Metric = getUint32(data)
		case unix.RTA_CACHEINFO: // ages: they differ at every read
		case unix.RTA_PREF:
			if getByte(data) != 0 { // not medium, the default
				appendExtra(&extra, typ, data)
			}
		default:
			appendExtra(&extra, typ, data)
		}
	}
	r.Extra = extra.String()
	return r, r.Dst.IsValid()
}

// parseNextHops reads next hops, and tells whether there is nothing to them but gateway and link.
func parseNextHops(b []byte) (hops []NextHop, plain bool) {
	plain = true
	for len(b) >= unix.SizeofRtNexthop {
		n := int(getUint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			return hops, false
		}
		hop := NextHop{LinkIndex: int(int32(getUint32(b[4:])))}
		plain = plain && b[3] == 0 // its weight, less one
		for typ, data := range attrs(b[unix.SizeofRtNexthop:n]) {
			switch typ {
			case unix.RTA_GATEWAY:
				hop.Gateway = getAddr(data)
			case unix.RTA_VIA:
				hop.Gateway = getVia(data)
			default:
				plain = false
			}
		}
		hops = append(hops, hop)
		b = b[min(align(n), len(b)):]
	}
	return hops, plain
}

// getVia reads a gateway of another family than the route's: the family, then the address.
func getVia(b []byte) netip.Addr {
	if len(b) < 2 {
		return netip.Addr{}
	}
	return getAddr(b[2:])
}

// sizeofRuleHdr is that of struct fib_rule_hdr, which has the shape of rtmsg.
const sizeofRuleHdr = unix.SizeofRtMsg

func parseRule(b []byte) (Rule, bool) {
	if len(b) < sizeofRuleHdr || !isIP(b[0]) {
		return Rule{}, false
	}
	r := Rule{Family: Family(b[0]), Table: uint32(b[4])}
	var extra strings.Builder
	const invert = 2 // FIB_RULE_INVERT
	if tos, flags, action := b[3], getUint32(b[8:]), b[7]; tos != 0 || action != unix.FR_ACT_TO_TBL || flags&invert != 0 {
		appendExtra(&extra, 0, []byte{tos, action, byte(flags & invert)})
	}
	for typ, data := range attrs(b[sizeofRuleHdr:]) {
		switch typ {
		case unix.FRA_TABLE:
			r.Table = getUint32(data)
		case unix.FRA_PRIORITY:
			r.Priority = getUint32(data)
		case unix.FRA_PROTOCOL:
			r.Protocol = getByte(data)
		case unix.FRA_DST:
			r.Dst = netip.PrefixFrom(getAddr(data), int(b[1]))
		case unix.FRA_SUPPRESS_PREFIXLEN:
			if getUint32(data) != ^uint32(0) { // always told; this is none
				appendExtra(&extra, typ, data)
			}
		default:
			appendExtra(&extra, typ, data)
		}
	}
	r.Extra = extra.String()
	return r, true
}

// parseNeighbor returns entries of any state; permanent tells whether it is one to keep.
func parseNeighbor(b []byte) (n Neighbor, permanent, ok bool) {
	if len(b) < unix.SizeofNdMsg || !isIP(b[0]) {
		return Neighbor{}, false, false
	}
	n.LinkIndex = int(int32(getUint32(b[4:])))
	n.Proxy = b[10]&unix.NTF_PROXY != 0
	permanent = n.Proxy || getUint16(b[8:])&unix.NUD_PERMANENT != 0
	for typ, data := range attrs(b[unix.SizeofNdMsg:]) {
		switch typ {
		case unix.NDA_DST:
			n.IP = getAddr(data)
		case unix.NDA_LLADDR:
			n.MAC = getMAC(data)
		case attrNeighProtocol:
			n.Protocol = getByte(data)
		}
	}
	if n.Proxy {
		n.MAC = ""
	}
	return n, permanent, n.IP.IsValid()
}

// mergeNetConf writes what the message tells into c: a notification tells the changed switch only.
func mergeNetConf(b []byte, c *NetConf) {
	for typ, data := range attrs(b[align(1):]) {
		switch typ {
		case attrConfForwarding:
			c.Forwarding = getUint32(data) != 0
		case attrConfRPFilter:
			c.RPFilter = int(getUint32(data))
		case attrConfProxyNeigh:
			c.ProxyNeigh = getUint32(data) != 0
		}
	}
}

func parseNetConfKey(b []byte) (confKey, bool) {
	if len(b) < align(1) || !isIP(b[0]) {
		return confKey{}, false
	}
	for typ, data := range attrs(b[align(1):]) {
		if typ == attrConfIfindex {
			return confKey{Family(b[0]), int(int32(getUint32(data)))}, true
		}
	}
	return confKey{}, false
}

func isIP(family byte) bool { return family == unix.AF_INET || family == unix.AF_INET6 }

func unspecified(family byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
