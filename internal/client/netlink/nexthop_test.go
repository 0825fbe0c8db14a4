package netlink

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLearnedRoutes writes routes with several next hops, a preferred source and an IPv6 gateway for IPv4, and reads them
// back as they were written: what a dump tells and what notifications tell.
func TestLearnedRoutes(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	a := vethPair(t, c)
	ip(t, "link add w0 type veth peer name w1")
	ip(t, "link set w0 up")
	ip(t, "link set w1 up")
	b, _, err := c.LinkByName(t.Context(), "w0")
	must(t, err)
	ip(t, "addr add 192.0.2.2/24 dev v0")
	ip(t, "addr add 198.51.100.2/24 dev w0")
	ip(t, "addr add 10.0.0.1/32 dev lo")
	ip(t, "addr add 2001:db8::1/128 dev lo nodad")
	addr := netip.MustParseAddr
	route := func(dst, source string, hops ...NextHop) Route {
		r := Route{Table: TableMain, Dst: netip.MustParsePrefix(dst), Metric: 20, Protocol: 179, Type: TypeUnicast, Source: addr(source)}
		if len(hops) == 1 {
			r.Gateway, r.LinkIndex = hops[0].Gateway, hops[0].LinkIndex
		} else {
			r.NextHops = MakeNextHops(hops)
		}
		return r
	}
	one, two := NextHop{addr("fe80::a"), a.Index}, NextHop{addr("fe80::b"), b.Index}
	numbered := []NextHop{{addr("192.0.2.1"), a.Index}, {addr("198.51.100.1"), b.Index}}
	for _, r := range []Route{
		route("0.0.0.0/0", "10.0.0.1", one), route("0.0.0.0/0", "10.0.0.1", one, two), route("0.0.0.0/0", "10.0.0.1", numbered...),
		route("0.0.0.0/0", "10.0.0.1", two), route("::/0", "2001:db8::1", one), route("::/0", "2001:db8::1", one, two),
		route("::/0", "2001:db8::1", two),
	} {
		must(t, c.RouteReplace(r))
		for _, how := range []string{"told", "dumped"} {
			if how == "dumped" {
				c.Invalidate()
			}
			i := slices.IndexFunc(actual(t, c).Routes, func(x Route) bool { return x.Dst == r.Dst })
			if i < 0 {
				t.Fatalf("%s: not %s", r.Text(nil), how)
			}
			if d := cmp.Diff(r, actual(t, c).Routes[i], cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
				t.Errorf("%s, %s (-want +got):\n%s", r.Text(nil), how, d)
			}
		}
	}
	// Without a device the kernel finds it.
	must(t, c.RouteReplace(route("10.9.0.0/16", "10.0.0.1", NextHop{Gateway: addr("192.0.2.1")}, NextHop{Gateway: addr("198.51.100.1")})))
	i := slices.IndexFunc(actual(t, c).Routes, func(x Route) bool { return x.Dst.String() == "10.9.0.0/16" })
	if d := cmp.Diff(MakeNextHops(numbered), actual(t, c).Routes[i].NextHops); d != "" {
		t.Errorf("devices found (-want +got):\n%s", d)
	}
	must(t, c.RouteReplace(route("::/0", "2001:db8::1", one, two)))
	for _, r := range actual(t, c).Routes {
		must(t, c.RouteDel(r))
	}
	c.Invalidate()
	if left := actual(t, c).Routes; len(left) > 0 {
		t.Errorf("left after the deletes: %v", left)
	}
}
