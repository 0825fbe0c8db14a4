package kernel

import (
	"context"
	"net/netip"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownedNeighbor tells whether a permanent neighbour or proxy entry is ours: by its protocol on any device, or left by
// the old agent, without one, on a mapped bridge or a VLAN device on one.
func (v *view) ownedNeighbor(n netlink.Neighbor) bool {
	return n.Protocol == model.Protocol || n.Protocol == netlink.ProtoUnspec && v.devices[n.LinkIndex]
}

// neighborKey is what the kernel keeps neighbours of one kind apart by.
type neighborKey struct {
	ip     netip.Addr
	device string
}

// String returns "203.0.113.9 dev br-ex".
func (k neighborKey) String() string { return k.ip.String() + " dev " + k.device }

func (v *view) neighborsByKey(list []netlink.Neighbor) map[neighborKey]netlink.Neighbor {
	m := make(map[neighborKey]netlink.Neighbor, len(list))
	for _, n := range list {
		m[neighborKey{n.IP, v.name(n.LinkIndex)}] = n
	}
	return m
}

func (c *Carriers) planNeighbors(s *steps, v *view, want model.Node) {
	wanted := make(map[neighborKey]model.Neighbor, len(want.Neighbors))
	for _, w := range want.Neighbors {
		wanted[neighborKey{w.IP, w.Device}] = w
	}
	same := func(w model.Neighbor, have netlink.Neighbor) bool {
		return have.Protocol == model.Protocol && have.MAC == w.MAC
	}
	for _, d := range plan.Differences(wanted, v.neighborsByKey(v.Neighbors), byText, same) {
		w, owned := d.Want, d.There && v.ownedNeighbor(d.Have)
		object := w.String()
		switch {
		case !d.Wanted && owned:
			c.deleteNeighbor(s, v, d.Have)
		case !d.Wanted:
		case !d.There:
			s.add(plan.Create, object, w.Why, w.Serves, c.writeNeighbor(v, w))
		case !owned && d.Have.MAC == w.MAC: // another's, and as it should be
		case !owned:
			s.add(plan.Update, object, w.Why, w.Serves, fails("another's is in the way: %s proto %d",
				d.Have.Text(v.name), d.Have.Protocol))
		case d.Have.MAC != w.MAC:
			s.add(plan.Update, object, w.Why, w.Serves, c.writeNeighbor(v, w))
		default:
			s.add(plan.Adopt, object, w.Why, w.Serves, c.writeNeighbor(v, w))
		}
	}
}

func (c *Carriers) writeNeighbor(v *view, w model.Neighbor) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := v.device(ctx, c.k, w.Device)
		if err != nil {
			return err
		}
		return c.k.NeighReplace(netlink.Neighbor{LinkIndex: l.Index, IP: w.IP, MAC: w.MAC, Protocol: model.Protocol})
	}
}

// deleteNeighbor plans a delete. One that is a gateway of routes serves what they lead to.
func (c *Carriers) deleteNeighbor(s *steps, v *view, n netlink.Neighbor) {
	serves := v.servedBy(netip.PrefixFrom(n.IP, n.IP.BitLen()))
	for _, dst := range v.gateways[hop{n.LinkIndex, n.IP}] {
		keys := v.servedBy(dst)
		if keys == nil {
			serves = nil
			break
		}
		serves = append(serves, keys...)
	}
	object := model.Neighbor{IP: n.IP, MAC: n.MAC, Device: v.name(n.LinkIndex)}.String()
	s.add(plan.Delete, object, unwanted, serves, func(context.Context) error { return c.k.NeighDel(n) })
}

func (c *Carriers) planProxies(s *steps, v *view, want model.Node) {
	wanted := map[neighborKey]model.Proxy{}
	for _, w := range want.Proxies {
		wanted[neighborKey{w.IP, w.Device}] = w
	}
	same := func(_ model.Proxy, have netlink.Neighbor) bool { return have.Protocol == model.Protocol }
	for _, d := range plan.Differences(wanted, v.neighborsByKey(v.Proxies), byText, same) {
		object := model.Proxy{IP: d.Key.ip, Device: d.Key.device}.String()
		switch {
		case !d.There:
			c.missing(s, v, d.Want.Device, model.FamilyOf(d.Want.IP), plan.Step{Verb: plan.Create, Object: object,
				Why: d.Want.Why, Serves: d.Want.Serves, Do: c.writeProxy(v, d.Want)})
		case !v.ownedNeighbor(d.Have):
		case !d.Wanted:
			s.add(plan.Delete, object, unwanted, nil, func(context.Context) error { return c.k.ProxyDel(d.Have) })
		default:
			s.add(plan.Adopt, object, d.Want.Why, d.Want.Serves, c.writeProxy(v, d.Want))
		}
	}
}

func (c *Carriers) writeProxy(v *view, w model.Proxy) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := v.device(ctx, c.k, w.Device)
		if err != nil {
			return err
		}
		return c.k.ProxyAdd(netlink.Neighbor{LinkIndex: l.Index, IP: w.IP, Proxy: true, Protocol: model.Protocol})
	}
}
