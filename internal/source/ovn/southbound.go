package ovn

import (
	"net/netip"
	"slices"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
)

// Southbound converts rows of the Southbound database into the nouns that Northbound makes of its own. One table,
// Port_Binding, holds the ports of switches and of routers, the places of gateways and, in nat_addresses, all that is
// told of translations. It remembers like Northbound, so that Update costs what changed and not what there is.
type Southbound struct {
	tables *sb.Tables

	nouns
	nats *cache[translations]

	// What is known of rows of Port_Binding, to find those that are to be converted when another row changed.
	on          map[ovsdb.UUID]set                    // by datapath
	datapathOf  map[ovsdb.UUID]ovsdb.UUID             // of each row in on
	routerSide  *naming                               // ports of routers
	places      *naming                               // rows of gateways' places: the router port's name
	peers       *peers                                // switch ports that name a router's port
	translating set                                   // those of them with nat_addresses
	floatingIPs map[ovsdb.UUID]netip.Addr             // switch ports with neutron:port_fip
	vipPorts    map[ovsdb.UUID]*ovn.LogicalSwitchPort // of load balancers
	natsStale   bool
	lbsStale    bool
	labels      selection

	snapshot ovn.Snapshot // without what the local switch says
}

// NewSouthbound returns a converter of tables.
func NewSouthbound(tables *sb.Tables) *Southbound {
	return &Southbound{
		tables: tables,
		nouns:  newNouns(),
		nats:   newCache(func(x *translations) string { return x.port }),
		on:     map[ovsdb.UUID]set{}, datapathOf: map[ovsdb.UUID]ovsdb.UUID{},
		routerSide: newNaming(), places: newNaming(), peers: newPeers(),
		translating: set{}, floatingIPs: map[ovsdb.UUID]netip.Addr{}, vipPorts: map[ovsdb.UUID]*ovn.LogicalSwitchPort{},
		snapshot: ovn.Snapshot{Bindings: true, Tables: map[string]string{
			"Logical_Switch": "Datapath_Binding", "Logical_Switch_Port": "Port_Binding",
			"Logical_Router": "Datapath_Binding", "Logical_Router_Port": "Port_Binding", "NAT": "Port_Binding"}},
	}
}

// SelectLabels is Northbound's. A load balancer's row has none, and a network's only what northd writes.
func (s *Southbound) SelectLabels(keys []string) { s.labels.choose(keys) }

// Update is Northbound's, for the Southbound database.
func (s *Southbound) Update(cluster ovsdb.UUID, absent []string) ovn.Snapshot {
	snapshot := &s.snapshot
	snapshot.Absent = s.unknown(absent)
	snapshot.Database = ""
	for id := range s.tables.SBGlobal.All() {
		snapshot.Database = id.String()
	}
	if !cluster.IsZero() {
		snapshot.Database = cluster.String()
	}
	s.updateGroups()
	datapaths := toConvert(&s.labels, s.tables.DatapathBinding)
	if s.switches.update(datapaths, s.logicalSwitch) {
		snapshot.Switches = s.switches.values()
	}
	if s.routers.update(datapaths, s.router) {
		snapshot.Routers = s.routers.values()
	}
	ports := s.touched(datapaths)
	if s.ports.update(ports, s.switchPort) {
		snapshot.Ports = s.ports.values()
	}
	s.updateRouterPorts(ports)
	s.updateTranslations()
	s.updateBalancers(datapaths)
	s.labels.renewed = false
	return *snapshot
}

func (s *Southbound) selector() selector { return newSouthboundConditions(s) }

// Initialized is Northbound's: the database holds its one row of SB_Global. northd writes it before anything else.
func (s *Southbound) Initialized() bool { return s.tables.SBGlobal.Len() > 0 }

// unknown leaves out of what the server has not the columns that say what another, which it has, says too.
func (s *Southbound) unknown(absent []string) (names []string) {
	for _, name := range absent {
		switch name {
		case "Load_Balancer.datapaths", "Load_Balancer.datapath_group", "Load_Balancer.ls_datapath_group":
			lb := s.tables.LoadBalancer
			if lb.Has("datapaths") || lb.Has("datapath_group") || lb.Has("ls_datapath_group") {
				continue
			}
		}
		names = append(names, name)
	}
	return names
}

// updateGroups converts all groups when one of them, or of their chassis, changed: they are few.
func (s *Southbound) updateGroups() {
	groups := changed(s.tables.HAChassisGroup)
	if len(groups)+len(changed(s.tables.HAChassis))+len(changed(s.tables.Chassis)) == 0 {
		return
	}
	every(groups, s.tables.HAChassisGroup)
	if s.groups.update(groups, s.group) {
		s.snapshot.HAGroups = s.groups.values()
	}
}

// touched returns the rows of Port_Binding to be converted: those that changed, and those that refer to what did.
func (s *Southbound) touched(datapaths set) set {
	ports := toConvert(&s.labels, s.tables.PortBinding)
	for id := range ports {
		s.place(id)
	}
	for datapath := range datapaths {
		for id := range s.on[datapath] {
			ports.add(id)
		}
	}
	chassis, groups := len(changed(s.tables.Chassis)) > 0, len(changed(s.tables.HAChassisGroup)) > 0
	if chassis || groups {
		for id, row := range s.tables.PortBinding.All() {
			if chassis && row.Chassis.Present || groups && row.HAChassisGroup.Present {
				ports.add(id)
			}
		}
	}
	return ports
}

// place takes note of which datapath a port is on.
func (s *Southbound) place(id ovsdb.UUID) {
	if before, ok := s.datapathOf[id]; ok {
		delete(s.on[before], id)
		if len(s.on[before]) == 0 {
			delete(s.on, before)
		}
		delete(s.datapathOf, id)
	}
	row := s.tables.PortBinding.Get(id)
	if row == nil {
		return
	}
	if s.on[row.Datapath] == nil {
		s.on[row.Datapath] = set{}
	}
	s.on[row.Datapath].add(id)
	s.datapathOf[id] = row.Datapath
}

// datapath says what a row of Datapath_Binding is: the names of a logical switch or of a logical router, the other ""
// in either case.
func (s *Southbound) datapath(id ovsdb.UUID) (ls, lr string) {
	row := s.tables.DatapathBinding.Get(id)
	if row == nil {
		return "", ""
	}
	name := row.ExternalIDs.Get("name")
	switch {
	case row.ExternalIDs.Get("logical-switch") != "":
		return name, ""
	case row.ExternalIDs.Get("logical-router") != "":
		return "", name
	}
	return "", ""
}

func (s *Southbound) logicalSwitch(id ovsdb.UUID) *ovn.LogicalSwitch {
	name, _ := s.datapath(id)
	if name == "" {
		return nil
	}
	ids := s.tables.DatapathBinding.Get(id).ExternalIDs
	return &ovn.LogicalSwitch{UUID: ids.Get("logical-switch"), Name: name, NetworkName: ids.Get("name2"),
		Labels: s.labels.of(ids)}
}

func (s *Southbound) router(id ovsdb.UUID) *ovn.LogicalRouter {
	_, name := s.datapath(id)
	if name == "" {
		return nil
	}
	ids := s.tables.DatapathBinding.Get(id).ExternalIDs
	return &ovn.LogicalRouter{UUID: ids.Get("logical-router"), Name: name, RouterName: ids.Get("name2"),
		Labels: s.labels.of(ids)}
}

func (s *Southbound) group(id ovsdb.UUID) *ovn.HAChassisGroup {
	row := s.tables.HAChassisGroup.Get(id)
	if row == nil {
		return nil
	}
	group := &ovn.HAChassisGroup{UUID: id.String(), Name: row.Name}
	for _, member := range row.HAChassis {
		chassis := s.tables.HAChassis.Get(member)
		if chassis == nil {
			continue
		}
		name := s.chassis(chassis.Chassis)
		if name == "" { // it may come back
			name = chassis.ExternalIDs.Get("chassis-name")
		}
		group.Chassis = append(group.Chassis, ovn.HAChassis{Name: name, Priority: int(chassis.Priority)})
	}
	slices.SortFunc(group.Chassis, compareHAChassis)
	return group
}

func (s *Southbound) groupName(ref ovsdb.Optional[ovsdb.UUID]) string {
	if group := s.tables.HAChassisGroup.Get(ref.Value); ref.Present && group != nil {
		return group.Name
	}
	return ""
}

// chassis returns the name of the chassis that a row refers to.
func (s *Southbound) chassis(ref ovsdb.Optional[ovsdb.UUID]) string {
	if chassis := s.tables.Chassis.Get(ref.Value); ref.Present && chassis != nil {
		return chassis.Name
	}
	return ""
}
