package ovn_test

import (
	"net/netip"
	"strings"
	"testing"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

func southboundStep(t *testing.T, name string) ovn.Snapshot {
	t.Helper()
	all, err := neutron.Southbound()
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range all {
		for _, step := range scenario.Steps {
			if step.Name != name {
				continue
			}
			s, err := step.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	t.Fatalf("there is no step %s", name)
	return ovn.Snapshot{}
}

// The nouns that rows of one cloud come to are the same from both databases, as far as both know them.
func TestSouthboundFullCloud(t *testing.T) {
	s := southboundStep(t, "full-cloud")
	nb := step(t, "full-cloud")
	if !s.Bindings || s.DistributedFIPs != nil || s.Database != "11739b1c-99ad-4126-9c87-f0bbab0c511e" {
		t.Errorf("bindings %v, distributed %v, database %s", s.Bindings, s.DistributedFIPs, s.Database)
	}
	diff(t, "switches", nb.Switches, s.Switches)
	diff(t, "routers", nb.Routers, s.Routers)
	public, router := "neutron-3a626c4e-be0f-4d79-bb56-6c77a01a18cf", "neutron-fea3f9e1-c021-407e-8bda-e5e1a30de198"
	tenant := "neutron-ae610c55-f74a-42f0-9210-ed42e094e0cf"
	diff(t, "gateway", &ovn.LogicalRouterPort{UUID: "ea811a7c-681f-42c4-ace6-7ab7fc874c17",
		Name: "lrp-d169c69e-3315-468a-af82-ebcdb1eec57b", Router: router, Switch: public, MAC: "fa:16:3e:f6:17:42",
		Networks: prefixes("203.0.113.64/24", "2001:db8:f::361/64"), Gateway: true, HAGroup: router, HostingChassis: "gw1"},
		pick(t, s.RouterPorts, func(x *ovn.LogicalRouterPort) bool { return x.Gateway }))
	diff(t, "interface", &ovn.LogicalRouterPort{UUID: "998b2398-6236-4106-8440-d4b772e6c7d5",
		Name: "lrp-7df99072-0edb-4cd0-9d4e-40e21fb75af7", Router: router, Switch: tenant, MAC: "fa:16:3e:37:22:9b",
		Networks: prefixes("10.0.0.1/24")},
		pick(t, s.RouterPorts, func(x *ovn.LogicalRouterPort) bool { return x.MAC == "fa:16:3e:37:22:9b" }))
	diff(t, "group", &ovn.HAChassisGroup{UUID: "7c77171a-859d-4f42-84a6-8d873f32df3f", Name: router,
		Chassis: []ovn.HAChassis{{Name: "gw1", Priority: 2}, {Name: "gw2", Priority: 1}}}, s.HAGroups[0])
	const pb, gateway = "164b6b72-37a2-4b3e-bb37-4323691c68d6/", "lrp-d169c69e-3315-468a-af82-ebcdb1eec57b"
	diff(t, "translations", []*ovn.NAT{
		{UUID: pb + "203.0.113.181", Type: ovn.DNATAndSNAT, Router: router, ExternalIP: addr("203.0.113.181"), Network: public,
			ExternalMAC: "fa:16:3e:72:25:e2", LogicalPort: "c087fdfb-9571-46e3-a424-a73d8f52d5d2", GatewayPort: gateway},
		{UUID: pb + "203.0.113.182", Type: ovn.DNATAndSNAT, Router: router, ExternalIP: addr("203.0.113.182"), Network: public,
			ExternalMAC: "fa:16:3e:f0:60:5a", LogicalPort: "58fed958-dc3b-4a0d-ad4e-620cf1292204", GatewayPort: gateway},
		{UUID: pb + "203.0.113.64", Type: ovn.SNAT, Router: router, ExternalIP: addr("203.0.113.64"), Network: public,
			GatewayPort: gateway},
	}, s.NATs)
	vm := pick(t, s.Ports, func(x *ovn.LogicalSwitchPort) bool { return x.PortName == "vm1" })
	diff(t, "port", &ovn.LogicalSwitchPort{UUID: "d4493858-58f0-4512-b547-e57386170742", Name: "c087fdfb-9571-46e3-a424-a73d8f52d5d2",
		PortName: "vm1", Switch: tenant, Up: ptr(true), MAC: "fa:16:3e:f5:36:40",
		Addresses: []netip.Addr{addr("10.0.0.32"), addr("2001:db8:aaaa:0:f816:3eff:fef5:3640")},
		CIDRs:     prefixes("10.0.0.32/24", "2001:db8:aaaa:0:f816:3eff:fef5:3640/64"), RequestedChassis: []string{"compute1"},
		HostID: "compute1", Chassis: "compute1", DeviceOwner: "compute:nova", DeviceID: "00000003-0000-4000-8000-000000000000",
		PortFIP: addr("203.0.113.181")}, vm)
	// A port's other notes are the Northbound row's; what northd alone knows is not.
	for _, port := range nb.Ports {
		want := *port
		got := *pick(t, s.Ports, func(x *ovn.LogicalSwitchPort) bool { return x.Name == port.Name })
		want.UUID, want.Chassis = got.UUID, got.Chassis
		if want.Type == ovn.PortRouter {
			want.RequestedChassis = nil // not copied
		}
		diff(t, port.Name, want, got)
	}
}

func TestSouthboundPorts(t *testing.T) {
	sub := pick(t, southboundStep(t, "l3-up").Ports, func(x *ovn.LogicalSwitchPort) bool { return x.DeviceOwner == "trunk:subport" })
	if sub.ParentName == "" || sub.Chassis != "compute1" || sub.Tag != 0 {
		t.Errorf("subport %+v", sub)
	}
	localnet := pick(t, southboundStep(t, "c3-segmentation-changed").Ports, func(x *ovn.LogicalSwitchPort) bool { return x.Tag != 0 })
	if localnet.Type != ovn.PortLocalnet || localnet.Tag != 150 || localnet.PhysicalNetwork != "physnet1" {
		t.Errorf("localnet port %+v", localnet)
	}
	n4 := pick(t, southboundStep(t, "n4-provider-port-security-off").Ports, func(x *ovn.LogicalSwitchPort) bool { return x.PortName == "pvm" })
	if n4.MAC != "" || len(n4.Addresses) == 0 || len(n4.Addresses) != len(n4.CIDRs) {
		t.Errorf("port of unknown addresses %+v", n4)
	}
}

// Each of two gateways of a router has the other's address in its row: neither is a floating IP.
func TestSouthboundTwoGateways(t *testing.T) {
	for _, nat := range southboundStep(t, "q1-two-external-gateways").NATs {
		if nat.Type != ovn.SNAT {
			t.Errorf("translation %+v", nat)
		}
	}
}

// A centralised floating IP is its gateway's, and its port is the one that has a note of it.
func TestSouthboundCentralised(t *testing.T) {
	s := southboundStep(t, "fc3-port-up")
	fip := pick(t, s.NATs, func(x *ovn.NAT) bool { return x.Type == ovn.DNATAndSNAT })
	port := pick(t, s.Ports, func(x *ovn.LogicalSwitchPort) bool { return x.PortFIP.IsValid() })
	if fip.ExternalMAC != "" || fip.LogicalPort != port.Name || fip.GatewayPort == "" || fip.ExternalIP != port.PortFIP {
		t.Errorf("floating IP %+v of %+v", fip, port)
	}
}

// The rows of a load balancer; northd leaves the group of routers to servers that have the column.
func TestSouthboundBalancer(t *testing.T) {
	datapath := func(kind, name string) string {
		return `{"external_ids":["map",[["logical-` + kind + `","` + uuid(9) + `"],["name","` + name + `"]]]}`
	}
	ref := func(n int) string { return `["uuid","` + uuid(n) + `"]` }
	rows := map[string][]string{
		"Datapath_Binding": {datapath("switch", "ten"), datapath("router", "r1"), datapath("switch", "ext"), datapath("router", "r0")},
		"Logical_DP_Group": {`{"datapaths":` + ref(0) + `}`, `{"datapaths":["set",[` + ref(1) + `,` + ref(3) + `]]}`},
		"Load_Balancer": {
			`{"name":"lb","protocol":"tcp","vips":["map",[["10.0.0.50:80","10.0.0.4:80"],["203.0.113.9:80","10.0.0.4:80"]]],` +
				`"datapath_group":` + ref(0) + `,"lr_datapath_group":` + ref(1) + `}`,
			`{"name":"old","vips":["map",[["[2001:db8::9]:80",""]]],"datapaths":["set",[` + ref(0) + `,` + ref(1) + `]]}`,
		},
		"Port_Binding": {
			`{"logical_port":"vip","datapath":` + ref(0) + `,"external_ids":["map",[["neutron:port_name","ovn-lb-vip-lb"],` +
				`["neutron:cidrs","10.0.0.50/24"],["neutron:port_fip","203.0.113.9"]]]}`,
			`{"logical_port":"lrp-g","type":"patch","datapath":` + ref(1) + `,"mac":"fa:16:3e:00:00:01 203.0.113.2/24",` +
				`"options":["map",[["peer","g"],["chassis-redirect-port","cr-lrp-g"]]]}`,
			`{"logical_port":"g","type":"patch","datapath":` + ref(2) + `,"mac":"router","options":["map",[["peer","lrp-g"]]]}`,
			`{"logical_port":"lrp-s","type":"patch","datapath":` + ref(1) + `,"mac":"fa:16:3e:00:00:02 10.0.0.1/24","options":["map",[["peer","s"]]]}`,
			`{"logical_port":"s","type":"patch","datapath":` + ref(0) + `,"mac":"router","options":["map",[["peer","lrp-s"]]]}`,
		},
	}
	want := []*ovn.LoadBalancer{
		{UUID: uuid(0), Name: "lb", Protocol: "tcp", VIPs: []netip.Addr{addr("10.0.0.50"), addr("203.0.113.9")},
			VIP: addr("10.0.0.50"), VIPFIP: addr("203.0.113.9"), VIPPort: "vip", Router: "r1",
			Routers: []string{"r0", "r1"}, Switches: []string{"ten"}},
		{UUID: uuid(1), Name: "old", VIPs: []netip.Addr{addr("2001:db8::9")}, Router: "r1",
			Routers: []string{"r1"}, Switches: []string{"ten"}},
	}
	diff(t, "load balancers", want, convertSouthbound(t, rows).Balancers)
}

// A value that cannot be understood costs itself alone.
func TestSouthboundFaults(t *testing.T) {
	ls := `{"external_ids":["map",[["logical-switch","` + uuid(9) + `"],["name","ls"]]]}`
	lr := `{"external_ids":["map",[["logical-router","` + uuid(8) + `"],["name","lr"]]]}`
	at := func(n int) string { return `,"datapath":["uuid","` + uuid(n) + `"]` }
	s := convertSouthbound(t, map[string][]string{
		"Datapath_Binding": {ls, lr, `{}`},
		"Port_Binding": {
			`{"logical_port":"a","mac":"fa:16:3e:00:00:01 10.0.0.300 10.0.0.3"` + at(0) + `}`,
			`{"logical_port":"lrp-b","type":"patch","mac":"zz 10.0.0.1"` + at(1) + `}`,
			`{"logical_port":"b","type":"patch","mac":"router","options":["map",[["peer","lrp-b"]]],` +
				`"nat_addresses":["set",["zz 203.0.113.1 is_chassis_resident(\"a\")","","fa:16:3e:00:00:02 nonsense"]]` + at(0) + `}`,
			`{"logical_port":"c","type":"patch","mac":"router","options":["map",[["peer","<error>"]]]` + at(0) + `}`,
			`{"logical_port":"d"` + at(2) + `}`, // on a datapath that is nothing
			`{"logical_port":"cr-lsp","type":"chassisredirect"` + at(0) + `}`,
		},
	})
	fault := func(row int, column, value, reason string) []ovn.Fault {
		return []ovn.Fault{{Table: "Port_Binding", Row: uuid(row), Column: column, Value: value, Reason: reason}}
	}
	diff(t, "ports", []*ovn.LogicalSwitchPort{
		{UUID: uuid(0), Name: "a", Switch: "ls", MAC: "fa:16:3e:00:00:01", Addresses: []netip.Addr{addr("10.0.0.3")},
			Faults: fault(0, "mac", "10.0.0.300", "not an IP address")},
		{UUID: uuid(2), Name: "b", Switch: "ls", Type: ovn.PortRouter, Up: ptr(true), RouterPort: "lrp-b"},
		{UUID: uuid(3), Name: "c", Switch: "ls", Type: ovn.PortRouter, Up: ptr(false)},
	}, s.Ports)
	diff(t, "router ports", []*ovn.LogicalRouterPort{{UUID: uuid(1), Name: "lrp-b", Router: "lr", Switch: "ls",
		Faults: append(fault(1, "mac", "zz", "not an Ethernet address"), fault(1, "mac", "10.0.0.1", "not an IP address and prefix length")...)}},
		s.RouterPorts)
	diff(t, "translations", []*ovn.NAT{
		{UUID: uuid(2) + "/203.0.113.1", Type: ovn.DNATAndSNAT, Router: "lr", ExternalIP: addr("203.0.113.1"), LogicalPort: "a",
			GatewayPort: "lrp-b", Network: "ls", Faults: fault(2, "external_mac", "zz", "not an Ethernet address")},
		{UUID: uuid(2) + "/nonsense", Type: ovn.DNATAndSNAT, Router: "lr", GatewayPort: "lrp-b", Network: "ls",
			Faults: fault(2, "nat_addresses", "nonsense", "not an IP address")},
	}, s.NATs)
}

func convertSouthbound(t *testing.T, contents map[string][]string) ovn.Snapshot {
	t.Helper()
	tables := sb.New()
	converter := source.NewSouthbound(tables)
	if err := ovsdb.Load(tables, strings.NewReader(numbered(t, contents))); err != nil {
		t.Fatal(err)
	}
	return converter.Update(ovsdb.UUID{}, nil)
}
