package ovn

import (
	"slices"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
)

// updateBalancers converts all load balancers when one of them, what it is attached to, or the port of its address
// may be different.
func (s *Southbound) updateBalancers(datapaths set) {
	rows := changed(s.tables.LoadBalancer)
	if !s.lbsStale && len(rows)+len(datapaths)+len(changed(s.tables.LogicalDPGroup)) == 0 {
		return
	}
	s.lbsStale = false
	every(rows, s.tables.LoadBalancer)
	ports := map[string]*ovn.LogicalSwitchPort{}
	for _, port := range s.vipPorts {
		if other := ports[port.PortName]; other == nil || port.Name < other.Name {
			ports[port.PortName] = port
		}
	}
	if s.balancers.update(rows, func(id ovsdb.UUID) *ovn.LoadBalancer { return s.balancer(id, ports) }) {
		s.snapshot.Balancers = s.balancers.values()
	}
}

// balancer converts a row of Load_Balancer, which has none of the notes that the Northbound row has: they are put
// together from the port of its address, which is known by its name.
func (s *Southbound) balancer(id ovsdb.UUID, ports map[string]*ovn.LogicalSwitchPort) *ovn.LoadBalancer {
	row := s.tables.LoadBalancer.Get(id)
	if row == nil {
		return nil
	}
	p := parser{table: "Load_Balancer", row: id.String()}
	lb := &ovn.LoadBalancer{UUID: p.row, Name: row.Name, Protocol: row.Protocol.Value, VIPs: vipAddresses(&p, row.VIPs)}
	lb.Switches, lb.Routers = s.attached(row)
	port := ports[vipPortPrefix+row.Name]
	if port != nil {
		lb.VIPPort, lb.VIPFIP = port.Name, port.PortFIP
		switch {
		case len(port.CIDRs) > 0: // in Neutron's order; the port may have no address in OVN
			lb.VIP = port.CIDRs[0].Addr()
		case len(port.Addresses) > 0:
			lb.VIP = port.Addresses[0]
		}
	}
	lb.Router = s.meantFor(lb.Routers, port)
	lb.Faults = p.faults
	return lb
}

// attached lists the switches and routers that a load balancer works on. A server that tells of no routers leaves
// those that are attached to its switches.
func (s *Southbound) attached(row *sb.LoadBalancer) (switches, routers []string) {
	datapaths := slices.Clone(row.Datapaths)
	for _, ref := range []ovsdb.Optional[ovsdb.UUID]{row.DatapathGroup, row.LSDatapathGroup, row.LRDatapathGroup} {
		if group := s.tables.LogicalDPGroup.Get(ref.Value); ref.Present && group != nil {
			datapaths = append(datapaths, group.Datapaths...)
		}
	}
	for _, datapath := range datapaths {
		switch ls, lr := s.datapath(datapath); {
		case ls != "":
			switches = append(switches, ls)
		case lr != "":
			routers = append(routers, lr)
		}
	}
	if !s.tables.LoadBalancer.Has("lr_datapath_group") {
		for _, rp := range s.snapshot.RouterPorts {
			if slices.Contains(switches, rp.Switch) && !rp.Gateway {
				routers = append(routers, rp.Router)
			}
		}
	}
	slices.Sort(switches)
	slices.Sort(routers)
	return slices.Compact(switches), slices.Compact(routers)
}

// meantFor picks of the routers that have a load balancer the one whose gateway its address is reached by: a router
// with a gateway, best one with a port on the address's network.
func (s *Southbound) meantFor(routers []string, vip *ovn.LogicalSwitchPort) string {
	near, gateway := map[string]bool{}, map[string]bool{}
	for _, rp := range s.snapshot.RouterPorts {
		near[rp.Router] = near[rp.Router] || vip != nil && rp.Switch == vip.Switch
		gateway[rp.Router] = gateway[rp.Router] || rp.Gateway
	}
	for _, good := range []func(string) bool{
		func(r string) bool { return near[r] && gateway[r] },
		func(r string) bool { return gateway[r] },
		func(string) bool { return true },
	} {
		if i := slices.IndexFunc(routers, good); i >= 0 {
			return routers[i]
		}
	}
	return ""
}
