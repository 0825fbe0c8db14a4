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

// ownedSubnet tells whether a route announces a subnet: one of ours in the VRF's table that leads to the VRF's device,
// or one of the old agent's, which leads there by way of a gateway. Others' routes to the device stay: somebody else
// may announce by it, too.
func ownedSubnet(r netlink.Route, device int, table uint32) bool {
	if r.Table != table || r.LinkIndex != device || r.Dst.Bits() == 0 {
		return false
	}
	return r.Protocol == model.Protocol || r.Protocol == netlink.ProtoBoot && r.Gateway.IsValid()
}

// route is what announces a subnet. It has no gateway: no packet takes it, and the kernel refuses one of IPv6 that is an
// address of this node.
func (a *Announcements) route(p netip.Prefix, link int) netlink.Route {
	return wantedRoute(model.Route{Table: a.vrf.Table, Prefix: p, Device: a.vrf.Device}, link)
}

func (a *Announcements) subnetText(p netip.Prefix, gateway netip.Addr) string {
	return model.Route{Table: a.vrf.Table, Prefix: p, Device: a.vrf.Device, Gateway: gateway}.String()
}

func (a *Announcements) planSubnets(s *steps, have told, wanted map[string]model.Announcement) {
	for d := range plan.Diff(wanted, have.subnets) {
		if d.Want == nil {
			s.add(plan.Delete, a.subnetText(d.Have.Dst, d.Have.Gateway), unwanted, []string{model.Key(a.vrf.Name, d.Have.Dst)},
				func(context.Context) error { return a.k.RouteDel(*d.Have) })
			continue
		}
		p, why, serves := d.Want.Prefix, strings.Join(d.Want.Whys, "; "), []string{d.Want.Key()}
		object := a.subnetText(p, netip.Addr{})
		other, blocked := have.others[d.Key]
		switch {
		case d.Have != nil && *d.Have == a.route(p, have.device):
		case d.Have != nil || blocked && other.Protocol == netlink.ProtoBoot && other.LinkIndex == have.device:
			// In one write: the prefix must not be out of the table for a moment.
			s.add(plan.Adopt, object, why, serves, a.write(p, a.k.RouteReplace))
		case blocked:
			s.add(plan.Create, object, why, serves, fails("another's is in the way: %s", a.foreignText(other)))
		default:
			s.add(plan.Create, object, why, serves, a.write(p, a.k.RouteAdd))
		}
	}
}

func (a *Announcements) foreignText(r netlink.Route) string {
	return r.Text(func(int) string { return "another device" })
}

func (a *Announcements) write(p netip.Prefix, write func(netlink.Route) error) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := device(ctx, a.k, a.vrf.Device)
		if err != nil {
			return err
		}
		return write(a.route(p, l.Index))
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
	first, _ := slices.BinarySearchFunc(list, dst, comparePrefixes)
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
	for _, r := range v.Routes {
		if ownedSubnet(r, nic, v.vrf.Table) {
			list = append(list, r.Dst)
		}
	}
	slices.SortFunc(list, comparePrefixes)
	v.tellable = slices.Compact(list)
	return v.tellable
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
