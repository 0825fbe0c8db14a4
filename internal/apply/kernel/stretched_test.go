package kernel_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// stretched announces subnets by way of gateways, as bgp-drivers.md's 12.6 has it: each "prefix" or "prefix gateway".
func stretched(routes ...string) model.Node {
	n := model.Node{VRF: base().VRF, Links: base().Links[:2]}
	for _, r := range routes {
		prefix, gateway, _ := strings.Cut(r, " ")
		a := model.Announcement{VRF: "bgp-vrf", Prefix: netip.MustParsePrefix(prefix), Device: "bgp-nic", Whys: []string{"behind r1"}}
		if gateway != "" {
			a.Gateway = netip.MustParseAddr(gateway)
		}
		n.Announcements = append(n.Announcements, a)
	}
	return n
}

// l2 are the prefixes of a router; l2Moved has another address of the router, l2Host a subnet that is
// one address.
func l2() model.Node {
	return stretched("10.7.0.0/24 203.0.113.2", "203.0.113.0/24", "2001:db8:1::/64", "2001:db8:7::/64 2001:db8:1::2")
}

func l2Moved() model.Node {
	return stretched("10.7.0.0/24 203.0.113.9", "203.0.113.0/24", "2001:db8:1::/64", "2001:db8:7::/64 2001:db8:1::9")
}

func l2Host() model.Node { return stretched("10.7.0.1/32 203.0.113.2", "203.0.113.0/24") }

// oldStretched leaves what the old agent leaves for 12.6, without our marks and flags.
func oldStretched(t *testing.T, k world) {
	must(t, k.LinkAdd(netlink.Link{Name: "bgp-vrf", Kind: "vrf", Table: 10}))
	must(t, k.LinkAdd(netlink.Link{Name: "bgp-nic", Kind: "dummy", Master: link(t, k, "bgp-vrf").Index}))
	must(t, k.LinkSetUp(link(t, k, "bgp-vrf")), k.LinkSetUp(link(t, k, "bgp-nic")))
	for _, r := range []netlink.Route{
		{Dst: netip.MustParsePrefix("203.0.113.0/24"), Scope: netlink.ScopeLink},
		{Dst: netip.MustParsePrefix("2001:db8:1::/64"), Metric: netlink.MetricIPv6},
		{Dst: netip.MustParsePrefix("10.7.0.0/24"), Gateway: netip.MustParseAddr("203.0.113.2")},
		{Dst: netip.MustParsePrefix("2001:db8:7::/64"), Gateway: netip.MustParseAddr("2001:db8:1::2"), Metric: netlink.MetricIPv6},
	} {
		r.Table, r.LinkIndex, r.Protocol, r.Type = 10, link(t, k, "bgp-nic").Index, netlink.ProtoBoot, netlink.TypeUnicast
		must(t, k.RouteAdd(r))
	}
}

// The BGP daemon hears of a route that is written again. Adopted, it is the same but for its protocol: the same gateway, and
// known to be behind the device in the same way.
func TestStretchedRoutesAreAdoptedAsTheyAre(t *testing.T) {
	k := fakekernel.New()
	oldStretched(t, k)
	before := tableTen(t, k)
	steps := converge(t, k, l2())
	for _, object := range []string{"route 10.7.0.0/24 via 203.0.113.2 dev", "route 203.0.113.0/24 dev",
		"route 2001:db8:7::/64 via 2001:db8:1::2 dev", "route 2001:db8:1::/64 dev"} {
		if !strings.Contains(steps, "announcements: adopt "+object+" bgp-nic table 10") {
			t.Errorf("%s: not adopted:\n%s", object, steps)
		}
	}
	after := tableTen(t, k)
	for i := range after {
		if after[i].Protocol != model.Protocol {
			t.Errorf("not marked: %+v", after[i])
		}
		after[i].Protocol = netlink.ProtoBoot
	}
	if !slices.Equal(before, after) {
		t.Errorf("changed from\n%+v to\n%+v", before, after)
	}
	if strings.Contains(steps, "delete") || strings.Contains(steps, "create route") {
		t.Errorf("steps:\n%s", steps)
	}
}

func tableTen(t *testing.T, k kernel.Kernel) (list []netlink.Route) {
	t.Helper()
	k.Watch(10)
	actual, err := k.Actual(t.Context())
	must(t, err)
	for _, r := range actual.Routes {
		if r.Table == 10 {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b netlink.Route) int { return strings.Compare(a.Dst.String(), b.Dst.String()) })
	return list
}

// Another gateway is another next hop for the peers: one write, and the prefix is never out of the table.
func TestChangedGatewayIsReplaced(t *testing.T) {
	k := fakekernel.New()
	converge(t, k, l2())
	told, err := kernel.NewAnnouncements(k, base().VRF).Plan(t.Context(), l2Moved())
	must(t, err)
	var got []string
	for _, s := range told {
		got = append(got, s.String())
		must(t, s.Do(t.Context()))
		if n := len(tableTen(t, k)); n != 4 {
			t.Errorf("after %s: %d routes", s, n)
		}
	}
	want := []string{"update route 10.7.0.0/24 via 203.0.113.9 dev bgp-nic table 10",
		"update route 2001:db8:7::/64 via 2001:db8:1::9 dev bgp-nic table 10"}
	if !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	if left := converge(t, k, l2Moved()); left != "" {
		t.Errorf("left to do:\n%s", left)
	}
}

// What the old agent left and is wanted no more goes, the routes to its gateways' networks too, which the gateways in them
// prove; an operator's route of the same kind stays.
func TestStretchedLeftoversGoAndForeignRoutesStay(t *testing.T) {
	k := fakekernel.New()
	oldStretched(t, k)
	operators := netlink.Route{Table: 10, Dst: netip.MustParsePrefix("198.51.100.0/24"), LinkIndex: link(t, k, "bgp-nic").Index,
		Protocol: netlink.ProtoBoot, Type: netlink.TypeUnicast, Scope: netlink.ScopeLink}
	static := operators
	static.Dst, static.Protocol = netip.MustParsePrefix("198.51.101.0/24"), netlink.ProtoStatic
	static.Gateway, static.Scope, static.OnLink = netip.MustParseAddr("203.0.113.2"), netlink.ScopeUniverse, true
	must(t, k.RouteAdd(operators), k.RouteAdd(static))
	keys, err := kernel.NewAnnouncements(k, base().VRF).Announced(t.Context())
	must(t, err)
	if want := slices.Sorted(slices.Values(l2().Keys())); !slices.Equal(keys, want) {
		t.Errorf("announced %q, want %q", keys, want)
	}
	converge(t, k, stretched())
	if got := tableTen(t, k); !slices.Equal(got, []netlink.Route{operators, static}) {
		t.Errorf("left: %+v", got)
	}
	// In the way of what is wanted, the marked one says so and stays.
	_, errs := round(t.Context(), k, stretched("198.51.101.0/24 203.0.113.2"))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "another's is in the way: route 198.51.101.0/24 via 203.0.113.2") {
		t.Errorf("errors: %v", errs)
	}
}

// From the underlay driver and back: what carried packets goes, the subnets stay in the table and change their next hop.
func TestDriverChanges(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, g17())
	steps := converge(t, k, l2())
	if !strings.Contains(steps, "update route 10.7.0.0/24 via 203.0.113.2 dev bgp-nic table 10") {
		t.Errorf("steps:\n%s", steps)
	}
	for line := range strings.Lines(withoutAnchor(k)) {
		if strings.Contains(line, "table 201") || strings.Contains(line, "neighbour") || strings.HasPrefix(line, "address") {
			t.Errorf("left: %s", line)
		}
	}
	converge(t, k, g17())
	if got := tableTen(t, k); len(got) != 2 || got[0].Gateway.IsValid() || got[1].Gateway.IsValid() {
		t.Errorf("subnets: %+v", got)
	}
}
