package desired

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// view is the snapshot as seen from this node: its indexes, made in one pass, and what this node is called.
type view struct {
	in *Input
	c  config.Node

	host    string // the name Neutron and OVN know this host by
	chassis string // the name of this chassis

	switches    map[string]*ovn.LogicalSwitch
	ports       map[string]*ovn.LogicalSwitchPort
	routers     map[string]*ovn.LogicalRouter
	routerPorts map[string]*ovn.LogicalRouterPort
	gateways    map[string][]*ovn.LogicalRouterPort // by router, sorted by name
	onSwitch    map[string][]*ovn.LogicalRouterPort // by logical switch, sorted by name
	groups      map[string]*ovn.HAChassisGroup
	defaults    map[string][]netip.Addr       // by router: next hops of its static ::/0
	dhcp        map[string][]*ovn.DHCPOptions // by logical switch
	interfaces  map[string]bool
	balancers   balancers
	alive       map[string]bool // chassis that gateways tell of: see answering

	mapped   []ovn.Mapping          // in their order
	mappings map[string]ovn.Mapping // by physical network
	networks map[string]*network    // by logical switch: those with localnet ports
	segments []segment              // the mapped localnet ports, sorted
	tables   map[string]uint32      // by bridge
	tenants  *exposure              // nil while tenant networks are not exposed
	bridges  []string               // mapped ones, sorted
	notes    []model.Decision       // what was found odd while the view was made
}

func newView(in *Input, c config.Node) *view {
	s := &in.OVN
	v := &view{
		in: in, c: c,
		host: s.Local.Hostname, chassis: s.Local.SystemID,
		switches:    make(map[string]*ovn.LogicalSwitch, len(s.Switches)),
		ports:       make(map[string]*ovn.LogicalSwitchPort, len(s.Ports)),
		routers:     make(map[string]*ovn.LogicalRouter, len(s.Routers)),
		routerPorts: make(map[string]*ovn.LogicalRouterPort, len(s.RouterPorts)),
		gateways:    map[string][]*ovn.LogicalRouterPort{},
		onSwitch:    map[string][]*ovn.LogicalRouterPort{},
		groups:      make(map[string]*ovn.HAChassisGroup, len(s.HAGroups)),
		defaults:    map[string][]netip.Addr{},
		dhcp:        map[string][]*ovn.DHCPOptions{},
		interfaces:  make(map[string]bool, len(s.Local.Interfaces)),
		networks:    map[string]*network{},
	}
	if v.host == "" {
		v.host = in.Host.Name
	}
	if v.stretched() {
		v.indexRows()
		v.indexNetworks()
		v.ambiguous()
		return v
	}
	if v.chassis == "" {
		v.note("no-chassis-name", "Open_vSwitch external_ids:system-id",
			"the switch has no system-id, so nobody can say which gateways this node hosts", noChassisFix)
	}
	for _, i := range s.Local.Interfaces {
		v.interfaces[i] = true
	}
	v.indexRows()
	v.indexBalancers()
	v.mapBridges()
	v.indexNetworks()
	v.numberTables()
	v.ambiguous()
	if v.exposesTenants() {
		v.indexTenants()
	}
	return v
}

func (v *view) indexRows() {
	s := &v.in.OVN
	for _, ls := range s.Switches {
		v.switches[ls.Name] = ls
	}
	for _, p := range s.Ports {
		v.ports[p.Name] = p
	}
	for _, r := range s.Routers {
		v.routers[r.Name] = r
	}
	for _, g := range s.HAGroups {
		v.groups[g.Name] = g
	}
	for _, rp := range s.RouterPorts {
		v.routerPorts[rp.Name] = rp
		if rp.Gateway {
			v.gateways[rp.Router] = append(v.gateways[rp.Router], rp)
		}
		if rp.Switch != "" {
			v.onSwitch[rp.Switch] = append(v.onSwitch[rp.Switch], rp)
		}
	}
	for _, r := range s.StaticRoutes {
		if r.Prefix.IsValid() && r.Prefix.Addr().Is6() && r.Prefix.Bits() == 0 && r.NextHop.IsValid() {
			v.defaults[r.Router] = append(v.defaults[r.Router], r.NextHop)
		}
	}
	for _, o := range s.DHCPOptions {
		if o.CIDR.IsValid() {
			v.dhcp[o.Network] = append(v.dhcp[o.Network], o)
		}
	}
	for _, list := range v.gateways {
		sortByName(list)
	}
	for _, list := range v.onSwitch {
		sortByName(list)
	}
}

// networkName is what a person would call the logical switch.
func (v *view) networkName(ls string) string {
	if row := v.switches[ls]; row != nil && row.NetworkName != "" {
		return printable(row.NetworkName)
	}
	return ls
}

// portName is what a person would call the port, and its name in OVN, which is how it is found.
func (v *view) portName(port string) string {
	row := v.ports[port]
	if row == nil || row.PortName == "" || row.PortName == port {
		return port
	}
	return printable(row.PortName) + " (" + port + ")"
}

// printable is text that a tenant may have written, without what a terminal could take for an order.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// routerName is what a person would call the router.
func (v *view) routerName(router string) string {
	if row := v.routers[router]; row != nil && row.RouterName != "" {
		return printable(row.RouterName)
	}
	return router
}

func (v *view) routerDisabled(router string) bool {
	row := v.routers[router]
	return row != nil && row.Disabled
}

// key is the announcement key of one address.
func (v *view) key(a netip.Addr) string { return model.Key(v.c.VRF, hostPrefix(a)) }

// hostPrefix is the address as a prefix of full length.
func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
