package kernel_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// telling announces host prefixes, each by an address or, with a "+" before it, by a route.
func telling(list ...string) model.Node {
	n := model.Node{VRF: base().VRF, Links: base().Links[:2]}
	for _, text := range list {
		text, asRoute := strings.CutPrefix(text, "+")
		a := netip.MustParseAddr(text)
		n.Announcements = append(n.Announcements, model.Announcement{VRF: "bgp-vrf", Prefix: netip.PrefixFrom(a, a.BitLen()),
			Device: "eth0", AsRoute: asRoute, Whys: []string{"a test"}})
	}
	return n
}

// An address of the host itself is told by a route and never by an address, comes and goes alone, and is found again by an
// agent that starts.
func TestHostAddressIsARoute(t *testing.T) {
	k := fakekernel.New()
	table := func() (prefixes []string) {
		for _, r := range tableTen(t, k) {
			prefixes = append(prefixes, r.Dst.String())
		}
		slices.Sort(prefixes)
		return prefixes
	}
	steps := converge(t, k, telling("203.0.113.9", "+192.0.2.100", "+2001:db8::100"))
	for _, step := range []string{"create address 203.0.113.9/32 dev bgp-nic", "create route 192.0.2.100/32 dev bgp-nic table 10",
		"create route 2001:db8::100/128 dev bgp-nic table 10"} {
		if !strings.Contains(steps, step) {
			t.Errorf("no %s in\n%s", step, steps)
		}
	}
	if got, want := table(), []string{"192.0.2.100/32", "2001:db8::100/128"}; !slices.Equal(got, want) {
		t.Errorf("table 10 has %v, want %v", got, want)
	}
	if steps := converge(t, k, telling("203.0.113.9", "+192.0.2.100", "+2001:db8::100")); steps != "" {
		t.Errorf("an agent that starts does\n%s", steps)
	}
	converge(t, k, telling("+192.0.2.100")) // with the last address the kernel takes the routes away, too
	if got, want := table(), []string{"192.0.2.100/32"}; !slices.Equal(got, want) {
		t.Errorf("table 10 has %v, want %v", got, want)
	}
	converge(t, k, telling())
	if got := table(); len(got) > 0 {
		t.Errorf("table 10 has %v", got)
	}
}
