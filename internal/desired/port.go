package desired

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// Device owners that decisions distinguish, as Neutron names them.
const (
	ownerDHCP         = "network:dhcp"
	ownerMetadata     = "network:distributed"
	ownerBalancer     = "ovn-lb:vip"
	ownerHealthSource = "ovn-lb-hm:distributed"
)

// localPorts collects what the logical switch ports that are this node's mean. Ports elsewhere cost one comparison.
func (v *view) localPorts() (found []finding) {
	for _, p := range v.in.OVN.Ports {
		if len(p.Addresses) > 0 && v.concerns(p) {
			found = append(found, v.port(p)...)
		}
	}
	return found
}

// concerns tells whether a port is, or was, or would be announced here, but for a policy.
func (v *view) concerns(p *ovn.LogicalSwitchPort) bool {
	if v.exposesTenants() && v.isTenant(p.Switch) {
		return v.tenants.near[p.Switch] && !v.announcesSubnets() && p.Type != ovn.PortLocalport
	}
	switch p.Type {
	case ovn.PortLocalport:
		n := v.networks[p.Switch]
		return n != nil && n.segment != nil
	case ovn.PortVIF, ovn.PortVirtual, ovn.PortExternal:
		return v.maybeHere(p)
	case ovn.PortRouter, ovn.PortLocalnet:
	}
	return false
}

// maybeHere tells whether a port is this node's, or would be if some name or the Southbound database were right.
func (v *view) maybeHere(p *ovn.LogicalSwitchPort) bool {
	o := v.ownerOf(p)
	return o.here || o.near || v.unbound(p) && v.interfaceHere(p, o)
}

// port says what a logical switch port means for each of its addresses.
func (v *view) port(p *ovn.LogicalSwitchPort) []finding {
	if v.isVIPOfRow(p) {
		return nil // the row says what there is to say
	}
	if v.exposesTenants() && v.isTenant(p.Switch) {
		return v.tenantPort(p)
	}
	d, n := v.placePort(p)
	row := rowOf("Logical_Switch_Port", p.UUID, "port", p.Name)
	subject := v.subject(p.Switch, "", v.portLabels(p.Name))
	found := make([]finding, 0, len(p.Addresses))
	for _, a := range p.Addresses {
		f := v.at(a, row, d)
		if no := unfit(a); no != nil && d.Verdict == model.Announced {
			f = v.at(a, row, *no)
		}
		f.rank, f.kind, f.net, f.subject = rankPort, model.KindPort, n, subject
		f.why = fmt.Sprintf("port %s on %s", v.portName(p.Name), v.networkName(p.Switch))
		f.mac = p.MAC
		if p.Type == ovn.PortVirtual {
			// The MAC in the row is nobody's: whichever parent has the address answers with its own, and OVN
			// drops what is sent to the virtual port's.
			f.mac = ""
		}
		f.cidr = subnetOf(p.CIDRs, a)
		found = append(found, f)
	}
	return found
}

// placePort is the one decision for all addresses of a port, and the network that carries them.
func (v *view) placePort(p *ovn.LogicalSwitchPort) (model.Decision, *network) {
	if no := unservedKind(p); no != nil {
		return *no, nil
	}
	if no := v.inside(p.Switch); no != nil {
		no.Node = v.ownerOf(p).name
		return *no, nil
	}
	if no := v.notHere(p); no != nil {
		return *no, nil
	}
	if p.DeviceOwner == ownerDHCP {
		return *suppressed("dhcp-port", "addresses of DHCP agents' ports are not announced", ""), nil
	}
	n, no := v.usable(p.Switch)
	if no != nil {
		return *no, nil
	}
	reason, text := "port-up", "is up here"
	switch {
	case v.moving(p):
		reason, text = "port-moving", fmt.Sprintf("is moving (requested-chassis %s) and is announced here until its row "+
			"says that it has arrived", strings.Join(v.carrier(p).RequestedChassis, ","))
	case p.Type == ovn.PortExternal:
		reason, text = v.answersHere(p)
	}
	return model.Decision{Verdict: model.Announced, Reason: reason, Node: v.ownerOf(p).name,
		Text: fmt.Sprintf("port %s %s, on provider network %s (%s)", v.portName(p.Name), text, v.networkName(p.Switch),
			n.segment.device)}, n
}

// unservedKind says why ports of some kinds are announced on no node.
func unservedKind(p *ovn.LogicalSwitchPort) *model.Decision {
	switch {
	case p.Type == ovn.PortLocalport || p.DeviceOwner == ownerMetadata:
		return suppressed("localport", "the port is on every node (metadata), so no node announces it", "")
	case p.Type != ovn.PortVIF && p.Type != ovn.PortVirtual && p.Type != ovn.PortExternal:
		return suppressed("port-type", "ports of type "+string(p.Type)+" have no address to announce", "")
	case p.DeviceOwner == ownerBalancer || p.DeviceOwner == ownerHealthSource:
		return suppressed("load-balancer", "nobody is at the port of a load balancer: its address is announced where the "+
			"gateway is of a router that its row of Load_Balancer is attached to", "")
	}
	return nil
}

// notHere says why what a port carries is not this node's to announce: nil when the port is here, enabled and up.
func (v *view) notHere(p *ovn.LogicalSwitchPort) *model.Decision {
	o := v.ownerOf(p)
	up := p.Up != nil && *p.Up
	switch {
	case o.near:
		d := suppressed("host-name-domain", fmt.Sprintf(
			"port %s is on host %s and this host is called %s: the names differ only by the domain, so they do not match",
			v.portName(p.Name), o.name, v.host),
			"give both one name: external_ids:hostname of the switch is what this node goes by")
		d.Node = o.name
		if v.interfaceHere(p, o) {
			// Somebody renamed a host. That is no reason to stop what still works.
			d.Evidence = model.Doubtful
		}
		return d
	case p.Disabled && (o.here || o.name == ""):
		d := suppressed("port-disabled", fmt.Sprintf("port %s is disabled", v.portName(p.Name)), "enable the port")
		d.Node = o.name
		return d
	case !up && !(o.here && v.moving(p)):
		return v.portDown(p, o)
	case v.unbound(p):
		return v.portUnbound(p, o)
	case o.name == "":
		return v.noHost(p)
	case !o.here && p.Chassis != "" && v.chassis == "":
		return &model.Decision{Verdict: model.Unplaced, Reason: "no-chassis-name", Node: o.name, Evidence: model.Doubtful,
			Text: fmt.Sprintf("chassis %s has bound port %s, and this node does not know whether it is that chassis", o.name,
				v.portName(p.Name)), Fix: noChassisFix}
	case !o.here:
		return &model.Decision{Verdict: model.Elsewhere, Reason: "other-host", Node: o.name, Evidence: model.Explained,
			Text: fmt.Sprintf("port %s is on %s", v.portName(p.Name), o.name)}
	}
	return nil
}

// portDown tells a port that was stopped from one that only looks so. When the Southbound database is lost, northd
// calls every port of the cloud down, on every node at once, but their interfaces stay.
func (v *view) portDown(p *ovn.LogicalSwitchPort, o owner) *model.Decision {
	d := &model.Decision{Verdict: model.Unplaced, Reason: "port-down", Node: o.name, Evidence: model.Explained,
		Text: fmt.Sprintf("port %s is down", v.portName(p.Name))}
	if p.Up == nil {
		d.Text = fmt.Sprintf("port %s has never been up", v.portName(p.Name))
	}
	switch {
	case p.Type == ovn.PortExternal && v.mayAnswer(p):
		// Whatever happens to the machine, an external port is up while some chassis of its group has it.
		d.Evidence = model.Doubtful
		d.Text += ", so no chassis of its group answers for it"
		d.Fix = "look at ovn-controller on the chassis of the group and at the Southbound database"
	case (o.here || v.unbound(p)) && v.interfaceHere(p, o):
		d.Evidence = model.Doubtful
		d.Text += ", though its interface is on this node's switch"
		d.Fix = "if the machine runs, look at ovn-controller here and at the Southbound database"
	}
	return d
}

// portUnbound tells a port that its chassis has let go from one whose chassis was lost with the database, which comes
// back with every port bound nowhere.
func (v *view) portUnbound(p *ovn.LogicalSwitchPort, o owner) *model.Decision {
	d := &model.Decision{Verdict: model.Unplaced, Reason: "port-unbound", Evidence: model.Explained,
		Text: fmt.Sprintf("no chassis has bound port %s", v.portName(p.Name))}
	if v.interfaceHere(p, o) {
		d.Evidence = model.Doubtful
		d.Text += ", though its interface is on this node's switch"
		d.Fix = "look at ovn-controller here and at the Southbound database"
	}
	return d
}

// subnetOf finds the subnet of an address among the prefixes a row has.
func subnetOf(list []netip.Prefix, a netip.Addr) netip.Prefix {
	for _, p := range list {
		if p.Contains(a) {
			return p.Masked()
		}
	}
	return netip.Prefix{}
}
