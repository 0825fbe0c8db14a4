package kernel

import (
	"context"
	"fmt"
	"strconv"

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
	return r.Protocol == model.Protocol || r.Protocol == netlink.ProtoBoot && v.tables[r.Table]
}

// routeID is what the kernel keeps routes apart by.
func routeID(r netlink.Route) string {
	b := make([]byte, 0, 80) // by hand: this is made for every route in every round
	b = strconv.AppendUint(b, uint64(r.Table), 10)
	b = append(b, ' ')
	b = r.Dst.AppendTo(b)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(r.Metric), 10)
	b = append(b, ' ')
	return string(strconv.AppendUint(b, uint64(r.TOS), 10))
}

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
	wanted := map[string]model.Route{}
	for _, w := range want.Routes {
		wanted[routeID(wantedRoute(w, 0))] = w
	}
	have, foreign := map[string]netlink.Route{}, map[string]netlink.Route{}
	for _, r := range v.Routes {
		id := routeID(r)
		before, twice := have[id]
		switch {
		case !v.ownedRoute(r):
			foreign[id] = r
		case twice && sameRoute(v, before, wanted[id]): // appended by another hand: the right one counts
			c.deleteRoute(s, v, r)
		default:
			if twice {
				c.deleteRoute(s, v, before)
			}
			have[id] = r
		}
	}
	for d := range plan.Diff(wanted, have) {
		if d.Want == nil {
			c.deleteRoute(s, v, *d.Have)
			continue
		}
		if d.Have != nil && d.Have.Protocol == model.Protocol && sameRoute(v, *d.Have, *d.Want) {
			continue
		}
		object := routeText(*d.Want)
		blocker, blocked := foreign[d.Key]
		switch {
		case d.Have == nil && blocked && sameRoute(v, blocker, *d.Want): // another's, and as it should be
		case d.Have == nil && blocked:
			s.add(plan.Create, object, d.Want.Why, d.Want.Serves,
				fails("another's is in the way: %s", blocker.Text(v.name)))
		case d.Have == nil:
			c.missing(s, v, d.Want.Device, model.FamilyOf(d.Want.Prefix.Addr()), plan.Step{Verb: plan.Create, Object: object,
				Why: d.Want.Why, Serves: d.Want.Serves, Do: c.writeRoute(v, *d.Want, c.k.RouteAdd)})
		case !sameRoute(v, *d.Have, *d.Want):
			s.add(plan.Update, object, d.Want.Why, d.Want.Serves, c.writeRoute(v, *d.Want, c.k.RouteReplace))
		default:
			s.add(plan.Adopt, object, d.Want.Why, d.Want.Serves, c.writeRoute(v, *d.Want, c.k.RouteReplace))
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
	object := routeText(model.Route{Table: r.Table, Prefix: r.Dst, Device: v.name(r.LinkIndex), Gateway: r.Gateway})
	do := func(context.Context) error { return c.k.RouteDel(r) }
	if marksBridge(r) {
		s.last = append(s.last, plan.Step{Verb: plan.Delete, Object: object, Why: unwanted, Do: do})
		return
	}
	s.add(plan.Delete, object, unwanted, v.servedBy(r.Dst), do)
}

func routeText(w model.Route) string {
	via := ""
	if w.Gateway.IsValid() {
		via = " via " + w.Gateway.String()
	}
	return fmt.Sprintf("route %s%s dev %s table %d", w.Prefix, via, w.Device, w.Table)
}
