package gobgp

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestNextHopOn(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	interfaces := [][]netip.Prefix{
		{prefix("127.0.0.1/8"), prefix("::1/128")},
		{prefix("192.0.2.2/24"), prefix("fe80::2/64")},
		{prefix("198.51.100.2/24"), prefix("fe80::3/64"), prefix("2001:db8:1::2/64"), prefix("2001:db8:1::3/64")},
		{prefix("10.0.0.1/32"), prefix("2001:db8:2::1/128")},
	}
	for name, c := range map[string]struct{ source, address, want netip.Addr }{
		"on the link":       {address: addr("198.51.100.1"), want: addr("2001:db8:1::2")},
		"link-local alone":  {address: addr("192.0.2.1")},
		"nowhere":           {address: addr("203.0.113.1")},
		"by its own source": {source: addr("10.0.0.1"), address: addr("203.0.113.1"), want: addr("2001:db8:2::1")},
	} {
		if got := nextHopOn(interfaces, c.source, c.address); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestHostAddresses: one read says what package net says by interface.
func TestHostAddresses(t *testing.T) {
	sorted := func(a, b netip.Prefix) int { return a.Compare(b) }
	got, err := hostAddresses()
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(got...)
	slices.SortFunc(all, sorted)
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var want []netip.Prefix
	for _, a := range addresses {
		want = append(want, netip.MustParsePrefix(a.String()))
	}
	slices.SortFunc(want, sorted)
	if d := cmp.Diff(want, all, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
