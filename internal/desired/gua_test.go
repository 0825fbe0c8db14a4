package desired

import (
	"net/netip"
	"testing"
)

func TestGUA(t *testing.T) {
	g := newGlobals()
	for address, want := range map[string]bool{
		"2a0f:0:7::1": true, "64:ff9b::1": true, "2600::": true, "2003::1": true, "ff0e::1": true,
		"2001:200::1": true, "2001:1ff:ffff::1": false,
		"2001:1::1": true, "2001:1::2": true, "2001:1::3": false, "2001:3::9": true, "2001:4:112::1": true,
		"2001:4:113::1": false, "2001:20::1": true, "2001:2f::1": true, "2001:30::1": true, "2001:40::1": false,
		"::ffff:8.8.8.8": true, "::ffff:10.0.0.1": false, "::ffff:192.0.0.9": true, "::ffff:192.0.0.8": false,
		"2001:db8::1": false, "fd00::1": false, "fe80::1": false, "10.0.0.1": false, "8.8.8.8": false, "::": false, "::1": false,
		"64:ff9b:1::1": false, "100::1": false, "2001::1": false, "2002:808:808::1": false, "fc00::1": false, "febf::1": false,
	} {
		if got := g.has(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}
