package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// cloud draws a snapshot in which every row has addresses of its own and everything else is drawn from a few names,
// so that rows meet. What no real database would hold is in it, too.
func cloud(t *rapid.T) ovn.Snapshot {
	var s ovn.Snapshot
	next := netip.MustParseAddr("100.64.0.0")
	address := func() netip.Addr { next = next.Next(); return next }
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	truth := func(label string) *bool {
		return rapid.SampledFrom([]*bool{nil, new(bool), pointer(true), pointer(true)}).Draw(t, label)
	}
	s.DistributedFIPs = truth("distributed")
	for i := range rapid.IntRange(0, 3).Draw(t, "localnets") {
		s.Ports = append(s.Ports, &ovn.LogicalSwitchPort{Name: fmt.Sprintf("net%d", i), Type: ovn.PortLocalnet,
			Switch: pick("switch", "s1", "s2", "s3"), PhysicalNetwork: pick("physnet", "p1", "p2", "p3"),
			Tag: rapid.SampledFrom([]int{0, 0, 7}).Draw(t, "tag")})
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "ports") {
		p := &ovn.LogicalSwitchPort{UUID: fmt.Sprintf("u%d", i), Name: fmt.Sprintf("vm%d", i),
			Switch: pick("switch", "s1", "s2", "s4"),
			Type:   ovn.PortType(pick("type", "", "", "", "virtual", "external", "localport", "router")), Up: truth("up"),
			Disabled: pick("disabled", "", "", "", "yes") != "", MAC: pick("mac", "", "fa:16:3e:00:00:01"),
			HostID: pick("host", "", "n1", "n2", "n1.example.org"), ParentHost: pick("parent host", "", "n1", "n2"),
			ParentName: pick("parent", "", "", "vm0", "vm1", "gone"), HAGroup: pick("group", "", "g1"),
			DeviceOwner: pick("owner", "", "", "network:dhcp", "ovn-lb:vip"),
			Addresses:   []netip.Addr{address(), address()}}
		for range rapid.IntRange(0, 2).Draw(t, "requested") {
			p.RequestedChassis = append(p.RequestedChassis, pick("requested", "n1", "n2", "S1", "n2.example.org"))
		}
		s.Ports = append(s.Ports, p)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "gateways") {
		s.RouterPorts = append(s.RouterPorts, &ovn.LogicalRouterPort{UUID: fmt.Sprintf("g%d", i), Name: fmt.Sprintf("lrp%d", i),
			Router: pick("router", "r1", "r2"), Switch: pick("switch", "s1", "s2", "s4", ""), MAC: "fa:16:3e:00:00:02",
			Networks: []netip.Prefix{netip.PrefixFrom(address(), 24)}, Gateway: pick("gateway", "", "yes", "yes") != "",
			HAGroup: pick("group", "", "g1"), HostingChassis: pick("hosting", "", "S1", "S2", "S9")})
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "nats") {
		s.NATs = append(s.NATs, &ovn.NAT{UUID: fmt.Sprintf("n%d", i),
			Type:   ovn.NATType(pick("type", "dnat_and_snat", "dnat_and_snat", "snat")),
			Router: pick("router", "", "r1", "r2"), ExternalIP: address(),
			ExternalMAC: pick("mac", "", "fa:16:3e:00:00:03"),
			LogicalPort: pick("port", "", "vm0", "vm1", "vm2", "gone"), GatewayPort: pick("gateway", "", "lrp0", "gone"),
			Network: pick("switch", "", "s1", "s2", "s4", "gone")})
	}
	s.Routers = []*ovn.LogicalRouter{{UUID: "r1", Name: "r1", Disabled: pick("disabled", "", "", "", "yes") != ""}}
	s.HAGroups = []*ovn.HAChassisGroup{{Name: "g1", Chassis: []ovn.HAChassis{{Name: pick("first", "S1", "S2")}}}}
	if pick("absent", "", "", "yes") != "" {
		s.Absent = []string{hostingColumn}
	}
	return s
}

func pointer[T any](v T) *T { return &v }

// on is the cloud as a node sees it whose two bridges begin alike.
func on(s ovn.Snapshot, host, chassis string) Input {
	s.Local = ovn.Local{Hostname: host, SystemID: chassis, Mappings: []ovn.Mapping{
		{Index: 1, PhysicalNetwork: "p1", Bridge: "br-provider1"}, {Index: 2, PhysicalNetwork: "p2", Bridge: "br-provider2"}}}
	return Input{OVN: s}
}

// Whatever the rows say: no two nodes announce one address, what is announced has its carriers and its decision,
// Why agrees with Node, and whoever does not announce an address that another does knows that it is elsewhere.
func TestAnyCloud(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := cloud(t)
		here, there := on(s, "n1", "S1"), on(s, "n2", "S2")
		n1, d1 := Node(here, defaults())
		n2, _ := Node(there, defaults())
		for _, key := range n1.Keys() {
			if slices.Contains(n2.Keys(), key) {
				t.Errorf("%s is announced on both nodes", key)
			}
		}
		for _, a := range n2.Announcements {
			if w := Why(here, defaults(), a.Prefix.Addr()); w.Verdict == model.Announced || w.Evidence != model.Explained {
				t.Errorf("n1 says of %s on n2: %+v", a.Prefix, w)
			}
		}
		for _, a := range n1.Announcements {
			checkCarried(t, n1, a)
		}
		for _, d := range d1 {
			if d.Address.IsValid() && d != Why(here, defaults(), d.Address) {
				t.Errorf("Node says %+v and Why %+v", d, Why(here, defaults(), d.Address))
			}
			if d.Verdict != model.Announced && d.Evidence == "" || d.Text == "" || d.Row == "" || d.Reason == "" {
				t.Errorf("a decision lacks something: %+v", d)
			}
		}
	})
}

// checkCarried follows an announced address: a rule to a table, there a route to a device that is built, a flow back.
func checkCarried(t *rapid.T, n model.Node, a model.Announcement) {
	i := slices.IndexFunc(n.Rules, func(r model.Rule) bool { return r.Prefix == a.Prefix })
	if i < 0 {
		t.Fatalf("no rule to %s", a.Prefix)
	}
	if !slices.ContainsFunc(n.Routes, func(r model.Route) bool {
		return r.Prefix == a.Prefix && r.Table == n.Rules[i].Table && r.Device == a.Device
	}) {
		t.Fatalf("no route to %s in table %d", a.Prefix, n.Rules[i].Table)
	}
	l := slices.IndexFunc(n.Links, func(l model.Link) bool { return l.Name == a.Device })
	if l < 0 || !slices.Contains(n.Links[l].Serves, a.Key()) {
		t.Fatalf("no device %s for %s", a.Device, a.Prefix)
	}
	bridge := a.Device
	if n.Links[l].Kind == model.LinkVLAN {
		bridge = n.Links[l].Parent
	}
	if !slices.Contains(n.Bridges, model.Bridge{Name: bridge, Table: n.Rules[i].Table}) {
		t.Fatalf("table %d of %s is not that of bridge %s", n.Rules[i].Table, a.Prefix, bridge)
	}
	if !slices.ContainsFunc(n.Flows, func(f model.Flow) bool {
		return f.Bridge == bridge && slices.Contains(f.Serves, a.Key())
	}) {
		t.Fatalf("no flow back from %s", a.Prefix)
	}
}

// What was decided before is found again: once the tables a node chose are in use, it chooses the same.
func TestTablesAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in Input
		names := rapid.SampledFrom([]string{"br-a", "br-b", "br-c"})
		for i, bridge := range rapid.SliceOfNDistinct(names, 1, 3, rapid.ID).Draw(t, "bridges") {
			in.OVN.Local.Mappings = append(in.OVN.Local.Mappings,
				ovn.Mapping{Index: i + 1, PhysicalNetwork: bridge, Bridge: bridge})
		}
		in.Host.Tables = rapid.SliceOf(rapid.SampledFrom([]uint32{17900, 17901, 17902, 254})).Draw(t, "in use")
		for _, id := range rapid.SliceOfN(rapid.SampledFrom([]uint32{10, 99, 17901, 254}), 0, 2).Draw(t, "rt_tables") {
			name := rapid.SampledFrom([]string{"br-a", "x"}).Draw(t, "name")
			in.Host.RTTables = append(in.Host.RTTables, model.RTTable{ID: id, Name: name})
		}
		before, _ := Node(in, defaults())
		for _, b := range before.Bridges { // some routes of ours came to be, and all rules
			in.Host.Tables = append(in.Host.Tables, b.Table)
			in.Host.OwnTables = append(in.Host.OwnTables, b.Table)
			if rapid.Bool().Draw(t, "route "+b.Name) {
				in.Host.BridgeTables = append(in.Host.BridgeTables, model.RTTable{ID: b.Table, Name: b.Name})
			}
		}
		after, _ := Node(in, defaults())
		if diff := cmp.Diff(before.Bridges, after.Bridges); diff != "" {
			t.Errorf("tables changed (-before +after):\n%s", diff)
		}
		taken := map[uint32]bool{10: true, 253: true, 254: true, 255: true}
		for _, b := range after.Bridges {
			if b.Table == 0 || taken[b.Table] {
				t.Errorf("table %d of %s is somebody's", b.Table, b.Name)
			}
			taken[b.Table] = true
		}
	})
}
