package desired

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// stretched tells that prefixes behind routers are announced, and nothing else, with the routers' outside addresses as
// next hops: into a provider network in which the BGP peers are, too. Every node announces the same, whoever hosts the
// gateways, and carries nothing: packets go from the peers to the gateways and never come by here.
func (v *view) stretched() bool { return v.c.Driver == config.DriverStretchedL2 }

// stretch is what is announced in that mode.
type stretch struct {
	peers map[string]*ovn.LogicalSwitchPort // by router port
	// outside are the networks that gateways have their addresses in, each with the first of its gateways by name.
	outside map[netip.Prefix]*ovn.LogicalRouterPort
}

// stretchedNode is Node in that mode.
func (v *view) stretchedNode() (model.Node, []model.Decision) {
	won, decisions, _ := v.stretch()
	c := v.c
	n := model.Node{VRF: model.VRF{Name: c.VRF, Table: c.VRFTable, Device: c.NIC}, Leak: leak(c), Links: announcing(c)}
	for _, bridge := range v.in.OVN.Local.Bridges {
		n.Unmapped = append(n.Unmapped, bridge.Name) // what another driver left there is cleared
	}
	slices.Sort(n.Unmapped)
	n.Announcements = make([]model.Announcement, 0, len(won))
	for i, f := range won {
		if i > 0 && won[i-1].prefix == f.prefix {
			last := &n.Announcements[len(n.Announcements)-1]
			another(last, f)
			continue
		}
		if f.kind == model.KindHost {
			n.Announcements = append(n.Announcements, v.hostAnnouncement(f))
			continue
		}
		n.Announcements = append(n.Announcements, model.Announcement{VRF: c.VRF, Prefix: f.prefix, Device: c.NIC,
			Gateway: f.hop, Kinds: []model.Kind{f.kind}, Whys: []string{f.why}})
	}
	v.speak(&n)
	decisions = append(decisions, slices.Concat(v.notes, v.absent(), v.faults())...)
	slices.SortStableFunc(decisions, compareDecisions)
	return n, slices.Compact(decisions)
}

// stretch decides about every prefix behind a router with a gateway, and about the networks of the next hops. apart are
// the decisions about routers without one and about networks without a next hop, which are nobody's concern until somebody asks.
func (v *view) stretch() (won []finding, decisions, apart []model.Decision) {
	x := &stretch{peers: map[string]*ovn.LogicalSwitchPort{}, outside: map[netip.Prefix]*ovn.LogicalRouterPort{}}
	for _, p := range v.in.OVN.Ports {
		if p.Type == ovn.PortRouter && p.RouterPort != "" {
			x.peers[p.RouterPort] = p
		}
	}
	for _, gateways := range v.gateways {
		for _, g := range gateways {
			if v.outOfReach(g) != nil {
				continue
			}
			for _, p := range g.Networks {
				if first := x.outside[p.Masked()]; first == nil || g.Name < first.Name {
					x.outside[p.Masked()] = g
				}
			}
		}
	}
	var found []finding
	for _, rp := range v.in.OVN.RouterPorts {
		if rp.Gateway {
			continue
		}
		list := v.behindRouter(x, rp)
		if len(v.gateways[rp.Router]) > 0 {
			found = append(found, list...)
			continue
		}
		for _, f := range list {
			apart = append(apart, f.Decision)
		}
	}
	won, decisions = v.settle(append(found, v.hostAddresses()...))
	hops, more := v.settle(v.nextHopNetworks(x, won))
	for network, g := range x.outside {
		if !slices.ContainsFunc(won, func(f finding) bool { return f.cidr == network }) {
			apart = append(apart, v.unused(network, g))
		}
	}
	won, decisions = append(won, hops...), append(decisions, more...)
	slices.SortStableFunc(won, compareFindings)
	return won, decisions, apart
}

// behindRouter says what a router's interface means for each of its prefixes, by each of the router's outside addresses.
func (v *view) behindRouter(x *stretch, rp *ovn.LogicalRouterPort) (found []finding) {
	name := v.networkName(rp.Switch)
	for _, cidr := range rp.Networks {
		base := finding{prefix: cidr.Masked(), rank: rankTenant, kind: model.KindTenant,
			subject: v.subject(rp.Switch, rp.Router),
			why:     fmt.Sprintf("subnet of %s behind router %s", name, v.routerName(rp.Router))}
		if peer := x.peers[rp.Name]; peer != nil {
			base.subject = v.subject(rp.Switch, rp.Router, v.portLabels(peer.Name))
		}
		add := func(d model.Decision, hop netip.Prefix, order string) {
			f := base
			f.Decision, f.order = d, order
			if hop.IsValid() {
				f.hop, f.cidr = hop.Addr(), hop.Masked()
			}
			f.Address, f.Key = f.prefix.Addr(), model.Key(v.c.VRF, f.prefix)
			f.Row = v.realRow(rowOf("Logical_Router_Port", rp.UUID, "router port", rp.Name))
			found = append(found, f)
		}
		if no := v.notBehind(x, rp, cidr); no != nil {
			add(*no, netip.Prefix{}, "")
			continue
		}
		for _, g := range v.gateways[rp.Router] {
			hops, no := v.nextHops(x, rp, g, cidr)
			if no != nil {
				add(*no, netip.Prefix{}, "")
			}
			for i, hop := range hops {
				add(model.Decision{Verdict: model.Announced, Reason: "behind-router",
					Text: fmt.Sprintf("%s is behind router %s, whose address on provider network %s is the next hop, %s",
						name, v.routerName(rp.Router), v.networkName(g.Switch), hop.Addr())},
					hop, fmt.Sprintf("%s %s %04d", rp.Name, g.Name, i))
			}
		}
	}
	return found
}

// notBehind says why a prefix of a router's interface is not announced, whatever gateways the router has.
func (v *view) notBehind(x *stretch, rp *ovn.LogicalRouterPort, cidr netip.Prefix) *model.Decision {
	peer, router := x.peers[rp.Name], v.routerName(rp.Router)
	where := fmt.Sprintf("the interface of router %s on %s", router, v.networkName(rp.Switch))
	if cidr.Bits() == 0 {
		return suppressed("not-routable", "the subnet is all addresses there are", "")
	}
	if no := unfit(cidr.Addr()); no != nil {
		return no
	}
	switch {
	case v.routerDisabled(rp.Router):
		return suppressed("router-disabled", fmt.Sprintf("router %s is disabled", router), "enable the router")
	case peer == nil:
		return &model.Decision{Verdict: model.Unplaced, Reason: "no-network", Evidence: model.Explained,
			Text: fmt.Sprintf("port %s of router %s leads to no network", rp.Name, router)}
	case peer.Disabled:
		return suppressed("interface-disabled", where+" is disabled", "enable the port")
	case peer.Up == nil || !*peer.Up:
		return &model.Decision{Verdict: model.Unplaced, Reason: "interface-down", Evidence: model.Explained,
			Text: where + " is down"}
	case len(v.gateways[rp.Router]) == 0:
		return &model.Decision{Verdict: model.Unplaced, Reason: "no-gateway", Evidence: model.Explained,
			Text: fmt.Sprintf("router %s has no gateway", router), Fix: "give the router a gateway on a provider network"}
	}
	if g := x.outside[cidr.Masked()]; g != nil {
		return suppressed("gateway-network", fmt.Sprintf("it is the network of router gateways (that of router %s is one), "+
			"where next hops are", v.routerName(g.Router)), "")
	}
	return nil
}

// nextHops are a gateway's addresses by which a prefix behind its router may be announced, the preferred first: the old
// agent wrote one route after the other, so that the last stayed. When there is none it says why.
func (v *view) nextHops(x *stretch, rp, g *ovn.LogicalRouterPort, cidr netip.Prefix) ([]netip.Prefix, *model.Decision) {
	if no := v.outOfReach(g); no != nil {
		return nil, no
	}
	if no := v.differentScopes(x, rp, g, cidr.Addr()); no != nil {
		return nil, no
	}
	family := model.FamilyOf(cidr.Addr())
	var hops []netip.Prefix
	var no *model.Decision
	for _, outside := range slices.Backward(g.Networks) {
		ip := outside.Addr()
		switch {
		case model.FamilyOf(ip) != family || unfit(ip) != nil:
		case cidr.Masked().Contains(ip) && cidr.Bits() >= outside.Bits():
			no = suppressed("gateway-network", fmt.Sprintf("its next hop, %s, is in it", ip), "")
		default:
			hops = append(hops, outside)
		}
	}
	if len(hops) == 0 && no == nil {
		no = suppressed("gateway-family", fmt.Sprintf("the gateway of router %s has no IPv%d address",
			v.routerName(g.Router), family), fmt.Sprintf("give the gateway an IPv%d address", family))
		if len(g.Faults) > 0 {
			no.Evidence = model.Unexplained // it may be in what could not be understood
		}
	}
	if len(hops) > 0 {
		no = nil
	}
	return hops, no
}

// outOfReach says why a gateway's addresses are no next hops for anybody: nil when they are.
//
// Which chassis hosts the gateway does not count, nor whether one does now: its address moves with it, and the neighbours
// find it by ARP. So a database that has lost the chassis withdraws nothing. One that no chassis may host is no gateway.
func (v *view) outOfReach(g *ovn.LogicalRouterPort) *model.Decision {
	router := v.routerName(g.Router)
	switch {
	case insideOVN(g.Switch):
		return v.inside(g.Switch)
	case g.Switch == "":
		return &model.Decision{Verdict: model.Unplaced, Reason: "no-network", Evidence: model.Explained,
			Text: fmt.Sprintf("the gateway of router %s leads to no network", router)}
	case v.networks[g.Switch] == nil:
		return suppressed("gateway-inside", fmt.Sprintf("the gateway of router %s is on %s, which is no provider network: no "+
			"BGP peer can reach its address there", router, v.networkName(g.Switch)), "")
	case v.in.OVN.Bindings && g.HAGroup == "" && g.HostingChassis == "":
		return &model.Decision{Verdict: model.Unplaced, Reason: "gateway-unscheduled", Evidence: model.Unexplained,
			Text: fmt.Sprintf("no chassis may host the gateway of router %s", router),
			Fix:  "see that some chassis has ovn-cms-options=enable-chassis-as-gw"}
	}
	return nil
}

// differentScopes says why address scopes keep a prefix from being announced: nil when they do not. Where address_scopes
// lists any, those of the interface and of the gateway must be listed, and be the same: OVN hides what goes from one into
// another.
func (v *view) differentScopes(x *stretch, rp, g *ovn.LogicalRouterPort, a netip.Addr) *model.Decision {
	if len(v.c.AddressScopes) == 0 {
		return nil
	}
	scopes := [2]string{}
	for i, port := range []*ovn.LogicalRouterPort{rp, g} {
		peer := x.peers[port.Name]
		if peer == nil {
			peer = &ovn.LogicalSwitchPort{Name: port.Name, Type: ovn.PortRouter, Switch: port.Switch}
		}
		scopes[i] = scopeOf(peer, a)
		if !slices.Contains(v.c.AddressScopes, scopes[i]) {
			return v.outOfScope(peer, scopes[i])
		}
	}
	if scopes[0] != scopes[1] {
		return suppressed("address-scope", fmt.Sprintf("the router's interface on %s is in address scope %s, and its gateway "+
			"in %s", v.networkName(rp.Switch), scopes[0], scopes[1]), "use subnet pools of one address scope")
	}
	return nil
}

// nextHopNetworks are the networks in which the next hops of what is announced are: by a route to them the kernel and the
// BGP daemon find the next hops on the device.
func (v *view) nextHopNetworks(x *stretch, won []finding) (found []finding) {
	made := map[netip.Prefix]bool{}
	for _, f := range won {
		network, g := f.cidr, x.outside[f.cidr]
		if made[network] || f.kind == model.KindHost {
			continue
		}
		made[network] = true
		hop := finding{prefix: network, rank: rankGateway, kind: model.KindGateway, subject: v.subject(g.Switch, ""),
			why: "next hops are on " + v.networkName(g.Switch)}
		hop.Decision = model.Decision{Verdict: model.Announced, Reason: "next-hop-network",
			Text: fmt.Sprintf("subnets are announced with addresses on provider network %s as next hops",
				v.networkName(g.Switch))}
		if network.IsSingleIP() {
			hop.Decision = *suppressed("next-hop-alone", "the network is a gateway's address and nothing else: the next hop "+
				"is found without it", "")
		}
		hop.Address, hop.Key = network.Addr(), model.Key(v.c.VRF, network)
		hop.Row = v.realRow(rowOf("Logical_Router_Port", g.UUID, "gateway", g.Name))
		found = append(found, hop)
	}
	return found
}

// unused is the decision about a network of gateways that is no next hop's. Why there is none, the decisions about what is
// behind them say; by itself it explains nothing.
func (v *view) unused(network netip.Prefix, g *ovn.LogicalRouterPort) model.Decision {
	return model.Decision{Address: network.Addr(), Key: model.Key(v.c.VRF, network), Verdict: model.Unplaced,
		Reason: "no-next-hop", Evidence: model.Unexplained,
		Text: fmt.Sprintf("no subnet is announced with an address on provider network %s as next hop", v.networkName(g.Switch)),
		Row:  v.realRow(rowOf("Logical_Router_Port", g.UUID, "gateway", g.Name))}
}

// stretchedWhys decides about prefixes, and about addresses by the prefix they are in, in that mode. What it knows
// nothing of it leaves out.
func (v *view) stretchedWhys(asked []netip.Prefix) map[netip.Prefix]model.Decision {
	_, decisions, apart := v.stretch()
	decisions = append(decisions, apart...)
	type claim struct {
		prefix netip.Prefix
		model.Decision
	}
	claims := make([]claim, 0, len(decisions))
	for _, d := range decisions {
		if p, ok := v.prefixOf(d); ok {
			claims = append(claims, claim{p, d})
		}
	}
	// What is announced comes first, and of that the longest, as packets go.
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(nearness(a.Decision), nearness(b.Decision)), b.prefix.Bits()-a.prefix.Bits(),
			compareDecisions(a.Decision, b.Decision))
	})
	best := map[netip.Prefix]model.Decision{}
	for _, p := range asked {
		if i := slices.IndexFunc(claims, func(c claim) bool { return c.prefix == p }); i >= 0 {
			best[p] = claims[i].Decision
			continue
		}
		if !p.IsSingleIP() {
			continue
		}
		if i := slices.IndexFunc(claims, func(c claim) bool { return c.prefix.Contains(p.Addr()) }); i >= 0 {
			best[p] = v.within(p.Addr(), claims[i].prefix, claims[i].Decision)
		} else if row := v.rowWith(p.Addr()); row != "" {
			best[p] = v.at(p.Addr(), row, *suppressed("prefixes-only", "it is in no subnet behind a router, and of others nothing "+
				"is announced (driver)", "")).Decision
		}
	}
	return best
}

// prefixOf is the prefix that a decision's key names; there is none where the decision is about no prefix.
func (v *view) prefixOf(d model.Decision) (netip.Prefix, bool) {
	if len(d.Key) <= len(v.c.VRF) {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(d.Key[len(v.c.VRF)+1:])
	return p, err == nil
}

// within is the decision about an address by that about the subnet it is in.
func (v *view) within(a netip.Addr, p netip.Prefix, d model.Decision) model.Decision {
	d.Address = a
	if d.Verdict == model.Announced {
		d.Text, d.Evidence = fmt.Sprintf("announced as part of %s: %s", p, d.Text), model.Explained
		return d
	}
	d.Key, d.Text = v.key(a), fmt.Sprintf("it is in %s: %s", p, d.Text)
	return d
}

// rowWith finds a row that has an address, whatever it means.
func (v *view) rowWith(a netip.Addr) string {
	s := &v.in.OVN
	for _, p := range s.Ports {
		if slices.Contains(p.Addresses, a) {
			return rowOf("Logical_Switch_Port", p.UUID, "port", p.Name)
		}
	}
	for _, rp := range s.RouterPorts {
		if slices.ContainsFunc(rp.Networks, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return rowOf("Logical_Router_Port", rp.UUID, "router port", rp.Name)
		}
	}
	for _, nat := range s.NATs {
		if nat.ExternalIP == a {
			return rowOf("NAT", nat.UUID, "floating IP", "")
		}
	}
	for _, lb := range s.Balancers {
		if slices.Contains(lb.VIPs, a) {
			return rowOf("Load_Balancer", lb.UUID, "load balancer", lb.Name)
		}
	}
	return ""
}
