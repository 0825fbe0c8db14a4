package kernel

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownedSubnet tells whether a route announces a prefix: one of ours in the VRF's table that leads to the VRF's device,
// or one of the old agent's, which leads there by way of a gateway. Others' routes to the device stay: somebody else
// may announce by it, too.
func ownedSubnet(r netlink.Route, device int, table uint32) bool {
	if r.Table != table || r.LinkIndex != device || r.Dst.Bits() == 0 {
		return false
	}
	return r.Protocol == model.Protocol || r.Protocol == netlink.ProtoBoot && r.Gateway.IsValid()
}

// linksOf lists the routes without a gateway and a mark that the old agent left: those to the device in whose network
// lies the gateway of a route that announces a subnet. It wrote them for that.
func linksOf(routes []netlink.Route, device int, table uint32) map[netlink.Route]bool {
	var links map[netlink.Route]bool // mostly there is none
	for _, r := range routes {
		if r.Table != table || r.LinkIndex != device || r.Protocol != netlink.ProtoBoot || r.Gateway.IsValid() || r.Dst.Bits() == 0 {
			continue
		}
		if slices.ContainsFunc(routes, func(by netlink.Route) bool {
			return by.Gateway.IsValid() && ownedSubnet(by, device, table) && r.Dst.Contains(by.Gateway)
		}) {
			if links == nil {
				links = map[netlink.Route]bool{}
			}
			links[r] = true
		}
	}
	return links
}

// besideAddress is the metric of a route that announces a host. The kernel gives the route of an address on the device
// the metric 0, in the same table: so both may be there, and neither replaces the other.
const besideAddress = 1024

// route is what announces a prefix. No packet takes it, so mostly it has no gateway: the kernel refuses one of IPv6 that
// is an address of this node. Where it has one, that is what the BGP daemon tells as next hop.
func (a *Announcements) route(w model.Announcement, link int) netlink.Route {
	r := wantedRoute(model.Route{Table: a.vrf.Table, Prefix: w.Prefix, Device: a.vrf.Device, Gateway: w.Gateway}, link)
	if w.AsRoute {
		r.Metric = besideAddress
	}
	return r
}

func (a *Announcements) routeText(p netip.Prefix, gateway netip.Addr) string {
	return model.Route{Table: a.vrf.Table, Prefix: p, Device: a.vrf.Device, Gateway: gateway}.String()
}

func (a *Announcements) planRoutes(s *steps, have told, wanted map[routeKey]model.Announcement) {
	same := func(w model.Announcement, r netlink.Route) bool { return r.Protocol == model.Protocol && a.leads(r, w) }
	for _, d := range plan.Differences(wanted, have.routes, byText, same) {
		if !d.Wanted {
			s.add(plan.Delete, a.routeText(d.Have.Dst, d.Have.Gateway), unwanted, []string{model.Key(a.vrf.Name, d.Have.Dst)},
				func(context.Context) error { return a.k.RouteDel(d.Have) })
			continue
		}
		w, why, serves := d.Want, strings.Join(d.Want.Whys, "; "), []string{d.Want.Key()}
		object := a.routeText(w.Prefix, w.Gateway)
		other, blocked := have.others[d.Key]
		switch {
		case d.There && a.leads(d.Have, w):
			s.add(plan.Adopt, object, why, serves, a.mark(d.Have))
		case d.There && d.Have.Protocol == model.Protocol:
			s.add(plan.Update, object, why, serves, a.write(w, a.k.RouteReplace))
		case d.There || blocked && other.Protocol == netlink.ProtoBoot && other.LinkIndex == have.device:
			// In one write: the prefix must not be out of the table for a moment.
			s.add(plan.Adopt, object, why, serves, a.write(w, a.k.RouteReplace))
		case blocked:
			s.add(plan.Create, object, why, serves, fails("another's is in the way: %s", a.foreignText(other)))
		default:
			s.add(plan.Create, object, why, serves, a.write(w, a.k.RouteAdd))
		}
	}
}

// leads tells whether a route is as it is wanted, whoever wrote it and however the kernel knows the way to its gateway.
func (a *Announcements) leads(have netlink.Route, w model.Announcement) bool {
	r := a.route(w, have.LinkIndex)
	have.Protocol, have.OnLink = r.Protocol, r.OnLink
	return have == r
}

// mark puts our mark on a route and leaves it otherwise as it is, so that nobody is told anything new.
func (a *Announcements) mark(r netlink.Route) func(context.Context) error {
	r.Protocol = model.Protocol
	return func(context.Context) error { return a.k.RouteReplace(r) }
}

func (a *Announcements) foreignText(r netlink.Route) string {
	return r.Text(func(int) string { return "another device" })
}

func (a *Announcements) write(w model.Announcement, write func(netlink.Route) error) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := device(ctx, a.k, a.vrf.Device)
		if err != nil {
			return err
		}
		return write(a.route(w, l.Index))
	}
}

// servedBy lists the announcement keys that depend on an object for this destination: for a network its own, and those
// of all that is announced, or is to be, within it. What leads everywhere serves all: nil.
func (v *view) servedBy(dst netip.Prefix) []string {
	switch {
	case !dst.IsValid() || dst.Bits() == 0:
		return nil
	case dst.IsSingleIP():
		return []string{model.Key(v.vrf.Name, dst)}
	}
	dst = dst.Masked()
	keys := []string{model.Key(v.vrf.Name, dst)}
	list := v.announced()
	first, _ := slices.BinarySearchFunc(list, dst, netip.Prefix.Compare)
	for _, p := range list[first:] {
		if !dst.Contains(p.Addr()) {
			break
		}
		if p != dst {
			keys = append(keys, model.Key(v.vrf.Name, p))
		}
	}
	return keys
}

// announced lists what is announced now, as far as the kernel tells it, and what is wanted to be, sorted.
func (v *view) announced() []netip.Prefix {
	if v.tellable != nil {
		return v.tellable
	}
	list := make([]netip.Prefix, 0, len(v.wanted))
	for _, w := range v.wanted {
		if w.VRF == v.vrf.Name {
			list = append(list, w.Prefix)
		}
	}
	nic := v.byName[v.vrf.Device].Index
	for _, a := range v.Addrs {
		if ownedAnnouncement(a, nic) {
			list = append(list, a.Prefix)
		}
	}
	links := linksOf(v.Routes, nic, v.vrf.Table)
	for _, r := range v.Routes {
		if ownedSubnet(r, nic, v.vrf.Table) || links[r] {
			list = append(list, r.Dst)
		}
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	v.tellable = slices.Compact(list)
	return v.tellable
}
