package ovn

import (
	"cmp"
	"net/netip"
	"slices"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

func (n *Northbound) updateBalancers() {
	balancers := toConvert(&n.labels, n.tables.LoadBalancer)
	routers, switches := changed(n.tables.LogicalRouter), changed(n.tables.LogicalSwitch)
	if len(changed(n.tables.LoadBalancerGroup)) > 0 {
		for id, row := range n.tables.LogicalRouter.All() {
			if len(row.LoadBalancerGroup) > 0 {
				routers.add(id)
			}
		}
		for id, row := range n.tables.LogicalSwitch.All() {
			if len(row.LoadBalancerGroup) > 0 {
				switches.add(id)
			}
		}
	}
	for id := range routers {
		var now ownerRow
		if row := n.tables.LogicalRouter.Get(id); row != nil {
			now = ownerRow{row.Name, n.withGroups(row.LoadBalancer, row.LoadBalancerGroup)}
		}
		n.balancerRouters.set(id, now, balancers)
	}
	for id := range switches {
		var now ownerRow
		if row := n.tables.LogicalSwitch.Get(id); row != nil {
			now = ownerRow{row.Name, n.withGroups(row.LoadBalancer, row.LoadBalancerGroup)}
		}
		n.balancerSwitches.set(id, now, balancers)
	}
	if n.balancers.update(balancers, n.balancer) {
		n.snapshot.Balancers = n.balancers.values()
	}
}

// withGroups adds to the load balancers attached by themselves those attached by their group.
func (n *Northbound) withGroups(list, groups []ovsdb.UUID) []ovsdb.UUID {
	if len(groups) == 0 {
		return list
	}
	list = slices.Clone(list)
	for _, id := range groups {
		if group := n.tables.LoadBalancerGroup.Get(id); group != nil {
			list = append(list, group.LoadBalancer...)
		}
	}
	slices.SortFunc(list, ovsdb.UUID.Compare)
	return slices.Compact(list)
}

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
		Router:  cmp.Or(ids.Get("lr_ref"), ids.Get("neutron:router_name")),
		Routers: n.balancerRouters.names(id), Switches: n.balancerSwitches.names(id),
	}
	if says, ok := ids.Lookup("enabled"); ok {
		lb.Disabled = !isTrue(says)
	}
	for _, vip := range fields(ids.Get("neutron:additional_vips")) {
		if a := p.address("external_ids:neutron:additional_vips", vip); a.IsValid() {
			lb.AdditionalVIPs = append(lb.AdditionalVIPs, a)
		}
	}
	slices.SortFunc(lb.AdditionalVIPs, netip.Addr.Compare)
	lb.VIPs = vipAddresses(&p, row.VIPs)
	lb.Faults = p.faults
	return lb
}

// vipAddresses lists the addresses of the keys of vips, sorted, without doubles.
func vipAddresses(p *parser, vips ovsdb.Map) (list []netip.Addr) {
	for _, vip := range vips {
		if a := vipAddress(p, vip.Key); a.IsValid() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// vipAddress reads a key of vips: "192.0.2.1:80", "[2001:db8::1]:80", or an address alone for all ports.
func vipAddress(p *parser, key string) netip.Addr {
	address := key
	if both, err := netip.ParseAddrPort(key); err == nil {
		address = both.Addr().String()
	}
	return p.address("vips", address)
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
	slices.SortFunc(group.Chassis, compareHAChassis)
	return group
}

func compareHAChassis(a, b ovn.HAChassis) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
}

// groupName returns the name of the group that a row refers to.
func (n *Northbound) groupName(ref ovsdb.Optional[ovsdb.UUID]) string {
	if group := n.tables.HAChassisGroup.Get(ref.Value); ref.Present && group != nil {
		return group.Name
	}
	return ""
}
