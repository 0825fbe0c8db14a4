package desired

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"ovnbgp/internal/config"
	"ovnbgp/internal/ovn"
)

// bigCloud has ports elsewhere and, of the same networks, ports here.
func bigCloud(elsewhere, here int) Input {
	up := true
	in := Input{OVN: ovn.Snapshot{
		Switches: []*ovn.LogicalSwitch{{Name: "neutron-ext1"}},
		Ports: []*ovn.LogicalSwitchPort{
			{Name: "provnet", Switch: "neutron-ext1", Type: ovn.PortLocalnet, PhysicalNetwork: "physnet1"}},
		Local: ovn.Local{Hostname: "node1", SystemID: "S1",
			Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "physnet1", Bridge: "br-ex"}},
			Bridges: []ovn.Bridge{{Name: "br-ex", MAC: "02:aa:bb:cc:dd:01",
				Ports: []ovn.OVSPort{{Name: "patch-provnet-to-br-int", Type: "patch", OFPort: 1}}}}},
	}}
	for i := range elsewhere + here {
		host := "node1"
		if i >= here {
			host = fmt.Sprintf("node%d", 2+i%100)
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 100<<24+uint32(i))
		in.OVN.Ports = append(in.OVN.Ports, &ovn.LogicalSwitchPort{
			UUID: fmt.Sprintf("uuid-%d", i), Name: fmt.Sprintf("port-%d", i),
			Switch: "neutron-ext1", MAC: "fa:16:3e:00:00:01", Up: &up, Addresses: []netip.Addr{netip.AddrFrom4(b)},
			RequestedChassis: []string{host}, HostID: host})
	}
	return in
}

func BenchmarkNode(b *testing.B) {
	for _, tt := range []struct{ elsewhere, here int }{{0, 1000}, {50000, 0}, {50000, 1000}, {0, 10000}} {
		b.Run(fmt.Sprintf("elsewhere=%d/here=%d", tt.elsewhere, tt.here), func(b *testing.B) {
			in := bigCloud(tt.elsewhere, tt.here)
			b.ReportAllocs()
			for b.Loop() {
				Node(in, defaults())
			}
		})
	}
}

// tenantCloud has routers with their gateways here, on each a tenant network with its share of addresses, and as many
// routers and ports elsewhere as asked for.
func tenantCloud(routersElsewhere, portsElsewhere, routers, addresses int) Input {
	in := bigCloud(portsElsewhere/2, 0)
	up := true
	add := func(i int, chassis string, machines int) {
		r, ten, lrp := fmt.Sprintf("neutron-r%d", i), fmt.Sprintf("neutron-ten%d", i), fmt.Sprintf("lrp-%d", i)
		net := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 24)
		in.OVN.Routers = append(in.OVN.Routers, &ovn.LogicalRouter{UUID: r, Name: r})
		in.OVN.RouterPorts = append(in.OVN.RouterPorts,
			&ovn.LogicalRouterPort{UUID: "gw-" + r, Name: "gw-" + r, Router: r, Switch: "neutron-ext1", MAC: "fa:16:3e:0f:00:01",
				Networks: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{99, 0, byte(i >> 8), byte(i)}), 16)},
				Gateway:  true, HostingChassis: chassis},
			&ovn.LogicalRouterPort{UUID: lrp, Name: lrp, Router: r, Switch: ten, Networks: []netip.Prefix{net}})
		in.OVN.Ports = append(in.OVN.Ports, &ovn.LogicalSwitchPort{UUID: "lsp-" + lrp, Name: "lsp-" + lrp, Switch: ten,
			Type: ovn.PortRouter, DeviceOwner: ownerInterface, RouterPort: lrp, Up: &up, CIDRs: []netip.Prefix{net}})
		for k := range machines {
			in.OVN.Ports = append(in.OVN.Ports, &ovn.LogicalSwitchPort{UUID: fmt.Sprintf("vm-%d-%d", i, k),
				Name: fmt.Sprintf("vm-%d-%d", i, k), Switch: ten, MAC: "fa:16:3e:00:00:02", Up: &up, HostID: "node7",
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(2 + k)})}})
		}
	}
	for i := range routers {
		add(i, "S1", addresses/routers)
	}
	for i := range routersElsewhere {
		add(routers+i, "S2", portsElsewhere/2/routersElsewhere)
	}
	return in
}

func exposed(m config.TenantMethod) config.Node {
	c := defaults()
	c.ExposeTenantNetworks, c.TenantMethod = true, m
	return c
}

func BenchmarkTenants(b *testing.B) {
	in := tenantCloud(1000, 50000, 200, 1000)
	for _, c := range []config.Node{defaults(), exposed(config.TenantHost), exposed(config.TenantSubnet)} {
		name := string(c.TenantMethod)
		if !c.ExposeTenantNetworks {
			name = "off"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Node(in, c)
			}
			n, _ := Node(in, c)
			b.ReportMetric(float64(len(n.Announcements)), "announced")
		})
	}
}

// Tenants' ports and routers elsewhere must not become decisions, nor cost what those here cost.
func TestTenantsElsewhereCostLittle(t *testing.T) {
	for _, c := range []config.Node{defaults(), exposed(config.TenantHost), exposed(config.TenantSubnet)} {
		n, decisions := Node(tenantCloud(100, 4000, 5, 50), c)
		if len(decisions) != len(n.Announcements) || len(n.Announcements) < 5 {
			t.Errorf("%d announcements, %d decisions", len(n.Announcements), len(decisions))
		}
		allocations := func(routers, ports int) float64 {
			in := tenantCloud(routers, ports, 5, 50)
			return testing.AllocsPerRun(3, func() { Node(in, c) })
		}
		few, many := allocations(100, 400), allocations(100, 4400)
		if many-few > 100 {
			t.Errorf("4000 ports elsewhere cost %.0f allocations", many-few)
		}
		more := allocations(400, 400)
		if more-few > 900 { // each is a few entries of an index
			t.Errorf("300 routers elsewhere cost %.0f allocations", more-few)
		}
	}
}

func BenchmarkWhys(b *testing.B) {
	in := bigCloud(50000, 1000)
	var addrs []netip.Prefix
	for _, p := range in.OVN.Ports[1:1001] {
		addrs = append(addrs, hostPrefix(p.Addresses[0]))
	}
	for b.Loop() {
		Whys(in, defaults(), addrs...)
	}
}

// Ports elsewhere must not become decisions, nor cost what ports here cost.
func TestPortsElsewhereCostLittle(t *testing.T) {
	in := bigCloud(2000, 10)
	n, decisions := Node(in, defaults())
	if len(n.Announcements) != 10 || len(decisions) != 10 {
		t.Errorf("%d announcements, %d decisions", len(n.Announcements), len(decisions))
	}
	allocations := func(elsewhere int) float64 {
		in := bigCloud(elsewhere, 10)
		return testing.AllocsPerRun(3, func() { Node(in, defaults()) })
	}
	if few, many := allocations(100), allocations(2100); many-few > 50 {
		t.Errorf("2000 ports elsewhere cost %.0f allocations", many-few)
	}
}
