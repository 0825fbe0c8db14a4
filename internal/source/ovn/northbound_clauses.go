package ovn

import (
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/ovn"
)

func (s *northboundConditions) natConditions() []ovsdb.Condition {
	list := rows(s.nats)
	for name := range s.names {
		list = append(list, ovsdb.Equal("logical_port", name))
	}
	return list
}

// portConditions are those on the ports. Rows by their identity are only those that nothing else asks for: a port that
// went elsewhere. When it goes, it falls out of the copy first, and until the server has answered the copy is not
// complete, so nobody sees it without.
func (s *northboundConditions) portConditions(me node, behind []ovsdb.UUID) []ovsdb.Condition {
	list := []ovsdb.Condition{ovsdb.Equal("type", string(ovn.PortLocalnet)), ovsdb.Equal("type", string(ovn.PortRouter)),
		ovsdb.Equal("type", string(ovn.PortExternal))}
	for _, name := range me.called() {
		list = append(list, pair("options", "requested-chassis", name), pair("external_ids", "neutron:host_id", name),
			pair("external_ids", "neutron:parent_hostname", name))
	}
	if len(s.parents) > maxListed { // every subport of the cloud
		list = append(list, ovsdb.Condition{Column: "parent_name", Function: "!=", Value: ovsdb.Set{}})
	} else {
		for name := range s.parents {
			list = append(list, ovsdb.Equal("parent_name", name))
		}
	}
	more := append(s.goneConditions(me), s.balancerPorts()...)
	if me.tenants || len(s.translated) > maxListed { // these are in the same networks
		more = append(more, s.tenantConditions(behind)...)
	} else {
		for name := range s.translated {
			more = append(more, ovsdb.Equal("name", name))
		}
	}
	if len(more) > 2*maxListed {
		return []ovsdb.Condition{{Column: "name", Function: "!=", Value: ""}} // every port of the cloud
	}
	return append(list, more...)
}

// goneConditions bring by their identity the ports that were here and are elsewhere, and by their name those that have
// an interface here and whose rows do not name this node.
func (s *northboundConditions) goneConditions(me node) []ovsdb.Condition {
	called := map[string]bool{}
	for _, name := range me.called() {
		called[name] = true
	}
	gone, found := recent[ovsdb.UUID]{}, map[string]bool{}
	for id, at := range s.ports {
		row := s.tables.LogicalSwitchPort.Get(id)
		switch {
		case row != nil && isCalled(row, called):
			found[row.Name] = true
		case row == nil || !s.carried(row) && !me.interfaces[row.Name]:
			gone[id] = at
		}
	}
	list := rows(gone)
	for name := range me.interfaces {
		if !found[name] {
			list = append(list, ovsdb.Equal("name", name))
		}
	}
	return list
}

// balancerPorts bring the ports that hold the addresses of load balancers.
func (s *northboundConditions) balancerPorts() []ovsdb.Condition {
	var list []ovsdb.Condition
	for name := range s.balancerPortNames() {
		list = append(list, ovsdb.Equal("name", name))
	}
	return list
}

func (s *northboundConditions) balancerPortNames() map[string]bool {
	names := map[string]bool{}
	for id := range s.balancers {
		if row := s.tables.LoadBalancer.Get(id); row != nil {
			if name := row.ExternalIDs.Get("neutron:vip_port_id"); name != "" {
				names[name] = true
			}
		}
	}
	return names
}

// tenantConditions bring the ports of networks behind gateways: by the network's name, which Neutron writes on each,
// or, on switches that Neutron has not made, by what the switch refers to.
func (s *northboundConditions) tenantConditions(behind []ovsdb.UUID) []ovsdb.Condition {
	var list []ovsdb.Condition
	for name := range s.networks {
		list = append(list, pair("external_ids", "neutron:network_name", name))
	}
	for _, id := range behind {
		if s.tables.LogicalSwitchPort.Get(id).ExternalIDs.Get("neutron:network_name") != "" {
			continue
		}
		if row := s.tables.LogicalSwitch.Get(s.switchOf.of[id]); row != nil {
			for _, port := range row.Ports {
				list = append(list, ovsdb.IsRow(port))
			}
		}
	}
	return list
}

func pair(column, key, value string) ovsdb.Condition {
	return ovsdb.Includes(column, map[string]string{key: value})
}

// switchConditions bring the networks of ports that matter here: behind are those that lead to hosted routers. Neutron
// writes the switch's name on a port; where it has not, the switch is the one that refers to the port.
func (s *northboundConditions) switchConditions(behind []ovsdb.UUID) []ovsdb.Condition {
	ids, names, ports := recent[ovsdb.UUID]{}, map[string]bool{}, []ovsdb.Condition{}
	add := func(id ovsdb.UUID, row *nb.LogicalSwitchPort) {
		if name := row.ExternalIDs.Get("neutron:network_name"); name != "" {
			names[name] = true
		} else if owner, known := s.switchOf.of[id]; known {
			ids[owner] = time.Time{}
		} else {
			ports = append(ports, ovsdb.Includes("ports", id))
		}
	}
	vips := s.balancerPortNames()
	for id, row := range s.tables.LogicalSwitchPort.All() {
		_, local := s.ports[id]
		if local || vips[row.Name] || row.Type == string(ovn.PortLocalnet) || row.Type == string(ovn.PortExternal) {
			add(id, row)
		}
	}
	for _, id := range behind {
		add(id, s.tables.LogicalSwitchPort.Get(id))
	}
	list := append(rows(ids), ports...)
	for name := range names {
		list = append(list, ovsdb.Equal("name", name))
	}
	return list
}

// dhcpConditions bring what is answered on the provider networks of this node.
func (s *northboundConditions) dhcpConditions(physnets []string) []ovsdb.Condition {
	list := []ovsdb.Condition{}
	for id, row := range s.tables.LogicalSwitchPort.All() {
		network, neutron := strings.CutPrefix(s.switchOf.name(id), "neutron-")
		if row.Type == string(ovn.PortLocalnet) && neutron && slices.Contains(physnets, row.Options.Get("network_name")) {
			list = append(list, pair("external_ids", "neutron:network_id", network))
		}
	}
	return list
}
