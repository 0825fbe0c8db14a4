package desired

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// Why decides about one address by the predicates of Node, wherever the address is. Of several rows that have it
// the answer is the one that says most. An address that is announced as part of a subnet is announced: the decision
// has the subnet's key.
func Why(in Input, c config.Node, a netip.Addr) model.Decision {
	return Whys(in, c, hostPrefix(a))[hostPrefix(a)]
}

// Whys decides about many prefixes, each of which is, or was, announced as such: the snapshot is walked once. A
// decision whose evidence explains something and that says announced is of an address that its subnet announces.
func Whys(in Input, c config.Node, prefixes ...netip.Prefix) map[netip.Prefix]model.Decision {
	v := newView(&in, c)
	best := make(map[netip.Prefix]model.Decision, len(prefixes))
	byKey := make(map[string]netip.Prefix, len(prefixes))
	for _, p := range prefixes {
		best[p] = model.Decision{Address: p.Addr(), Key: model.Key(c.VRF, p), Verdict: model.Unknown, Reason: "no-row",
			Evidence: model.Unexplained, Text: "no row of the database has this " + noun(p)}
		byKey[best[p].Key] = p
	}
	if v.stretched() {
		maps.Copy(best, v.stretchedWhys(prefixes))
		return best
	}
	asked := func(a netip.Addr) bool { _, ok := best[hostPrefix(a)]; return ok }
	keep := func(d model.Decision, p netip.Prefix) {
		if before, ok := best[p]; ok && nearness(d) < nearness(before) {
			best[p] = d
		}
	}
	_, decisions := v.settle(v.findingsOf(asked))
	for _, d := range decisions {
		keep(d, hostPrefix(d.Address))
	}
	if v.tenants != nil {
		_, decisions = v.settle(v.subnetFindings(byKey))
		for _, d := range decisions {
			keep(d, byKey[d.Key])
		}
		_, decisions = v.settle(v.partFindings(prefixes))
		for _, d := range decisions {
			keep(d, hostPrefix(d.Address))
		}
	}
	for _, p := range in.OVN.Ports {
		for _, d := range v.unread(p) {
			if before, ok := best[hostPrefix(d.Address)]; ok && before.Verdict == model.Unknown {
				best[hostPrefix(d.Address)] = d
			}
		}
	}
	return best
}

func noun(p netip.Prefix) string {
	if p.IsSingleIP() {
		return "address"
	}
	return "subnet"
}

// subnetFindings collects what every router's interface means that leads to one of the subnets asked for.
func (v *view) subnetFindings(asked map[string]netip.Prefix) (found []finding) {
	for _, rp := range v.in.OVN.RouterPorts {
		if rp.Gateway || !v.isTenant(rp.Switch) {
			continue
		}
		for _, s := range v.subnetsOf(rp) {
			_, ok := asked[model.Key(v.c.VRF, s.prefix)]
			if ok && (v.announcesSubnets() || !s.prefix.IsSingleIP()) {
				found = append(found, v.placeSubnet(s))
			}
		}
	}
	return found
}

// partFindings collects what is announced as part of a subnet.
func (v *view) partFindings(asked []netip.Prefix) (found []finding) {
	for _, p := range asked {
		if l, ok := v.leadTo(p.Addr()); ok && p.IsSingleIP() && v.announcesSubnets() {
			found = append(found, v.partOf(p.Addr(), l))
		}
	}
	return found
}

// nearness orders decisions by how much they say about an address: announced here; announced, if at all, on another
// node, so that it must not be announced here, too; here, were it not for a doubtful row; kept from being announced.
func nearness(d model.Decision) int {
	if d.Evidence == model.Doubtful {
		return 2
	}
	switch d.Verdict {
	case model.Announced:
		return 0
	case model.Elsewhere:
		return 1
	case model.Suppressed:
		return 3
	case model.Unplaced:
		return 4
	case model.Unknown:
	}
	return 5
}

// findingsOf collects what every row means that has one of the addresses asked for.
func (v *view) findingsOf(asked func(netip.Addr) bool) (found []finding) {
	keep := func(list ...finding) {
		for _, f := range list {
			if asked(f.Address) {
				found = append(found, f)
			}
		}
	}
	s := &v.in.OVN
	for _, p := range s.Ports {
		if slices.ContainsFunc(p.Addresses, asked) {
			keep(v.port(p)...)
		}
	}
	for _, rp := range s.RouterPorts {
		for _, p := range rp.Networks {
			switch {
			case !asked(p.Addr()):
			case rp.Gateway:
				keep(slices.DeleteFunc(v.gateway(rp), func(f finding) bool { return f.Address != p.Addr() })...)
			default:
				keep(v.routerInterface(rp, p.Addr()))
			}
		}
	}
	for _, nat := range s.NATs {
		if nat.Type == ovn.DNATAndSNAT && asked(nat.ExternalIP) {
			keep(v.floatingIP(nat))
		}
	}
	for _, lb := range s.Balancers {
		for _, a := range v.vips(lb) {
			if asked(a) {
				keep(v.balancer(lb, a))
			}
		}
	}
	keep(v.hostAddresses()...)
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(a.Row, b.Row) })
	return found
}
