package ovn

import (
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/ovn"
)

// Northbound converts rows of the Northbound database. It remembers what it made of each row, and which row refers
// to which, so that Update costs what changed and not what there is.
type Northbound struct {
	tables *nb.Tables

	nouns
	nats   *cache[ovn.NAT]
	routes *cache[ovn.StaticRoute]
	dhcp   *cache[ovn.DHCPOptions]

	switchOf, portRouter, natRouter, routeRouter *owners
	balancerRouters, balancerSwitches            *sharers
	peers                                        *peers
	portNames                                    *naming // of routers' ports

	labels   selection
	snapshot ovn.Snapshot // without what the local switch says
}

// NewNorthbound returns a converter of tables.
func NewNorthbound(tables *nb.Tables) *Northbound {
	return &Northbound{
		tables:   tables,
		nouns:    newNouns(),
		nats:     newCache(func(x *ovn.NAT) string { return x.UUID }),
		routes:   newCache(func(x *ovn.StaticRoute) string { return x.UUID }),
		dhcp:     newCache(func(x *ovn.DHCPOptions) string { return x.UUID }),
		switchOf: newOwners(), portRouter: newOwners(), natRouter: newOwners(), routeRouter: newOwners(),
		balancerRouters: newSharers(), balancerSwitches: newSharers(),
		peers: newPeers(), portNames: newNaming(),
	}
}

// SelectLabels says which keys of external_ids the snapshot keeps of each row, from the next Update on.
func (n *Northbound) SelectLabels(keys []string) { n.labels.choose(keys) }

// Update converts the rows that the tables call changed and returns the snapshot, in which Local is empty. It must
// run while the tables do not change: within ovsdb.Client.Read, or after ovsdb.Load. cluster is the database's
// cluster id, zero if it is in none; absent is what its server has not.
func (n *Northbound) Update(cluster ovsdb.UUID, absent []string) ovn.Snapshot {
	s := &n.snapshot
	s.Absent = absent
	s.Database, s.DistributedFIPs = "", nil
	for id, row := range n.tables.NBGlobal.All() {
		s.Database = id.String()
		if says, ok := row.ExternalIDs.Lookup("neutron:fip-distributed"); ok {
			distributed := isTrue(says)
			s.DistributedFIPs = &distributed
		}
	}
	if !cluster.IsZero() {
		s.Database = cluster.String()
	}
	n.updateGroups()
	n.updateSwitches()
	n.updateRouters()
	n.updateBalancers()
	if n.dhcp.update(changed(n.tables.DHCPOptions), n.dhcpOptions) {
		s.DHCPOptions = n.dhcp.values()
	}
	n.labels.renewed = false
	return *s
}

func (n *Northbound) selector() selector { return newNorthboundConditions(n.tables, n.switchOf) }

// Initialized tells whether the database holds its one row of NB_Global. `ovn-nbctl init` writes it, before anything
// else is written; a database made anew is without it for a moment, and that it holds no address then says nothing.
// Like Update it must run while the tables do not change.
func (n *Northbound) Initialized() bool { return n.tables.NBGlobal.Len() > 0 }

// updateGroups converts all groups when one of them, or of their chassis, changed: they are few.
func (n *Northbound) updateGroups() {
	groups := changed(n.tables.HAChassisGroup)
	if len(groups)+len(changed(n.tables.HAChassis)) == 0 {
		return
	}
	every(groups, n.tables.HAChassisGroup)
	if n.groups.update(groups, n.group) {
		n.snapshot.HAGroups = n.groups.values()
	}
}

func (n *Northbound) updateSwitches() {
	ports := toConvert(&n.labels, n.tables.LogicalSwitchPort)
	switches := toConvert(&n.labels, n.tables.LogicalSwitch)
	for id := range switches {
		var now ownerRow
		if row := n.tables.LogicalSwitch.Get(id); row != nil {
			now = ownerRow{row.Name, row.Ports}
		}
		n.switchOf.set(id, now, ports)
	}
	if len(changed(n.tables.HAChassisGroup)) > 0 {
		for id, row := range n.tables.LogicalSwitchPort.All() {
			if row.HAChassisGroup.Present {
				ports.add(id)
			}
		}
	}
	if n.switches.update(switches, n.logicalSwitch) {
		n.snapshot.Switches = n.switches.values()
	}
	if n.ports.update(ports, n.switchPort) {
		n.snapshot.Ports = n.ports.values()
	}
}

func (n *Northbound) logicalSwitch(id ovsdb.UUID) *ovn.LogicalSwitch {
	row := n.tables.LogicalSwitch.Get(id)
	if row == nil {
		return nil
	}
	return &ovn.LogicalSwitch{UUID: id.String(), Name: row.Name,
		NetworkName: row.ExternalIDs.Get("neutron:network_name"), Labels: n.labels.of(row.ExternalIDs)}
}

func (n *Northbound) updateRouters() {
	routers, ports := toConvert(&n.labels, n.tables.LogicalRouter), changed(n.tables.LogicalRouterPort)
	nats, routes := toConvert(&n.labels, n.tables.NAT), changed(n.tables.LogicalRouterStaticRoute)
	if len(ports) > 0 {
		for id, row := range n.tables.NAT.All() { // they name their gateway port
			if row.GatewayPort.Present && ports.has(row.GatewayPort.Value) {
				nats.add(id)
			}
		}
	}
	for id := range ports {
		name := ""
		if row := n.tables.LogicalRouterPort.Get(id); row != nil {
			name = row.Name
		}
		n.portNames.set(id, name)
	}
	for id := range routers {
		name, has := "", [3][]ovsdb.UUID{}
		if row := n.tables.LogicalRouter.Get(id); row != nil {
			name, has = row.Name, [3][]ovsdb.UUID{row.Ports, row.NAT, row.StaticRoutes}
		}
		n.portRouter.set(id, ownerRow{name, has[0]}, ports)
		n.natRouter.set(id, ownerRow{name, has[1]}, nats)
		n.routeRouter.set(id, ownerRow{name, has[2]}, routes)
	}
	if n.routers.update(routers, n.router) {
		n.snapshot.Routers = n.routers.values()
	}
	if n.nats.update(nats, n.nat) {
		n.snapshot.NATs = n.nats.values()
	}
	if n.routes.update(routes, n.staticRoute) {
		n.snapshot.StaticRoutes = n.routes.values()
	}
	if len(changed(n.tables.HAChassisGroup)) > 0 {
		for id, row := range n.tables.LogicalRouterPort.All() {
			if row.HAChassisGroup.Present {
				ports.add(id)
			}
		}
	}
	n.peers.take(ports, n.portNames)
	if n.routerPorts.update(ports, n.routerPort) {
		n.snapshot.RouterPorts = n.routerPorts.values()
	}
}
