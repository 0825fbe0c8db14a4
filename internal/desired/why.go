package desired

import (
	"cmp"
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// Why decides about one address by the predicates of Node, wherever the address is. Of several rows that have it
// the answer is the one that says most.
func Why(in Input, c config.Node, a netip.Addr) model.Decision {
	return Whys(in, c, a)[a]
}

// Whys is Why for many addresses: the snapshot is walked once.
func Whys(in Input, c config.Node, addrs ...netip.Addr) map[netip.Addr]model.Decision {
	v := newView(&in, c)
	best := make(map[netip.Addr]model.Decision, len(addrs))
	for _, a := range addrs {
		best[a] = model.Decision{Address: a, Key: v.key(a), Verdict: model.Unknown, Reason: "no-row",
			Evidence: model.Unexplained, Text: "no row of the database has this address"}
	}
	asked := func(a netip.Addr) bool { _, ok := best[a]; return ok }
	_, decisions := v.settle(v.findingsOf(asked))
	for _, d := range decisions {
		if before, ok := best[d.Address]; ok && nearness(d) < nearness(before) {
			best[d.Address] = d
		}
	}
	for _, p := range in.OVN.Ports {
		for _, d := range v.unread(p) {
			if before, ok := best[d.Address]; ok && before.Verdict == model.Unknown {
				best[d.Address] = d
			}
		}
	}
	return best
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
		for _, a := range lb.VIPs {
			if a != lb.VIPFIP && asked(a) {
				keep(v.balancer(lb, a))
			}
		}
	}
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(a.Row, b.Row) })
	return found
}
