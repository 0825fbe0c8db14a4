package kernel_test

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"ovnbgp/internal/model"
)

// nested is a state in which a tenant's network is behind br-ex, and one within it, and a host in that, behind br-two, as
// far as each is wanted. What lies within the network of another bridge has a route in that bridge's table, too.
func nested(outer, inner, host bool) model.Node {
	n := withoutVRF(base())
	n.Bridges = append(n.Bridges, model.Bridge{Name: "br-two", Table: 202})
	n.Links = append(n.Links, model.Link{Name: "br-two", Kind: model.LinkExisting, Why: "provider bridge"})
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		n.Routes = append(n.Routes, model.Route{Table: 202, Prefix: netip.MustParsePrefix(all), Device: "br-two", Why: "provider bridge"})
	}
	lead := func(prefix, gateway, dev string, table uint32, crossed ...uint32) {
		r := model.Route{Table: table, Prefix: netip.MustParsePrefix(prefix), Device: dev, Why: "network"}
		if gateway != "" {
			r.Gateway = netip.MustParseAddr(gateway)
		}
		n.Rules = append(n.Rules, model.Rule{Prefix: r.Prefix, Table: table, Why: "network"})
		n.Routes = append(n.Routes, r)
		for _, r.Table = range crossed {
			n.Routes = append(n.Routes, r)
		}
	}
	var around []uint32
	if outer {
		lead("10.7.0.0/16", "203.0.113.2", "br-ex", 201)
		lead("2a0f::/48", "2001:db8:1::2", "br-ex", 201)
		around = []uint32{201}
	}
	if inner {
		lead("10.7.9.0/24", "198.51.100.2", "br-two", 202, around...)
		lead("2a0f::/64", "2001:db8:2::2", "br-two", 202, around...)
	}
	if host {
		lead("10.7.9.99/32", "", "br-two", 202, around...)
		lead("2a0f::99/128", "", "br-two", 202, around...)
	}
	return n
}

// Of rules of one priority the kernel obeys the oldest, not the longest: in whatever order networks within one another
// come and go, packets go where the longest leads.
func TestRealKernelLeadsNestedNetworks(t *testing.T) {
	type state struct{ outer, inner, host bool }
	all := state{true, true, true}
	for _, states := range [][]state{
		{{outer: true}, {outer: true, inner: true}, all, {outer: true, host: true}, {outer: true}},
		{{host: true}, {inner: true, host: true}, all, {outer: true, inner: true}, {inner: true}},
		{{inner: true}, {outer: true, inner: true}, all, {outer: true}, all},
		{all, {inner: true, host: true}, all, {host: true}, {outer: true, host: true}},
	} {
		k := newRealKernel(t)
		bridge(t, k)
		k.AddBridge("br-two", brMAC)
		for i, s := range states {
			converge(t, k, nested(s.outer, s.inner, s.host))
			way := map[bool]string{true: "dev br-ex table 201"}[s.outer]
			checkWay(t, i, "10.7.1.1", way)
			checkWay(t, i, "2a0f:0:0:1::1", way)
			if s.inner {
				way = "via 198.51.100.2 dev br-two"
			}
			checkWay(t, i, "10.7.9.1", way)
			checkWay(t, i, "2a0f::1", strings.Replace(way, "198.51.100.2", "2001:db8:2::2", 1))
			if s.host {
				way = "dev br-two"
			}
			checkWay(t, i, "10.7.9.99", way)
			checkWay(t, i, "2a0f::99", strings.Replace(way, "198.51.100.2", "2001:db8:2::2", 1))
		}
	}
}

// checkWay asks the kernel where packets to an address go; with no way wanted they are not to go at all.
func checkWay(t *testing.T, state int, addr, want string) {
	t.Helper()
	out, err := exec.Command("ip", "route", "get", addr).CombinedOutput()
	if got := string(out); want == "" && err == nil || want != "" && !strings.Contains(got, want) {
		t.Errorf("state %d: packets to %s go: %swant: %q", state, addr, got, want)
	}
}
