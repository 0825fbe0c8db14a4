package desired

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// localFloatingIPs collects what NAT rows mean whose port or gateway is this node's.
func (v *view) localFloatingIPs() (found []finding) {
	for _, nat := range v.in.OVN.NATs {
		if nat.Type == ovn.DNATAndSNAT && nat.ExternalIP.IsValid() && v.concernsNAT(nat) {
			found = append(found, v.floatingIP(nat))
		}
	}
	return found
}

func (v *view) concernsNAT(nat *ovn.NAT) bool {
	if v.distributed(nat) {
		p := v.ports[nat.LogicalPort]
		return p != nil && v.maybeHere(p)
	}
	g := v.gatewayOf(nat)
	return g != nil && (v.hosts(g) || v.mayHost(g))
}

// distributed tells whether the floating IP is answered where its port is. OVN does so when the row has a MAC and
// a port: the MAC comes when the port is up for the first time and stays when it goes down. Until then, and
// wherever Neutron says that floating IPs are centralised, the gateway answers. So it does for a load balancer, whose
// port is on no node.
func (v *view) distributed(nat *ovn.NAT) bool {
	flag := v.in.OVN.DistributedFIPs
	return (flag == nil || *flag) && nat.ExternalMAC != "" && nat.LogicalPort != "" && !v.isBalanced(nat)
}

// floatingIP says what a NAT row of type dnat_and_snat means.
func (v *view) floatingIP(nat *ovn.NAT) finding {
	row := rowOf("NAT", nat.UUID, "floating IP", "")
	d, n, mac := v.placeFloatingIP(nat)
	f := v.at(nat.ExternalIP, row, d)
	if no := unfit(nat.ExternalIP); no != nil {
		f = v.at(nat.ExternalIP, row, *no)
	}
	f.rank, f.net, f.mac, f.cidr = rankFloatingIP, n, mac, v.externalSubnet(nat)
	f.kind = model.KindFloatingIP
	f.subject = v.subject(v.externalNetwork(nat), nat.Router, labels{"the floating IP", nat.Labels},
		v.portLabels(cmp.Or(nat.LogicalPort, nat.FIPPort)))
	f.why = "floating IP"
	if nat.LogicalPort != "" {
		f.why = "floating IP of port " + v.portName(nat.LogicalPort)
	}
	return f
}

func (v *view) placeFloatingIP(nat *ovn.NAT) (model.Decision, *network, string) {
	if v.routerDisabled(nat.Router) {
		return *suppressed("router-disabled", fmt.Sprintf("router %s is disabled", v.routerName(nat.Router)),
			"enable the router"), nil, ""
	}
	if slices.ContainsFunc(nat.Faults, func(f ovn.Fault) bool { return f.Column == "external_mac" }) {
		// It has one, so the gateway does not answer; and OVN makes nothing of such a row.
		return *suppressed("bad-value", "the row's external_mac is not a MAC address",
			"associate the floating IP anew"), nil, ""
	}
	g := v.gatewayOf(nat)
	if ls := v.externalNetwork(nat); ls != "" || g != nil {
		if no := v.inside(ls); no != nil {
			return *no, nil, ""
		}
	}
	if v.distributed(nat) {
		d, n := v.placeAtPort(nat)
		return d, n, nat.ExternalMAC
	}
	if g == nil {
		// Neutron takes no gateway away while floating IPs are behind it: the row is lost, or not written yet.
		return model.Decision{Verdict: model.Unplaced, Reason: "no-gateway", Evidence: model.Unexplained,
			Text: fmt.Sprintf("router %s has no gateway that could answer", v.routerName(nat.Router)),
			Fix:  "give the router a gateway on the floating IP's network"}, nil, ""
	}
	d, n := v.placeAtGateway(nat, g)
	return d, n, g.MAC
}

// placeAtPort decides about a distributed floating IP: it is where its port is, while the port is up.
func (v *view) placeAtPort(nat *ovn.NAT) (model.Decision, *network) {
	p := v.ports[nat.LogicalPort]
	if p == nil {
		// Neutron takes a port's floating IP away before the port: a row that is lost explains nothing.
		return model.Decision{Verdict: model.Unplaced, Reason: "no-port", Evidence: model.Unexplained,
			Text: fmt.Sprintf("the floating IP's port %s does not exist", nat.LogicalPort)}, nil
	}
	if no := v.notHere(p); no != nil {
		return *no, nil
	}
	ls := v.externalNetwork(nat)
	n, no := v.usable(ls)
	if no != nil {
		return *no, nil
	}
	return model.Decision{Verdict: model.Announced, Reason: "floating-ip-distributed", Node: v.ownerOf(p).name,
		Text: fmt.Sprintf("port %s is up here and answers for its floating IP, on provider network %s (%s)",
			v.portName(p.Name), v.networkName(ls), n.segment.device)}, n
}

// placeAtGateway decides about a floating IP that a router's gateway answers for, wherever its port is.
func (v *view) placeAtGateway(nat *ovn.NAT, g *ovn.LogicalRouterPort) (model.Decision, *network) {
	no := v.notHosted(g)
	if (no == nil || no.Evidence != model.Doubtful) && v.isBalanced(nat) {
		if idle := v.unbalanced(nat); idle != nil {
			no = idle
		}
	}
	if no != nil {
		return *no, nil
	}
	ls := v.externalNetwork(nat)
	n, no := v.usable(ls)
	if no != nil {
		return *no, nil
	}
	return model.Decision{Verdict: model.Announced, Reason: "floating-ip-centralised", Node: v.chassis,
		Text: fmt.Sprintf("%s; the gateway of router %s is hosted here, on provider network %s (%s)",
			v.centralisedBecause(nat), v.routerName(nat.Router), v.networkName(ls), n.segment.device)}, n
}

func (v *view) centralisedBecause(nat *ovn.NAT) string {
	flag := v.in.OVN.DistributedFIPs
	switch {
	case flag != nil && !*flag:
		return "the gateway answers for floating IPs"
	case nat.LogicalPort == "":
		return "the gateway answers for a floating IP without a logical port"
	case v.isBalanced(nat):
		return "the gateway answers for the floating IP of a load balancer"
	}
	return fmt.Sprintf("the gateway answers as long as port %s has not been up", v.portName(nat.LogicalPort))
}

// gatewayOf finds the router gateway that answers for a floating IP. The row names it since OVN 23.09, and then
// not always; without a name it is the router's gateway on the floating IP's network, else the one with a subnet
// that has the address, else the only one.
func (v *view) gatewayOf(nat *ovn.NAT) *ovn.LogicalRouterPort {
	if g := v.routerPorts[nat.GatewayPort]; g != nil {
		return g
	}
	list := v.gateways[nat.Router]
	for _, g := range list {
		if nat.Network != "" && g.Switch == nat.Network {
			return g
		}
	}
	for _, g := range list {
		if subnetOf(g.Networks, nat.ExternalIP).IsValid() {
			return g
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return nil
}

// externalNetwork names the logical switch a floating IP belongs to.
func (v *view) externalNetwork(nat *ovn.NAT) string {
	if nat.Network != "" {
		return nat.Network
	}
	if g := v.gatewayOf(nat); g != nil {
		return g.Switch
	}
	return ""
}

func (v *view) externalSubnet(nat *ovn.NAT) netip.Prefix {
	for _, rp := range v.onSwitch[v.externalNetwork(nat)] {
		if p := subnetOf(rp.Networks, nat.ExternalIP); p.IsValid() {
			return p
		}
	}
	return netip.Prefix{}
}
