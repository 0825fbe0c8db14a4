package kernel_test

import (
	"context"
	"fmt"
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

func TestScenarios(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			k := fakekernel.New()
			sc.before(t, k)
			var b strings.Builder
			fmt.Fprintf(&b, "== before\n%s", k)
			for i, want := range sc.states {
				fmt.Fprintf(&b, "== steps to state %d\n%s== state %d\n", i+1, converge(t, k, want), i+1)
				b.WriteString(k.String())
				writes := k.Writes()
				if text, errs := round(t.Context(), k, want); text != "" || errs != nil || k.Writes() != writes {
					t.Errorf("a second round does something: %s%v", text, errs)
				}
			}
			golden(t, sc.name, b.String())
		})
	}
}

// Every call of every scenario fails once; what is there in the end must be the same.
func TestScenariosConvergeAfterAnyFailure(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			for i, want := range sc.states {
				upTo := func(failAt int) (calls []string, state string) {
					k := fakekernel.New()
					sc.before(t, k)
					for _, earlier := range sc.states[:i] {
						converge(t, k, earlier)
					}
					k.FailCall(failAt)
					converge(t, k, want)
					calls = k.Calls()
					k.FailCall(0)
					return calls, withoutAnchor(k)
				}
				calls, clean := upTo(0)
				for n, call := range calls {
					if _, state := upTo(n + 1); state != clean {
						t.Errorf("state %d after %q failed (-clean +this):\n%s", i+1, call, cmp.Diff(clean, state))
					}
				}
			}
		})
	}
}

// withoutAnchor is what a kernel has, but for the address that keeps the routes of the VRF's device: which of several
// failed withdrawals needs it depends on their order.
func withoutAnchor(k *fakekernel.Kernel) string {
	return strings.ReplaceAll(k.String(), "address 169.254.179.1/32 dev bgp-nic\n", "")
}

// An object that keeps failing stops no other.
func TestOneFailingObjectStopsNoOther(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	k.Fail("route 203.0.113.11/32", false)
	for range 3 {
		round(t.Context(), k, g3())
	}
	state := k.String()
	for _, line := range []string{"route 2001:db8:1::11/128 dev br-ex table 201", "rule 32000: to 198.51.100.21/32 lookup 201",
		"address 198.51.100.21/32 dev bgp-nic"} {
		if !strings.Contains(state, line) {
			t.Errorf("%q is not there:\n%s", line, state)
		}
	}
	steps, err := kernel.NewCarriers(k).Plan(t.Context(), g3())
	must(t, err)
	if len(steps) != 1 || !slices.Equal(steps[0].Serves, []string{"bgp-vrf 203.0.113.11/32"}) {
		t.Errorf("left to do: %v", steps)
	}
	if err := steps[0].Do(t.Context()); err == nil || !strings.Contains(err.Error(), "route 203.0.113.11/32 dev br-ex table 201") {
		t.Errorf("the error does not name the object: %v", err)
	}
	k.Fail("", false)
	converge(t, k, g3())
}

// foreign fills a kernel with objects of others, next to everything we look at.
func foreign(t *testing.T, k *fakekernel.Kernel) {
	br := k.AddBridge("br-ex", brMAC)
	eth := k.AddBridge("br-other", "02:aa:bb:cc:dd:02")
	must(t, k.LinkAdd(netlink.Link{Name: "tenant", Kind: "vrf", Table: 77}),
		k.LinkAdd(netlink.Link{Name: "dummy0", Kind: "dummy"}),
		k.LinkAdd(netlink.Link{Name: "br-ex.55", Kind: "vlan", Parent: br.Index, VLAN: 55}), // no address of ours on it
		k.LinkAdd(netlink.Link{Name: "mgmt", Kind: "vlan", Parent: br.Index, VLAN: 56}))
	for _, n := range []string{"tenant", "dummy0", "br-ex.55", "mgmt"} {
		must(t, k.LinkSetUp(link(t, k, n)))
	}
	for _, a := range []struct {
		dev, prefix string
	}{
		{"br-ex", "192.0.2.5/24"}, {"br-ex", "192.0.2.6/32"}, {"br-ex", "169.254.9.1/16"}, {"br-other", "169.254.1.1/32"},
		{"br-other", "fd53:d91e:400:7f17::1:1/128"}, {"dummy0", "203.0.113.9/32"}, {"mgmt", "192.0.2.7/32"},
	} {
		must(t, k.AddrReplace(netlink.Addr{LinkIndex: link(t, k, a.dev).Index, Prefix: netip.MustParsePrefix(a.prefix)}))
	}
	for _, r := range []netlink.Route{
		{Table: 201, Dst: netip.MustParsePrefix("192.0.2.0/24"), Protocol: netlink.ProtoStatic},
		{Table: 201, Dst: netip.MustParsePrefix("192.0.2.0/24"), Protocol: 186, Metric: 20},
		{Table: 254, Dst: netip.MustParsePrefix("0.0.0.0/0"), Protocol: netlink.ProtoBoot},
		{Table: 77, Dst: netip.MustParsePrefix("10.0.0.0/8"), Protocol: netlink.ProtoBoot},
		{Table: 10, Dst: netip.MustParsePrefix("10.0.0.0/8"), Protocol: 186},
	} {
		r.LinkIndex, r.Type = eth.Index, netlink.TypeUnicast
		must(t, k.RouteAdd(r))
	}
	for _, r := range []netlink.Rule{
		{Family: netlink.IPv4, Priority: 32000, Dst: netip.MustParsePrefix("10.1.0.0/16"), Table: 77},
		{Family: netlink.IPv4, Priority: 100, Dst: netip.MustParsePrefix("10.1.0.0/16"), Table: 201},
		{Family: netlink.IPv4, Priority: 32000, Dst: netip.MustParsePrefix("10.1.0.0/16"), Table: 201, Extra: "0010=07 "},
		{Family: netlink.IPv4, Priority: 32000, Table: 201},
		{Family: netlink.IPv4, Priority: 1000, Protocol: netlink.ProtoKernel, Extra: "0013=01 "},
	} {
		must(t, k.RuleAdd(r))
	}
	ip := netip.MustParseAddr
	must(t, k.NeighReplace(netlink.Neighbor{LinkIndex: eth.Index, IP: ip("192.0.2.1"), MAC: brMAC}),
		k.NeighReplace(netlink.Neighbor{LinkIndex: br.Index, IP: ip("192.0.2.1"), MAC: brMAC, Protocol: 186}),
		k.ProxyAdd(netlink.Neighbor{LinkIndex: eth.Index, IP: ip("2001:db8:9::")}),
		k.ProxyAdd(netlink.Neighbor{LinkIndex: br.Index, IP: ip("2001:db8:9::"), Protocol: 186}))
}

func TestForeignObjectsSurvive(t *testing.T) {
	k := fakekernel.New()
	foreign(t, k)
	before := k.String()
	survive := func(when string) {
		t.Helper()
		now := strings.Split(k.String(), "\n")
		for line := range strings.Lines(before) {
			if !slices.Contains(now, strings.TrimSuffix(line, "\n")) {
				t.Errorf("%s: gone is %s", when, line)
			}
		}
	}
	for _, want := range []model.Node{g3(), g13(), empty()} {
		converge(t, k, want)
		survive("converged")
	}
	cleanUp(t, k)
	survive("cleaned up")
	// Settings are never set back.
	after := slices.DeleteFunc(strings.Split(k.String(), "\n"), func(l string) bool { return strings.HasPrefix(l, "sysctl") })
	if diff := cmp.Diff(before, strings.Join(after, "\n")); diff != "" {
		t.Errorf("something of ours is left (-before +after):\n%s", diff)
	}
}

func TestForeignAddressesOnAnotherDeviceSurviveAnnouncements(t *testing.T) {
	k := fakekernel.New()
	foreign(t, k)
	converge(t, k, base())
	nic := link(t, k, "bgp-nic")
	ll := netlink.Addr{LinkIndex: nic.Index, Prefix: netip.MustParsePrefix("fe80::1/128")}
	ll4 := netlink.Addr{LinkIndex: nic.Index, Prefix: netip.MustParsePrefix("169.254.8.8/32")}
	net := netlink.Addr{LinkIndex: nic.Index, Prefix: netip.MustParsePrefix("203.0.113.77/24")}
	stray := netlink.Addr{LinkIndex: nic.Index, Prefix: netip.MustParsePrefix("203.0.113.77/32")}
	must(t, k.AddrReplace(ll), k.AddrReplace(ll4), k.AddrReplace(net), k.AddrReplace(stray))
	a := kernel.NewAnnouncements(k, base().VRF)
	keys, err := a.Announced(t.Context())
	must(t, err)
	if !slices.Equal(keys, []string{"bgp-vrf 203.0.113.77/32"}) {
		t.Errorf("announced: %v", keys)
	}
	steps, err := a.Plan(t.Context(), base())
	must(t, err)
	if len(steps) != 1 || steps[0].String() != "delete address 203.0.113.77/32 dev bgp-nic" ||
		!slices.Equal(steps[0].Serves, keys) {
		t.Errorf("steps: %v", steps)
	}
}

// What others have in the VRF's table stays, also where it leads to our device. Where it stands in the way of a subnet
// that says so, and one without a mark, as a hand may have left it, is taken over.
func TestForeignRoutesInTheVRFSurviveAnnouncements(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, base())
	nic, br := link(t, k, "bgp-nic"), link(t, k, "br-ex")
	put := func(dst string, link int, protocol uint8) netlink.Route {
		r := netlink.Route{Table: 10, Dst: netip.MustParsePrefix(dst), LinkIndex: link, Protocol: protocol,
			Type: netlink.TypeUnicast, Scope: netlink.ScopeLink}
		must(t, k.RouteAdd(r))
		return r
	}
	put("198.51.100.0/24", nic.Index, netlink.ProtoBoot)
	put("198.51.101.0/24", br.Index, netlink.ProtoBoot)
	put("198.51.102.0/24", nic.Index, 186)
	static := put("10.7.0.0/24", nic.Index, netlink.ProtoStatic)
	before := k.String()
	converge(t, k, base())
	if after := k.String(); after != before {
		t.Errorf("changed:\n%s", cmp.Diff(before, after))
	}
	_, errs := round(t.Context(), k, g17())
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "another's is in the way: route 10.7.0.0/24") {
		t.Errorf("errors: %v", errs)
	}
	must(t, k.RouteDel(static))
	put("10.7.0.0/24", nic.Index, netlink.ProtoBoot)
	steps := converge(t, k, g17())
	if !strings.Contains(steps, "adopt route 10.7.0.0/24 dev bgp-nic table 10") {
		t.Errorf("not adopted:\n%s", steps)
	}
	told, err := kernel.NewAnnouncements(k, base().VRF).Announced(t.Context())
	must(t, err)
	if want := g17().Keys(); !slices.Equal(told, slices.Sorted(slices.Values(want))) {
		t.Errorf("announced %v, want %v", told, want)
	}
}

// Whatever is announced before and after a change is announced at every moment of it: also where it is adopted, where the
// device's last address goes, and where addresses and routes take each other's place.
func TestAKeyThatStaysIsAlwaysTold(t *testing.T) {
	for _, sc := range []struct {
		before func(*testing.T, world)
		states []model.Node
	}{
		{oldSubnets, []model.Node{g17()}},
		{oldSubnets, []model.Node{asRoutes(g17()), g17()}},
		{bridge, []model.Node{g17(), alone(), g17()}},
		{bridge, []model.Node{g2(), asRoutes(g2()), g2()}},
		{bridge, []model.Node{g17(), asRoutes(g17()), asRoutes(g2()), g2(), asRoutes(g3()), g3()}},
	} {
		k := fakekernel.New()
		sc.before(t, k)
		tells := func() []string {
			keys, err := kernel.NewAnnouncements(k, base().VRF).Announced(t.Context())
			must(t, err)
			return keys
		}
		for i, want := range sc.states {
			wanted := want.Keys()
			stay := slices.DeleteFunc(tells(), func(key string) bool { return !slices.Contains(wanted, key) })
			steps, err := kernel.NewCarriers(k).Plan(t.Context(), want)
			must(t, err)
			told, err := kernel.NewAnnouncements(k, base().VRF).Plan(t.Context(), want)
			must(t, err)
			for _, s := range append(steps, told...) {
				must(t, s.Do(t.Context()))
				now := tells()
				for _, key := range stay {
					if !slices.Contains(now, key) {
						t.Errorf("state %d: %s takes %s out:\n%s", i+1, s, key, k)
					}
				}
			}
			if now := tells(); !slices.Equal(now, slices.Sorted(slices.Values(wanted))) {
				t.Errorf("state %d: told are %v, wanted %v", i+1, now, wanted)
			}
		}
	}
}

// A change of the bearer is the last step, and marked as such; one of two bearers is taken away, and nothing by that.
func TestBearers(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, g2())
	a := kernel.NewAnnouncements(k, base().VRF)
	plan := func(want model.Node) (lines []string) {
		t.Helper()
		steps, err := a.Plan(t.Context(), want)
		must(t, err)
		for _, s := range steps {
			lines = append(lines, fmt.Sprintf("%s last=%v serves=%v", s, s.Last, s.Serves))
		}
		return lines
	}
	if diff := cmp.Diff([]string{
		"update route 2001:db8:1::11/128 dev bgp-nic table 10 last=true serves=[bgp-vrf 2001:db8:1::11/128]",
		"update route 203.0.113.11/32 dev bgp-nic table 10 last=true serves=[bgp-vrf 203.0.113.11/32]",
	}, plan(asRoutes(g2()))); diff != "" {
		t.Errorf("from addresses to routes (-want +got):\n%s", diff)
	}
	both := netlink.Route{Table: 10, Dst: netip.MustParsePrefix("203.0.113.11/32"), LinkIndex: link(t, k, "bgp-nic").Index,
		Protocol: model.Protocol, Type: netlink.TypeUnicast, Scope: netlink.ScopeLink, Metric: 1024}
	must(t, k.RouteAdd(both))
	if diff := cmp.Diff([]string{"delete route 203.0.113.11/32 dev bgp-nic table 10 last=true serves=[]"}, plan(g2())); diff != "" {
		t.Errorf("the surplus route (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"delete address 203.0.113.11/32 dev bgp-nic last=true serves=[]",
		"update route 2001:db8:1::11/128 dev bgp-nic table 10 last=true serves=[bgp-vrf 2001:db8:1::11/128]",
	}, plan(asRoutes(g2()))); diff != "" {
		t.Errorf("the surplus address (-want +got):\n%s", diff)
	}
	gone := g2()
	gone.Announcements = gone.Announcements[1:] // not the IPv4 address
	if diff := cmp.Diff([]string{
		"delete address 203.0.113.11/32 dev bgp-nic last=false serves=[bgp-vrf 203.0.113.11/32]",
		"delete route 203.0.113.11/32 dev bgp-nic table 10 last=false serves=[bgp-vrf 203.0.113.11/32]",
	}, plan(gone)); diff != "" {
		t.Errorf("wanted no more, both are withdrawn (-want +got):\n%s", diff)
	}
}

func cleanUp(t *testing.T, k kernel.Kernel) {
	t.Helper()
	where := model.Node{VRF: base().VRF, Bridges: base().Bridges}
	told, err := kernel.NewAnnouncements(k, where.VRF).Cleanup(t.Context())
	must(t, err)
	for range 2 {
		carriers, err := kernel.NewCarriers(k).Cleanup(t.Context(), where)
		must(t, err)
		for _, s := range append(told, carriers...) {
			if s.Verb != plan.Delete {
				t.Errorf("cleanup wants to %s", s)
			}
			must(t, s.Do(t.Context()))
		}
		told = nil
	}
	left, err := kernel.NewCarriers(k).Cleanup(context.Background(), where)
	must(t, err)
	if len(left) != 0 {
		t.Errorf("left to clean up: %v", left)
	}
}

func TestCleanupTakesTheOldAgentsToo(t *testing.T) {
	k := fakekernel.New()
	oldAgent(t, k)
	cleanUp(t, k)
	if got, want := k.String(), "link br-ex type openvswitch up\n"; got != want {
		t.Errorf("left:\n%s", got)
	}
}

// Release 4.0 of the old agent makes devices answer in another way. It is left as it is, and goes with cleanup.
func TestReleaseFourAnswersAsWell(t *testing.T) {
	k := fakekernel.New()
	oldAgent4(t, k)
	steps := converge(t, k, g3())
	for _, unwanted := range []string{"address 169.254", "address fd53:", "link br-ex.100"} {
		if strings.Contains(steps, unwanted) {
			t.Errorf("%q is touched:\n%s", unwanted, steps)
		}
	}
	plan, err := kernel.NewCarriers(k).Cleanup(t.Context(), g3())
	must(t, err)
	var text strings.Builder
	for _, s := range plan {
		fmt.Fprintln(&text, s)
	}
	for _, want := range []string{"delete address 169.254.0.1/32 dev br-ex", "delete address fd53:d91e:400:7f17::1/128 dev br-ex"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("cleanup lacks %q:\n%s", want, &text)
		}
	}
}
