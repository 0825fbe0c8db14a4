package desired

import (
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/model"
)

// carry makes what brings packets for each announced prefix into its network.
func (b *builder) carry(won []finding) {
	b.node.Rules = make([]model.Rule, 0, len(won))
	b.node.Routes = slices.Grow(b.node.Routes, len(won))
	b.node.Neighbors = make([]model.Neighbor, 0, len(won))
	behind := b.behind(won)
	made := map[netip.Prefix]bool{} // hosts', where a subnet may be one
	first := len(b.node.Routes)
	announcement := -1
	for i, f := range won {
		if i > 0 && won[i-1].prefix == f.prefix {
			continue
		}
		announcement++
		if f.via != nil || f.kind == model.KindHost {
			continue
		}
		s, serves := f.net.segment, []string{f.Key}
		why := strings.Join(b.node.Announcements[announcement].Whys, "; ")
		b.lead(model.Route{Table: b.v.tables[s.mapping.Bridge], Prefix: f.prefix, Device: s.device, Why: why, Serves: serves})
		made[f.prefix] = true
		if f.mac != "" {
			b.node.Neighbors = append(b.node.Neighbors, model.Neighbor{Device: s.device, IP: f.Address, MAC: f.mac,
				Why: why, Serves: append(serves, behind.hops[nextHop{f.Address, f.net}]...)})
		}
	}
	b.subnets(behind, made)
	b.crossings(first)
	b.proxies(won)
}

// lead makes a route in a bridge's table and the rule that leads there.
func (b *builder) lead(r model.Route) {
	b.node.Rules = append(b.node.Rules, model.Rule{Prefix: r.Prefix, Table: r.Table, Why: r.Why, Serves: r.Serves})
	b.node.Routes = append(b.node.Routes, r)
}

// behind are the keys of what is announced on tenant networks, by subnet and by the gateway in front of it.
type behind struct {
	subnets map[*subnet][]string
	hops    map[nextHop][]string
}

func (b *builder) behind(won []finding) behind {
	keys := behind{map[*subnet][]string{}, map[nextHop][]string{}}
	for i, f := range won {
		if f.via == nil || i > 0 && won[i-1].prefix == f.prefix {
			continue
		}
		keys.subnets[f.via] = append(keys.subnets[f.via], f.Key)
		keys.hops[f.via.hop] = append(keys.hops[f.via.hop], f.Key)
	}
	return keys
}

// subnets makes the way to each subnet that this node carries, whether or not anything in it is announced yet.
func (b *builder) subnets(keys behind, made map[netip.Prefix]bool) {
	if b.v.tenants == nil {
		return
	}
	for prefix, l := range b.v.tenants.leads {
		if made[prefix] {
			continue // a host's, and announced as such
		}
		s := l.hop.net.segment
		b.lead(model.Route{Table: b.v.tables[s.mapping.Bridge], Prefix: prefix, Device: s.device, Gateway: l.hop.ip,
			Why:    "subnet of " + b.v.networkName(l.switchName) + " behind router " + b.v.routerName(l.port.Router),
			Serves: append([]string{}, keys.subnets[l.subnet]...)})
	}
}

// crossings makes the routes for what lies within a subnet and behind another bridge. Of rules with one priority the
// kernel takes the one that was written first, not the longest; so the table of the subnet must know of it, too.
func (b *builder) crossings(first int) {
	if b.v.tenants == nil || len(b.v.bridges) < 2 {
		return
	}
	for _, r := range slices.Clone(b.node.Routes[first:]) {
		tables := []uint32{r.Table}
		for _, bits := range b.v.tenants.lengths[model.FamilyOf(r.Prefix.Addr())] {
			if bits >= r.Prefix.Bits() {
				continue
			}
			around, err := r.Prefix.Addr().Prefix(bits)
			l, ok := b.v.tenants.leads[around]
			if err != nil || !ok {
				continue
			}
			if r.Table = b.v.tables[l.hop.net.segment.mapping.Bridge]; !slices.Contains(tables, r.Table) {
				tables = append(tables, r.Table)
				b.node.Routes = append(b.node.Routes, r)
			}
		}
	}
}
