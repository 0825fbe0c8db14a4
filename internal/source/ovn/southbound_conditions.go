package ovn

import (
	"net/netip"
	"slices"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
)

// southboundConditions is northboundConditions for the Southbound database: what this chassis has bound, and what belongs to the routers
// whose gateway it has.
//
// Of Port_Binding the ports of routers and of provider networks are copied whole, as they are of the Northbound
// database, and so are the virtual and the external ones, whose chassis comes and goes. Datapath_Binding is copied
// whole because ports of routers refer to nearly all of it. Of Logical_DP_Group one could ask for the groups that have
// a router; those would be the great ones, at a comparison of each member with each router.
type southboundConditions struct {
	tables *sb.Tables
	rows   *Southbound

	// What was wanted lately, and when for the last time: ports by their row, routers and networks behind gateways
	// by their datapath.
	ports, routers, networks, balancers recent[ovsdb.UUID]
	names                               recent[string]     // of these ports: northd makes a row anew to change some columns
	translated                          recent[netip.Addr] // floating IPs that a gateway here answers for
}

func newSouthboundConditions(rows *Southbound) *southboundConditions {
	return &southboundConditions{tables: rows.tables, rows: rows, ports: recent[ovsdb.UUID]{}, routers: recent[ovsdb.UUID]{},
		networks: recent[ovsdb.UUID]{}, balancers: recent[ovsdb.UUID]{},
		names: recent[string]{}, translated: recent[netip.Addr]{}}
}

// wholeTypes are the kinds of Port_Binding that every node copies.
func wholeTypes() []string {
	return []string{"patch", "l3gateway", "chassisredirect", "localnet", "virtual", "external"}
}

func (s *southboundConditions) conditions(me node, now time.Time) ovsdb.Conditions {
	for _, l := range []recent[ovsdb.UUID]{s.ports, s.routers, s.networks, s.balancers} {
		l.forget(now)
	}
	s.names.forget(now)
	s.translated.forget(now)
	own := s.chassis(me.chassis)
	s.localPorts(me, own, now)
	s.hostedRouters(me.chassis, own, now)
	s.ofGateways(now)
	attached := s.attached(now)
	return ovsdb.Conditions{
		"Port_Binding":  s.portConditions(me, own),
		"Load_Balancer": s.balancerConditions(attached),
	}
}

func (s *southboundConditions) changed() bool {
	t := s.tables
	return len(changed(t.PortBinding))+len(changed(t.DatapathBinding))+len(changed(t.Chassis))+
		len(changed(t.LoadBalancer))+len(changed(t.LogicalDPGroup))+len(changed(t.HAChassisGroup))+
		len(changed(t.HAChassis)) > 0
}

func (s *southboundConditions) missing() []ovsdb.UUID { return missing(s.ports, s.tables.PortBinding) }

// chassis returns the row that stands for this node: more than one, or none, only while they change.
func (s *southboundConditions) chassis(name string) set {
	own := set{}
	for id, row := range s.tables.Chassis.All() {
		if name != "" && row.Name == name {
			own.add(id)
		}
	}
	return own
}

func isOwn(row *sb.PortBinding, own set) bool {
	return row.Chassis.Present && own.has(row.Chassis.Value)
}

// localPorts takes note of the ports that this chassis has bound, or whose interface is here.
func (s *southboundConditions) localPorts(me node, own set, now time.Time) {
	for id, row := range s.tables.PortBinding.All() {
		if isOwn(row, own) || me.interfaces[row.LogicalPort] || s.hasCarrier(row, me) {
			s.ports.add(now, id)
			s.names.add(now, row.LogicalPort)
		}
	}
}

// hasCarrier tells whether a port that is bound nowhere would be carried by an interface of this node. That it is
// down then is doubtful for as long as it lasts.
func (s *southboundConditions) hasCarrier(row *sb.PortBinding, me node) bool {
	if row.Chassis.Present {
		return false
	}
	return row.ParentPort.Present && me.interfaces[row.ParentPort.Value] ||
		slices.ContainsFunc(fields(row.Options.Get("virtual-parents")), func(p string) bool { return me.interfaces[p] })
}

// hostedRouters finds the routers that have a gateway here, or one that is nobody's now and may come here, and their
// networks. A provider network is not behind a gateway, but before it.
func (s *southboundConditions) hostedRouters(chassis string, own set, now time.Time) {
	provider := set{}
	for _, row := range s.tables.PortBinding.All() {
		switch row.Type {
		case string(ovn.PortLocalnet):
			provider.add(row.Datapath)
		case "chassisredirect", "l3gateway":
			if isOwn(row, own) || !row.Chassis.Present && s.mayHost(row, chassis) {
				s.routers.add(now, row.Datapath)
			}
		}
	}
	for _, on := range s.switches() {
		if !provider.has(on) {
			s.networks.add(now, on)
		}
	}
}

// switches returns the switches that have a port of a hosted router.
func (s *southboundConditions) switches() (datapaths []ovsdb.UUID) {
	hosted := map[string]bool{}
	for id := range s.rows.routerSide.names {
		if row := s.tables.PortBinding.Get(id); row != nil {
			if _, ok := s.routers[row.Datapath]; ok {
				hosted[row.LogicalPort] = true
			}
		}
	}
	for id, port := range s.rows.peers.ports {
		if row := s.tables.PortBinding.Get(id); row != nil && hosted[port.RouterPort] {
			datapaths = append(datapaths, row.Datapath)
		}
	}
	return datapaths
}

// mayHost tells whether a chassis is one of those that take turns in hosting a gateway.
func (s *southboundConditions) mayHost(row *sb.PortBinding, chassis string) bool {
	group := s.rows.groups.byRow[row.HAChassisGroup.Value]
	return row.HAChassisGroup.Present && group != nil && chassis != "" &&
		slices.ContainsFunc(group.Chassis, func(c ovn.HAChassis) bool { return c.Name == chassis })
}

// ofGateways takes note of the floating IPs that the hosted gateways answer for. Their ports may be anywhere, and have a
// note of them; they have a name and tags.
func (s *southboundConditions) ofGateways(now time.Time) {
	hosted := map[string]bool{}
	for id := range s.routers {
		if _, name := s.rows.datapath(id); name != "" {
			hosted[name] = true
		}
	}
	for _, t := range s.rows.nats.byRow {
		for _, nat := range t.nats {
			if nat.Type == ovn.DNATAndSNAT && nat.ExternalMAC == "" && hosted[nat.Router] {
				s.translated.add(now, nat.ExternalIP)
			}
		}
	}
}

// attached returns the hosted routers and all switches that have a port of theirs, and takes note of the load balancers
// there.
func (s *southboundConditions) attached(now time.Time) set {
	datapaths := set{}
	for id := range s.routers {
		datapaths.add(id)
	}
	for _, id := range s.switches() {
		datapaths.add(id)
	}
	for id, row := range s.tables.LoadBalancer.All() {
		if slices.ContainsFunc(s.rows.datapathsOf(row), datapaths.has) {
			s.balancers.add(now, id)
		}
	}
	return datapaths
}

// balancerConditions bring the load balancers on datapaths: by themselves, or by the groups that these are in.
func (s *southboundConditions) balancerConditions(datapaths set) []ovsdb.Condition {
	list := rows(s.balancers)
	for id := range datapaths {
		list = append(list, ovsdb.Includes("datapaths", id))
	}
	for id, row := range s.tables.LogicalDPGroup.All() {
		if slices.ContainsFunc(row.Datapaths, datapaths.has) {
			list = append(list, ovsdb.Equal("datapath_group", id), ovsdb.Equal("ls_datapath_group", id),
				ovsdb.Equal("lr_datapath_group", id))
		}
	}
	return bounded(list)
}

// portConditions are those on Port_Binding. By their name are asked for only those that nothing else brings: a port that
// another chassis has bound since.
func (s *southboundConditions) portConditions(me node, own set) []ovsdb.Condition {
	var list []ovsdb.Condition
	for _, name := range wholeTypes() {
		list = append(list, ovsdb.Equal("type", name))
	}
	for id := range own {
		list = append(list, ovsdb.Equal("chassis", id), ovsdb.Equal("requested_chassis", id))
	}
	more := append(s.unboundConditions(me, own), s.balancerPorts()...)
	if me.tenants || len(s.translated) > maxListed { // these are in the same networks
		for id := range s.networks {
			more = append(more, ovsdb.Equal("datapath", id))
		}
	} else {
		for ip := range s.translated {
			more = append(more, pair("external_ids", "neutron:port_fip", ip.String()))
		}
	}
	if len(list)+len(more) > 3*maxListed {
		return []ovsdb.Condition{{Column: "logical_port", Function: "!=", Value: ""}} // every port of the cloud
	}
	return append(list, more...)
}

// unboundConditions bring by their name the ports that were here and are elsewhere, and, with what they carry, those that
// have an interface here and that this chassis has not bound.
func (s *southboundConditions) unboundConditions(me node, own set) []ovsdb.Condition {
	bound, whole := map[string]bool{}, map[string]bool{}
	for _, row := range s.tables.PortBinding.All() {
		bound[row.LogicalPort] = isOwn(row, own)
		whole[row.LogicalPort] = slices.Contains(wholeTypes(), row.Type)
	}
	var list []ovsdb.Condition
	for name := range s.names {
		if !bound[name] && !whole[name] && !me.interfaces[name] {
			list = append(list, ovsdb.Equal("logical_port", name))
		}
	}
	for name := range me.interfaces {
		if !bound[name] {
			list = append(list, ovsdb.Equal("logical_port", name), ovsdb.Equal("parent_port", name))
		}
	}
	return list
}

// balancerPorts bring the ports that hold the addresses of load balancers, by the name that Octavia's provider gives
// them.
func (s *southboundConditions) balancerPorts() []ovsdb.Condition {
	names := map[string]bool{}
	for id := range s.balancers {
		if row := s.tables.LoadBalancer.Get(id); row != nil && row.Name != "" {
			names[vipPortPrefix+row.Name] = true
		}
	}
	var list []ovsdb.Condition
	for name := range names {
		list = append(list, pair("external_ids", "neutron:port_name", name))
	}
	return list
}
