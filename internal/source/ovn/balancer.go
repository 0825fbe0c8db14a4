package ovn

import (
	"cmp"
	"net/netip"
	"slices"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

func (n *Northbound) balancer(id ovsdb.UUID) *ovn.LoadBalancer {
	row := n.tables.LoadBalancer.Get(id)
	if row == nil {
		return nil
	}
	p := parser{table: "Load_Balancer", row: id.String()}
	ids := row.ExternalIDs
	lb := &ovn.LoadBalancer{
		UUID: p.row, Name: row.Name, Protocol: row.Protocol.Value,
		VIP:     p.address("external_ids:neutron:vip", ids.Get("neutron:vip")),
		VIPFIP:  p.address("external_ids:neutron:vip_fip", ids.Get("neutron:vip_fip")),
		VIPPort: ids.Get("neutron:vip_port_id"),
		Labels:  n.labels.of(ids),
		// Octavia's provider writes the first, Neutron's port forwarding the second.
		Router: cmp.Or(ids.Get("lr_ref"), ids.Get("neutron:router_name")),
	}
	for _, vip := range row.VIPs {
		if a := vipAddress(&p, vip.Key); a.IsValid() {
			lb.VIPs = append(lb.VIPs, a)
		}
	}
	slices.SortFunc(lb.VIPs, netip.Addr.Compare)
	lb.VIPs = slices.Compact(lb.VIPs)
	lb.Faults = p.faults
	return lb
}

// vipAddress reads a key of vips: "192.0.2.1:80", "[2001:db8::1]:80", or an address alone for all ports.
func vipAddress(p *parser, key string) netip.Addr {
	if both, err := netip.ParseAddrPort(key); err == nil && both.Addr().Zone() == "" {
		return both.Addr().Unmap()
	}
	return p.address("vips", key)
}

func (n *Northbound) dhcpOptions(id ovsdb.UUID) *ovn.DHCPOptions {
	row := n.tables.DHCPOptions.Get(id)
	if row == nil {
		return nil
	}
	p := parser{table: "DHCP_Options", row: id.String()}
	options := &ovn.DHCPOptions{UUID: p.row, CIDR: p.prefix("cidr", row.CIDR),
		Router: p.address("options:router", row.Options.Get("router"))}
	if network := row.ExternalIDs.Get("neutron:network_id"); network != "" {
		options.Network = "neutron-" + network
	}
	options.Faults = p.faults
	return options
}

func (n *Northbound) group(id ovsdb.UUID) *ovn.HAChassisGroup {
	row := n.tables.HAChassisGroup.Get(id)
	if row == nil {
		return nil
	}
	group := &ovn.HAChassisGroup{UUID: id.String(), Name: row.Name}
	for _, member := range row.HAChassis {
		if chassis := n.tables.HAChassis.Get(member); chassis != nil {
			group.Chassis = append(group.Chassis,
				ovn.HAChassis{Name: chassis.ChassisName, Priority: int(chassis.Priority)})
		}
	}
	slices.SortFunc(group.Chassis, func(a, b ovn.HAChassis) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	return group
}

// groupName returns the name of the group that a row refers to.
func (n *Northbound) groupName(ref ovsdb.Optional[ovsdb.UUID]) string {
	if group := n.tables.HAChassisGroup.Get(ref.Value); ref.Present && group != nil {
		return group.Name
	}
	return ""
}
