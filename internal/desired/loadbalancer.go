package desired

import (
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/ovn"
)

// portForwarding begins the name of the rows by which Neutron forwards single ports of a floating IP.
const portForwarding = "pf-floatingip-"

// localBalancers says of load balancers and port forwardings whose router's gateway is here that they are not
// announced. A floating IP of a load balancer's address is not among them: it has a NAT row.
func (v *view) localBalancers() (found []finding) {
	for _, lb := range v.in.OVN.Balancers {
		if !slices.ContainsFunc(v.gateways[lb.Router], v.hosts) {
			continue
		}
		for _, a := range lb.VIPs {
			if a != lb.VIPFIP {
				found = append(found, v.balancer(lb, a))
			}
		}
	}
	return found
}

func (v *view) balancer(lb *ovn.LoadBalancer, a netip.Addr) finding {
	if strings.HasPrefix(lb.Name, portForwarding) {
		return v.at(a, rowOf("Load_Balancer", lb.UUID, "port forwarding", lb.Name), *suppressed("port-forwarding",
			"floating IPs whose ports are forwarded are not announced by this release", ""))
	}
	return v.at(a, rowOf("Load_Balancer", lb.UUID, "load balancer", lb.Name), *suppressed("load-balancer",
		"addresses of load balancers are not announced by this release", ""))
}
