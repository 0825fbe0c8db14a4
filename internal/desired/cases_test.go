package desired

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// rows is a snapshot as the test cases write it, one row a line: "port vm1 switch=neutron-ext1 up=true".
//
// A line changes the attributes it names and leaves the others; "-port vm1" takes the row away. So a later snapshot
// of a list says only what is different. A value with spaces is written with commas.
type rows map[string]attributes

type attributes map[string]string

func (r rows) apply(t *testing.T, text string) rows {
	t.Helper()
	next := rows{}
	for k, v := range r {
		next[k] = maps.Clone(v)
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 2 {
			t.Fatalf("a row needs a kind and a name: %q", line)
		}
		if kind, gone := strings.CutPrefix(fields[0], "-"); gone {
			if _, there := next[kind+" "+fields[1]]; !there {
				t.Fatalf("%q takes away what is not there", line)
			}
			delete(next, kind+" "+fields[1])
			continue
		}
		key := fields[0] + " " + fields[1]
		if next[key] == nil {
			next[key] = attributes{}
		}
		for _, f := range fields[2:] {
			name, value, ok := strings.Cut(f, "=")
			if !ok {
				t.Fatalf("%q is not name=value in %q", f, line)
			}
			next[key][name] = value
		}
	}
	return next
}

// reader takes the attributes of one row, and complains of those nobody asked for.
type reader struct {
	t    *testing.T
	row  string
	a    attributes
	used map[string]bool
}

func (r reader) str(name string) string {
	r.used[name] = true
	return r.a[name]
}

func (r reader) flag(name string) bool { return r.str(name) == "true" }

func (r reader) maybe(name string) *bool {
	switch r.str(name) {
	case "true", "false":
		b := r.a[name] == "true"
		return &b
	}
	return nil
}

func (r reader) num(name string) int {
	if r.str(name) == "" {
		return 0
	}
	n, err := strconv.Atoi(r.a[name])
	if err != nil {
		r.t.Fatalf("%s: %v", r.row, err)
	}
	return n
}

func (r reader) list(name string) []string {
	if r.str(name) == "" {
		return nil
	}
	return strings.Split(r.a[name], ",")
}

func (r reader) addr(name string) netip.Addr {
	if r.str(name) == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(r.a[name])
}

func (r reader) addrs(name string) (list []netip.Addr) {
	for _, s := range r.list(name) {
		list = append(list, netip.MustParseAddr(s))
	}
	return list
}

func (r reader) prefix(name string) netip.Prefix {
	if r.str(name) == "" {
		return netip.Prefix{}
	}
	return netip.MustParsePrefix(r.a[name])
}

func (r reader) prefixes(name string) (list []netip.Prefix) {
	for _, s := range r.list(name) {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

func (r reader) tables(name string) (list []model.RTTable) {
	for _, s := range r.list(name) {
		id, bridge, _ := strings.Cut(s, ":")
		list = append(list, model.RTTable{ID: r.id(id), Name: bridge})
	}
	return list
}

func (r reader) ids(name string) (list []uint32) {
	for _, s := range r.list(name) {
		list = append(list, r.id(s))
	}
	return list
}

func (r reader) id(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		r.t.Fatalf("%s: %v", r.row, err)
	}
	return uint32(n)
}

// labels reads "labels=owner:red,zone:a", external_ids; the words of a tag list have + between. A key without a value is
// one with an empty value.
func (r reader) labels(name string) map[string]string {
	var labels map[string]string
	for _, item := range r.list(name) {
		if labels == nil {
			labels = map[string]string{}
		}
		key, value, _ := strings.Cut(item, ":")
		labels[key] = strings.ReplaceAll(value, "+", ",")
	}
	return labels
}

// fault reads "fault=column:value".
func (r reader) fault(table, uuid string) []ovn.Fault {
	column, value, ok := strings.Cut(r.str("fault"), ":")
	if !ok {
		return nil
	}
	return []ovn.Fault{{Table: table, Row: uuid, Column: column, Value: value, Reason: "not an address"}}
}

// cutRow splits "port vm1".
func cutRow(key string) (kind, name string, ok bool) { return strings.Cut(key, " ") }

// input makes the Input that the rows describe, sorted as the sources sort.
func (r rows) input(t *testing.T) Input {
	t.Helper()
	var in Input
	for _, key := range slices.Sorted(maps.Keys(r)) {
		kind, name, _ := cutRow(key)
		if kind == "option" {
			continue // of the settings: see config
		}
		rd := reader{t: t, row: key, a: r[key], used: map[string]bool{}}
		switch {
		case kind == "config": // see settings
			continue
		case addHere(&in, kind, name, rd), addSwitching(&in.OVN, kind, name, rd), addRouting(&in.OVN, kind, name, rd):
		default:
			t.Fatalf("unknown kind of row %q", key)
		}
		for a := range r[key] {
			if !rd.used[a] {
				t.Fatalf("row %q has no attribute %q", key, a)
			}
		}
	}
	return in
}

func addHere(in *Input, kind, name string, r reader) bool {
	local := &in.OVN.Local
	switch kind {
	case "cloud":
		in.OVN.Database = name
		in.OVN.DistributedFIPs = r.maybe("distributed")
		in.OVN.Absent = r.list("absent")
		in.OVN.Bindings = r.flag("bindings")
		if in.OVN.Bindings {
			in.OVN.Tables = map[string]string{"Logical_Switch_Port": "Port_Binding", "Logical_Router_Port": "Port_Binding",
				"NAT": "Port_Binding"}
		}
	case "host":
		in.Host = model.Host{Name: name, Addresses: in.Host.Addresses, RTTables: r.tables("rt_tables"), Tables: r.ids("tables"),
			OwnTables: r.ids("own"), BridgeTables: r.tables("found")}
	case "chassis":
		local.SystemID, local.Hostname = strings.TrimPrefix(name, "-"), r.str("hostname") // "-" is none
	case "mapping":
		index, err := strconv.Atoi(name)
		if err != nil {
			r.t.Fatal(err)
		}
		local.Mappings = append(local.Mappings, ovn.Mapping{Index: index, PhysicalNetwork: r.str("physnet"),
			Bridge: r.str("bridge")})
	case "bridge":
		b := ovn.Bridge{Name: name, MAC: r.str("mac")}
		for _, p := range r.list("ports") {
			port, number, _ := strings.Cut(p, ":")
			ofport, _ := strconv.Atoi(number)
			b.Ports = append(b.Ports, ovn.OVSPort{Name: port, Type: "patch", OFPort: ofport})
		}
		local.Bridges = append(local.Bridges, b)
	case "address": // of the host itself
		in.Host.Addresses = append(in.Host.Addresses, model.HostAddress{Address: netip.MustParseAddr(name),
			Device: r.str("device"), Health: model.Health(r.str("health")), Text: r.str("text")})
	case "interface":
		local.Interfaces = append(local.Interfaces, name)
	default:
		return false
	}
	return true
}

func addSwitching(s *ovn.Snapshot, kind, name string, r reader) bool {
	uuid := "uuid-" + name
	switch kind {
	case "switch":
		s.Switches = append(s.Switches, &ovn.LogicalSwitch{UUID: uuid, Name: name, NetworkName: r.str("name"),
			Labels: r.labels("labels")})
	case "localnet":
		s.Ports = append(s.Ports, &ovn.LogicalSwitchPort{UUID: uuid, Name: name, Switch: r.str("switch"),
			Type: ovn.PortLocalnet, PhysicalNetwork: r.str("physnet"), Tag: r.num("tag")})
	case "port":
		s.Ports = append(s.Ports, &ovn.LogicalSwitchPort{UUID: uuid, Name: name, Switch: r.str("switch"),
			Type: ovn.PortType(r.str("type")), Up: r.maybe("up"), Disabled: r.flag("disabled"), MAC: r.str("mac"),
			Addresses: r.addrs("ips"), CIDRs: r.prefixes("cidrs"), RequestedChassis: r.list("requested"),
			PortName: r.str("called"), HostID: r.str("host_id"), ParentHost: r.str("parent_host"), ParentName: r.str("parent"),
			VirtualParents: r.list("virtual_parents"), HAGroup: r.str("group"), Chassis: r.str("chassis"),
			DeviceOwner: r.str("owner"), DeviceID: r.str("device"), RouterPort: r.str("router_port"),
			ScopeV4: r.str("scope4"), ScopeV6: r.str("scope6"),
			Labels: r.labels("labels"), Faults: r.fault("Logical_Switch_Port", uuid)})
	case "dhcp":
		s.DHCPOptions = append(s.DHCPOptions, &ovn.DHCPOptions{UUID: uuid, Network: r.str("network"),
			CIDR: r.prefix("cidr"), Router: r.addr("router")})
	default:
		return false
	}
	return true
}

func addRouting(s *ovn.Snapshot, kind, name string, r reader) bool {
	uuid := "uuid-" + name
	switch kind {
	case "router":
		s.Routers = append(s.Routers, &ovn.LogicalRouter{UUID: uuid, Name: name, RouterName: r.str("name"),
			Disabled: r.flag("disabled"), Labels: r.labels("labels")})
	case "gateway", "interface-port":
		s.RouterPorts = append(s.RouterPorts, &ovn.LogicalRouterPort{UUID: uuid, Name: name, Router: r.str("router"),
			Switch: r.str("switch"), MAC: r.str("mac"), Networks: r.prefixes("networks"), Gateway: kind == "gateway",
			HAGroup: r.str("group"), HostingChassis: r.str("hosting"), Faults: r.fault("Logical_Router_Port", uuid)})
	case "nat", "snat":
		kinds := map[string]ovn.NATType{"nat": ovn.DNATAndSNAT, "snat": ovn.SNAT}
		s.NATs = append(s.NATs, &ovn.NAT{UUID: uuid, Type: kinds[kind], Router: r.str("router"),
			ExternalIP: r.addr("external"), LogicalIP: r.prefix("logical"), ExternalMAC: r.str("mac"),
			LogicalPort: r.str("port"), FIPPort: r.str("fip_port"), GatewayPort: r.str("gateway"), Network: r.str("network"),
			Labels: r.labels("labels"), Faults: r.fault("NAT", uuid)})
	case "lb": // "web/udp" is another row of the name web
		base, _, _ := strings.Cut(name, "/")
		s.Balancers = append(s.Balancers, &ovn.LoadBalancer{UUID: uuid, Name: base, VIPs: r.addrs("vips"),
			VIP: r.addr("vip"), VIPFIP: r.addr("vip_fip"), VIPPort: r.str("vip_port"), Router: r.str("router"),
			Protocol: r.str("protocol"), Routers: r.list("at"), AdditionalVIPs: r.addrs("additional"),
			Disabled: r.flag("disabled"), Labels: r.labels("labels")})
	case "route":
		s.StaticRoutes = append(s.StaticRoutes, &ovn.StaticRoute{UUID: uuid, Router: r.str("router"),
			Prefix: r.prefix("prefix"), NextHop: r.addr("via")})
	case "group":
		g := &ovn.HAChassisGroup{UUID: uuid, Name: name}
		for i, c := range r.list("chassis") {
			g.Chassis = append(g.Chassis, ovn.HAChassis{Name: c, Priority: 100 - i})
		}
		s.HAGroups = append(s.HAGroups, g)
	default:
		return false
	}
	return true
}

// defaults are the settings of a node that has set none.
func defaults() config.Node {
	return config.Node{Driver: config.DriverNB, Method: config.MethodUnderlay, AS: 64999, VRF: "bgp-vrf", VRFTable: 10,
		NIC: "bgp-nic", TenantMethod: config.TenantHost}
}

// settings are the defaults with what the row "config node" says of tenant networks.
func (r rows) settings(t *testing.T) config.Node {
	c := defaults()
	if a, ok := r["config node"]; ok {
		rd := reader{t: t, row: "config node", a: a, used: map[string]bool{}}
		c.ExposeTenantNetworks, c.ExposeGUAOnly = rd.flag("expose"), rd.flag("gua")
		c.RequireSNATDisabled, c.AddressScopes = rd.flag("require_no_snat"), rd.list("scopes")
		if driver := rd.str("driver"); driver != "" {
			c.Driver = config.Driver(driver)
		}
		if method := rd.str("method"); method != "" {
			c.TenantMethod = config.TenantMethod(method)
		}
		for _, h := range rd.list("hosts") { // name=address, with a plus before the address that has a check
			name, text, _ := strings.Cut(h, "=")
			text, checked := strings.CutPrefix(text, "+")
			address := config.HostAddress{Name: name, Address: netip.MustParseAddr(text)}
			if checked {
				address.Check.TCP = "127.0.0.1:80"
			}
			c.HostAddresses = append(c.HostAddresses, address)
		}
		if with := rd.str("announce"); with != "" {
			c.BGP.AnnounceWith = config.AnnounceWith(with)
		}
		for name := range a {
			if !rd.used[name] {
				t.Fatalf("row config has no attribute %q", name)
			}
		}
	}
	return c
}

// describe prints all that Node says. The goldens named serves… have in them which keys each object serves.
func describe(in Input, c config.Node, withServes bool) string {
	n, decisions := Node(in, c)
	return stateText(n, withServes) + decisionText(decisions)
}
