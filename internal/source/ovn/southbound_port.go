package ovn

import (
	"net/netip"
	"reflect"
	"strings"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
)

// vipPortPrefix begins the name that Octavia's provider gives the port of a load balancer's address; the load
// balancer's name follows.
const vipPortPrefix = "ovn-lb-vip-"

// switchPort converts a row of Port_Binding on a logical switch, nil if it is gone or another.
func (s *Southbound) switchPort(id ovsdb.UUID) *ovn.LogicalSwitchPort {
	row := s.tables.PortBinding.Get(id)
	var port *ovn.LogicalSwitchPort
	if row != nil && row.Type != "chassisredirect" {
		if ls, _ := s.datapath(row.Datapath); ls != "" {
			port = s.portOf(id, row, ls)
		}
	}
	s.note(id, row, port)
	return port
}

func (s *Southbound) portOf(id ovsdb.UUID, row *sb.PortBinding, ls string) *ovn.LogicalSwitchPort {
	p := parser{table: "Port_Binding", row: id.String()}
	ids := row.ExternalIDs
	port := &ovn.LogicalSwitchPort{
		UUID: p.row, Name: row.LogicalPort, PortName: ids.Get("neutron:port_name"), Switch: ls,
		Type:             portType(row.Type),
		RequestedChassis: fields(row.Options.Get("requested-chassis")),
		HostID:           ids.Get("neutron:host_id"),
		ParentHost:       ids.Get("neutron:parent_hostname"),
		VirtualParents:   fields(row.Options.Get("virtual-parents")),
		ParentName:       row.ParentPort.Value,
		HAGroup:          s.groupName(row.HAChassisGroup),
		Chassis:          s.chassis(row.Chassis),
		DeviceOwner:      ids.Get("neutron:device_owner"),
		DeviceID:         ids.Get("neutron:device_id"),
		PortFIP:          p.address("external_ids:neutron:port_fip", ids.Get("neutron:port_fip")),
		ScopeV4:          ids.Get("neutron:subnet_pool_addr_scope4"),
		ScopeV6:          ids.Get("neutron:subnet_pool_addr_scope6"),
		Labels:           s.labels.of(ids),
	}
	if row.Up.Present {
		up := row.Up.Value
		port.Up = &up
	}
	switch port.Type {
	case ovn.PortRouter:
		port.RouterPort = peerOf(row)
		// No chassis makes it work, so the row never says up. northd calls it up, in the Northbound database, as
		// soon as it has its other end.
		up := port.RouterPort != ""
		port.Up = &up
	case ovn.PortLocalnet:
		port.PhysicalNetwork = row.Options.Get("network_name")
		port.Tag = int(row.Tag.Value)
	case ovn.PortVIF, ovn.PortVirtual, ovn.PortExternal, ovn.PortLocalport:
	}
	port.CIDRs = cidrs(&p, ids)
	addresses(&p, port, column{"mac", row.MAC})
	port.Faults = p.faults
	return port
}

// portType names a type of Port_Binding as the Northbound database does.
func portType(t string) ovn.PortType {
	if t == "patch" || t == "l3gateway" {
		return ovn.PortRouter
	}
	return ovn.PortType(t)
}

// peerOf returns the name of the port at the other end. northd writes "<error>" while it is not named.
func peerOf(row *sb.PortBinding) string {
	if peer := row.Options.Get("peer"); peer != "<error>" {
		return peer
	}
	return ""
}

// note keeps what other rows are converted by, and tells which of those may be different now; port is nil for what is
// no port of a switch.
func (s *Southbound) note(id ovsdb.UUID, row *sb.PortBinding, port *ovn.LogicalSwitchPort) {
	s.peers.set(id, port)
	if keep(s.vipPorts, id, port, port != nil && strings.HasPrefix(port.PortName, vipPortPrefix)) {
		s.lbsStale = true
	}
	if port != nil && port.RouterPort != "" && len(row.NATAddresses) > 0 {
		s.translating.add(id)
		s.natsStale = true
	} else if s.translating.has(id) {
		delete(s.translating, id)
		s.natsStale = true
	}
	var fip netip.Addr
	if port != nil {
		fip = port.PortFIP
	}
	if keep(s.floatingIPs, id, fip, fip.IsValid()) {
		s.natsStale = true
	}
}

// keep puts a value in a map, or takes out the one that is there, and returns whether that made a difference.
func keep[T any](m map[ovsdb.UUID]T, id ovsdb.UUID, value T, is bool) bool {
	before, was := m[id]
	if is {
		m[id] = value
		return !was || !reflect.DeepEqual(before, value)
	}
	delete(m, id)
	return was
}
