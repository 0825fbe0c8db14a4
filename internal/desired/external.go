package desired

import (
	"fmt"
	"slices"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// answering says which chassis of a group answers for an external port ("" for none), and whether that is known: OVN
// takes the first by priority that lives, and the Northbound database does not say who lives.
//
// Router gateways do. They are placed by the same rule and the same probes, and northd writes down where they are. A
// chassis that was passed over in some gateway's group is taken for dead; one that hosts a gateway which another could
// have taken over for alive, and that comes first, because gateways move one after the other. Where no gateway says
// anything, the first of the group is assumed.
func (v *view) answering(g *ovn.HAChassisGroup) (chassis string, known bool) {
	if g == nil || len(g.Chassis) == 0 {
		return "", false
	}
	if v.alive == nil {
		v.weighChassis()
	}
	for _, c := range g.Chassis {
		if alive, told := v.alive[c.Name]; !told || alive {
			return c.Name, told
		}
	}
	// All of them were passed over, at one time or another.
	return g.Chassis[0].Name, false
}

func (v *view) weighChassis() {
	v.alive = map[string]bool{}
	for _, rp := range v.in.OVN.RouterPorts {
		g := v.groups[rp.HAGroup]
		if !rp.Gateway || g == nil || v.routerDisabled(rp.Router) {
			continue
		}
		at := slices.IndexFunc(g.Chassis, func(c ovn.HAChassis) bool { return c.Name == rp.HostingChassis })
		for i := range max(at, 0) {
			if name := g.Chassis[i].Name; !v.alive[name] {
				v.alive[name] = false
			}
		}
		if at >= 0 && at < len(g.Chassis)-1 {
			v.alive[rp.HostingChassis] = true
		}
	}
}

// answersHere says for what reason this node is taken for the one that answers for an external port.
func (v *view) answersHere(p *ovn.LogicalSwitchPort) (reason, text string) {
	if p.Chassis != "" {
		return "external-port", "is bound to this chassis, which answers for it"
	}
	if _, known := v.answering(v.groups[p.HAGroup]); known {
		return "external-port", fmt.Sprintf("is answered for by this chassis, the first of group %s that hosts a gateway",
			p.HAGroup)
	}
	return "external-port-assumed", fmt.Sprintf("is answered for by this chassis if it lives as OVN sees it: it is the "+
		"first of group %s, and no gateway tells which of the group do", p.HAGroup)
}

// mayAnswer tells whether this chassis is one of those that may answer for an external port.
func (v *view) mayAnswer(p *ovn.LogicalSwitchPort) bool {
	g := v.groups[p.HAGroup]
	return g != nil && slices.ContainsFunc(g.Chassis, func(c ovn.HAChassis) bool { return c.Name == v.chassis })
}

// noHost says why nobody can tell where a port is.
func (v *view) noHost(p *ovn.LogicalSwitchPort) *model.Decision {
	d := &model.Decision{Verdict: model.Unplaced, Reason: "no-host", Evidence: model.Explained,
		Text: fmt.Sprintf("no row says which host port %s is on", v.portName(p.Name))}
	switch parent := v.ports[p.ParentName]; {
	case p.Type == ovn.PortExternal:
		d.Text = fmt.Sprintf("external port %s has no chassis group that could answer for it", v.portName(p.Name))
		d.Fix = "give the cloud gateway chassis (ovn-cms-options=enable-chassis-as-gw)"
	case p.Type == ovn.PortVirtual:
		d.Text = fmt.Sprintf("no port holds the address of virtual port %s now", v.portName(p.Name))
	case p.ParentName == "":
	case parent == nil:
		d.Text = fmt.Sprintf("the parent of port %s, %s, does not exist", v.portName(p.Name), p.ParentName)
		if v.interfaces[p.ParentName] {
			d.Evidence = model.Doubtful // its interface does, here
		}
	case parent.ParentName != "":
		d.Text = fmt.Sprintf("the parent of port %s, %s, is a subport itself: OVN nests them one deep", v.portName(p.Name),
			v.portName(p.ParentName))
	}
	return d
}

// carrier is the port whose row says where a port is: its parent, or itself.
func (v *view) carrier(p *ovn.LogicalSwitchPort) *ovn.LogicalSwitchPort {
	if parent := v.ports[p.ParentName]; parent != nil {
		return parent
	}
	return p
}

// moving tells whether a port is in a live migration: its row names both hosts. It may go down and up meanwhile, which
// says nothing of where it is; the old place announces it until the row names the new one.
func (v *view) moving(p *ovn.LogicalSwitchPort) bool {
	c := v.carrier(p)
	return p.Up != nil && p.Chassis == "" && c.Chassis == "" && c.Type == ovn.PortVIF && len(c.RequestedChassis) > 1
}
