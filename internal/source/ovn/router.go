package ovn

import (
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

func (n *Northbound) router(id ovsdb.UUID) *ovn.LogicalRouter {
	row := n.tables.LogicalRouter.Get(id)
	if row == nil {
		return nil
	}
	return &ovn.LogicalRouter{UUID: id.String(), Name: row.Name, Disabled: !row.Enabled.Or(true),
		RouterName: row.ExternalIDs.Get("neutron:router_name"), Labels: n.labels.of(row.ExternalIDs)}
}

// routerPort converts a row of Logical_Router_Port.
func (n *Northbound) routerPort(id ovsdb.UUID) *ovn.LogicalRouterPort {
	row := n.tables.LogicalRouterPort.Get(id)
	if row == nil {
		return nil
	}
	p := parser{table: "Logical_Router_Port", row: id.String()}
	port := &ovn.LogicalRouterPort{
		UUID: p.row, Name: row.Name, Router: n.portRouter.name(id), Switch: n.peers.switchOf(row.Name),
		MAC:            p.mac("mac", row.MAC),
		Gateway:        len(row.GatewayChassis) > 0 || row.HAChassisGroup.Present,
		HAGroup:        n.groupName(row.HAChassisGroup),
		HostingChassis: row.Status.Get("hosting-chassis"),
	}
	if says, ok := row.ExternalIDs.Lookup("neutron:is_ext_gw"); ok {
		port.Gateway = isTrue(says)
	}
	for _, network := range row.Networks {
		if prefix := p.prefix("networks", network); prefix.IsValid() {
			port.Networks = append(port.Networks, prefix)
		}
	}
	port.Faults = p.faults
	return port
}

func (n *Northbound) nat(id ovsdb.UUID) *ovn.NAT {
	row := n.tables.NAT.Get(id)
	if row == nil {
		return nil
	}
	p := parser{table: "NAT", row: id.String()}
	nat := &ovn.NAT{
		UUID: p.row, Type: ovn.NATType(row.Type), Router: n.natRouter.name(id),
		ExternalIP:  p.address("external_ip", row.ExternalIP),
		LogicalIP:   p.network("logical_ip", row.LogicalIP),
		ExternalMAC: p.mac("external_mac", row.ExternalMAC.Value),
		LogicalPort: row.LogicalPort.Value,
		FIPPort:     row.ExternalIDs.Get("neutron:fip_port_id"),
		Labels:      n.labels.of(row.ExternalIDs),
	}
	if gateway := n.tables.LogicalRouterPort.Get(row.GatewayPort.Value); row.GatewayPort.Present && gateway != nil {
		nat.GatewayPort = gateway.Name
	}
	if network := row.ExternalIDs.Get("neutron:fip_network_id"); network != "" {
		nat.Network = "neutron-" + network
	}
	nat.Faults = p.faults
	return nat
}

// staticRoute converts a row of Logical_Router_Static_Route. A route by source address, or one of another routing
// table than the main one, does not say where a destination is: it is left out.
func (n *Northbound) staticRoute(id ovsdb.UUID) *ovn.StaticRoute {
	row := n.tables.LogicalRouterStaticRoute.Get(id)
	if row == nil || row.Policy.Value == "src-ip" || row.RouteTable != "" {
		return nil
	}
	p := parser{table: "Logical_Router_Static_Route", row: id.String()}
	route := &ovn.StaticRoute{UUID: p.row, Router: n.routeRouter.name(id), Prefix: p.network("ip_prefix", row.IPPrefix)}
	if row.Nexthop != "discard" {
		route.NextHop = p.address("nexthop", row.Nexthop)
	}
	route.Faults = p.faults
	return route
}
