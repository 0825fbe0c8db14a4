package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Announcements tells the world: an address on the VRF's device is redistributed by the BGP daemon as a host route, a
// route to that device in the VRF's table as the prefix it leads to, with the route's gateway, if any, as next hop. A
// host's prefix may be told by either (bearers.go).
type Announcements struct {
	k      Kernel
	vrf    model.VRF
	daemon Daemon // nil: nobody is asked
}

// NewAnnouncements returns an applier for the addresses on the VRF's device and the routes to it in the VRF's table.
func NewAnnouncements(k Kernel, vrf model.VRF) *Announcements { return &Announcements{k: k, vrf: vrf} }

// Name returns the device's name: "bgp-nic".
func (a *Announcements) Name() string { return a.vrf.Device }

// Pokes receives when the kernel's state may have changed.
func (a *Announcements) Pokes() <-chan struct{} { return a.k.Pokes() }

// Reread makes the next Plan read the kernel anew.
func (a *Announcements) Reread(context.Context) error {
	a.k.Invalidate()
	return nil
}

// ownedAnnouncement tells whether an address on the VRF's device is an announcement: any host's is, unless it is
// link-local. The device is ours, so nobody else's address has business there.
func ownedAnnouncement(a netlink.Addr, device int) bool {
	return a.LinkIndex == device && a.Prefix.IsSingleIP() && !a.Prefix.Addr().IsLinkLocalUnicast()
}

// told is what stands in the kernel to be announced.
type told struct {
	device    int  // 0 while it is not there
	anchored  bool // the device has the anchor
	addresses map[string]netlink.Addr
	routes    map[routeKey]netlink.Route
	others    map[routeKey]netlink.Route // in the VRF's table, and not ours
}

func (a *Announcements) read(ctx context.Context) (told, error) {
	a.k.Watch(a.vrf.Table)
	actual, err := a.k.Actual(ctx)
	if err != nil {
		return told{}, fmt.Errorf("kernel: %w", err)
	}
	t := told{addresses: map[string]netlink.Addr{}, routes: map[routeKey]netlink.Route{}, others: map[routeKey]netlink.Route{}}
	for _, l := range actual.Links {
		if l.Name != a.vrf.Device {
			continue
		}
		if l.Kind != "dummy" {
			return told{}, fmt.Errorf("%s is there and no dummy device: its addresses may be another's", l.Name)
		}
		t.device = l.Index
	}
	if t.device == 0 {
		return t, nil
	}
	for _, addr := range actual.Addrs {
		if ownedAnnouncement(addr, t.device) {
			t.addresses[model.Key(a.vrf.Name, addr.Prefix)] = addr
		}
		t.anchored = t.anchored || addr.LinkIndex == t.device && addr.Prefix == anchor()
	}
	links := linksOf(actual.Routes, t.device, a.vrf.Table)
	for _, r := range actual.Routes {
		switch {
		case ownedSubnet(r, t.device, a.vrf.Table) || links[r]:
			t.routes[keyOfRoute(r)] = r
		case r.Table == a.vrf.Table:
			t.others[keyOfRoute(r)] = r
		}
	}
	return t, nil
}

// Announced lists the keys of the addresses on the device and of the routes to it in the VRF's table now, sorted.
func (a *Announcements) Announced(ctx context.Context) ([]string, error) {
	t, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(t.addresses)+len(t.routes))
	for k := range t.addresses {
		keys = append(keys, k)
	}
	for _, r := range t.routes {
		keys = append(keys, model.Key(a.vrf.Name, r.Dst))
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Recorded lists what stands there to be announced now, in the form in which it would be wanted so. What has no mark of
// ours yet is left out.
func (a *Announcements) Recorded(ctx context.Context) ([]model.Announcement, error) {
	t, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	var list []model.Announcement
	for _, addr := range t.addresses {
		list = append(list, model.Announcement{VRF: a.vrf.Name, Prefix: addr.Prefix, Device: a.vrf.Device})
	}
	for _, r := range t.routes {
		_, both := t.addresses[model.Key(a.vrf.Name, r.Dst)]
		if !both && r.Protocol == model.Protocol {
			list = append(list, model.Announcement{VRF: a.vrf.Name, Prefix: r.Dst, Device: a.vrf.Device, Gateway: r.Gateway,
				AsRoute: r.Dst.IsSingleIP() && !r.Gateway.IsValid()})
		}
	}
	slices.SortFunc(list, func(x, y model.Announcement) int { return x.Prefix.Compare(y.Prefix) })
	return list, nil
}

// Plan compares the announcements of its VRF with the device's addresses and the routes to it in the VRF's table.
func (a *Announcements) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	have, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	addresses, routes := map[string]model.Announcement{}, map[routeKey]model.Announcement{}
	for _, w := range want.Announcements {
		switch {
		case w.VRF != a.vrf.Name:
		case w.IsAddress():
			addresses[w.Key()] = w
		default:
			routes[keyOfRoute(a.route(w, 0))] = w
		}
	}
	var s steps
	withdraw := a.withdrawal(have, addresses, routes)
	a.planUnknown(ctx, &s, have, routes)
	a.rearrange(&s, have, addresses, routes, withdraw)
	a.planAddresses(&s, have, addresses, withdraw)
	a.planRoutes(&s, have, routes)
	return slices.Concat(s.makes, s.deletes, s.last), nil
}

func (a *Announcements) addressText(p netip.Prefix) string {
	return model.Address{Prefix: p, Device: a.vrf.Device}.String()
}

func (a *Announcements) planAddresses(s *steps, have told, wanted map[string]model.Announcement, withdraw withdrawal) {
	same := func(model.Announcement, netlink.Addr) bool { return true }
	for _, d := range plan.Differences(wanted, have.addresses, strings.Compare, same) {
		if d.Wanted {
			s.add(plan.Create, a.addressText(d.Want.Prefix), strings.Join(d.Want.Whys, "; "), []string{d.Key},
				addAddress(a.k, device, d.Want.Prefix, a.vrf.Device))
		} else {
			s.add(plan.Delete, a.addressText(d.Have.Prefix), unwanted, []string{d.Key},
				func(context.Context) error { return withdraw(d.Have) })
		}
	}
}

// Cleanup lists the deletes of all announcements: those on the configured device, and those on any device that our
// alias marks, which an earlier configuration may have named otherwise.
func (a *Announcements) Cleanup(ctx context.Context) ([]plan.Step, error) {
	actual, err := a.k.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	vrfs := slices.DeleteFunc(ownVRFs(actual.Links), func(vrf model.VRF) bool {
		return vrf.Device == "" || vrf.Device == a.vrf.Device
	})
	var all []plan.Step
	for _, vrf := range append(vrfs, a.vrf) {
		steps, err := NewAnnouncements(a.k, vrf).Plan(ctx, model.Node{})
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}
