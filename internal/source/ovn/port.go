package ovn

import (
	"cmp"
	"net/netip"
	"strings"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

// switchPort converts a row of Logical_Switch_Port, nil if it is gone.
func (n *Northbound) switchPort(id ovsdb.UUID) *ovn.LogicalSwitchPort {
	row := n.tables.LogicalSwitchPort.Get(id)
	if row == nil {
		n.peers.set(id, nil)
		return nil
	}
	p := parser{table: "Logical_Switch_Port", row: id.String()}
	ids := row.ExternalIDs
	port := &ovn.LogicalSwitchPort{
		UUID: p.row, Name: row.Name, PortName: ids.Get("neutron:port_name"),
		// The switch's row may not be in the copy; each port is on one, so what Neutron notes is true then, too.
		Switch:           cmp.Or(n.switchOf.name(id), ids.Get("neutron:network_name")),
		Type:             ovn.PortType(row.Type),
		Disabled:         !row.Enabled.Or(true),
		RequestedChassis: fields(row.Options.Get("requested-chassis")),
		HostID:           ids.Get("neutron:host_id"),
		ParentHost:       ids.Get("neutron:parent_hostname"),
		VirtualParents:   fields(row.Options.Get("virtual-parents")),
		ParentName:       row.ParentName.Value,
		HAGroup:          n.groupName(row.HAChassisGroup),
		DeviceOwner:      ids.Get("neutron:device_owner"),
		DeviceID:         ids.Get("neutron:device_id"),
		PortFIP:          p.address("external_ids:neutron:port_fip", ids.Get("neutron:port_fip")),
		ScopeV4:          ids.Get("neutron:subnet_pool_addr_scope4"),
		ScopeV6:          ids.Get("neutron:subnet_pool_addr_scope6"),
		RouterPort:       row.Options.Get("router-port"),
		Labels:           n.labels.of(ids),
	}
	if row.Up.Present {
		up := row.Up.Value
		port.Up = &up
	}
	if port.Type == ovn.PortLocalnet {
		port.PhysicalNetwork = row.Options.Get("network_name")
		// Not tag_request: northd has still to obey it.
		port.Tag = int(row.Tag.Value)
	}
	port.CIDRs = cidrs(&p, ids)
	addresses(&p, port, column{"addresses", row.Addresses},
		column{"dynamic_addresses", []string{row.DynamicAddresses.Value}})
	port.Faults = p.faults
	n.peers.set(id, port)
	return port
}

// cidrs reads Neutron's note of a port's addresses.
func cidrs(p *parser, ids ovsdb.Map) (list []netip.Prefix) {
	for _, cidr := range strings.Fields(ids.Get("neutron:cidrs")) {
		if prefix := p.prefix("external_ids:neutron:cidrs", cidr); prefix.IsValid() {
			list = append(list, prefix)
		}
	}
	return list
}

// column is a column that has addresses in it, and what it says.
type column struct {
	name     string
	elements []string
}

// addresses reads "MAC IP…" of columns. The first element that has addresses counts, else the first MAC. The other
// forms, "unknown", "router" and "dynamic", say nothing here.
func addresses(p *parser, port *ovn.LogicalSwitchPort, columns ...column) {
	unknown := false
	read := func(column, element string) {
		mac, rest, _ := strings.Cut(strings.TrimSpace(element), " ")
		switch mac {
		case "unknown":
			unknown = true
			return
		case "", "router", "dynamic":
			return
		}
		// OVN passes over an element without a good MAC, so what follows the MAC is not served.
		if mac = p.mac(column, mac); mac == "" || len(port.Addresses) > 0 {
			return
		}
		var list []netip.Addr
		for _, text := range strings.Fields(rest) {
			if text == "dynamic" {
				continue
			}
			if a := p.address(column, text); a.IsValid() {
				list = append(list, a)
			}
		}
		if port.MAC == "" || len(list) > 0 {
			port.MAC, port.Addresses = mac, list
		}
	}
	for _, c := range columns {
		for _, element := range c.elements {
			read(c.name, element)
		}
	}
	// Port security off, without DHCP: Neutron tells OVN nothing but "unknown", and the addresses are in its own
	// notes alone.
	if len(port.Addresses) == 0 && unknown {
		for _, cidr := range port.CIDRs {
			port.Addresses = append(port.Addresses, cidr.Addr())
		}
	}
}
