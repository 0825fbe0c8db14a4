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

// ownerInterface marks the switch's end of a router's interface, as Neutron names it.
const ownerInterface = "network:router_interface"

// subnet is a network of a tenant as one router leads to it: a CIDR of the router's interface on a tenant network.
// Where a gateway of the router is hosted here, this node carries and announces it.
type subnet struct {
	prefix netip.Prefix // masked
	own    netip.Addr   // the router's address in it
	port   *ovn.LogicalRouterPort
	peer   *ovn.LogicalSwitchPort // the interface's end on the switch

	// no says why this node does not carry the subnet; nil when it does, and then by way of hop.
	no  *model.Decision
	hop nextHop
}

// nextHop is a gateway's address, behind which are the networks of its router.
type nextHop struct {
	ip  netip.Addr
	net *network
}

// lead is where packets to a subnet go: what the subnets of one prefix agree on, or the first of them.
type lead struct {
	*subnet
	switchName string
}

// exposure is what is known of tenant networks. It is made once for a view, and only where they are exposed.
type exposure struct {
	peers   map[string]*ovn.LogicalSwitchPort    // by router port
	hidden  map[string][]netip.Prefix            // by router: what its SNAT covers
	subnets map[*ovn.LogicalRouterPort][]*subnet // as far as they were asked for
	// holders are the hosted gateways by address; of several with one address the first by row has it (see settle).
	holders map[netip.Addr]*ovn.LogicalRouterPort
	// interfaces are those on tenant networks of routers that have a gateway here, or might have, and near their switches.
	interfaces []*ovn.LogicalRouterPort
	near       map[string]bool
	// leads are the carried subnets by prefix, and lengths what lengths they have, falling.
	leads   map[netip.Prefix]lead
	lengths map[model.Family][]int
	globals globals
}

// exposesTenants tells whether anything of tenant networks may be announced.
func (v *view) exposesTenants() bool { return v.c.ExposesTenants() }

// announcesSubnets tells whether subnets are announced instead of what is in them.
func (v *view) announcesSubnets() bool { return v.c.TenantMethod == config.TenantSubnet }

// indexTenants finds the subnets that are this node's. It is the last index made: it needs all others.
func (v *view) indexTenants() {
	x := &exposure{peers: map[string]*ovn.LogicalSwitchPort{}, hidden: map[string][]netip.Prefix{},
		subnets: map[*ovn.LogicalRouterPort][]*subnet{}, holders: map[netip.Addr]*ovn.LogicalRouterPort{},
		near: map[string]bool{}, leads: map[netip.Prefix]lead{}, lengths: map[model.Family][]int{}, globals: newGlobals()}
	v.tenants = x
	for _, p := range v.in.OVN.Ports {
		if p.Type == ovn.PortRouter && p.RouterPort != "" {
			x.peers[p.RouterPort] = p
		}
	}
	if v.c.RequireSNATDisabled {
		for _, nat := range v.in.OVN.NATs {
			if nat.Type == ovn.SNAT && nat.LogicalIP.IsValid() {
				x.hidden[nat.Router] = append(x.hidden[nat.Router], nat.LogicalIP)
			}
		}
	}
	near := map[string]bool{} // routers
	for _, g := range v.in.OVN.RouterPorts {
		if !g.Gateway {
			continue
		}
		if v.hosts(g) || v.mayHost(g) {
			near[g.Router] = true
		}
		if v.hosts(g) {
			v.holdAddresses(g)
		}
	}
	var carried []*subnet
	for _, rp := range v.in.OVN.RouterPorts {
		if rp.Gateway || !near[rp.Router] || !v.isTenant(rp.Switch) {
			continue
		}
		x.near[rp.Switch] = true
		x.interfaces = append(x.interfaces, rp)
		for _, s := range v.subnetsOf(rp) {
			if s.no == nil {
				carried = append(carried, s)
			}
		}
	}
	v.chooseLeads(carried)
}

// holdAddresses notes who answers for a hosted gateway's addresses.
func (v *view) holdAddresses(g *ovn.LogicalRouterPort) {
	if d, _ := v.placeGateway(g); d.Verdict != model.Announced {
		return
	}
	for _, p := range g.Networks {
		if first := v.tenants.holders[p.Addr()]; first == nil || g.UUID < first.UUID {
			v.tenants.holders[p.Addr()] = g
		}
	}
}

// chooseLeads says where packets to each carried prefix go. Of several routers on one network any will do, of two
// networks with one prefix only one can have it: the first by the name of its router's port, whichever came first.
func (v *view) chooseLeads(carried []*subnet) {
	slices.SortFunc(carried, func(a, b *subnet) int {
		return cmp.Or(a.prefix.Compare(b.prefix), cmp.Compare(a.port.Name, b.port.Name))
	})
	x := v.tenants
	for _, s := range carried {
		if _, taken := x.leads[s.prefix]; taken {
			continue
		}
		x.leads[s.prefix] = lead{s, s.port.Switch}
		family := model.FamilyOf(s.own)
		if !slices.Contains(x.lengths[family], s.prefix.Bits()) {
			x.lengths[family] = append(x.lengths[family], s.prefix.Bits())
		}
	}
	for _, lengths := range x.lengths {
		slices.SortFunc(lengths, func(a, b int) int { return b - a })
	}
}

// leadTo finds where packets to an address of tenants go: by the longest prefix, as the kernel does.
func (v *view) leadTo(a netip.Addr) (lead, bool) {
	for _, bits := range v.tenants.lengths[model.FamilyOf(a)] {
		p, err := a.Prefix(bits)
		if l, ok := v.tenants.leads[p]; ok && err == nil {
			return l, true
		}
	}
	return lead{}, false
}

// isTenant tells whether a logical switch is a tenant's network. One with a localnet port is a provider network
// wherever that leads, also where a router has it for an interface's.
func (v *view) isTenant(ls string) bool { return ls != "" && v.networks[ls] == nil && !insideOVN(ls) }

// subnetsOf lists the subnets behind a router's interface.
func (v *view) subnetsOf(rp *ovn.LogicalRouterPort) []*subnet {
	if list, known := v.tenants.subnets[rp]; known {
		return list
	}
	var list []*subnet
	// Neutron takes away the switch's end first: without it the interface leads nowhere. Router ports that are not
	// Neutron's interfaces (its plugins have their own) are for others to announce.
	if peer := v.tenants.peers[rp.Name]; peer != nil && peer.DeviceOwner == ownerInterface {
		for _, cidr := range peer.CIDRs {
			s := &subnet{prefix: cidr.Masked(), own: cidr.Addr(), port: rp, peer: peer}
			s.hop, s.no = v.carries(s)
			list = append(list, s)
		}
	}
	v.tenants.subnets[rp] = list
	return list
}

// carries says by way of which gateway this node carries a subnet; when it does not, why.
func (v *view) carries(s *subnet) (nextHop, *model.Decision) {
	where := fmt.Sprintf("the interface of router %s on %s", v.routerName(s.port.Router), v.networkName(s.port.Switch))
	switch {
	case s.prefix.Bits() == 0:
		return nextHop{}, suppressed("not-routable", "the subnet is all addresses there are", "")
	case s.peer.Disabled:
		return nextHop{}, suppressed("interface-disabled", where+" is disabled", "enable the port")
	case s.peer.Up == nil || !*s.peer.Up:
		// northd calls these up by itself, whatever the Southbound database says.
		return nextHop{}, &model.Decision{Verdict: model.Unplaced, Reason: "interface-down", Evidence: model.Explained,
			Text: where + " is down"}
	}
	if no := v.forbids(s.own, s.port.Router, s.peer); no != nil {
		return nextHop{}, no
	}
	return v.throughGateway(s.port.Router, model.FamilyOf(s.own))
}

// throughGateway finds the gateway that this node reaches a router's networks by, and its address of a family. Of
// several the first by name is taken.
func (v *view) throughGateway(router string, family model.Family) (nextHop, *model.Decision) {
	if len(v.gateways[router]) == 0 {
		return nextHop{}, &model.Decision{Verdict: model.Unplaced, Reason: "no-gateway", Evidence: model.Explained,
			Text: fmt.Sprintf("router %s has no gateway", v.routerName(router)),
			Fix:  "give the router a gateway on a provider network"}
	}
	var best *model.Decision
	for _, g := range v.gateways[router] {
		hop, no := v.through(g, family)
		if no == nil {
			return hop, nil
		}
		if best == nil || nearness(*no) < nearness(*best) {
			best = no
		}
	}
	return nextHop{}, best
}

func (v *view) through(g *ovn.LogicalRouterPort, family model.Family) (nextHop, *model.Decision) {
	i := slices.IndexFunc(g.Networks, func(p netip.Prefix) bool {
		return model.FamilyOf(p.Addr()) == family && unfit(p.Addr()) == nil
	})
	if i < 0 {
		return nextHop{}, suppressed("gateway-family", fmt.Sprintf("the gateway of router %s has no IPv%d address",
			v.routerName(g.Router), family), fmt.Sprintf("give the gateway an IPv%d address", family))
	}
	if no := v.notHosted(g); no != nil {
		return nextHop{}, no
	}
	n, no := v.usable(g.Switch)
	if no != nil {
		no.Node = g.HostingChassis
		return nextHop{}, no
	}
	ip := g.Networks[i].Addr()
	if h := v.tenants.holders[ip]; h != nil && (h.MAC != g.MAC || h.Switch != g.Switch) {
		return nextHop{}, suppressed("overlap", fmt.Sprintf("the gateway of router %s has address %s, and so has that of "+
			"router %s, which comes first", v.routerName(g.Router), ip, v.routerName(h.Router)),
			"give one of them another address")
	}
	return nextHop{ip, n}, nil
}
