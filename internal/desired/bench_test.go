package desired

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

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
