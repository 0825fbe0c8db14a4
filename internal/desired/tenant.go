package desired

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// tenantPlace says where an address of a tenant network is announced, whoever has it: a machine, or a load balancer.
// port is the switch port whose network and address scopes count. It is the one predicate for such addresses, for
// what is carried and for what is announced; it does not ask whether the port is up.
//
// The decision's verdict is Announced where this node announces the address, by itself or as part of its subnet; the
// lead then says by which way packets get there. A finding made of it must have both:
//
//	l, d := v.tenantPlace(port, a)
//	f := v.tenantFinding(a, row, l, d) // then its rank and its why
func (v *view) tenantPlace(port *ovn.LogicalSwitchPort, a netip.Addr) (lead, model.Decision) {
	if !v.exposesTenants() {
		return lead{}, *v.unexposed(port.Switch)
	}
	if no := unfit(a); no != nil {
		return lead{}, *no
	}
	best := model.Decision{Verdict: model.Unplaced, Reason: "no-router", Evidence: model.Explained,
		Text: fmt.Sprintf("no router has an interface in a subnet of %s with the address", v.networkName(port.Switch)),
		Fix:  "attach the subnet to a router with a gateway on a provider network"}
	found := false
	for _, rp := range v.onSwitch[port.Switch] {
		if rp.Gateway {
			continue
		}
		for _, s := range v.subnetsOf(rp) {
			if !s.prefix.Contains(a) {
				continue
			}
			l, d := v.placeIn(s, port, a)
			if d.Verdict == model.Announced {
				return l, d
			}
			if !found || nearness(d) < nearness(best) {
				best, found = d, true
			}
		}
	}
	return lead{}, best
}

// placeIn says whether an address is announced by way of one router.
func (v *view) placeIn(s *subnet, port *ovn.LogicalSwitchPort, a netip.Addr) (lead, model.Decision) {
	if no := v.forbids(a, s.port.Router, s.peer, port); no != nil {
		return lead{}, *no
	}
	if s.no != nil {
		return lead{}, *s.no
	}
	l, _ := v.leadTo(a) // there is one: this subnet's, if no other
	if l.switchName != s.port.Switch {
		return lead{}, *v.overlapping(s, l)
	}
	return l, model.Decision{Verdict: model.Announced, Reason: "tenant-address", Node: v.chassis,
		Text: fmt.Sprintf("%s is behind router %s, whose gateway is hosted here, on provider network %s (%s)",
			v.networkName(l.switchName), v.routerName(l.port.Router), v.networkName(l.hop.net.name), l.hop.net.segment.device)}
}

// overlapping is the decision about a subnet whose packets go into another network with the same prefix, or a longer
// one within.
func (v *view) overlapping(s *subnet, winner lead) *model.Decision {
	return suppressed("overlap", fmt.Sprintf("%s of %s, behind router %s, overlaps with %s of %s, behind router %s, which "+
		"comes first", s.prefix, v.networkName(s.port.Switch), v.routerName(s.port.Router), winner.prefix,
		v.networkName(winner.switchName), v.routerName(winner.port.Router)),
		"expose one of them alone: use address scopes, or another subnet")
}

// forbids says why the options let an address of a tenant network be announced by no node: nil when they do not. The
// subnet of an interface is judged by the router's address in it.
//
// ports are those whose address scopes count: the interface's, and the one that has the address.
func (v *view) forbids(a netip.Addr, router string, ports ...*ovn.LogicalSwitchPort) *model.Decision {
	if !v.c.ExposeTenantNetworks && !v.tenants.globals.has(a) {
		return suppressed("not-gua", "of tenant networks only global IPv6 addresses are exposed "+
			"(expose_ipv6_gua_tenant_networks)", "set expose_tenant_networks")
	}
	if len(v.c.AddressScopes) > 0 {
		for _, p := range ports {
			if scope := scopeOf(p, a); !slices.Contains(v.c.AddressScopes, scope) {
				return v.outOfScope(p, scope)
			}
		}
	}
	for _, hidden := range v.tenants.hidden[router] {
		if hidden.Contains(a) {
			return suppressed("snat", fmt.Sprintf("router %s hides it behind its gateway (SNAT of %s), and "+
				"require_snat_disabled_for_tenant_networks is set", v.routerName(router), hidden),
				"disable SNAT on the router's gateway")
		}
	}
	return nil
}

func scopeOf(p *ovn.LogicalSwitchPort, a netip.Addr) string {
	if a.Is4() {
		return p.ScopeV4
	}
	return p.ScopeV6
}

func (v *view) outOfScope(p *ovn.LogicalSwitchPort, scope string) *model.Decision {
	who := "port " + v.portName(p.Name)
	if p.Type == ovn.PortRouter {
		who = "the router's interface on " + v.networkName(p.Switch)
	}
	text := who + " is in address scope " + scope + ", which address_scopes does not list"
	if scope == "" {
		text = who + " is in no address scope, and address_scopes lists those to expose"
	}
	return suppressed("address-scope", text, "add the scope to address_scopes, or use a subnet pool of a listed one")
}

// unexposed is the decision about what is on a tenant network while such networks are not exposed.
func (v *view) unexposed(ls string) *model.Decision {
	return suppressed("tenant-network", fmt.Sprintf("%s is a tenant network, and tenant networks are not exposed",
		v.networkName(ls)), "set expose_tenant_networks")
}

// tenantFinding makes a finding of what tenantPlace said. What is announced as part of its subnet is a decision and
// nothing else.
func (v *view) tenantFinding(a netip.Addr, row string, l lead, d model.Decision) finding {
	f := v.at(a, row, d)
	if d.Verdict != model.Announced {
		return f
	}
	if v.announcesSubnets() {
		return v.partOf(a, l)
	}
	f.rank, f.kind, f.net, f.via = rankTenant, model.KindTenant, l.hop.net, l.subnet
	f.subject = v.subject(l.switchName, l.port.Router)
	return f
}

// partOf is the decision about an address that is announced because its subnet is.
func (v *view) partOf(a netip.Addr, l lead) finding {
	f := v.placeSubnet(l.subnet)
	if f.prefix == hostPrefix(a) {
		return f // the subnet is the address
	}
	f.part = true
	f.Address, f.Text, f.Evidence = a, fmt.Sprintf("announced as part of %s: %s", l.prefix, f.Text), model.Explained
	return f
}

// tenantPort says what a switch port on a tenant network means for each of its addresses. Where its router's gateway
// is, is what counts, and not where the port is.
func (v *view) tenantPort(p *ovn.LogicalSwitchPort) []finding {
	row := rowOf("Logical_Switch_Port", p.UUID, "port", p.Name)
	no := v.mute(p)
	found := make([]finding, 0, len(p.Addresses))
	for _, a := range p.Addresses {
		l, d := v.tenantPlace(p, a)
		// A gateway that nobody claims makes everything doubtful: in a lost Southbound database ports are down, too.
		if no != nil && d.Evidence != model.Doubtful {
			l, d = lead{}, *no
		}
		f := v.tenantFinding(a, row, l, d)
		f.why = fmt.Sprintf("port %s on %s", v.portName(p.Name), v.networkName(p.Switch))
		if f.via != nil && !f.part {
			f.subject = v.subject(p.Switch, l.port.Router, v.portLabels(p.Name))
		}
		found = append(found, f)
	}
	return found
}

// mute says why nothing answers at a port of a tenant network, or nothing that anybody else should reach.
func (v *view) mute(p *ovn.LogicalSwitchPort) *model.Decision {
	if no := unservedKind(p); no != nil {
		return no
	}
	switch {
	case p.Type == ovn.PortExternal:
		return suppressed("external-port", "external ports (SR-IOV, bare metal) are announced on provider networks only", "")
	case p.DeviceOwner == ownerDHCP:
		return suppressed("dhcp-port", "addresses of DHCP agents' ports are not announced", "")
	case p.Disabled:
		return suppressed("port-disabled", fmt.Sprintf("port %s is disabled", v.portName(p.Name)), "enable the port")
	case p.Up == nil || !*p.Up:
		d := v.portDown(p, owner{name: v.ownerOf(p).name})
		if p.Up != nil {
			// The port's interface is on another node's switch, so whether the machine was stopped or the Southbound
			// database lost what it knew cannot be told here: many at once are held.
			d.Evidence = model.Unexplained
		}
		return d
	}
	return nil
}

// localSubnets collects what the subnets mean whose gateways are here, or might be, where subnets are announced.
func (v *view) localSubnets() (found []finding) {
	if !v.exposesTenants() || !v.announcesSubnets() {
		return nil
	}
	for _, rp := range v.tenants.interfaces {
		for _, s := range v.subnetsOf(rp) {
			found = append(found, v.placeSubnet(s))
		}
	}
	return found
}

// placeSubnet says what a subnet means for its own prefix.
func (v *view) placeSubnet(s *subnet) finding {
	f := finding{rank: rankTenant, kind: model.KindTenant, prefix: s.prefix}
	l := v.tenants.leads[s.prefix]
	switch {
	case s.no != nil:
		f.Decision = *s.no
	case !v.announcesSubnets():
		f.Decision = *suppressed("host-routes", "the addresses in the subnet are announced one by one "+
			"(advertisement_method_tenant_networks)", "")
	case l.switchName != s.port.Switch:
		f.Decision = *v.overlapping(s, l)
	default:
		f.net, f.via = l.hop.net, l.subnet
		f.Decision = model.Decision{Verdict: model.Announced, Reason: "tenant-subnet", Node: v.chassis,
			Text: fmt.Sprintf("%s is behind router %s, whose gateway is hosted here, on provider network %s (%s)",
				v.networkName(s.port.Switch), v.routerName(l.port.Router), v.networkName(l.hop.net.name),
				l.hop.net.segment.device)}
	}
	f.subject = v.subject(s.port.Switch, s.port.Router, v.portLabels(s.peer.Name))
	f.why = fmt.Sprintf("subnet of %s behind router %s", v.networkName(s.port.Switch), v.routerName(s.port.Router))
	f.Address, f.Key = s.prefix.Addr(), model.Key(v.c.VRF, s.prefix)
	f.Row = rowOf("Logical_Router_Port", s.port.UUID, "router port", s.port.Name)
	return f
}
