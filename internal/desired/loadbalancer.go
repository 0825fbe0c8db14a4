package desired

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// portForwarding begins the name of the rows by which Neutron forwards single ports of a floating IP.
const portForwarding = "pf-floatingip-"

// balancers finds what belongs to a load balancer. OVN has one row of it for each protocol, all of one name; Octavia
// makes a port for each of its addresses, which nobody ever binds.
type balancers struct {
	named  map[string][]*ovn.LoadBalancer      // rows by name
	atPort map[string][]*ovn.LoadBalancer      // rows by the VIP port they name
	ofFIP  map[netip.Addr][]*ovn.LoadBalancer  // rows by the floating IP they name
	ports  map[string][]*ovn.LogicalSwitchPort // VIP ports by the load balancer's name
	nat    map[netip.Addr]bool                 // floating IPs that NAT rows give to VIP ports
	// onRouter are the ports of the routers that some row is attached to.
	onRouter map[string][]*ovn.LogicalRouterPort
}

func (v *view) indexBalancers() {
	b := balancers{named: map[string][]*ovn.LoadBalancer{}, atPort: map[string][]*ovn.LoadBalancer{},
		ofFIP: map[netip.Addr][]*ovn.LoadBalancer{}, ports: map[string][]*ovn.LogicalSwitchPort{},
		nat: map[netip.Addr]bool{}, onRouter: map[string][]*ovn.LogicalRouterPort{}}
	for _, lb := range v.in.OVN.Balancers {
		b.named[lb.Name] = append(b.named[lb.Name], lb)
		if lb.VIPPort != "" {
			b.atPort[lb.VIPPort] = append(b.atPort[lb.VIPPort], lb)
		}
		if lb.VIPFIP.IsValid() {
			b.ofFIP[lb.VIPFIP] = append(b.ofFIP[lb.VIPFIP], lb)
		}
		for _, r := range lb.Routers {
			b.onRouter[r] = nil
		}
	}
	for _, p := range v.in.OVN.Ports {
		if p.DeviceOwner == ownerBalancer {
			name := strings.TrimPrefix(p.DeviceID, "lb-")
			b.ports[name] = append(b.ports[name], p)
		}
	}
	for _, rp := range v.in.OVN.RouterPorts {
		if list, attached := b.onRouter[rp.Router]; attached {
			b.onRouter[rp.Router] = append(list, rp)
		}
	}
	v.balancers = b
	for _, nat := range v.in.OVN.NATs {
		if nat.Type == ovn.DNATAndSNAT && v.isBalanced(nat) {
			b.nat[nat.ExternalIP] = true
		}
	}
}

// isVIPOfRow tells whether a port holds addresses of a load balancer that has a row.
func (v *view) isVIPOfRow(p *ovn.LogicalSwitchPort) bool {
	return p.DeviceOwner == ownerBalancer &&
		(len(v.balancers.atPort[p.Name]) > 0 || len(v.balancers.named[strings.TrimPrefix(p.DeviceID, "lb-")]) > 0)
}

// isBalanced tells whether a floating IP is that of a load balancer's address.
func (v *view) isBalanced(nat *ovn.NAT) bool {
	if len(v.balancers.ofFIP[nat.ExternalIP]) > 0 || len(v.balancers.atPort[nat.LogicalPort]) > 0 {
		return true
	}
	p := v.ports[nat.LogicalPort]
	return p != nil && p.DeviceOwner == ownerBalancer
}

// unbalanced says why a load balancer does not serve its floating IP: nil when one of its rows does. The translation
// alone leads to an address that nobody has.
func (v *view) unbalanced(nat *ovn.NAT) *model.Decision {
	b := &v.balancers
	rows := slices.Concat(b.ofFIP[nat.ExternalIP], b.atPort[nat.LogicalPort])
	if p := v.ports[nat.LogicalPort]; p != nil && p.DeviceOwner == ownerBalancer {
		rows = append(rows, b.named[strings.TrimPrefix(p.DeviceID, "lb-")]...)
	}
	if len(rows) == 0 {
		d := suppressed("load-balancer-gone", fmt.Sprintf(
			"port %s holds the address of a load balancer, and no row of Load_Balancer is that load balancer",
			v.portName(nat.LogicalPort)), "disassociate the floating IP, or make the load balancer again")
		d.Evidence = model.Unexplained
		return d
	}
	slices.SortFunc(rows, func(a, b *ovn.LoadBalancer) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UUID, b.UUID))
	})
	for _, lb := range rows {
		if slices.Contains(lb.VIPs, nat.ExternalIP) && slices.Contains(lb.Routers, nat.Router) {
			return nil
		}
	}
	for _, lb := range rows {
		if slices.Contains(lb.VIPs, nat.ExternalIP) {
			return v.unattached(lb, nat.Router)
		}
	}
	return unserved(rows[0])
}

// unserved says why a load balancer's address is not in its vips: whoever disabled it took them away, or the last
// member that counted is gone.
func unserved(lb *ovn.LoadBalancer) *model.Decision {
	if lb.Disabled {
		return suppressed("load-balancer-disabled", fmt.Sprintf("load balancer %s is disabled", printable(lb.Name)),
			"enable the load balancer")
	}
	return suppressed("no-member", fmt.Sprintf("load balancer %s does not serve the address: it has no member there, "+
		"or none that is online", printable(lb.Name)), "add a listener, a pool and a member, and look at the health monitor")
}

// unattached is the decision about a row that no router has, or not the one that counts.
func (v *view) unattached(lb *ovn.LoadBalancer, router string) *model.Decision {
	text := balancerName(lb) + " is not attached: OVN makes nothing of it, because no router has it"
	if len(lb.Routers) > 0 {
		text = fmt.Sprintf("%s is not attached to router %s", balancerName(lb), v.routerName(router))
	}
	return suppressed("not-attached", text,
		"give it a member in a subnet of a router that has a gateway on the network of the address")
}

func balancerName(lb *ovn.LoadBalancer) string {
	if isForwarding(lb) {
		return "port forwarding " + printable(lb.Name)
	}
	return "load balancer " + printable(lb.Name)
}

func isForwarding(lb *ovn.LoadBalancer) bool { return strings.HasPrefix(lb.Name, portForwarding) }

// localBalancers collects what load balancers and port forwardings mean whose gateway is here, or might be.
func (v *view) localBalancers() (found []finding) {
	for _, lb := range v.in.OVN.Balancers {
		if !v.concernsBalancer(lb) {
			continue
		}
		for _, a := range v.vips(lb) {
			found = append(found, v.balancer(lb, a))
		}
	}
	return found
}

func (v *view) concernsBalancer(lb *ovn.LoadBalancer) bool {
	here := func(g *ovn.LogicalRouterPort) bool { return g.Gateway && (v.hosts(g) || v.mayHost(g)) }
	routers := meantRouters(lb)
	for _, r := range routers {
		if slices.ContainsFunc(v.gateways[r], here) {
			return true
		}
	}
	// Nobody's row would be told of by nobody, though somebody wonders why it does not work.
	p := v.vipPort(lb, lb.VIP)
	return len(routers) == 0 && p != nil && slices.ContainsFunc(v.onSwitch[p.Switch], here)
}

// meantRouters are the routers a row is attached to, else the one it is meant for.
func meantRouters(lb *ovn.LoadBalancer) []string {
	if len(lb.Routers) == 0 && lb.Router != "" {
		return []string{lb.Router}
	}
	return lb.Routers
}

// vips lists the addresses a row is asked about: those it serves, and those it would if it could. A floating IP is not
// among them where a NAT row has it, nor what another protocol's row serves.
func (v *view) vips(lb *ovn.LoadBalancer) []netip.Addr {
	list := slices.DeleteFunc(slices.Clone(lb.VIPs), func(a netip.Addr) bool { return v.balancers.nat[a] })
	for _, a := range append([]netip.Addr{lb.VIP}, lb.AdditionalVIPs...) {
		served := slices.ContainsFunc(v.balancers.named[lb.Name], func(other *ovn.LoadBalancer) bool {
			return slices.Contains(other.VIPs, a)
		})
		if a.IsValid() && !served && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// vipPort finds the port that Octavia made for one of the addresses of a load balancer: nil where there is none, as of
// port forwardings and of what was made by hand.
func (v *view) vipPort(lb *ovn.LoadBalancer, a netip.Addr) *ovn.LogicalSwitchPort {
	has := func(p *ovn.LogicalSwitchPort) bool { return p != nil && slices.Contains(p.Addresses, a) }
	if p := v.ports[lb.VIPPort]; has(p) {
		return p
	}
	for _, p := range v.balancers.ports[lb.Name] {
		if has(p) {
			return p
		}
	}
	return nil
}

// balancer says what a row means for one of its addresses. Packets for it come in where the router's gateway is,
// which answers ARP for it; so the kernel asks, and no MAC is written down.
func (v *view) balancer(lb *ovn.LoadBalancer, a netip.Addr) finding {
	kind := "load balancer"
	if isForwarding(lb) {
		kind = "port forwarding"
	}
	row := rowOf("Load_Balancer", lb.UUID, kind, lb.Name)
	if no := unfit(a); no != nil {
		return v.at(a, row, *no)
	}
	f := v.placeVIP(lb, a, row)
	f.kind, f.why = model.KindBalancer, balancerWhy(lb)
	if isForwarding(lb) {
		f.kind = model.KindFloatingIP
	}
	return f
}

// balancerWhy is one for all ports of a range, of which each has a row.
func balancerWhy(lb *ovn.LoadBalancer) string {
	if !isForwarding(lb) {
		return strings.TrimSpace("load balancer " + printable(lb.Name) + " " + lb.Protocol)
	}
	name := printable(lb.Name)
	if i := strings.LastIndexByte(name, '-'); i >= 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		name = name[:i]
	}
	return "port forwarding " + name
}

func (v *view) placeVIP(lb *ovn.LoadBalancer, a netip.Addr, row string) finding {
	switch {
	case lb.Disabled:
		return v.at(a, row, *unserved(lb))
	case a == lb.VIPFIP:
		d := *suppressed("floating-ip-gone", "no NAT row gives the load balancer this floating IP any more",
			"associate the floating IP anew")
		d.Evidence = model.Unexplained
		return v.at(a, row, d)
	case len(lb.Routers) == 0 && slices.Contains(lb.VIPs, a):
		return v.at(a, row, *v.unattached(lb, ""))
	case len(lb.Routers) == 0:
		return v.at(a, row, *unserved(lb))
	}
	ls := v.vipNetwork(lb, a)
	if ls == "" {
		return v.at(a, row, *suppressed("no-network", fmt.Sprintf("no router that has %s has a subnet with the address, "+
			"or a gateway that would answer", balancerName(lb)), "give it an address on a network of its router"))
	}
	if v.isTenant(ls) {
		return v.tenantVIP(lb, ls, a, row)
	}
	if no := v.inside(ls); no != nil {
		return v.at(a, row, *no)
	}
	g := v.vipGateway(lb, ls, a)
	if g == nil {
		return v.at(a, row, v.noVIPGateway(lb, ls))
	}
	d, n := v.placeVIPAt(lb, g, a)
	f := v.at(a, row, d)
	f.net, f.cidr, f.subject = n, subnetOf(g.Networks, a), v.vipSubject(lb, ls, g.Router, a)
	if !f.cidr.IsValid() {
		// In none of the gateway's subnets: OVN does not answer ARP for it, though it takes what is sent to its MAC.
		f.mac = g.MAC
	}
	return f
}

// tenantVIP says what a row means for an address of a tenant network: the address is announced as a machine's would be,
// and carried by its subnet's rule and route, where that leads to a router which has the row.
func (v *view) tenantVIP(lb *ovn.LoadBalancer, ls string, a netip.Addr, row string) finding {
	port := v.vipPort(lb, a)
	if port == nil {
		port = &ovn.LogicalSwitchPort{Switch: ls} // made by hand: it is in no address scope
	}
	l, d := v.tenantPlace(port, a)
	switch {
	case d.Evidence != model.Doubtful && !slices.Contains(lb.VIPs, a):
		l, d = lead{}, *unserved(lb)
	case d.Verdict == model.Announced && !slices.Contains(lb.Routers, l.port.Router):
		d = *v.unattached(lb, l.port.Router)
	}
	f := v.tenantFinding(a, row, l, d)
	if f.via != nil && !f.part {
		f.subject = v.vipSubject(lb, ls, l.port.Router, a)
	}
	return f
}

// vipSubject is what a policy can select an address of a load balancer by.
func (v *view) vipSubject(lb *ovn.LoadBalancer, ls, router string, a netip.Addr) subject {
	own := []labels{{balancerName(lb), lb.Labels}}
	if p := v.vipPort(lb, a); p != nil {
		own = append(own, v.portLabels(p.Name))
	}
	return v.subject(ls, router, own...)
}

// placeVIPAt decides about an address that a router's gateway answers for.
func (v *view) placeVIPAt(lb *ovn.LoadBalancer, g *ovn.LogicalRouterPort, a netip.Addr) (model.Decision, *network) {
	no := v.notHosted(g)
	if (no == nil || no.Evidence != model.Doubtful) && !slices.Contains(lb.VIPs, a) {
		no = unserved(lb)
	}
	if no != nil {
		return *no, nil
	}
	n, no := v.usable(g.Switch)
	if no != nil {
		return *no, nil
	}
	reason := "load-balancer"
	if isForwarding(lb) {
		reason = "port-forwarding"
	}
	return model.Decision{Verdict: model.Announced, Reason: reason, Node: v.chassis,
		Text: fmt.Sprintf("%s works at router %s, whose gateway is hosted here, on provider network %s (%s)",
			balancerName(lb), v.routerName(g.Router), v.networkName(g.Switch), n.segment.device)}, n
}

// vipNetwork names the logical switch that an address belongs to: its port's, else that of the attached routers' ports
// in whose subnet it is. Forwarded is a floating IP, which no such port needs to have a subnet for.
func (v *view) vipNetwork(lb *ovn.LoadBalancer, a netip.Addr) string {
	if p := v.vipPort(lb, a); p != nil {
		return p.Switch
	}
	if isForwarding(lb) {
		if g := v.vipGateway(lb, "", a); g != nil {
			return g.Switch
		}
		return ""
	}
	var best *ovn.LogicalRouterPort
	for _, r := range lb.Routers {
		for _, rp := range v.balancers.onRouter[r] {
			if subnetOf(rp.Networks, a).IsValid() && (best == nil || rp.Name < best.Name) {
				best = rp
			}
		}
	}
	if best == nil {
		return ""
	}
	return best.Switch
}

// vipGateway picks the gateway that answers for an address on a provider network ("" for any): one in whose subnet it
// is, that some chassis has claimed, of the router the row is meant for. Of several that would do all nodes pick the
// same.
func (v *view) vipGateway(lb *ovn.LoadBalancer, ls string, a netip.Addr) *ovn.LogicalRouterPort {
	var list []*ovn.LogicalRouterPort
	for _, r := range lb.Routers {
		for _, g := range v.gateways[r] {
			if ls == "" || g.Switch == ls {
				list = append(list, g)
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	prefer := func(is func(*ovn.LogicalRouterPort) bool) func(a, b *ovn.LogicalRouterPort) int {
		rank := map[bool]int{true: 0, false: 1}
		return func(a, b *ovn.LogicalRouterPort) int { return rank[is(a)] - rank[is(b)] }
	}
	within := prefer(func(g *ovn.LogicalRouterPort) bool { return subnetOf(g.Networks, a).IsValid() })
	claimed := prefer(func(g *ovn.LogicalRouterPort) bool { return g.HostingChassis != "" && !v.routerDisabled(g.Router) })
	meant := prefer(func(g *ovn.LogicalRouterPort) bool { return g.Router == lb.Router })
	return slices.MinFunc(list, func(a, b *ovn.LogicalRouterPort) int {
		return cmp.Or(within(a, b), claimed(a, b), meant(a, b), cmp.Compare(a.Name, b.Name))
	})
}

// noVIPGateway says why no gateway answers for an address of a provider network.
func (v *view) noVIPGateway(lb *ovn.LoadBalancer, ls string) model.Decision {
	for _, r := range lb.Routers {
		for _, g := range v.gateways[r] {
			return *suppressed("other-network", fmt.Sprintf("%s works at router %s, whose gateway is on %s: on %s nobody "+
				"answers for it", balancerName(lb), v.routerName(r), v.networkName(g.Switch), v.networkName(ls)),
				"give the router a gateway on that network, or the load balancer an address on the gateway's")
		}
	}
	return model.Decision{Verdict: model.Unplaced, Reason: "no-gateway", Evidence: model.Explained,
		Text: fmt.Sprintf("router %s has no gateway that could answer", v.routerName(lb.Routers[0])),
		Fix:  "give the router a gateway on the network of the load balancer's address"}
}
