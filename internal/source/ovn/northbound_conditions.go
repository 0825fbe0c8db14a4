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
	// maxCompared and maxLookedUp are how many conditions are put on any other table before all of its rows are the
	// smaller evil. Those that are all "==" are looked up: 5,000 of them cost a server 0.06 to 0.16 s when they change,
	// with 20,000 rows in the table. As many with one of another kind among them cost 5 to 10 s, 1,000 cost one.
	maxCompared = 2 * maxListed
	maxLookedUp = 8 * maxListed
)

// bounded is a table's conditions, or the one for all rows where they are too many.
func bounded(list []ovsdb.Condition) []ovsdb.Condition {
	most := maxLookedUp
	if slices.ContainsFunc(list, func(c ovsdb.Condition) bool { return c.Function != "==" }) {
		most = maxCompared
	}
	if len(list) > most {
		return []ovsdb.Condition{{Column: "_uuid", Function: "!=", Value: ovsdb.UUID{}}}
	}
	return list
}

// northboundConditions say which rows of the Northbound database a node copies: what is local to it, and what belongs to the
// routers whose gateway it hosts. Some rows say by themselves that they are meant, the others are found from those
// that are in the copy. Rows of one kind are found from kinds before it only (routers and ports, then translations
// and load balancers, then networks), so that no two rows keep each other in the copy.
//
// The tables of routers, of their ports and of groups of chassis are copied whole: where a gateway is and whose
// network an address is in is said there, and they do not grow with the machines of the cloud.
type northboundConditions struct {
	tables   *nb.Tables
	switchOf *owners

	// What was wanted lately, and when for the last time.
	routers, ports, nats, balancers recent[ovsdb.UUID]
	// answered are the translations that a gateway here answers for.
	answered recent[ovsdb.UUID]
	// By name: the ports of this node that may carry others, these and what they carry, the ports whose floating IPs
	// a gateway here answers for, and the networks behind gateways.
	parents, names, translated, networks recent[string]
}

// node is how the database may call this node, and what is on it.
type node struct {
	host, chassis string
	interfaces    map[string]bool // by the port's name
	physnets      []string        // mapped here
	tenants       bool            // ports of networks behind gateways are wanted
}

func newNode(local *ovn.Local, host string, tenants bool) node {
	me := node{host: local.Hostname, chassis: local.SystemID, interfaces: map[string]bool{}, tenants: tenants}
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
func (s node) called() []string {
	short, _, _ := strings.Cut(s.host, ".")
	list := slices.DeleteFunc([]string{s.host, s.chassis, short}, func(n string) bool { return n == "" })
	slices.Sort(list)
	return slices.Compact(list)
}

// recent remembers keys for a while.
type recent[K comparable] map[K]time.Time

// add takes note of what is wanted now.
func (l recent[K]) add(now time.Time, keys ...K) {
	for _, k := range keys {
		l[k] = now
	}
}

// forget drops what was not wanted for long.
func (l recent[K]) forget(now time.Time) {
	maps.DeleteFunc(l, func(_ K, at time.Time) bool { return now.Sub(at) >= linger })
}

func newNorthboundConditions(tables *nb.Tables, switchOf *owners) *northboundConditions {
	return &northboundConditions{tables: tables, switchOf: switchOf,
		routers: recent[ovsdb.UUID]{}, ports: recent[ovsdb.UUID]{}, nats: recent[ovsdb.UUID]{},
		balancers: recent[ovsdb.UUID]{}, parents: recent[string]{}, names: recent[string]{},
		answered: recent[ovsdb.UUID]{}, translated: recent[string]{}, networks: recent[string]{}}
}

// changed tells whether a row changed on which the conditions depend.
func (s *northboundConditions) changed() bool {
	t := s.tables
	return len(changed(t.LogicalSwitchPort))+len(changed(t.LogicalSwitch))+len(changed(t.LogicalRouter))+
		len(changed(t.LogicalRouterPort))+len(changed(t.NAT))+len(changed(t.LoadBalancer))+
		len(changed(t.LoadBalancerGroup))+len(changed(t.HAChassisGroup))+len(changed(t.HAChassis))+
		len(changed(t.GatewayChassis))+len(changed(t.NBGlobal)) > 0
}

func (s *northboundConditions) missing() []ovsdb.UUID {
	return missing(s.ports, s.tables.LogicalSwitchPort)
}

// missing lists the rows that were wanted lately and that the copy has not: they are gone, or fell out because they
// went elsewhere and have not come back by their identity yet.
func missing[R any](wanted recent[ovsdb.UUID], t *ovsdb.Table[R]) (ids []ovsdb.UUID) {
	for id := range wanted {
		if t.Get(id) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// conditions returns what is to be copied, by what the copy says now. It must run while the tables do not change.
// Each time the copy has what was asked for, it may ask for more; when it asks for what is there, the copy is complete.
func (s *northboundConditions) conditions(me node, now time.Time) ovsdb.Conditions {
	s.routers.forget(now)
	s.ports.forget(now)
	s.nats.forget(now)
	s.balancers.forget(now)
	s.parents.forget(now)
	s.names.forget(now)
	s.translated.forget(now)
	s.answered.forget(now)
	s.networks.forget(now)

	hosted := s.hostedPorts(me.chassis, now)
	s.localPorts(me, now)
	behind := s.networksBehind(hosted, now)
	s.ofRouters(now)
	return ovsdb.Conditions{
		"Logical_Switch_Port":         s.portConditions(me, behind),
		"Logical_Switch":              bounded(s.switchConditions(behind)),
		"NAT":                         bounded(s.natConditions()),
		"Load_Balancer":               bounded(rows(s.balancers)),
		"Logical_Router_Static_Route": {ovsdb.Equal("ip_prefix", "::/0")},
		"DHCP_Options":                bounded(s.dhcpConditions(me.physnets)),
	}
}

// rows are conditions for rows by their identity.
func rows(ids recent[ovsdb.UUID]) []ovsdb.Condition {
	list := make([]ovsdb.Condition, 0, len(ids))
	for id := range ids {
		list = append(list, ovsdb.IsRow(id))
	}
	return list
}

// hostedPorts finds the routers that have a gateway here, or one that is nobody's now and may come here, and returns
// the names of their ports.
func (s *northboundConditions) hostedPorts(chassis string, now time.Time) map[string]bool {
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
func (s *northboundConditions) mayHost(row *nb.LogicalRouterPort, chassis string) bool {
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
func (s *northboundConditions) localPorts(me node, now time.Time) {
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
func (s *northboundConditions) carried(row *nb.LogicalSwitchPort) bool {
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
func (s *northboundConditions) networksBehind(hosted map[string]bool, now time.Time) []ovsdb.UUID {
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

// ofRouters takes note of what the hosted routers refer to. The port of a floating IP that the gateway answers for may
// be anywhere; it has a name and tags.
func (s *northboundConditions) ofRouters(now time.Time) {
	centralised := s.centralised()
	for id := range s.routers {
		if row := s.tables.LogicalRouter.Get(id); row != nil {
			s.nats.add(now, row.NAT...)
			for _, id := range row.NAT {
				if nat := s.tables.NAT.Get(id); nat != nil && (centralised || !nat.ExternalMAC.Present) {
					s.answered.add(now, id)
				}
			}
			s.balancers.add(now, row.LoadBalancer...)
			for _, id := range row.LoadBalancerGroup {
				if group := s.tables.LoadBalancerGroup.Get(id); group != nil {
					s.balancers.add(now, group.LoadBalancer...)
				}
			}
		}
	}
	for id := range s.answered {
		if row := s.tables.NAT.Get(id); row != nil {
			if name := cmp.Or(row.LogicalPort.Value, row.ExternalIDs.Get("neutron:fip_port_id")); name != "" {
				s.translated.add(now, name)
			}
		}
	}
	for id, row := range s.tables.NAT.All() {
		if _, local := s.names[row.LogicalPort.Value]; local && row.LogicalPort.Present {
			s.nats.add(now, id)
		}
	}
}

// centralised tells whether Neutron says that gateways answer for all floating IPs.
func (s *northboundConditions) centralised() bool {
	for _, row := range s.tables.NBGlobal.All() {
		says, ok := row.ExternalIDs.Lookup("neutron:fip-distributed")
		return ok && !isTrue(says)
	}
	return false
}
