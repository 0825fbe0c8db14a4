package desired

import (
	"net/netip"
	"slices"

	"ovnbgp/internal/model"
)

// proxies makes the neighbours the kernel answers for on a provider network's IPv6. OVN asks there for the
// network's gateway, which is nobody's but this node's. The network's own address is what the old agent answered
// for; it stays.
func (b *builder) proxies(won []finding) {
	type subnet struct {
		net  *network
		cidr netip.Prefix
	}
	seen := map[subnet]bool{}
	made := map[proxyKey]bool{}
	for _, f := range won {
		s := subnet{f.net, f.cidr}
		if !f.Address.Is6() || !f.cidr.IsValid() || seen[s] {
			continue
		}
		seen[s] = true
		for _, ip := range b.v.gatewayNeighbours(f.net.name, f.cidr) {
			k := proxyKey{f.net.segment.device, ip}
			if made[k] {
				continue
			}
			made[k] = true
			b.node.Proxies = append(b.node.Proxies, model.Proxy{Device: k.device, IP: ip,
				Why:    "gateway of " + f.cidr.String() + " on " + b.v.networkName(f.net.name),
				Serves: b.serves(onDevice, k.device, 6)})
		}
	}
}

type proxyKey struct {
	device string
	ip     netip.Addr
}

// gatewayNeighbours lists the addresses a subnet's machines and routers may look for as their gateway: the next
// hop of a router's default route, else what DHCP says, else the two that are usual.
func (v *view) gatewayNeighbours(ls string, cidr netip.Prefix) []netip.Addr {
	list := []netip.Addr{cidr.Addr()}
	list = append(list, v.defaultNextHops(ls, cidr)...)
	if len(list) == 1 {
		list = append(list, v.dhcpRouters(ls, cidr)...)
	}
	if len(list) == 1 {
		list = append(list, cidr.Addr().Next())
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// defaultNextHops are the next hops of ::/0 of the routers with a gateway in the subnet. A link-local one has no
// subnet to be compared with.
func (v *view) defaultNextHops(ls string, cidr netip.Prefix) (list []netip.Addr) {
	for _, rp := range v.onSwitch[ls] {
		if !rp.Gateway || !slices.ContainsFunc(rp.Networks, func(p netip.Prefix) bool { return p.Masked() == cidr }) {
			continue
		}
		for _, hop := range v.defaults[rp.Router] {
			if cidr.Contains(hop) || hop.IsLinkLocalUnicast() {
				list = append(list, hop)
			}
		}
	}
	return list
}

func (v *view) dhcpRouters(ls string, cidr netip.Prefix) (list []netip.Addr) {
	for _, o := range v.dhcp[ls] {
		if o.CIDR.Masked() == cidr && o.Router.Is6() {
			list = append(list, o.Router)
		}
	}
	return list
}
