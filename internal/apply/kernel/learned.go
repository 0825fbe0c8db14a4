package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Routes that BGP peers told stand in the main table, beside those of others: of the main table's routes those of our
// protocol are ours, and nothing else in it is looked at.

func ownedLearned(r netlink.Route) bool {
	return r.Table == model.MainTable && r.Protocol == model.Protocol
}

// Defaults returns the default routes that stand in the main table by us.
func (c *Carriers) Defaults(ctx context.Context) ([]model.MainRoute, error) {
	actual, err := c.k.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	names := map[int]string{}
	for _, l := range actual.Links {
		names[l.Index] = l.Name
	}
	var list []model.MainRoute
	for _, r := range actual.Routes {
		if !ownedLearned(r) || r.Dst.Bits() != 0 {
			continue
		}
		main := model.MainRoute{Prefix: r.Dst, By: model.ByBGP}
		for _, h := range hopsOf(r) {
			main.NextHops = append(main.NextHops, model.NextHop{Gateway: h.Gateway, Device: names[h.LinkIndex]})
		}
		list = append(list, main)
	}
	return list, nil
}

// planLearned compares the learned routes. While not all is known that was learned, none is deleted that peers have not told
// yet: after a restart they carry what the node sends until then.
func (c *Carriers) planLearned(s *steps, v *view, want model.Node) {
	wanted, have := map[routeKey]model.Route{}, map[routeKey]netlink.Route{}
	gone := map[netip.Prefix]bool{}
	for _, p := range want.LearnedGone {
		gone[p] = true
	}
	for _, w := range want.Routes {
		if w.Table == model.MainTable {
			if w.NextHops = v.usable(w.NextHops); w.NextHops == nil {
				gone[w.Prefix] = true
				continue
			}
			wanted[routeKey{table: w.Table, dst: w.Prefix, metric: w.Metric}] = w
		}
	}
	for _, r := range v.Routes {
		if ownedLearned(r) {
			have[keyOfRoute(r)] = r
		}
	}
	for _, d := range plan.Differences(wanted, have, byText, v.sameLearned) {
		switch {
		case d.Wanted && !d.There:
			s.add(plan.Create, d.Want.String(), d.Want.Why, d.Want.Serves, c.writeLearned(d.Want, c.k.RouteAdd))
		case d.Wanted:
			s.add(plan.Update, d.Want.String(), d.Want.Why, d.Want.Serves, c.writeLearned(d.Want, c.k.RouteReplace))
		case !want.LearnedUnknown || gone[d.Have.Dst]:
			s.deletes = append(s.deletes, plan.Step{Verb: plan.Delete, Object: v.learnedText(d.Have), Why: unwanted, Serves: []string{},
				Free: true, Do: func(context.Context) error { return c.k.RouteDel(d.Have) }})
		}
	}
}

// usable names the device of each next hop, and leaves those out whose device has no carrier: a neighbour that was cut off
// may count as one that restarts, and the kernel sends its share there. Nil: none has one.
func (v *view) usable(hops []model.NextHop) []model.NextHop {
	var up []model.NextHop
	for _, h := range hops {
		if h.Device == "" {
			h.Device = v.deviceOf(h.Gateway)
		}
		if l, there := v.byName[h.Device]; !there || l.Running {
			up = append(up, h)
		}
	}
	return up
}

// deviceOf finds the device that a gateway is on by the addresses on it; "" leaves it to the kernel, which would take the
// first next hop's device for all of an IPv6 route's. What is in a VRF, our announcements too, leads nowhere from the main
// table.
func (v *view) deviceOf(gateway netip.Addr) string {
	if v.inVRF == nil {
		v.inVRF = netlink.InVRF(v.Links, v.vrf.Name)
	}
	longest, found := -1, ""
	for _, a := range v.Addrs {
		if a.Prefix.Bits() > longest && a.Prefix.Masked().Contains(gateway) && !v.inVRF[a.LinkIndex] {
			longest, found = a.Prefix.Bits(), v.names[a.LinkIndex]
		}
	}
	return found
}

// sameLearned tells whether a route leads where a learned one must. A next hop that names no device is on whichever the
// kernel found.
func (v *view) sameLearned(w model.Route, have netlink.Route) bool {
	hops := hopsOf(have)
	if have.Source != w.Source || have.Extra != "" || len(hops) != len(w.NextHops) {
		return false
	}
	for _, h := range w.NextHops {
		i := slices.IndexFunc(hops, func(x netlink.NextHop) bool {
			return x.Gateway == h.Gateway && (h.Device == "" || v.names[x.LinkIndex] == h.Device)
		})
		if i < 0 {
			return false
		}
		hops = slices.Delete(hops, i, i+1)
	}
	return true
}

func hopsOf(r netlink.Route) []netlink.NextHop {
	if r.NextHops != "" {
		return r.NextHops.List()
	}
	return []netlink.NextHop{{Gateway: r.Gateway, LinkIndex: r.LinkIndex}}
}

func (v *view) learnedText(r netlink.Route) string {
	w := model.Route{Table: r.Table, Prefix: r.Dst, Source: r.Source, Metric: r.Metric}
	for _, h := range hopsOf(r) {
		w.NextHops = append(w.NextHops, model.NextHop{Gateway: h.Gateway, Device: v.name(h.LinkIndex)})
	}
	return w.String()
}

func (c *Carriers) writeLearned(w model.Route, write func(netlink.Route) error) func(context.Context) error {
	return func(ctx context.Context) error {
		r := netlink.Route{Table: w.Table, Dst: w.Prefix, Metric: w.Metric, Source: w.Source, Protocol: model.Protocol,
			Type: netlink.TypeUnicast}
		var hops []netlink.NextHop
		for _, h := range w.NextHops {
			hop := netlink.NextHop{Gateway: h.Gateway}
			if h.Device != "" {
				l, err := device(ctx, c.k, h.Device)
				if err != nil {
					return err
				}
				hop.LinkIndex = l.Index
			}
			hops = append(hops, hop)
		}
		if len(hops) == 1 {
			r.Gateway, r.LinkIndex = hops[0].Gateway, hops[0].LinkIndex
		} else {
			r.NextHops = netlink.MakeNextHops(hops)
		}
		return explainLearned(write(r), w)
	}
}

// explainLearned says what the kernel means by its refusal of a learned route.
func explainLearned(err error, w model.Route) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%w: another's route to the same with metric %d is in the way", err, w.Metric)
	case (errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH)) && elsewhere(w.NextHops) != "":
		return fmt.Errorf("%w: the next hop %s is on no link of this node, and the agent resolves none by other routes; have the "+
			"neighbour tell itself as next hop (next-hop-self), take nothing in from it (in), or let FRR speak BGP", err, elsewhere(w.NextHops))
	case errors.Is(err, unix.EINVAL) && w.Source.IsValid():
		return fmt.Errorf("%w: is %s, the source, an address of this node?", err, w.Source)
	}
	return err
}

// elsewhere lists the next hops that no link was found for.
func elsewhere(hops []model.NextHop) string {
	var none []string
	for _, h := range hops {
		if h.Device == "" {
			none = append(none, h.Gateway.String())
		}
	}
	return strings.Join(none, ", ")
}
