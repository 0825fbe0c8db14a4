package netlink

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var compareNetip = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func route(l Link, dst, via string) Route {
	r := Route{
		Table: 10, Dst: netip.MustParsePrefix(dst), LinkIndex: l.Index, Protocol: 179, Type: TypeUnicast,
	}
	if via != "" {
		r.Gateway = netip.MustParseAddr(via)
		r.OnLink = true
	}
	if r.Dst.Addr().Is6() {
		r.Metric = MetricIPv6
	} else if via == "" {
		r.Scope = ScopeLink
	}
	return r
}

func sorted(rs []Route) []Route {
	slices.SortFunc(rs, func(a, b Route) int { return strings.Compare(a.Text(nil), b.Text(nil)) })
	return rs
}

func TestRoutesReadBackAsWritten(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	want := []Route{
		route(v0, "0.0.0.0/0", ""), route(v0, "203.0.113.9/32", ""), route(v0, "10.7.0.0/24", "203.0.113.9"),
		route(v0, "::/0", ""), route(v0, "2001:db8::9/128", ""), route(v0, "2001:db8:7::/64", "2001:db8::9"),
	}
	for _, r := range want {
		must(t, c.RouteReplace(r))
		must(t, c.RouteReplace(r)) // again: nothing more
	}
	if diff := cmp.Diff(sorted(want), sorted(actual(t, c).Routes), compareNetip, comparePrefix); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	out := ip(t, "route show table 10 proto 179")
	if !strings.Contains(out, "203.0.113.9 dev v0 scope link") {
		t.Errorf("ip does not show the route:\n%s", out)
	}
	for _, r := range want {
		must(t, c.RouteDel(r))
		must(t, c.RouteDel(r)) // absent: success
	}
	if rs := actual(t, c).Routes; len(rs) != 0 {
		t.Errorf("left: %v", rs)
	}
}

func TestRouteReplaceOfAnotherProtocolLeavesOne(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	for _, family := range []string{"203.0.113.9/32", "2001:db8::9/128"} {
		old := route(v0, family, "")
		old.Protocol = ProtoBoot
		must(t, c.RouteReplace(old))
		ours := route(v0, family, "")
		must(t, c.RouteReplace(ours))
		has := actual(t, c).Routes
		if !slices.Contains(has, ours) || slices.Contains(has, old) {
			t.Errorf("after the replace of %v by %v: %v", old, ours, has)
		}
		if err := c.RouteDel(old); err != nil {
			t.Errorf("delete with the old protocol: %v", err)
		}
		if !slices.Contains(actual(t, c).Routes, ours) {
			t.Error("a delete with another protocol took our route")
		}
		must(t, c.RouteDel(ours))
	}
	for _, dst := range []string{"203.0.113.9/32", "2001:db8::9/128"} {
		r := route(v0, dst, "")
		must(t, c.RouteAdd(r))
		r.Protocol = ProtoBoot
		if err := c.RouteAdd(r); !errors.Is(err, unix.EEXIST) {
			t.Errorf("added over another's: %v, want EEXIST", err)
		}
	}
	if err := c.RouteDel(Route{Table: 10, Dst: netip.MustParsePrefix("203.0.113.9/32")}); err == nil {
		t.Error("a delete without protocol was not refused")
	}
}

func TestOnlyRoutesOfInterestAreKept(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	vethPair(t, c)
	ip(t, "route add 198.51.100.1/32 dev v0 table 20 proto static")
	ip(t, "route add 198.51.100.2/32 dev v0 table 20 proto 179")
	ip(t, "route add 198.51.100.3/32 dev v0 table 10 proto static")
	ip(t, "route add 198.51.100.4/32 dev v0")
	check := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, r := range actual(t, c).Routes {
			got = append(got, r.Dst.String())
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: kept %v, want %v", when, got, want)
		}
	}
	check("notified", "198.51.100.2/32", "198.51.100.3/32")
	c.Invalidate()
	check("dumped", "198.51.100.2/32", "198.51.100.3/32")
	c.Watch(20)
	check("watching 20", "198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32")
	// Replaced by a route of no interest: no delete is announced.
	ip(t, "route add 198.51.100.5/32 dev v0 table 30 proto 179")
	check("another", "198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32", "198.51.100.5/32")
	ip(t, "route replace 198.51.100.5/32 dev v0 table 30 proto static")
	check("replaced", "198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32")
}

func TestAppendedRoutesAreAllKnown(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	vethPair(t, c)
	ip(t, "route add 198.51.100.1/32 dev v0 table 10 proto 179")
	ip(t, "route append 198.51.100.1/32 dev v1 table 10 proto 179")
	if n := len(actual(t, c).Routes); n != 2 {
		t.Errorf("%d routes, want 2", n)
	}
	ip(t, "route replace 198.51.100.1/32 dev lo table 10 proto 179")
	if got, want := len(actual(t, c).Routes), strings.Count(ip(t, "route show table 10"), "\n"); got != want {
		t.Errorf("%d routes after the replace, the kernel has %d", got, want)
	}
	ip(t, "route del 198.51.100.1/32 dev v1 table 10")
	if got, want := len(actual(t, c).Routes), strings.Count(ip(t, "route show table 10"), "\n"); got != want {
		t.Errorf("%d routes after the delete, the kernel has %d", got, want)
	}
}

func TestLinkDownTakesIPv4RoutesInSilence(t *testing.T) {
	for _, how := range []string{"link set v0 down", "link del v0", "addr del 192.0.2.1/24 dev v0"} {
		t.Run(how, func(t *testing.T) {
			inNamespace(t)
			c := openConn(t)
			v0 := vethPair(t, c)
			ip(t, "addr add 192.0.2.1/24 dev v0")
			must(t, c.RouteReplace(route(v0, "203.0.113.9/32", "")))
			if len(actual(t, c).Routes) != 1 {
				t.Fatal("the route is not there to begin with")
			}
			ip(t, how)
			if rs := actual(t, c).Routes; len(rs) != 0 {
				t.Errorf("the mirror still has %v, the kernel has\n%s", rs, ip(t, "route show table all"))
			}
		})
	}
}

func TestRules(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	base := actual(t, c).Rules
	if len(base) != 5 { // local, main, default; local, main
		t.Fatalf("a new namespace has %d rules: %v", len(base), base)
	}
	// A prefix with host bits is kept as written (bgp-drivers.md Q2).
	old := Rule{Family: IPv4, Priority: 32000, Dst: netip.MustParsePrefix("10.7.0.1/24"), Table: 10, Protocol: ProtoBoot}
	ours := old
	ours.Protocol = 179
	six := Rule{Family: IPv6, Priority: 32000, Dst: netip.MustParsePrefix("2001:db8::9/128"), Table: 10, Protocol: 179}
	for _, r := range []Rule{old, ours, six} {
		must(t, c.RuleAdd(r))
		if !slices.Contains(actual(t, c).Rules, r) {
			t.Fatalf("%s is not read back: %v", r, actual(t, c).Rules)
		}
	}
	if err := c.RuleAdd(ours); !errors.Is(err, unix.EEXIST) {
		t.Errorf("added twice: %v, want EEXIST", err)
	} else if !strings.Contains(err.Error(), "rule 32000: to 10.7.0.1/24 lookup 10 proto 179") {
		t.Errorf("the error does not name the rule: %v", err)
	}
	must(t, c.RuleDel(old))
	has := actual(t, c).Rules
	if slices.Contains(has, old) || !slices.Contains(has, ours) {
		t.Errorf("after the delete of the other protocol's: %v", has)
	}
	ip(t, "rule add from 10.0.0.1 to 10.7.0.0/24 fwmark 7 lookup 10 priority 32000 proto 179")
	i := slices.IndexFunc(actual(t, c).Rules, func(r Rule) bool { return r.Extra != "" })
	if i < 0 {
		t.Error("a rule with other selectors looks like one without")
	}
	must(t, c.RuleDel(ours))
	must(t, c.RuleDel(ours))
	must(t, c.RuleDel(six))
	ip(t, "rule del from 10.0.0.1 to 10.7.0.0/24 fwmark 7 lookup 10 priority 32000 proto 179")
	c.Invalidate()
	if got := actual(t, c).Rules; len(got) != len(base) {
		t.Errorf("left: %v", got)
	}
}

func TestNeighbors(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	for _, addr := range []string{"203.0.113.9", "2001:db8::9"} {
		n := Neighbor{LinkIndex: v0.Index, IP: netip.MustParseAddr(addr), MAC: "fa:16:3e:00:00:11"}
		must(t, c.NeighReplace(n))
		if got := actual(t, c).Neighbors; !slices.Equal(got, []Neighbor{n}) {
			t.Fatalf("neighbours %v, want %v", got, n)
		}
		n.Protocol = 179 // another protocol only: nobody is notified
		must(t, c.NeighReplace(n))
		if got := actual(t, c).Neighbors; !slices.Equal(got, []Neighbor{n}) {
			t.Errorf("re-marked: %v, want %v", got, n)
		}
		n.MAC = "fa:16:3e:00:00:12"
		must(t, c.NeighReplace(n))
		c.Invalidate()
		if got := actual(t, c).Neighbors; !slices.Equal(got, []Neighbor{n}) {
			t.Errorf("dumped: %v, want %v", got, n)
		}
		must(t, c.NeighDel(n))
		must(t, c.NeighDel(n))
		if got := actual(t, c).Neighbors; len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	}
	ip(t, "neigh add 203.0.113.10 lladdr fa:16:3e:00:00:13 dev v0 nud permanent")
	if len(actual(t, c).Neighbors) != 1 {
		t.Error("a permanent entry of another's is not seen")
	}
	ip(t, "neigh change 203.0.113.10 lladdr fa:16:3e:00:00:13 dev v0 nud stale")
	if got := actual(t, c).Neighbors; len(got) != 0 {
		t.Errorf("no longer permanent, but kept: %v", got)
	}
}

func TestProxies(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	p := Neighbor{LinkIndex: v0.Index, IP: netip.MustParseAddr("2001:db8:1::"), Proxy: true, Protocol: 179}
	must(t, c.ProxyAdd(p))
	if got := actual(t, c).Proxies; !slices.Equal(got, []Neighbor{p}) {
		t.Fatalf("proxies %v, want %v", got, p)
	}
	ip(t, "-6 neigh add proxy 2001:db8:2:: dev v0") // in silence
	for len(c.Pokes()) > 0 {
		<-c.Pokes()
	}
	must(t, c.PollProxies(t.Context()))
	if len(c.Pokes()) != 1 {
		t.Error("the poll found a new entry and did not poke")
	}
	if got := actual(t, c).Proxies; len(got) != 2 {
		t.Errorf("polled: %v", got)
	}
	must(t, c.ProxyDel(p))
	must(t, c.ProxyDel(p))
	if got := actual(t, c).Proxies; len(got) != 1 || got[0].Protocol != 0 {
		t.Errorf("after the delete: %v", got)
	}
	ip(t, "link set v0 down") // takes them along, in silence
	if got := actual(t, c).Proxies; len(got) != 0 {
		t.Errorf("after the link went down: %v", got)
	}
}

func TestAddresses(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	base := len(actual(t, c).Addrs)
	for _, p := range []string{"203.0.113.9/32", "2001:db8::9/128", "192.0.2.1/24"} {
		a := Addr{LinkIndex: v0.Index, Prefix: netip.MustParsePrefix(p)}
		a.NoDAD = a.Prefix.Addr().Is6()
		must(t, c.AddrReplace(a))
		must(t, c.AddrReplace(a))
		if !slices.Contains(actual(t, c).Addrs, a) {
			t.Errorf("%v is not read back: %v", a, actual(t, c).Addrs)
		}
	}
	for _, p := range []string{"203.0.113.9/32", "2001:db8::9/128", "192.0.2.1/24"} {
		a := Addr{LinkIndex: v0.Index, Prefix: netip.MustParsePrefix(p)}
		must(t, c.AddrDel(a))
		must(t, c.AddrDel(a))
	}
	c.Invalidate()
	eventually(t, "link-local addresses settle", func() bool {
		as := actual(t, c).Addrs
		return !slices.ContainsFunc(as, func(a Addr) bool { return a.Tentative }) && len(as) >= base &&
			!slices.ContainsFunc(as, func(a Addr) bool { return a.Prefix.Bits() == 128 && !a.Prefix.Addr().IsLoopback() })
	})
}
