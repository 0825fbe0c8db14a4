package kernel

import (
	"context"
	"fmt"
	"net/netip"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownedRoute tells whether a route is a carrier of ours: by its protocol in any table, or left by the old agent in a
// bridge's. One in the VRF's table that leads to its device carries nothing: it is an announcement.
func (v *view) ownedRoute(r netlink.Route) bool {
	if r.Table == v.vrf.Table && r.LinkIndex == v.byName[v.vrf.Device].Index {
		return false
	}
	if r.Table == model.MainTable {
		return false // a learned one, or another's
	}
	return r.Protocol == model.Protocol || r.Protocol == netlink.ProtoBoot && v.tables[r.Table]
}

// routeKey is what the kernel keeps routes apart by.
type routeKey struct {
	table  uint32
	dst    netip.Prefix
	metric uint32
	tos    uint8
}

func keyOfRoute(r netlink.Route) routeKey { return routeKey{r.Table, r.Dst, r.Metric, r.TOS} }

func (k routeKey) String() string { return fmt.Sprintf("%d %s %d %d", k.table, k.dst, k.metric, k.tos) }

// wantedRoute is the route as the kernel will tell it. The kernel gives IPv6 routes metric 1024 when none is asked
// for, and knows no scope for them.
func wantedRoute(w model.Route, link int) netlink.Route {
	r := netlink.Route{Table: w.Table, Dst: w.Prefix.Masked(), Gateway: w.Gateway, LinkIndex: link,
		Protocol: model.Protocol, Type: netlink.TypeUnicast}
	switch {
	case r.Dst.Addr().Is6():
		r.Metric = netlink.MetricIPv6
	case !w.Gateway.IsValid():
		r.Scope = netlink.ScopeLink
	}
	// The gateway is behind the device, whatever else the table says when the route is written.
	r.OnLink = w.Gateway.IsValid()
	return r
}

func (c *Carriers) planRoutes(s *steps, v *view, want model.Node) {
	wanted := make(map[routeKey]model.Route, len(want.Routes))
	for _, w := range want.Routes {
		if w.Table != model.MainTable {
			wanted[keyOfRoute(wantedRoute(w, 0))] = w
		}
	}
	have, foreign := make(map[routeKey]netlink.Route, len(want.Routes)), map[routeKey]netlink.Route{}
	for _, r := range v.Routes {
		key := keyOfRoute(r)
		before, twice := have[key]
		switch {
		case !v.ownedRoute(r):
			foreign[key] = r
		case twice && sameRoute(v, before, wanted[key]): // appended by another hand: the right one counts
			c.deleteRoute(s, v, r)
		default:
			if twice {
				c.deleteRoute(s, v, before)
			}
			have[key] = r
		}
	}
	same := func(w model.Route, have netlink.Route) bool {
		return have.Protocol == model.Protocol && sameRoute(v, have, w)
	}
	for _, d := range plan.Differences(wanted, have, byText, same) {
		if !d.Wanted {
			c.deleteRoute(s, v, d.Have)
			continue
		}
		w, object := d.Want, d.Want.String()
		blocker, blocked := foreign[d.Key]
		switch {
		case !d.There && blocked && sameRoute(v, blocker, w): // another's, and as it should be
		case !d.There && blocked:
			s.add(plan.Create, object, w.Why, w.Serves, fails("another's is in the way: %s", blocker.Text(v.name)))
		case !d.There:
			c.missing(s, v, w.Device, model.FamilyOf(w.Prefix.Addr()), plan.Step{Verb: plan.Create, Object: object,
				Why: w.Why, Serves: w.Serves, Do: c.writeRoute(v, w, c.k.RouteAdd)})
		case !sameRoute(v, d.Have, w):
			s.add(plan.Update, object, w.Why, w.Serves, c.writeRoute(v, w, c.k.RouteReplace))
		default:
			s.add(plan.Adopt, object, w.Why, w.Serves, c.writeRoute(v, w, c.k.RouteReplace))
		}
	}
}

// sameRoute tells whether a route leads where it is wanted to lead, whoever wrote it.
func sameRoute(v *view, have netlink.Route, w model.Route) bool {
	r := wantedRoute(w, have.LinkIndex)
	have.Protocol, have.OnLink = r.Protocol, r.OnLink
	return have == r && v.names[have.LinkIndex] == w.Device
}

func (c *Carriers) writeRoute(v *view, w model.Route, write func(netlink.Route) error) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := v.device(ctx, c.k, w.Device)
		if err != nil {
			return err
		}
		return write(wantedRoute(w, l.Index))
	}
}

func (c *Carriers) deleteRoute(s *steps, v *view, r netlink.Route) {
	object := model.Route{Table: r.Table, Prefix: r.Dst, Device: v.name(r.LinkIndex), Gateway: r.Gateway}.String()
	do := func(context.Context) error { return c.k.RouteDel(r) }
	if marksBridge(r) {
		if v.former[r.LinkIndex] {
			do = c.unmark(v.vrf, r)
		}
		s.last = append(s.last, plan.Step{Verb: plan.Delete, Object: object, Why: unwanted, Do: do})
		return
	}
	s.add(plan.Delete, object, unwanted, v.servedBy(r.Dst), do)
}

// unmark deletes the route by which a bridge that is mapped no more is known, when nothing is left that only the bridge
// makes ours: a delete may have failed, or may wait, and what is left then would be nobody's.
func (c *Carriers) unmark(vrf model.VRF, r netlink.Route) func(context.Context) error {
	return func(ctx context.Context) error {
		now, err := c.k.Actual(ctx)
		if err != nil {
			return fmt.Errorf("kernel: %w", err)
		}
		if left := newView(now, model.Node{VRF: vrf}).knownBy(r.LinkIndex); left != "" {
			return fmt.Errorf("%s is still there and is known by it", left)
		}
		return c.k.RouteDel(r)
	}
}
