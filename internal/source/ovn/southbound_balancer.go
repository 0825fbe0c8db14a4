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
	r := s.routing()
	if s.balancers.update(rows, func(id ovsdb.UUID) *ovn.LoadBalancer { return s.balancer(id, ports, r) }) {
		s.snapshot.Balancers = s.balancers.values()
	}
}

// balancer converts a row of Load_Balancer, which has none of the notes that the Northbound row has: they are put
// together from the port of its address, which is known by its name.
func (s *Southbound) balancer(id ovsdb.UUID, ports map[string]*ovn.LogicalSwitchPort, r routing) *ovn.LoadBalancer {
	row := s.tables.LoadBalancer.Get(id)
	if row == nil {
		return nil
	}
	p := parser{table: "Load_Balancer", row: id.String()}
	lb := &ovn.LoadBalancer{UUID: p.row, Name: row.Name, Protocol: row.Protocol.Value, VIPs: vipAddresses(&p, row.VIPs)}
	lb.Switches, lb.Routers = s.attached(row, r)
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
	lb.Router = r.meantFor(lb.Routers, port)
	lb.Faults = p.faults
	return lb
}

// attached lists the switches and routers that a load balancer works on. A server that tells of no routers leaves
// those that are attached to its switches.
func (s *Southbound) attached(row *sb.LoadBalancer, r routing) (switches, routers []string) {
	for _, datapath := range s.datapathsOf(row) {
		switch ls, lr := s.datapath(datapath); {
		case ls != "":
			switches = append(switches, ls)
		case lr != "":
			routers = append(routers, lr)
		}
	}
	if !s.tables.LoadBalancer.Has("lr_datapath_group") {
		for _, ls := range switches {
			routers = append(routers, r.routers[ls]...)
		}
	}
	slices.Sort(switches)
	slices.Sort(routers)
	return slices.Compact(switches), slices.Compact(routers)
}

// datapathsOf lists the datapaths that a load balancer is attached to, by itself and by groups.
func (s *Southbound) datapathsOf(row *sb.LoadBalancer) []ovsdb.UUID {
	datapaths := slices.Clone(row.Datapaths)
	for _, ref := range []ovsdb.Optional[ovsdb.UUID]{row.DatapathGroup, row.LSDatapathGroup, row.LRDatapathGroup} {
		if group := s.tables.LogicalDPGroup.Get(ref.Value); ref.Present && group != nil {
			datapaths = append(datapaths, group.Datapaths...)
		}
	}
	return datapaths
}

// routing is what is to be known of routers to place load balancers.
type routing struct {
	routers  map[string][]string // those that a switch is attached to otherwise than by their gateway, by switch
	networks map[string][]string // the switches of all ports, by router
	gateways map[string]bool     // the routers with one
}

func (s *Southbound) routing() routing {
	r := routing{routers: map[string][]string{}, networks: map[string][]string{}, gateways: map[string]bool{}}
	for _, rp := range s.routerPorts.values() {
		r.networks[rp.Router] = append(r.networks[rp.Router], rp.Switch)
		if rp.Gateway {
			r.gateways[rp.Router] = true
		} else {
			r.routers[rp.Switch] = append(r.routers[rp.Switch], rp.Router)
		}
	}
	return r
}

// meantFor picks of the routers that have a load balancer the one whose gateway its address is reached by: a router
// with a gateway, best one with a port on the address's network.
func (r routing) meantFor(routers []string, vip *ovn.LogicalSwitchPort) string {
	for _, good := range []func(string) bool{
		func(name string) bool {
			return r.gateways[name] && vip != nil && slices.Contains(r.networks[name], vip.Switch)
		},
		func(name string) bool { return r.gateways[name] },
		func(string) bool { return true },
	} {
		if i := slices.IndexFunc(routers, good); i >= 0 {
			return routers[i]
		}
	}
	return ""
}
