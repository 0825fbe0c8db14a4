package desired

import (
	"cmp"
	"net/netip"
	"slices"

	"ovnbgp/internal/model"
)

// Learned makes routes of what BGP peers told: in the main table, spread over equally good paths as far as b allows, with
// the node's loopback of the family as source. Unknown is set while there may be more to come.
func Learned(rib model.RIB, b model.BGP) (routes []model.Route, unknown bool) {
	for _, l := range rib.Learned {
		r := model.Route{Table: model.MainTable, Prefix: l.Prefix, Metric: model.LearnedMetric, Why: "learned by BGP",
			Source: loopback(b, l.Prefix.Addr()), NextHops: nextHops(l.Paths, b.Multipath), Serves: []string{}}
		if len(r.NextHops) > 0 {
			routes = append(routes, r)
		}
	}
	return routes, !rib.Known
}

// Used leaves of each learned prefix the paths that are used at once.
func Used(rib model.RIB, m model.Multipath) model.RIB {
	rib.Learned = slices.Clone(rib.Learned)
	for i, l := range rib.Learned {
		rib.Learned[i].Paths = used(l.Paths, m)
	}
	return rib
}

// used picks the paths that are used at once, one for each next hop. Without relax they have the same AS path as the best.
func used(paths []model.LearnedPath, m model.Multipath) (list []model.LearnedPath) {
	for _, p := range paths {
		same := func(x model.LearnedPath) bool { return x.NextHop == p.NextHop }
		if len(list) < max(1, m.Paths) && (m.Relax || p.ASPath == paths[0].ASPath) && !slices.ContainsFunc(list, same) {
			list = append(list, p)
		}
	}
	return list
}

func nextHops(paths []model.LearnedPath, m model.Multipath) (hops []model.NextHop) {
	for _, p := range used(paths, m) {
		hops = append(hops, model.NextHop{Gateway: p.NextHop.WithZone(""), Device: p.NextHop.Zone()})
	}
	slices.SortFunc(hops, func(a, b model.NextHop) int {
		return cmp.Or(a.Gateway.Compare(b.Gateway), cmp.Compare(a.Device, b.Device))
	})
	return hops
}

func loopback(b model.BGP, family netip.Addr) netip.Addr {
	for _, l := range b.Loopbacks {
		if l.Is4() == family.Is4() {
			return l
		}
	}
	return netip.Addr{}
}
