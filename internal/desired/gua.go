package desired

import "net/netip"

// special are the networks of IANA's special-purpose registries that are not globally reachable, and globalWithin
// those inside them that are. The old agent asks its Python's ipaddress module, which follows the registries; 64:ff9b::/96
// (NAT64) is global there.
func special() []netip.Prefix {
	return prefixes("::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"fc00::/7", "fe80::/10",
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4")
}

func globalWithin() []netip.Prefix {
	return prefixes("2001:1::1/128", "2001:1::2/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28",
		"192.0.0.9/32", "192.0.0.10/32")
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// globals tells global unicast addresses of IPv6, the GUA, from others.
type globals struct{ special, within []netip.Prefix }

func newGlobals() globals { return globals{special(), globalWithin()} }

// has tells whether an address is a GUA. An IPv4 address never is; one that is mapped into IPv6 is what its IPv4 is.
func (g globals) has(a netip.Addr) bool {
	if a.Is4() {
		return false
	}
	a = a.Unmap()
	in := func(list []netip.Prefix) bool {
		for _, p := range list {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return !in(g.special) || in(g.within)
}
