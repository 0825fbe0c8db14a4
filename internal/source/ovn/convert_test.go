package ovn_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

func equalAddresses() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}) }

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, equalAddresses()); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

func step(t *testing.T, name string) ovn.Snapshot {
	t.Helper()
	s, err := neutron.Snapshot(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pick[T any](t *testing.T, list []*T, is func(*T) bool) *T {
	t.Helper()
	for _, x := range list {
		if is(x) {
			return x
		}
	}
	t.Fatalf("no such %T among %d", *new(T), len(list))
	return nil
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// What the rows of each noun come to, in a cloud that has all of them. Expectations are read off the rows by hand.
func TestFullCloud(t *testing.T) {
	s := step(t, "full-cloud")
	diff(t, "fip-distributed", ptr(true), s.DistributedFIPs)
	public, router := "neutron-3a626c4e-be0f-4d79-bb56-6c77a01a18cf", "neutron-fea3f9e1-c021-407e-8bda-e5e1a30de198"
	tenant := "neutron-ae610c55-f74a-42f0-9210-ed42e094e0cf"
	diff(t, "switch", &ovn.LogicalSwitch{UUID: strings.TrimPrefix(public, "neutron-"), Name: public, NetworkName: "public"},
		pick(t, s.Switches, func(x *ovn.LogicalSwitch) bool { return x.Name == public }))
	diff(t, "router", []*ovn.LogicalRouter{{UUID: "c6ff6e31-6b10-4e40-ab00-ead476ea8f49", Name: router, RouterName: "router1"}},
		s.Routers)
	diff(t, "gateway", &ovn.LogicalRouterPort{UUID: "085ac00e-e612-41e2-bd10-da2bd709e93d",
		Name: "lrp-d169c69e-3315-468a-af82-ebcdb1eec57b", Router: router, Switch: public, MAC: "fa:16:3e:f6:17:42",
		Networks: prefixes("2001:db8:f::361/64", "203.0.113.64/24"), Gateway: true, HAGroup: router, HostingChassis: "gw1"},
		pick(t, s.RouterPorts, func(x *ovn.LogicalRouterPort) bool { return x.Gateway }))
	diff(t, "interface", &ovn.LogicalRouterPort{UUID: "e3788c35-b077-4576-b011-b5d10813a079",
		Name: "lrp-7df99072-0edb-4cd0-9d4e-40e21fb75af7", Router: router, Switch: tenant, MAC: "fa:16:3e:37:22:9b",
		Networks: prefixes("10.0.0.1/24")},
		pick(t, s.RouterPorts, func(x *ovn.LogicalRouterPort) bool { return x.MAC == "fa:16:3e:37:22:9b" }))
	diff(t, "static routes", []*ovn.StaticRoute{
		{UUID: "2932b0a5-3ab7-4bc8-8691-5f97127cafef", Router: router, Prefix: netip.MustParsePrefix("::/0"), NextHop: addr("2001:db8:f::1")},
		{UUID: "41c83f7f-4ae1-4776-aa6b-74bb9cfec0f3", Router: router, Prefix: netip.MustParsePrefix("0.0.0.0/0"), NextHop: addr("203.0.113.1")},
	}, s.StaticRoutes)
	diff(t, "DHCP", &ovn.DHCPOptions{UUID: "02447b1a-36e1-43c1-9fcb-25a4c7d9ea7a", Network: tenant,
		CIDR: netip.MustParsePrefix("10.0.0.0/24"), Router: addr("10.0.0.1")}, s.DHCPOptions[0])
	diff(t, "group", &ovn.HAChassisGroup{UUID: "78a5c13c-7990-413e-807d-860d6b687dcc", Name: router,
		Chassis: []ovn.HAChassis{{Name: "gw1", Priority: 2}, {Name: "gw2", Priority: 1}}},
		pick(t, s.HAGroups, func(x *ovn.HAChassisGroup) bool { return x.Name == router }))
	for _, nat := range s.NATs {
		if nat.Type != ovn.DNATAndSNAT {
			diff(t, "snat", netip.MustParsePrefix("0.0.0.0/0"), nat.LogicalIP)
			continue
		}
		port := pick(t, s.Ports, func(x *ovn.LogicalSwitchPort) bool { return x.Name == nat.LogicalPort })
		if nat.Network != public || nat.Router != router || nat.ExternalMAC == "" || nat.LogicalIP.Bits() != 32 ||
			nat.GatewayPort != "lrp-d169c69e-3315-468a-af82-ebcdb1eec57b" || port.PortFIP != nat.ExternalIP {
			t.Errorf("floating IP %+v of port %+v", nat, port)
		}
	}
}

func TestPorts(t *testing.T) {
	vm := func(name string) func(*ovn.LogicalSwitchPort) bool {
		return func(x *ovn.LogicalSwitchPort) bool { return strings.HasPrefix(x.DeviceOwner, name) && x.Name != "" }
	}
	d4 := pick(t, step(t, "d4-vm-up").Ports, vm("compute:"))
	diff(t, "addresses", []netip.Addr{addr("192.168.100.223"), addr("2001:db8:100:0:f816:3eff:fec4:5729")}, d4.Addresses)
	diff(t, "hosts", []string{"compute1", "compute1"}, append(d4.RequestedChassis, d4.HostID))
	diff(t, "up", ptr(true), d4.Up)
	diff(t, "name a person gave", "vm1", d4.PortName)
	localnet := pick(t, step(t, "c3-segmentation-changed").Ports, func(x *ovn.LogicalSwitchPort) bool { return x.Tag != 0 })
	if localnet.Type != ovn.PortLocalnet || localnet.Tag != 150 || localnet.PhysicalNetwork != "physnet1" {
		t.Errorf("localnet port %+v", localnet)
	}
	// Port security off on a network without DHCP: the addresses are in neutron:cidrs alone.
	n4 := pick(t, step(t, "n4-provider-port-security-off").Ports, vm("compute:"))
	if n4.MAC != "" || len(n4.Addresses) == 0 || len(n4.Addresses) != len(n4.CIDRs) {
		t.Errorf("port of unknown addresses %+v", n4)
	}
	sub := pick(t, step(t, "l3-up").Ports, func(x *ovn.LogicalSwitchPort) bool { return x.DeviceOwner == "trunk:subport" })
	if sub.ParentName == "" || len(sub.RequestedChassis) > 0 || sub.Tag != 0 {
		t.Errorf("subport %+v", sub)
	}
	gateway := pick(t, step(t, "full-cloud").Ports, vm("network:router_gateway"))
	if len(gateway.Addresses) > 0 || gateway.RouterPort == "" || gateway.Type != ovn.PortRouter {
		t.Errorf("gateway's port %+v", gateway)
	}
}

func TestBalancers(t *testing.T) {
	for _, lb := range step(t, "p6-udp-listener").Balancers {
		if !lb.VIP.IsValid() || lb.VIPPort == "" || !strings.HasPrefix(lb.Router, "neutron-") || lb.Disabled {
			t.Errorf("load balancer %+v", lb)
		}
		want := map[string][]netip.Addr{"tcp": {lb.VIP, lb.VIPFIP}} // udp has no member yet
		diff(t, "vips of "+lb.Protocol, want[lb.Protocol], lb.VIPs)
		diff(t, "routers of "+lb.Protocol, []string{lb.Router}, lb.Routers)
		diff(t, "switches of "+lb.Protocol, []string{"neutron-8c0fd46e-8cc7-4016-9964-47461fe2e719"}, lb.Switches)
	}
	for _, lb := range step(t, "p8-lb-disabled").Balancers {
		if !lb.Disabled || lb.VIPs != nil || !lb.VIPFIP.IsValid() {
			t.Errorf("disabled load balancer %+v", lb)
		}
	}
	with := func(vip string) func(*ovn.LoadBalancer) bool {
		return func(lb *ovn.LoadBalancer) bool { return lb.VIP == addr(vip) }
	}
	p13 := step(t, "p13-dual-stack-vip").Balancers
	if lb := pick(t, p13, with("203.0.113.195")); lb.Routers != nil || lb.Switches != nil || len(lb.VIPs) != 1 {
		t.Errorf("load balancer that is attached to nothing %+v", lb)
	}
	diff(t, "additional VIPs", []netip.Addr{addr("2001:db8:f::197")}, pick(t, p13, with("203.0.113.197")).AdditionalVIPs)
}

// Routers and switches have load balancers by themselves or by a group, and each of it may change alone.
func TestBalancerAttachments(t *testing.T) {
	const both = `"load_balancer":["uuid","%lb"],"load_balancer_group":["uuid","%group"]`
	ids := strings.NewReplacer("%lb", uuid(1), "%group", uuid(9), "%other", uuid(2))
	tables := nb.New()
	converter := source.NewNorthbound(tables)
	for _, tt := range []struct {
		name, router, tenant, group string
		want                        string // what each row is attached to: routers, then switches
	}{
		{"nothing", ``, ``, ``, ":/:"},
		{"by itself", `"load_balancer":["uuid","%lb"]`, ``, ``, "r:/:"},
		{"the group is empty", both, both, ``, "r:s/:"},
		{"the group has another", both, both, `"load_balancer":["uuid","%other"]`, "r:s/r:s"},
		{"and both", both, both, `"load_balancer":["set",[["uuid","%lb"],["uuid","%other"]]]`, "r:s/r:s"},
		{"by the group alone", ``, `"load_balancer_group":["uuid","%group"]`, `"load_balancer":["uuid","%lb"]`, ":s/:"},
		{"the group is empty again", both, `"load_balancer_group":["uuid","%group"]`, ``, "r:/:"},
	} {
		row := func(name, columns string) map[string]any {
			if columns = ids.Replace(columns); columns != "" {
				columns = "," + columns
			}
			return map[string]any{"initial": json.RawMessage(`{"name":"` + name + `"` + columns + `}`)}
		}
		text, err := json.Marshal(map[string]map[string]any{
			"Load_Balancer":       {uuid(1): row("a", ""), uuid(2): row("b", "")},
			"Logical_Router":      {uuid(3): row("r", tt.router)},
			"Logical_Switch":      {uuid(4): row("s", tt.tenant)},
			"Load_Balancer_Group": {uuid(9): row("g", tt.group)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := ovsdb.Load(tables, strings.NewReader(string(text))); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, lb := range converter.Update(ovsdb.UUID{}, nil).Balancers {
			got = append(got, strings.Join(lb.Routers, ",")+":"+strings.Join(lb.Switches, ","))
		}
		diff(t, tt.name, tt.want, strings.Join(got, "/"))
	}
	// A router that is called anew, one more, and one that is gone.
	for name, want := range map[string]string{
		`{"` + uuid(3) + `":{"initial":{"name":"q","load_balancer":["uuid","` + uuid(1) + `"]}}}`: "q",
		`{"` + uuid(3) + `":{"initial":{"name":"q","load_balancer":["uuid","` + uuid(1) + `"]}},"` +
			uuid(5) + `":{"initial":{"name":"p","load_balancer":["uuid","` + uuid(1) + `"]}}}`: "p,q",
		`{}`: "",
	} {
		text := `{"Load_Balancer":{"` + uuid(1) + `":{"initial":{"name":"a"}}},"Logical_Router":` + name + `}`
		if err := ovsdb.Load(tables, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		diff(t, name, want, strings.Join(converter.Update(ovsdb.UUID{}, nil).Balancers[0].Routers, ","))
	}
}

// numbered makes contents of tables out of rows in OVSDB's notation.
func numbered(t *testing.T, contents map[string][]string) string {
	t.Helper()
	all := map[string]map[string]any{}
	for table, rows := range contents {
		all[table] = map[string]any{}
		for i, row := range rows {
			all[table][uuid(i)] = map[string]any{"initial": json.RawMessage(row)}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// convert converts numbered rows of the Northbound database.
func convert(t *testing.T, contents map[string][]string) ovn.Snapshot {
	t.Helper()
	tables := nb.New()
	converter := source.NewNorthbound(tables)
	if err := ovsdb.Load(tables, strings.NewReader(numbered(t, contents))); err != nil {
		t.Fatal(err)
	}
	return converter.Update(ovsdb.UUID{}, nil)
}

func uuid(i int) string { return ovsdb.UUID{15: byte(i)}.String() }

// Of external_ids a snapshot keeps what was selected, of each labelled row; other keys are read from the rows that are
// held, and rows without them stay shared.
func TestLabels(t *testing.T) {
	tables := nb.New()
	rows := map[string]map[string]any{}
	ids := json.RawMessage(`{"initial": {"name": "x", "external_ids": ["map", [["a", "1"], ["b", "2"], ["c", "3"]]]}}`)
	for _, table := range []string{"Logical_Switch", "Logical_Switch_Port", "Logical_Router", "NAT", "Load_Balancer"} {
		row := ids
		if table == "NAT" { // it has no name
			row = json.RawMessage(strings.Replace(string(ids), `"name": "x", `, "", 1))
		}
		rows[table] = map[string]any{uuid(1): row, uuid(2): map[string]any{"initial": map[string]any{}}}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	converter := source.NewNorthbound(tables)
	if err := ovsdb.Load(tables, strings.NewReader(string(text))); err != nil {
		t.Fatal(err)
	}
	labels := func(s ovn.Snapshot) map[string]map[string]string {
		is := func(id string) bool { return id == uuid(1) }
		return map[string]map[string]string{
			"switch": pick(t, s.Switches, func(x *ovn.LogicalSwitch) bool { return is(x.UUID) }).Labels,
			"port":   pick(t, s.Ports, func(x *ovn.LogicalSwitchPort) bool { return is(x.UUID) }).Labels,
			"router": pick(t, s.Routers, func(x *ovn.LogicalRouter) bool { return is(x.UUID) }).Labels,
			"NAT":    pick(t, s.NATs, func(x *ovn.NAT) bool { return is(x.UUID) }).Labels,
			"lb":     pick(t, s.Balancers, func(x *ovn.LoadBalancer) bool { return is(x.UUID) }).Labels,
		}
	}
	var before ovn.Snapshot
	for _, tt := range []struct {
		keys []string
		want map[string]string
	}{{nil, nil}, {[]string{"a", "z"}, map[string]string{"a": "1"}}, {[]string{"b", "c"}, map[string]string{"b": "2", "c": "3"}}, {nil, nil}} {
		converter.SelectLabels(tt.keys)
		s := converter.Update(ovsdb.UUID{}, nil)
		for table, got := range labels(s) {
			diff(t, fmt.Sprintf("%s for %v", table, tt.keys), tt.want, got)
		}
		if before.Ports != nil && before.Ports[0] != s.Ports[0] {
			t.Errorf("for %v a row without labels was made anew", tt.keys)
		}
		before = s
	}
}

// A value that cannot be understood costs itself alone, and is a fault that names its place.
func TestFaults(t *testing.T) {
	s := convert(t, map[string][]string{
		"Logical_Switch_Port": {
			`{"name":"a","addresses":["set",["fa:16:3e:00:00:01 10.0.0.1 10.0.0.300","fa:16:3e:0 10.0.0.2","fa:16:3e:00:00:03 10.0.0.3"]],
			  "external_ids":["map",[["neutron:cidrs","10.0.0.1/33 10.0.0.1/24"],["neutron:port_fip","x"]]]}`,
			`{"name":"b","addresses":"fa:16:3e:zz:00:01 10.0.0.1"}`,
		},
		"Logical_Router_Port": {`{"name":"c","mac":"","networks":["set",["10.0.0.1","10.0.0.1/24"]]}`},
		"NAT":                 {`{"type":"dnat_and_snat","external_ip":"fe80::1%eth0","logical_ip":"10.0.0.0/99","external_mac":"01:02"}`},
		"Load_Balancer":       {`{"name":"d","vips":["map",[["[2001:db8::1]:80","x"],["192.0.2.1:80","y"],["192.0.2.1:81","y"],["192.0.2.2","z"],["no:80","z"]]]}`},
		"Logical_Router_Static_Route": {`{"ip_prefix":"10.0.0.0","nexthop":"discard"}`, `{"ip_prefix":"::/0","nexthop":"2001"}`,
			`{"ip_prefix":"10.0.0.0/8","nexthop":"10.0.0.1","policy":"src-ip"}`},
		"DHCP_Options": {`{"cidr":"10.0.0.0/24x","options":["map",[["router","?"]]]}`},
	})
	fault := func(table string, row int, column, value, reason string) ovn.Fault {
		return ovn.Fault{Table: table, Row: uuid(row), Column: column, Value: value, Reason: reason}
	}
	const address, mac, prefix = "not an IP address", "not an Ethernet address", "not an IP address and prefix length"
	diff(t, "ports", []*ovn.LogicalSwitchPort{
		{UUID: uuid(0), Name: "a", MAC: "fa:16:3e:00:00:01", Addresses: []netip.Addr{addr("10.0.0.1")}, CIDRs: prefixes("10.0.0.1/24"),
			Faults: []ovn.Fault{fault("Logical_Switch_Port", 0, "external_ids:neutron:port_fip", "x", address),
				fault("Logical_Switch_Port", 0, "external_ids:neutron:cidrs", "10.0.0.1/33", prefix),
				fault("Logical_Switch_Port", 0, "addresses", "fa:16:3e:0", mac),
				fault("Logical_Switch_Port", 0, "addresses", "10.0.0.300", address)}},
		{UUID: uuid(1), Name: "b", Faults: []ovn.Fault{fault("Logical_Switch_Port", 1, "addresses", "fa:16:3e:zz:00:01", mac)}},
	}, s.Ports)
	diff(t, "router port", []*ovn.LogicalRouterPort{{UUID: uuid(0), Name: "c", Networks: prefixes("10.0.0.1/24"),
		Faults: []ovn.Fault{fault("Logical_Router_Port", 0, "networks", "10.0.0.1", prefix)}}}, s.RouterPorts)
	diff(t, "NAT", []*ovn.NAT{{UUID: uuid(0), Type: ovn.DNATAndSNAT, Faults: []ovn.Fault{
		fault("NAT", 0, "external_ip", "fe80::1%eth0", address), fault("NAT", 0, "logical_ip", "10.0.0.0/99", prefix),
		fault("NAT", 0, "external_mac", "01:02", mac)}}}, s.NATs)
	diff(t, "load balancer", []*ovn.LoadBalancer{{UUID: uuid(0), Name: "d",
		VIPs:   []netip.Addr{addr("192.0.2.1"), addr("192.0.2.2"), addr("2001:db8::1")},
		Faults: []ovn.Fault{fault("Load_Balancer", 0, "vips", "no:80", address)}}}, s.Balancers)
	diff(t, "routes", []*ovn.StaticRoute{{UUID: uuid(0), Prefix: netip.MustParsePrefix("10.0.0.0/32")},
		{UUID: uuid(1), Prefix: netip.MustParsePrefix("::/0"),
			Faults: []ovn.Fault{fault("Logical_Router_Static_Route", 1, "nexthop", "2001", address)}}}, s.StaticRoutes)
	diff(t, "DHCP", []*ovn.DHCPOptions{{UUID: uuid(0), Faults: []ovn.Fault{fault("DHCP_Options", 0, "cidr", "10.0.0.0/24x", prefix),
		fault("DHCP_Options", 0, "options:router", "?", address)}}}, s.DHCPOptions)
}

// The forms that the column addresses has.
func TestAddresses(t *testing.T) {
	tests := []struct{ row, mac, addresses string }{
		{`"addresses":"router"`, "", ""},
		{`"addresses":"unknown"`, "", "10.0.0.9"},
		{`"addresses":["set",["FA:16:3E:00:00:01 10.0.0.1 2001:db8::1","unknown"]]`, "fa:16:3e:00:00:01", "10.0.0.1 2001:db8::1"},
		{`"addresses":["set",["fa:16:3e:00:00:01","fa:16:3e:00:00:02 10.0.0.1"]]`, "fa:16:3e:00:00:02", "10.0.0.1"},
		{`"addresses":["set",["fa:16:3e:00:00:01 10.0.0.1","fa:16:3e:00:00:02 10.0.0.2"]]`, "fa:16:3e:00:00:01", "10.0.0.1"},
		{`"addresses":"fa:16:3e:00:00:01"`, "fa:16:3e:00:00:01", ""},
		{`"addresses":"dynamic","dynamic_addresses":"fa:16:3e:00:00:01 10.0.0.5"`, "fa:16:3e:00:00:01", "10.0.0.5"},
		{`"addresses":"fa:16:3e:00:00:01 dynamic","dynamic_addresses":"fa:16:3e:00:00:01 10.0.0.5"`, "fa:16:3e:00:00:01", "10.0.0.5"},
		{`"addresses":["set",[]]`, "", ""},
	}
	for _, test := range tests {
		s := convert(t, map[string][]string{"Logical_Switch_Port": {
			`{"name":"p","external_ids":["map",[["neutron:cidrs","10.0.0.9/24"]]],` + test.row + `}`}})
		var list []string
		for _, a := range s.Ports[0].Addresses {
			list = append(list, a.String())
		}
		if got := s.Ports[0]; got.MAC != test.mac || strings.Join(list, " ") != test.addresses || got.Faults != nil {
			t.Errorf("%s: %+v", test.row, got)
		}
	}
}
