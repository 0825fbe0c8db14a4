package ovn

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/ovn"
)

const (
	// linger is for how long what this node had stays in the copy when it is this node's no more: a row that says
	// where an address went explains why it is not announced here any longer.
	linger = time.Minute
	// maxListed is how many conditions of a kind are put on the ports. A server compares each row that changes with
	// one after the other, and all rows when conditions change; from here on more rows are the smaller evil.
	maxListed = 512
)

// scope says which rows of the Northbound database a node copies: what is local to it, and what belongs to the
// routers whose gateway it hosts. Some rows say by themselves that they are meant, the others are found from those
// that are in the copy. Rows of one kind are found from kinds before it only (routers and ports, then translations
// and load balancers, then networks), so that no two rows keep each other in the copy.
//
// The tables of routers, of their ports and of groups of chassis are copied whole: where a gateway is and whose
// network an address is in is said there, and they do not grow with the machines of the cloud.
type scope struct {
	tables   *nb.Tables
	switchOf *owners

	// What was wanted lately, and when for the last time.
	routers, ports, nats, balancers lately[ovsdb.UUID]
	// By name: the ports of this node that may carry others, these and what they carry, and the networks behind
	// gateways.
	parents, names, networks lately[string]
}

// self is how the database may call this node, and what is on it.
type self struct {
	host, chassis string
	interfaces    map[string]bool // by the port's name
	physnets      []string        // mapped here
	tenants       bool            // ports of networks behind gateways are wanted
}

func newSelf(local *ovn.Local, host string, tenants bool) self {
	me := self{host: local.Hostname, chassis: local.SystemID, interfaces: map[string]bool{}, tenants: tenants}
	for _, name := range local.Interfaces {
		me.interfaces[name] = true
	}
	if me.host == "" {
		me.host = host
	}
	for _, m := range local.Mappings {
		me.physnets = append(me.physnets, m.PhysicalNetwork)
	}
	return me
}

// called lists the names by which rows may mean this node. A host's short name is among them: where the names differ
// by the domain only, that is to be told.
func (s self) called() []string {
	short, _, _ := strings.Cut(s.host, ".")
	list := slices.DeleteFunc([]string{s.host, s.chassis, short}, func(n string) bool { return n == "" })
	slices.Sort(list)
	return slices.Compact(list)
}

// lately remembers keys for a while.
type lately[K comparable] map[K]time.Time

// add takes note of what is wanted now.
func (l lately[K]) add(now time.Time, keys ...K) {
	for _, k := range keys {
		l[k] = now
	}
}

// forget drops what was not wanted for long.
func (l lately[K]) forget(now time.Time) {
	maps.DeleteFunc(l, func(_ K, at time.Time) bool { return now.Sub(at) >= linger })
}

func newScope(tables *nb.Tables, switchOf *owners) *scope {
	return &scope{tables: tables, switchOf: switchOf,
		routers: lately[ovsdb.UUID]{}, ports: lately[ovsdb.UUID]{}, nats: lately[ovsdb.UUID]{},
		balancers: lately[ovsdb.UUID]{}, parents: lately[string]{}, names: lately[string]{}, networks: lately[string]{}}
}

// conditions returns what is to be copied, by what the copy says now. It must run while the tables do not change.
// Each time the copy has what was asked for, it may ask for more; when it asks for what is there, the copy is complete.
func (s *scope) conditions(me self, now time.Time) ovsdb.Conditions {
	s.routers.forget(now)
	s.ports.forget(now)
	s.nats.forget(now)
	s.balancers.forget(now)
	s.parents.forget(now)
	s.names.forget(now)
	s.networks.forget(now)

	hosted := s.hostedPorts(me.chassis, now)
	s.localPorts(me, now)
	behind := s.networksBehind(hosted, now)
	s.ofRouters(now)
	return ovsdb.Conditions{
		"Logical_Switch_Port":         s.portConditions(me, behind),
		"Logical_Switch":              s.switchConditions(behind),
		"NAT":                         s.natConditions(),
		"Load_Balancer":               rows(s.balancers),
		"Logical_Router_Static_Route": {ovsdb.Equal("ip_prefix", "::/0")},
		"DHCP_Options":                s.dhcpConditions(me.physnets),
	}
}

// rows are conditions for rows by their identity.
func rows(ids lately[ovsdb.UUID]) []ovsdb.Condition {
	list := make([]ovsdb.Condition, 0, len(ids))
	for id := range ids {
		list = append(list, ovsdb.IsRow(id))
	}
	return list
}

// hostedPorts finds the routers that have a gateway here, or one that is nobody's now and may come here, and returns
// the names of their ports.
func (s *scope) hostedPorts(chassis string, now time.Time) map[string]bool {
	gateways := set{}
	for id, row := range s.tables.LogicalRouterPort.All() {
		at, claimed := row.Status.Lookup("hosting-chassis")
		if chassis != "" && (at == chassis || (!claimed || at == "") && s.mayHost(row, chassis)) {
			gateways.add(id)
		}
	}
	names := map[string]bool{}
	for id, row := range s.tables.LogicalRouter.All() {
		if slices.ContainsFunc(row.Ports, gateways.has) {
			s.routers.add(now, id)
		}
		if _, wanted := s.routers[id]; !wanted {
			continue
		}
		for _, id := range row.Ports {
			if port := s.tables.LogicalRouterPort.Get(id); port != nil {
				names[port.Name] = true
			}
		}
	}
	return names
}

// mayHost tells whether a chassis is one of those that take turns in hosting a gateway.
func (s *scope) mayHost(row *nb.LogicalRouterPort, chassis string) bool {
	for _, id := range row.GatewayChassis {
		if c := s.tables.GatewayChassis.Get(id); c != nil && c.ChassisName == chassis {
			return true
		}
	}
	group := s.tables.HAChassisGroup.Get(row.HAChassisGroup.Value)
	if group == nil {
		return false
	}
	return slices.ContainsFunc(group.HAChassis, func(id ovsdb.UUID) bool {
		c := s.tables.HAChassis.Get(id)
		return c != nil && c.ChassisName == chassis
	})
}

// localPorts takes note of the ports that are on this node, and of their names.
func (s *scope) localPorts(me self, now time.Time) {
	called := map[string]bool{}
	for _, name := range me.called() {
		called[name] = true
	}
	for id, row := range s.tables.LogicalSwitchPort.All() {
		if !row.ParentName.Present && (isCalled(row, called) || me.interfaces[row.Name]) {
			s.ports.add(now, id)
			s.parents.add(now, row.Name)
			s.names.add(now, row.Name)
		}
	}
	for id, row := range s.tables.LogicalSwitchPort.All() {
		if s.carried(row) {
			s.ports.add(now, id)
			s.names.add(now, row.Name)
		}
	}
}

// carried tells whether a port is carried by one of this node.
func (s *scope) carried(row *nb.LogicalSwitchPort) bool {
	_, local := s.parents[row.ParentName.Value]
	return local && row.ParentName.Present
}

// isCalled tells whether a port names this node. The conditions that bring such ports are in portConditions.
func isCalled(row *nb.LogicalSwitchPort, called map[string]bool) bool {
	return called[row.Options.Get("requested-chassis")] || called[row.ExternalIDs.Get("neutron:host_id")] ||
		called[row.ExternalIDs.Get("neutron:parent_hostname")]
}

// networksBehind finds the networks of routers that are hosted here, by the ports that name the routers' ports, and
// returns these ports' rows. A provider network is not behind a gateway, but before it.
func (s *scope) networksBehind(hosted map[string]bool, now time.Time) []ovsdb.UUID {
	provider := map[string]bool{}
	for id, row := range s.tables.LogicalSwitchPort.All() {
		if name := s.switchOf.name(id); row.Type == string(ovn.PortLocalnet) && name != "" {
			provider[name] = true
		}
	}
	var ports []ovsdb.UUID
	for id, row := range s.tables.LogicalSwitchPort.All() {
		if row.Type != string(ovn.PortRouter) || !hosted[row.Options.Get("router-port")] ||
			row.ExternalIDs.Get("neutron:device_owner") == "network:router_gateway" {
			continue
		}
		name := row.ExternalIDs.Get("neutron:network_name")
		if name != "" && !provider[name] {
			s.networks.add(now, name)
		}
		if !provider[cmp.Or(name, s.switchOf.name(id))] {
			ports = append(ports, id)
		}
	}
	return ports
}

// ofRouters takes note of what the hosted routers refer to.
func (s *scope) ofRouters(now time.Time) {
	for id := range s.routers {
		if row := s.tables.LogicalRouter.Get(id); row != nil {
			s.nats.add(now, row.NAT...)
			s.balancers.add(now, row.LoadBalancer...)
		}
	}
	for id, row := range s.tables.NAT.All() {
		if _, local := s.names[row.LogicalPort.Value]; local && row.LogicalPort.Present {
			s.nats.add(now, id)
		}
	}
}

func (s *scope) natConditions() []ovsdb.Condition {
	list := rows(s.nats)
	for name := range s.names {
		list = append(list, ovsdb.Equal("logical_port", name))
	}
	return list
}

// portConditions are those on the ports. Rows by their identity are only those that nothing else asks for: a port that
// went elsewhere. When it goes, it falls out of the copy first, and until the server has answered the copy is not
// complete, so nobody sees it without.
func (s *scope) portConditions(me self, behind []ovsdb.UUID) []ovsdb.Condition {
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
	if me.tenants {
		more = append(more, s.tenantConditions(behind)...)
	}
	if len(more) > 2*maxListed {
		return []ovsdb.Condition{{Column: "name", Function: "!=", Value: ""}} // every port of the cloud
	}
	return append(list, more...)
}

// goneConditions bring by their identity the ports that were here and are elsewhere, and by their name those that have
// an interface here and whose rows do not name this node.
func (s *scope) goneConditions(me self) []ovsdb.Condition {
	called := map[string]bool{}
	for _, name := range me.called() {
		called[name] = true
	}
	gone, found := lately[ovsdb.UUID]{}, map[string]bool{}
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
func (s *scope) balancerPorts() []ovsdb.Condition {
	var list []ovsdb.Condition
	for name := range s.balancerPortNames() {
		list = append(list, ovsdb.Equal("name", name))
	}
	return list
}

func (s *scope) balancerPortNames() map[string]bool {
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
func (s *scope) tenantConditions(behind []ovsdb.UUID) []ovsdb.Condition {
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
func (s *scope) switchConditions(behind []ovsdb.UUID) []ovsdb.Condition {
	ids, names, ports := lately[ovsdb.UUID]{}, map[string]bool{}, []ovsdb.Condition{}
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
func (s *scope) dhcpConditions(physnets []string) []ovsdb.Condition {
	list := []ovsdb.Condition{}
	for id, row := range s.tables.LogicalSwitchPort.All() {
		network, neutron := strings.CutPrefix(s.switchOf.name(id), "neutron-")
		if row.Type == string(ovn.PortLocalnet) && neutron && slices.Contains(physnets, row.Options.Get("network_name")) {
			list = append(list, pair("external_ids", "neutron:network_id", network))
		}
	}
	return list
}
