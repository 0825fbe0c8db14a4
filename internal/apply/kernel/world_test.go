package kernel_test

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const brMAC = "02:aa:bb:cc:dd:01"

// base is an empty cloud on br-ex, table 201.
func base() model.Node {
	any4, any6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	n := model.Node{
		VRF:     model.VRF{Name: "bgp-vrf", Table: 10, Device: "bgp-nic"},
		Bridges: []model.Bridge{{Name: "br-ex", Table: 201}},
		Links: []model.Link{
			{Name: "bgp-vrf", Kind: model.LinkVRF, Table: 10, Why: "VRF of the announcements"},
			{Name: "bgp-nic", Kind: model.LinkDummy, Master: "bgp-vrf", Why: "holds the announced addresses"},
			{Name: "br-ex", Kind: model.LinkExisting, Why: "provider bridge"},
		},
		Routes: []model.Route{
			{Table: 201, Prefix: any4, Device: "br-ex", Why: "provider bridge"},
			{Table: 201, Prefix: any6, Device: "br-ex", Why: "provider bridge"},
		},
	}
	answer(&n, "br-ex", "169.254.1.1/32", "fd53:d91e:400:7f17::1:1/128")
	return n
}

func answer(n *model.Node, dev string, addrs ...string) {
	for _, a := range addrs {
		n.Addresses = append(n.Addresses, model.Address{Device: dev, Prefix: netip.MustParsePrefix(a), Why: "answers"})
	}
	n.Sysctls = append(n.Sysctls,
		model.Sysctl{Family: 4, Device: "all", Name: "forwarding", Value: "1", Required: true, Why: "routes to OVN"},
		model.Sysctl{Family: 6, Device: "all", Name: "forwarding", Value: "1", Required: true, Why: "routes to OVN"},
		model.Sysctl{Family: 4, Device: dev, Name: "proxy_arp", Value: "1", Why: "answers"},
		model.Sysctl{Family: 6, Device: dev, Name: "proxy_ndp", Value: "1", Why: "answers"})
}

// vlan adds a VLAN network.
func vlan(n *model.Node, tag int) {
	dev := fmt.Sprintf("br-ex.%d", tag)
	n.Links = append(n.Links, model.Link{Name: dev, Kind: model.LinkVLAN, Parent: "br-ex", VLAN: tag, Why: "VLAN network"})
	answer(n, dev, fmt.Sprintf("169.254.1.%d/32", tag%256), fmt.Sprintf("fd53:d91e:400:7f17::1:%x/128", tag%256))
}

// port adds an announced address behind a device.
func port(n *model.Node, addr, mac, dev string) {
	ip := netip.MustParseAddr(addr)
	p := netip.PrefixFrom(ip, ip.BitLen())
	key := []string{model.Key("bgp-vrf", p)}
	n.Rules = append(n.Rules, model.Rule{Prefix: p, Table: 201, Why: "port", Serves: key})
	n.Routes = append(n.Routes, model.Route{Table: 201, Prefix: p, Device: dev, Why: "port", Serves: key})
	n.Neighbors = append(n.Neighbors, model.Neighbor{Device: dev, IP: ip, MAC: mac, Why: "port", Serves: key})
	n.Announcements = append(n.Announcements, model.Announcement{VRF: "bgp-vrf", Prefix: p, Device: dev, Whys: []string{"port"}})
	if ip.Is6() {
		n.Proxies = append(n.Proxies, model.Proxy{Device: dev, IP: netip.MustParsePrefix(addr + "/64").Masked().Addr(), Why: "gateway"})
	}
}

// subnet adds a tenant's network behind a gateway.
func subnet(n *model.Node, prefix, gateway, dev string) {
	p := netip.MustParsePrefix(prefix)
	n.Rules = append(n.Rules, model.Rule{Prefix: p, Table: 201, Why: "subnet"})
	n.Routes = append(n.Routes, model.Route{Table: 201, Prefix: p, Device: dev, Gateway: netip.MustParseAddr(gateway), Why: "subnet"})
}

// announce adds the announcement of a subnet.
func announce(n *model.Node, prefix string) {
	p := netip.MustParsePrefix(prefix)
	n.Announcements = append(n.Announcements, model.Announcement{VRF: "bgp-vrf", Prefix: p, Device: "br-ex", Whys: []string{"subnet"}})
}

// g17 is the gateway's case with its subnets announced, g13h with a host in each.
func g17() model.Node {
	n := g13()
	announce(&n, "10.7.0.0/24")
	announce(&n, "2001:db8:7::/64")
	return n
}

// asRoutes announces all by routes.
func asRoutes(n model.Node) model.Node {
	n.Announcements = slices.Clone(n.Announcements)
	for i := range n.Announcements {
		n.Announcements[i].AsRoute = n.Announcements[i].Prefix.IsSingleIP()
	}
	return n
}

func g13h() model.Node {
	n := g13()
	announce(&n, "10.7.0.11/32")
	announce(&n, "2001:db8:7::11/128")
	return n
}

// alone is g17 without the addresses of the gateway, so that the device of the announcements has none.
func alone() model.Node {
	n := g17()
	n.Announcements = n.Announcements[2:]
	return n
}

// g2 is the provider VM of bgp-drivers.md's case G2, dual stack, flat; g3 that on a VLAN, both on one node.
func g2() model.Node {
	n := base()
	port(&n, "203.0.113.11", "fa:16:3e:00:00:11", "br-ex")
	port(&n, "2001:db8:1::11", "fa:16:3e:00:00:11", "br-ex")
	return n
}

func g3() model.Node {
	n := g2()
	vlan(&n, 100)
	port(&n, "198.51.100.21", "fa:16:3e:00:00:21", "br-ex.100")
	return n
}

func g13() model.Node {
	n := base()
	port(&n, "203.0.113.2", "fa:16:3e:0f:00:02", "br-ex")
	port(&n, "2001:db8:1::2", "fa:16:3e:0f:00:02", "br-ex")
	subnet(&n, "10.7.0.0/24", "203.0.113.2", "br-ex")
	subnet(&n, "2001:db8:7::/64", "2001:db8:1::2", "br-ex")
	return n
}

func empty() model.Node {
	return model.Node{VRF: base().VRF, Bridges: base().Bridges, Links: base().Links}
}

// must is for what a test does to the kernel by another hand.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// world is a kernel, the fake or the real one, and what Open vSwitch does in it.
type world interface {
	kernel.Kernel
	AddBridge(name, mac string) netlink.Link
	LinkSetDown(netlink.Link) error
}

// scenario is a kernel as it was found, and the states wanted of it one after the other.
type scenario struct {
	name   string
	before func(*testing.T, world)
	states []model.Node
}

func scenarios() []scenario {
	return []scenario{
		{"flat", bridge, []model.Node{base(), g2(), base()}},
		{"vlan", bridge, []model.Node{g2(), g3(), g2()}},
		{"gateway", bridge, []model.Node{g13(), base()}},
		{"moves", bridge, []model.Node{g2(), moved(), g2()}},
		{"adoption", oldAgent, []model.Node{g13()}},
		{"adoption-nothing-wanted", oldAgent, []model.Node{base()}},
		{"subnets", bridge, []model.Node{g17(), g13h(), g17(), base()}},
		{"subnets-alone", bridge, []model.Node{g17(), alone(), base()}},
		{"adoption-subnets", oldSubnets, []model.Node{g17()}},
		{"adoption-subnets-nothing-wanted", oldSubnets, []model.Node{base()}},
		{"adoption-release-4", oldAgent4, []model.Node{g3(), g2()}},
		{"stretched", bridge, []model.Node{l2(), l2Moved(), l2Host(), l2(), stretched()}},
		{"adoption-stretched", oldStretched, []model.Node{l2()}},
		{"wrong-tag", wrongTag, []model.Node{g3()}},
		{"routes", bridge, []model.Node{asRoutes(g2()), asRoutes(g17()), asRoutes(alone()), base()}},
		{"addresses-and-routes", bridge, []model.Node{g17(), asRoutes(g17()), g17()}},
		{"adoption-routes", oldSubnets, []model.Node{asRoutes(g17())}},
	}
}

func bridge(_ *testing.T, k world) { k.AddBridge("br-ex", brMAC) }

// moved has the same addresses behind another device and another MAC.
func moved() model.Node {
	n := base()
	vlan(&n, 100)
	port(&n, "203.0.113.11", "fa:16:3e:00:00:99", "br-ex.100")
	port(&n, "2001:db8:1::11", "fa:16:3e:00:00:99", "br-ex.100")
	return n
}

// oldAgent leaves what the old agent leaves for G13 and one address that is gone since.
func oldAgent(t *testing.T, k world) {
	br := k.AddBridge("br-ex", brMAC)
	must(t, k.LinkAdd(netlink.Link{Name: "bgp-vrf", Kind: "vrf", Table: 10}))
	vrf := link(t, k, "bgp-vrf")
	must(t, k.LinkAdd(netlink.Link{Name: "bgp-nic", Kind: "dummy", Master: vrf.Index}),
		k.LinkAdd(netlink.Link{Name: "br-ex.7", Kind: "vlan", Parent: br.Index, VLAN: 7}))
	nic, dev := link(t, k, "bgp-nic"), link(t, k, "br-ex.7")
	for _, l := range []netlink.Link{vrf, nic, dev} {
		must(t, k.LinkSetUp(l))
	}
	addr := func(l netlink.Link, p string) {
		must(t, k.AddrReplace(netlink.Addr{LinkIndex: l.Index, Prefix: netip.MustParsePrefix(p)}))
	}
	addr(br, "169.254.1.1/32")
	addr(br, "fd53:d91e:400:7f17::1:1/128")
	addr(dev, "169.254.1.7/32")
	rt := func(dst, via string) {
		r := netlink.Route{Table: 201, Dst: netip.MustParsePrefix(dst), LinkIndex: br.Index, Type: netlink.TypeUnicast,
			Protocol: netlink.ProtoBoot, Scope: netlink.ScopeLink}
		if via != "" {
			r.Gateway, r.Scope = netip.MustParseAddr(via), netlink.ScopeUniverse
		}
		must(t, k.RouteAdd(r))
	}
	rt("0.0.0.0/0", "")
	rt("::/0", "")
	rt("10.7.0.0/24", "203.0.113.2")
	for _, a := range []string{"203.0.113.2", "2001:db8:1::2", "203.0.113.77"} {
		ip := netip.MustParseAddr(a)
		p := netip.PrefixFrom(ip, ip.BitLen())
		rt(p.String(), "")
		must(t, k.RuleAdd(oldRule(p.String())),
			k.NeighReplace(netlink.Neighbor{LinkIndex: br.Index, IP: ip, MAC: "fa:16:3e:0f:00:02"}))
		addr(nic, p.String())
	}
	must(t, k.RuleAdd(oldRule("10.7.0.1/24")), // with a host's bits
		k.ProxyAdd(netlink.Neighbor{LinkIndex: br.Index, IP: netip.MustParseAddr("2001:db8:1::")}))
}

// oldSubnets leaves what the old agent leaves for G17. Its route is not onlink: the kernel would refuse that, because the
// gateway is an address of bgp-nic, and finds it reachable all the same.
func oldSubnets(t *testing.T, k world) {
	oldAgent(t, k)
	must(t, k.RouteAdd(netlink.Route{Table: 10, Dst: netip.MustParsePrefix("10.7.0.0/24"), LinkIndex: link(t, k, "bgp-nic").Index,
		Gateway: netip.MustParseAddr("203.0.113.2"), Type: netlink.TypeUnicast, Protocol: netlink.ProtoBoot}))
}

// oldAgent4 leaves on the devices what the old agent's release 4.0 leaves for G3: it numbers bridges otherwise, and gives
// VLAN devices no address.
func oldAgent4(t *testing.T, k world) {
	br := k.AddBridge("br-ex", brMAC)
	must(t, k.LinkAdd(netlink.Link{Name: "br-ex.100", Kind: "vlan", Parent: br.Index, VLAN: 100}),
		k.LinkSetUp(link(t, k, "br-ex.100")))
	for _, p := range []string{"169.254.0.1/32", "fd53:d91e:400:7f17::1/128"} {
		must(t, k.AddrReplace(netlink.Addr{LinkIndex: br.Index, Prefix: netip.MustParsePrefix(p)}))
	}
	for _, dev := range []string{"br-ex", "br-ex.100"} {
		must(t, k.SetSysctl("1", "net", "ipv4", "conf", dev, "proxy_arp"), k.SetSysctl("1", "net", "ipv6", "conf", dev, "proxy_ndp"))
	}
}

func oldRule(dst string) netlink.Rule {
	p := netip.MustParsePrefix(dst)
	return netlink.Rule{Family: netlink.FamilyOf(p.Addr()), Priority: 32000, Dst: p, Table: 201}
}

// wrongTag has a VLAN device of ours under the name that is wanted for another tag.
func wrongTag(t *testing.T, k world) {
	br := k.AddBridge("br-ex", brMAC)
	must(t, k.LinkAdd(netlink.Link{Name: "br-ex.100", Kind: "vlan", Parent: br.Index, VLAN: 99, Alias: "ovnbgp"}),
		k.LinkSetUp(link(t, k, "br-ex.100")))
}

func link(t *testing.T, k kernel.Kernel, name string) netlink.Link {
	t.Helper()
	l, ok, err := k.LinkByName(t.Context(), name)
	if err != nil || !ok {
		t.Fatalf("link %s: found %v, %v", name, ok, err)
	}
	return l
}

// round does what the loop does, without its cautions: carriers are made, announcements follow, carriers are cleared.
// It returns the text of the steps, and what failed.
func round(ctx context.Context, k kernel.Kernel, want model.Node) (text string, errs []error) {
	var b strings.Builder
	run := func(name string, steps []plan.Step) {
		for _, s := range steps {
			fmt.Fprintf(&b, "%s: %s", name, s)
			if len(s.Serves) > 0 {
				fmt.Fprintf(&b, "  [%s]", strings.Join(s.Serves, ", "))
			}
			if err := s.Do(ctx); err != nil {
				errs = append(errs, err)
				fmt.Fprintf(&b, "  ! %v", err)
			}
			b.WriteString("\n")
		}
	}
	isDelete := func(s plan.Step) bool { return s.Verb == plan.Delete }
	carriers, err := kernel.NewCarriers(k).Plan(ctx, want)
	if err != nil {
		errs = append(errs, err)
	}
	run("carriers", slices.DeleteFunc(slices.Clone(carriers), isDelete))
	told, err := kernel.NewAnnouncements(k, base().VRF).Plan(ctx, want)
	if err != nil {
		errs = append(errs, err)
	}
	run("announcements", told)
	run("carriers", slices.DeleteFunc(carriers, func(s plan.Step) bool { return !isDelete(s) }))
	return b.String(), errs
}

// converge runs rounds until one has nothing to do.
func converge(t *testing.T, k kernel.Kernel, want model.Node) (text string) {
	t.Helper()
	for range 6 {
		steps, errs := round(t.Context(), k, want)
		if steps == "" && len(errs) == 0 {
			return text
		}
		text += steps + "--\n"
	}
	t.Fatalf("no end after six rounds:\n%s", text)
	return ""
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
