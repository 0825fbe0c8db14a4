package desired

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// hostingColumn tells which chassis hosts a gateway. It came with OVN 23.09.
const hostingColumn = "Logical_Router_Port.status"

// noChassisFix is what to do about a node that does not know OVN's name for it.
const noChassisFix = "set external_ids:system-id of the switch's Open_vSwitch row"

// localGateways collects what router gateways mean that this chassis hosts, or might.
func (v *view) localGateways() (found []finding) {
	for _, g := range v.in.OVN.RouterPorts {
		if g.Gateway && (v.hosts(g) || v.mayHost(g)) {
			found = append(found, v.gateway(g)...)
		}
	}
	return found
}

// hosts tells whether this chassis has claimed the gateway.
func (v *view) hosts(g *ovn.LogicalRouterPort) bool {
	return v.chassis != "" && g.HostingChassis == v.chassis
}

// mayHost tells whether the gateway is nobody's now and this chassis is one of those that take turns.
func (v *view) mayHost(g *ovn.LogicalRouterPort) bool {
	if g.HostingChassis != "" || v.groups[g.HAGroup] == nil {
		return false
	}
	return slices.ContainsFunc(v.groups[g.HAGroup].Chassis, func(c ovn.HAChassis) bool { return c.Name == v.chassis })
}

// gateway says what a router's gateway means for each of its addresses.
func (v *view) gateway(g *ovn.LogicalRouterPort) []finding {
	d, n := v.placeGateway(g)
	row := rowOf("Logical_Router_Port", g.UUID, "gateway", g.Name)
	subject := v.subject(g.Switch, g.Router)
	found := make([]finding, 0, len(g.Networks))
	for _, p := range g.Networks {
		f := v.at(p.Addr(), row, d)
		if no := unfit(p.Addr()); no != nil && d.Verdict == model.Announced {
			f = v.at(p.Addr(), row, *no)
		}
		f.rank, f.net, f.mac, f.cidr = rankGateway, n, g.MAC, p.Masked()
		f.kind, f.subject = model.KindGateway, subject
		f.why = fmt.Sprintf("gateway of router %s", v.routerName(g.Router))
		found = append(found, f)
	}
	return found
}

func (v *view) placeGateway(g *ovn.LogicalRouterPort) (model.Decision, *network) {
	if no := v.inside(g.Switch); no != nil {
		no.Node = g.HostingChassis
		return *no, nil
	}
	if no := v.notHosted(g); no != nil {
		return *no, nil
	}
	n, no := v.usable(g.Switch)
	if no != nil {
		return *no, nil
	}
	return model.Decision{Verdict: model.Announced, Reason: "gateway-hosted", Node: v.chassis,
		Text: fmt.Sprintf("the gateway of router %s is hosted here, on provider network %s (%s)",
			v.routerName(g.Router), v.networkName(g.Switch), n.segment.device)}, n
}

// notHosted says why what a gateway answers for is not this node's to announce: nil when it is hosted here.
//
// Only hosting-chassis counts: the host that Neutron writes on the gateway's switch port goes stale.
func (v *view) notHosted(g *ovn.LogicalRouterPort) *model.Decision {
	router := v.routerName(g.Router)
	switch {
	case v.routerDisabled(g.Router):
		return suppressed("router-disabled", fmt.Sprintf("router %s is disabled", router), "enable the router")
	case v.in.OVN.Lacks(hostingColumn):
		return &model.Decision{Verdict: model.Unplaced, Reason: "column-absent", Evidence: model.Doubtful,
			Text: fmt.Sprintf("the database has no column %s, so nobody can say where the gateway of router %s is",
				hostingColumn, router), Fix: "use OVN 23.09 or newer"}
	case g.HostingChassis == "":
		// A gateway that failed over names its new chassis. One that names none looks just as all do when the
		// Southbound database is lost.
		return &model.Decision{Verdict: model.Unplaced, Reason: "gateway-unclaimed", Evidence: model.Doubtful,
			Text: fmt.Sprintf("no chassis hosts the gateway of router %s", router),
			Fix:  "look at ovn-controller on the gateway chassis and at the Southbound database"}
	case v.chassis == "":
		return &model.Decision{Verdict: model.Unplaced, Reason: "no-chassis-name", Node: g.HostingChassis,
			Evidence: model.Doubtful, Text: fmt.Sprintf("chassis %s hosts the gateway of router %s, and this node does "+
				"not know whether it is that chassis", g.HostingChassis, router), Fix: noChassisFix}
	case !v.hosts(g):
		return &model.Decision{Verdict: model.Elsewhere, Reason: "other-chassis", Node: g.HostingChassis,
			Evidence: model.Explained,
			Text:     fmt.Sprintf("chassis %s hosts the gateway of router %s", g.HostingChassis, router)}
	}
	return nil
}

// routerInterface answers for the addresses of a router's other ports, which are nobody's in particular.
func (v *view) routerInterface(rp *ovn.LogicalRouterPort, a netip.Addr) finding {
	return v.at(a, rowOf("Logical_Router_Port", rp.UUID, "router port", rp.Name), *suppressed("router-interface",
		fmt.Sprintf("addresses of router interfaces are on every node, so no node announces them (router %s)",
			v.routerName(rp.Router)), ""))
}
