package desired

import (
	"net/netip"
	"testing"

	"ovnbgp/internal/ovn"
)

func TestOwner(t *testing.T) {
	type port = ovn.LogicalSwitchPort
	n1, n2 := owner{name: "n1", here: true}, owner{name: "n2"}
	group := &ovn.HAChassisGroup{Name: "g",
		Chassis: []ovn.HAChassis{{Name: "S3", Priority: 2}, {Name: "S1", Priority: 1}}}
	parent := &port{Name: "trunk", RequestedChassis: []string{"n1"}}
	loop := &port{Name: "loop", ParentName: "loop"}
	for _, tt := range []struct {
		name string
		port port
		want owner
	}{
		{"requested before host_id", port{RequestedChassis: []string{"n1"}, HostID: "n9"}, n1},
		{"of two the first, host_id being the other",
			port{RequestedChassis: []string{"n2", "n1"}, HostID: "n1"}, n2},
		{"of two the first", port{RequestedChassis: []string{"n2", "n1"}}, n2},
		{"of two the first, host_id being neither",
			port{RequestedChassis: []string{"n2", "n1"}, HostID: "n3"}, n2},
		{"host_id alone", port{HostID: "n1"}, n1},
		{"neither", port{}, owner{}},
		{"the chassis' name", port{RequestedChassis: []string{"S1"}}, owner{name: "S1", here: true}},
		{"virtual: requested-chassis does not count",
			port{Type: ovn.PortVirtual, RequestedChassis: []string{"n1"}, HostID: "n2"}, n2},
		{"virtual: its parent's host",
			port{Type: ovn.PortVirtual, ParentHost: "n1", HostID: "n2"}, n1},
		{"external: its group's first chassis",
			port{Type: ovn.PortExternal, HAGroup: "g", HostID: "n1"}, owner{name: "S3"}},
		{"external: no group", port{Type: ovn.PortExternal, HostID: "n1"}, owner{}},
		{"subport: its parent's", port{ParentName: "trunk", HostID: "n2"}, n1},
		{"subport: parent gone", port{ParentName: "gone", HostID: "n1"}, owner{}},
		{"subport of itself", port{ParentName: "loop"}, owner{}},
		{"a domain more",
			port{RequestedChassis: []string{"n1.example.org"}}, owner{name: "n1.example.org", near: true}},
		{"bound elsewhere", port{RequestedChassis: []string{"n1"}, Chassis: "S2"}, owner{name: "S2"}},
		{"bound here", port{Type: ovn.PortVirtual, Chassis: "S1"}, owner{name: "S1", here: true}},
	} {
		v := newView(&Input{OVN: ovn.Snapshot{HAGroups: []*ovn.HAChassisGroup{group}, Ports: []*port{parent, loop},
			Local: ovn.Local{Hostname: "n1", SystemID: "S1"}}}, defaults())
		if got := v.ownerOf(&tt.port); got != tt.want {
			t.Errorf("%s: ownerOf = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A node that does not know what it is called owns nothing: no name matches the empty one.
func TestNamelessNodeOwnsNothing(t *testing.T) {
	up := true
	a := []netip.Addr{netip.MustParseAddr("203.0.113.9")}
	in := Input{OVN: ovn.Snapshot{
		Ports: []*ovn.LogicalSwitchPort{
			{Name: "net", Switch: "s", Type: ovn.PortLocalnet, PhysicalNetwork: "p"},
			{Name: "vm", Switch: "s", Up: &up, Addresses: a}},
		RouterPorts: []*ovn.LogicalRouterPort{{Name: "g", Switch: "s", Gateway: true,
			Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.2/24")}}},
		Local: ovn.Local{Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "p", Bridge: "br-ex"}}},
	}}
	if n, _ := Node(in, defaults()); len(n.Announcements) != 0 {
		t.Errorf("announcements = %v", n.Announcements)
	}
}

func TestSubnetOf(t *testing.T) {
	for _, tt := range []struct{ cidr, address, want string }{
		{"10.7.0.129/25", "10.7.0.130", "10.7.0.128/25"},
		{"2001:db8:7::1/64", "2001:db8:7::2", "2001:db8:7::/64"},
	} {
		list := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix(tt.cidr)}
		got := subnetOf(list, netip.MustParseAddr(tt.address))
		if got.String() != tt.want {
			t.Errorf("subnetOf(%s, %s) = %s, want %s", tt.cidr, tt.address, got, tt.want)
		}
	}
}

// A tenant names its ports, and the name comes to an operator's terminal.
func TestPortName(t *testing.T) {
	for name, want := range map[string]string{"": "id", "id": "id", "web": "web (id)", "W\u00fcrfel 7": "W\u00fcrfel 7 (id)",
		"\x1b[2J": `"\x1b[2J" (id)`, "a\nb": `"a\nb" (id)`} {
		v := view{ports: map[string]*ovn.LogicalSwitchPort{"id": {Name: "id", PortName: name}}}
		if got := v.portName("id"); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if got := (&view{}).portName("gone"); got != "gone" {
		t.Errorf("no such port: %s", got)
	}
}
