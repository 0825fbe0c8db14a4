package kernel_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// errorOf runs the step with that text and returns its error.
func errorOf(t *testing.T, k kernel.Kernel, want model.Node, step string) string {
	t.Helper()
	steps, err := kernel.NewCarriers(k).Plan(t.Context(), want)
	must(t, err)
	for _, s := range steps {
		if s.String() != step {
			continue
		}
		if err := s.Do(t.Context()); err != nil {
			return err.Error()
		}
		return ""
	}
	t.Fatalf("no step %q in %v", step, steps)
	return ""
}

func TestForwardingIsOnlyRead(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, g2())
	must(t, k.SetSysctl("0", "net", "ipv6", "conf", "all", "forwarding"))
	msg := errorOf(t, k, g2(), "update sysctl net.ipv6.conf.all.forwarding=1")
	if !strings.Contains(msg, `sysctl -w net.ipv6.conf.all.forwarding=1`) {
		t.Errorf("the error does not name the command: %s", msg)
	}
	text, _ := round(t.Context(), k, g2())
	if strings.Count(text, "carriers: ") != 1 {
		t.Errorf("more than the setting is to be done:\n%s", text)
	}
}

func TestMissingBridgeFailsItsSteps(t *testing.T) {
	k := fakekernel.New()
	for _, step := range []string{"update link br-ex up", "create route 203.0.113.11/32 dev br-ex table 201",
		"create neighbour 203.0.113.11 lladdr fa:16:3e:00:00:11 dev br-ex", "create address 169.254.1.1/32 dev br-ex"} {
		if msg := errorOf(t, k, g2(), step); !strings.Contains(msg, "there is no device br-ex") {
			t.Errorf("%s: %q", step, msg)
		}
	}
	round(t.Context(), k, g2())
	bridge(t, k) // and now it comes, with another index
	converge(t, k, g2())
}

func TestHeals(t *testing.T) {
	for name, harm := range harms() {
		t.Run(name, func(t *testing.T) { heals(t, fakekernel.New(), harm) })
	}
}

// harms are what happens to a node that was as it should be.
func harms() map[string]func(*testing.T, world) {
	return map[string]func(*testing.T, world){
		"bridge down":     func(t *testing.T, k world) { must(t, k.LinkSetDown(link(t, k, "br-ex"))) },
		"VLAN down":       func(t *testing.T, k world) { must(t, k.LinkSetDown(link(t, k, "br-ex.100"))) },
		"VLAN gone":       func(t *testing.T, k world) { must(t, k.LinkDel(link(t, k, "br-ex.100"))) },
		"bgp-nic down":    func(t *testing.T, k world) { must(t, k.LinkSetDown(link(t, k, "bgp-nic"))) },
		"bgp-nic gone":    func(t *testing.T, k world) { must(t, k.LinkDel(link(t, k, "bgp-nic"))) },
		"bgp-nic freed":   func(t *testing.T, k world) { must(t, k.LinkSetMaster(link(t, k, "bgp-nic"), 0)) },
		"VRF gone":        func(t *testing.T, k world) { must(t, k.LinkDel(link(t, k, "bgp-vrf"))) },
		"alias gone":      func(t *testing.T, k world) { must(t, k.LinkSetAlias(link(t, k, "bgp-nic"), "")) },
		"no proxy_arp":    func(t *testing.T, k world) { must(t, k.SetSysctl("0", "net", "ipv4", "conf", "br-ex", "proxy_arp")) },
		"objects changed": changeObjects,
		"old agent again": oldAgentAgain,
		"bridge gone": func(t *testing.T, k world) {
			must(t, k.LinkDel(link(t, k, "br-ex")))
			k.AddBridge("br-ex", brMAC)
		},
	}
}

func changeObjects(t *testing.T, k world) {
	br := link(t, k, "br-ex")
	for _, a := range []string{"203.0.113.11", "2001:db8:1::11"} {
		ip := netip.MustParseAddr(a)
		p := netip.PrefixFrom(ip, ip.BitLen())
		rule := oldRule(p.String())
		rule.Protocol = model.Protocol
		must(t, k.RuleDel(rule), k.NeighReplace(netlink.Neighbor{LinkIndex: br.Index, IP: ip, MAC: brMAC}),
			k.RouteDel(netlink.Route{Table: 201, Dst: p, Protocol: model.Protocol, Type: netlink.TypeUnicast,
				Scope: map[bool]uint8{true: netlink.ScopeLink}[ip.Is4()]}))
	}
	must(t, k.ProxyDel(netlink.Neighbor{LinkIndex: br.Index, IP: netip.MustParseAddr("2001:db8:1::")}),
		k.AddrDel(netlink.Addr{LinkIndex: br.Index, Prefix: netip.MustParsePrefix("169.254.1.1/32")}))
}

// oldAgentAgain is a rollback: the old agent writes its own over ours, and we come back. Its rules are younger than
// ours, and a delete without a protocol takes the oldest.
func oldAgentAgain(t *testing.T, k world) {
	br := link(t, k, "br-ex")
	for _, a := range []string{"203.0.113.11", "2001:db8:1::11"} {
		ip := netip.MustParseAddr(a)
		p := netip.PrefixFrom(ip, ip.BitLen())
		r := netlink.Route{Table: 201, Dst: p, LinkIndex: br.Index, Protocol: netlink.ProtoBoot, Type: netlink.TypeUnicast,
			Scope: map[bool]uint8{true: netlink.ScopeLink}[ip.Is4()], Metric: map[bool]uint32{true: netlink.MetricIPv6}[ip.Is6()]}
		boot := oldRule(p.String())
		boot.Protocol = netlink.ProtoBoot
		must(t, k.RuleAdd(oldRule(p.String())), k.RuleAdd(boot), k.RouteReplace(r),
			k.NeighReplace(netlink.Neighbor{LinkIndex: br.Index, IP: ip, MAC: "fa:16:3e:00:00:11"}))
	}
	must(t, k.ProxyAdd(netlink.Neighbor{LinkIndex: br.Index, IP: netip.MustParseAddr("2001:db8:1::")}))
}

// heals harms a kernel and expects it to be as before, after as many rounds as it takes.
func heals(t *testing.T, k world, harm func(*testing.T, world)) {
	t.Helper()
	bridge(t, k)
	converge(t, k, g3())
	before := owned(t, k)
	harm(t, k)
	if converge(t, k, g3()) == "" {
		t.Error("the harm was not noticed")
	}
	if diff := cmp.Diff(before, owned(t, k)); diff != "" {
		t.Errorf("healed to (-before +after):\n%s", diff)
	}
}

func TestAnothersObjectInTheWay(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	br := link(t, k, "br-ex")
	other := k.AddBridge("br-other", brMAC)
	ip := netip.MustParseAddr("203.0.113.11")
	must(t, k.RouteAdd(netlink.Route{Table: 201, Dst: netip.PrefixFrom(ip, 32), LinkIndex: other.Index,
		Protocol: netlink.ProtoStatic, Type: netlink.TypeUnicast}),
		k.NeighReplace(netlink.Neighbor{LinkIndex: br.Index, IP: ip, MAC: brMAC, Protocol: 186}),
		k.LinkAdd(netlink.Link{Name: "br-ex.100", Kind: "bridge"}))
	before := k.String()
	for step, want := range map[string]string{
		"create route 203.0.113.11/32 dev br-ex table 201":                 "another's is in the way: route 203.0.113.11/32 dev br-other",
		"update neighbour 203.0.113.11 lladdr fa:16:3e:00:00:11 dev br-ex": "another's is in the way",
		"create link br-ex.100 type vlan id 100 on br-ex":                  `kind "bridge" is in the way`,
		"create route 198.51.100.21/32 dev br-ex.100 table 201":            `kind "bridge" is in the way`,
		"update sysctl net.ipv4.conf.br-ex/100.proxy_arp=1":                `kind "bridge" is in the way`,
	} {
		if msg := errorOf(t, k, g3(), step); !strings.Contains(msg, want) {
			t.Errorf("%s: %q, want %q", step, msg, want)
		}
	}
	if k.String() != before {
		t.Error("something was changed")
	}
}

// A second VRF, or the same under another table, is refused: the way is cleanup.
func TestChangedVRFIsRefused(t *testing.T) {
	changes := map[string]func(*model.Node){
		"table": func(n *model.Node) { n.VRF.Table, n.Links[0].Table = 11, 11 },
		"name":  func(n *model.Node) { n.VRF.Name, n.Links[0].Name, n.Links[1].Master = "vrf2", "vrf2", "vrf2" },
		"nic":   func(n *model.Node) { n.VRF.Device, n.Links[1].Name = "nic2", "nic2" },
	}
	for name, change := range changes {
		k := fakekernel.New()
		bridge(t, k)
		converge(t, k, g2())
		want := g2()
		change(&want)
		_, err := kernel.NewCarriers(k).Plan(t.Context(), want)
		start := kernel.NewCarriers(k).CheckVRF(t.Context(), want.VRF)
		for _, err := range []error{err, start} {
			if err == nil || !strings.Contains(err.Error(), `"ovnbgp cleanup" with the old configuration`) {
				t.Errorf("%s: %v", name, err)
			}
		}
		cleanUp(t, k)
		if _, err := kernel.NewCarriers(k).Plan(t.Context(), want); err != nil {
			t.Errorf("%s, after cleanup: %v", name, err)
		}
		if err := kernel.NewCarriers(k).CheckVRF(t.Context(), want.VRF); err != nil {
			t.Errorf("%s, after cleanup: %v", name, err)
		}
	}
}

func TestUnreadableKernelIsNotEmpty(t *testing.T) {
	k := fakekernel.New()
	k.Fail("read", false)
	a := kernel.NewAnnouncements(k, base().VRF)
	if _, err := kernel.NewCarriers(k).Plan(t.Context(), g2()); err == nil {
		t.Error("carriers planned blindly")
	}
	if _, err := a.Plan(t.Context(), g2()); err == nil {
		t.Error("announcements planned blindly")
	}
	if _, err := a.Announced(t.Context()); err == nil {
		t.Error("nothing seems announced")
	}
}

func TestAnnouncementsKeepOffADeviceThatIsNotADummy(t *testing.T) {
	k := fakekernel.New()
	eth := k.AddBridge("bgp-nic", brMAC)
	must(t, k.AddrReplace(netlink.Addr{LinkIndex: eth.Index, Prefix: netip.MustParsePrefix("192.0.2.1/32")}))
	if steps, err := kernel.NewAnnouncements(k, base().VRF).Plan(t.Context(), base()); err == nil {
		t.Errorf("planned %v", steps)
	}
}

// A delete waits for what the object carries: the address it leads to, or all that is announced within its network; one
// that does not say waits for all announcements.
func TestDeletesServeWhatTheObjectSays(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, g13h())
	want := empty()
	announce(&want, "10.7.0.12/32") // to be announced, though not carried
	announce(&want, "10.8.0.12/32")
	steps, err := kernel.NewCarriers(k).Plan(t.Context(), want)
	must(t, err)
	keys := func(prefixes ...string) (list []string) {
		for _, p := range prefixes {
			list = append(list, "bgp-vrf "+p)
		}
		return list
	}
	v4, v6 := keys("10.7.0.0/24", "10.7.0.11/32", "10.7.0.12/32"), keys("2001:db8:7::/64", "2001:db8:7::11/128")
	got := map[string][]string{}
	for _, s := range steps {
		if s.Verb != plan.Delete {
			t.Errorf("step %s", s)
		}
		got[s.Object] = s.Serves
	}
	for object, serves := range map[string][]string{
		"rule to 203.0.113.2/32 lookup 201":                          keys("203.0.113.2/32"),
		"rule to 10.7.0.0/24 lookup 201":                             v4,
		"rule to 2001:db8:7::/64 lookup 201":                         v6,
		"route 203.0.113.2/32 dev br-ex table 201":                   keys("203.0.113.2/32"),
		"route 10.7.0.0/24 via 203.0.113.2 dev br-ex table 201":      v4,
		"neighbour 203.0.113.2 lladdr fa:16:3e:0f:00:02 dev br-ex":   append(keys("203.0.113.2/32"), v4...),
		"neighbour 2001:db8:1::2 lladdr fa:16:3e:0f:00:02 dev br-ex": append(keys("2001:db8:1::2/128"), v6...),
		"route 0.0.0.0/0 dev br-ex table 201":                        nil,
		"address 169.254.1.1/32 dev br-ex":                           nil,
	} {
		if have, planned := got[object]; !planned || !slices.Equal(have, serves) {
			t.Errorf("delete %s serves %v, want %v (planned %v)", object, have, serves, planned)
		}
	}
}
