package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovnbgp/internal/config"
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
	balance(t, &s, address)
	s.Routers = []*ovn.LogicalRouter{{UUID: "r1", Name: "r1", Disabled: pick("disabled", "", "", "", "yes") != ""}}
	s.HAGroups = []*ovn.HAChassisGroup{{Name: "g1", Chassis: []ovn.HAChassis{{Name: pick("first", "S1", "S2")}}}}
	if pick("absent", "", "", "yes") != "" {
		s.Absent = []string{hostingColumn}
	}
	return s
}

// balance draws load balancers and port forwardings: rows of one name with one address, VIP ports that are there or not,
// floating IPs with a translation or without, attached to routers or to none, of both families.
func balance(t *rapid.T, s *ovn.Snapshot, address func() netip.Addr) {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	sixth := netip.MustParseAddr("2001:db8:1::")
	for i := range rapid.IntRange(0, 3).Draw(t, "balancers") {
		sixth = sixth.Next()
		name := fmt.Sprintf(pick("kind", "lb%d", "lb%d", portForwarding+"%d"), i)
		vip := rapid.SampledFrom([]netip.Addr{address(), address(), sixth}).Draw(t, "vip")
		port := &ovn.LogicalSwitchPort{UUID: "v" + name, Name: "vip-" + name, Switch: pick("switch", "s1", "s2", "s4"),
			DeviceOwner: ownerBalancer, DeviceID: "lb-" + name, Addresses: []netip.Addr{vip}}
		if pick("VIP port", "", "yes", "yes") != "" {
			s.Ports = append(s.Ports, port)
		}
		// A floating IP that nothing calls the load balancer's would be two rows' with one address.
		meant := pick("meant for", "", "r1", "r2")
		fip, fipNamed := address(), pick("names its floating IP", "", "yes", "yes") != ""
		if pick("floating IP", "", "", "yes") != "" {
			s.NATs = append(s.NATs, &ovn.NAT{UUID: "n" + name, Type: ovn.DNATAndSNAT, Router: pick("router", "r1", "r2"),
				ExternalIP: fip, ExternalMAC: pick("mac", "", "fa:16:3e:00:00:04"), LogicalPort: pick("port", "", port.Name),
				Network: pick("switch", "", "s1", "s2")})
		}
		// Octavia attaches the rows of all protocols alike.
		routers := rapid.SampledFrom([][]string{nil, {"r1"}, {"r1"}, {"r2"}, {"r1", "r2"}}).Draw(t, "attached")
		for _, protocol := range []string{"tcp", "udp"}[:rapid.IntRange(1, 2).Draw(t, "protocols")] {
			lb := &ovn.LoadBalancer{UUID: name + protocol, Name: name, Protocol: protocol, VIP: vip,
				VIPPort: pick("names its port", "", port.Name), Router: meant,
				Disabled: pick("disabled", "", "", "", "yes") != ""}
			if pick("serves", "", "yes", "yes", "yes") != "" {
				lb.VIPs = append(lb.VIPs, vip)
			}
			if fipNamed {
				lb.VIPFIP = fip
				if pick("serves its floating IP", "", "yes", "yes") != "" {
					lb.VIPs = append(lb.VIPs, fip)
				}
			}
			lb.Routers = routers
			s.Balancers = append(s.Balancers, lb)
		}
	}
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
	rapid.Check(t, func(t *rapid.T) { checkCloud(t, cloud(t)) })
}

// The same where load balancers have a chance: their routers have gateways on a provider network that both nodes map.
func TestAnyBalancers(t *testing.T) {
	served := 0 // addresses of load balancers that were announced
	rapid.Check(t, func(t *rapid.T) {
		s := cloud(t)
		s.Ports = append(s.Ports, &ovn.LogicalSwitchPort{Name: "net", Type: ovn.PortLocalnet, Switch: "s1", PhysicalNetwork: "p1"})
		for i, chassis := range []string{"S1", "S2"} {
			s.RouterPorts = append(s.RouterPorts, &ovn.LogicalRouterPort{UUID: "g" + chassis, Name: "lrp-" + chassis,
				Router: fmt.Sprintf("r%d", i+1), Switch: "s1", MAC: "fa:16:3e:00:00:05", Gateway: true, HostingChassis: chassis,
				Networks: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("100.64.1.%d/16", i+1)),
					netip.MustParsePrefix(fmt.Sprintf("2001:db8:1::ff0%d/64", i+1))}})
		}
		for _, a := range checkCloud(t, s) {
			if balanced(s, a.Prefix.Addr()) {
				served++
			}
		}
	})
	if served == 0 {
		t.Error("no address of a load balancer was ever announced")
	}
}

// checkCloud holds what two nodes do in a cloud to what must be, and returns what the first announces.
func checkCloud(t *rapid.T, s ovn.Snapshot) []model.Announcement {
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
		w := Why(here, defaults(), d.Address)
		if d.Address.IsValid() && d != w && !(balanced(s, d.Address) && agree(n1, w)) {
			t.Errorf("Node says %+v and Why %+v", d, w)
		}
		if d.Verdict != model.Announced && d.Evidence == "" || d.Text == "" || d.Row == "" || d.Reason == "" {
			t.Errorf("a decision lacks something: %+v", d)
		}
	}
	return n1.Announcements
}

// balanced tells whether a load balancer has the address, which each of its rows may say something of.
func balanced(s ovn.Snapshot, a netip.Addr) bool {
	return slices.ContainsFunc(s.Balancers, func(lb *ovn.LoadBalancer) bool {
		return lb.VIP == a || lb.VIPFIP == a || slices.Contains(lb.VIPs, a)
	})
}

// agree tells whether what a decision says is what is done.
func agree(n model.Node, d model.Decision) bool {
	return (d.Verdict == model.Announced) == slices.Contains(n.Keys(), d.Key) && (d.Verdict == model.Announced || d.Evidence != "")
}

// tenants draws routers with interfaces on tenant networks, whose subnets overlap in all ways, and machines in them.
func tenants(t *rapid.T) ovn.Snapshot {
	s := cloud(t)
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	up := func() *bool { return pointer(pick("up", "yes", "yes", "yes", "no") == "yes") }
	cidr := func() netip.Prefix {
		return netip.MustParsePrefix(pick("cidr", "10.7.0.1/24", "10.7.0.129/25", "10.7.0.1/16", "10.8.0.1/24", "10.7.0.9/32",
			"2a0f::1/64", "2a0f::/112", "100.64.0.1/28", "fe80::1/64"))
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "interfaces") {
		name, ls := fmt.Sprintf("sub%d", i), pick("switch", "s4", "s5", "s6", "s1")
		p := &ovn.LogicalSwitchPort{UUID: "p" + name, Name: name, Switch: ls, Type: ovn.PortRouter, Up: up(), RouterPort: "lrp-" + name,
			DeviceOwner: pick("owner", ownerInterface, ownerInterface, "x"), ScopeV4: pick("scope", "a", "a", "b", ""), ScopeV6: "a"}
		for range rapid.IntRange(0, 2).Draw(t, "cidrs") {
			p.CIDRs = append(p.CIDRs, cidr())
		}
		s.Ports = append(s.Ports, p)
		s.RouterPorts = append(s.RouterPorts, &ovn.LogicalRouterPort{UUID: "r" + name, Name: "lrp-" + name, Switch: ls,
			Router: pick("router", "r1", "r1", "r2"), Networks: p.CIDRs})
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "machines") {
		p := &ovn.LogicalSwitchPort{UUID: fmt.Sprintf("m%d", i), Name: fmt.Sprintf("m%d", i), Switch: pick("switch", "s4", "s5", "s6", "s1"),
			Up: up(), HostID: pick("host", "n1", "n2"), ScopeV4: pick("scope", "a", "a", "b", ""), ScopeV6: "a", MAC: "fa:16:3e:00:00:01"}
		for range rapid.IntRange(0, 2).Draw(t, "addresses") {
			p.Addresses = append(p.Addresses, netip.MustParseAddr(pick("address", "10.7.0.9", "10.7.0.130", "10.7.9.9", "10.8.0.9",
				"2a0f::9", "2a0f::1:0:9", "100.64.0.3")))
		}
		s.Ports = append(s.Ports, p)
	}
	for _, g := range s.RouterPorts {
		if g.Gateway && pick("second family", "", "yes") != "" {
			last := g.Networks[0].Addr().As4()[3]
			g.Networks = append(g.Networks, netip.MustParsePrefix(fmt.Sprintf("2001:db8::%d/64", last)))
		}
	}
	return s
}

func drawSettings(t *rapid.T) config.Node {
	c := defaults()
	c.ExposeTenantNetworks, c.ExposeGUAOnly = rapid.Bool().Draw(t, "expose"), rapid.Bool().Draw(t, "gua")
	c.TenantMethod = rapid.SampledFrom([]config.TenantMethod{config.TenantHost, config.TenantSubnet}).Draw(t, "method")
	c.BGP.AnnounceWith = rapid.SampledFrom([]config.AnnounceWith{config.AnnounceAddress, config.AnnounceRoute}).Draw(t, "announce with")
	c.RequireSNATDisabled = rapid.Bool().Draw(t, "no snat")
	c.AddressScopes = rapid.SampledFrom([][]string{nil, nil, {"a"}}).Draw(t, "scopes")
	return c
}

// Whatever tenants do: what is announced is led to its place by every rule that could catch its packets, and Whys agrees
// with Node.
func TestAnyTenants(t *testing.T) {
	announced := 0
	rapid.Check(t, func(t *rapid.T) {
		in, c := on(tenants(t), "n1", "S1"), drawSettings(t)
		n, decisions := Node(in, c)
		keys := n.Keys()
		for i, a := range n.Announcements {
			if i > 0 && n.Announcements[i-1].Prefix.Compare(a.Prefix) >= 0 {
				t.Errorf("not sorted and single: %v", keys)
			}
			if a.Prefix != a.Prefix.Masked() {
				t.Errorf("%s has bits of a host", a.Prefix)
			}
			checkLed(t, n, a)
			if w := Whys(in, c, a.Prefix)[a.Prefix]; w.Verdict != model.Announced || w.Key != a.Key() || w.Evidence != "" {
				t.Errorf("Whys says of %s: %+v", a.Prefix, w)
			}
			announced++
		}
		for _, d := range decisions {
			if !d.Address.IsValid() {
				continue
			}
			_, text, _ := strings.Cut(d.Key, " ")
			p := netip.MustParsePrefix(text)
			if w := Whys(in, c, p)[p]; (w.Verdict == model.Announced && w.Key == d.Key) != slices.Contains(keys, d.Key) {
				t.Errorf("Node says %+v and Whys %+v", d, w)
			}
			if d.Verdict != model.Announced && d.Evidence == "" || d.Text == "" || d.Row == "" || d.Reason == "" {
				t.Errorf("a decision lacks something: %+v", d)
			}
		}
		seen := map[string]bool{}
		for _, r := range n.Rules {
			if k := fmt.Sprint(r.Prefix, r.Table); seen[k] {
				t.Errorf("rule to %s is there twice", r.Prefix)
			} else {
				seen[k] = true
			}
		}
		for _, r := range n.Routes {
			if k := fmt.Sprint("route ", r.Prefix, r.Table); seen[k] {
				t.Errorf("route %s in table %d is there twice", r.Prefix, r.Table)
			} else {
				seen[k] = true
			}
		}
	})
	if announced == 0 {
		t.Error("nothing was ever announced")
	}
}

// checkLed follows packets for an announced prefix by each rule that matches them: all must lead to one place.
func checkLed(t *rapid.T, n model.Node, a model.Announcement) {
	led := 0
	for _, rule := range n.Rules {
		if rule.Prefix.Bits() > a.Prefix.Bits() || !rule.Prefix.Contains(a.Prefix.Addr()) {
			continue
		}
		led++
		var best model.Route
		for _, r := range n.Routes {
			if r.Table == rule.Table && r.Prefix.Bits() <= a.Prefix.Bits() && r.Prefix.Contains(a.Prefix.Addr()) &&
				(!best.Prefix.IsValid() || r.Prefix.Bits() > best.Prefix.Bits()) {
				best = r
			}
		}
		if best.Device != a.Device || !slices.Contains(best.Serves, a.Key()) {
			t.Errorf("%s on %s is led to route %s dev %s in table %d by the rule to %s", a.Prefix, a.Device, best.Prefix, best.Device,
				rule.Table, rule.Prefix)
		}
	}
	if led == 0 {
		t.Errorf("no rule leads to %s", a.Prefix)
	}
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
