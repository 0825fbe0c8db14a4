package host

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

func TestAddresses(t *testing.T) {
	at := func(link int, prefix string) netlink.Addr {
		return netlink.Addr{LinkIndex: link, Prefix: netip.MustParsePrefix(prefix)}
	}
	tentative, failed := at(1, "2001:db8::102/128"), at(1, "2001:db8::103/64")
	tentative.Tentative, failed.DADFailed = true, true
	s := Source{Kernel: kernel{
		Links: []netlink.Link{{Index: 1, Name: "lo", AdminUp: true}, {Index: 2, Name: "eth0", AdminUp: true, Running: true},
			{Index: 3, Name: "eth1"}, {Index: 4, Name: "bgp-vrf", Kind: "vrf", AdminUp: true},
			{Index: 5, Name: "bgp-nic", Master: 4, AdminUp: true}, {Index: 6, Name: "port", Master: 7, AdminUp: true},
			{Index: 8, Name: "vrf-mgmt", Kind: "vrf", AdminUp: true}, {Index: 9, Name: "eth2", Master: 8, AdminUp: true},
			{Index: 10, Name: "br-mgmt", Kind: "bridge", Master: 8, AdminUp: true}, {Index: 11, Name: "eth3", Master: 10, AdminUp: true}},
		Addrs: []netlink.Addr{at(2, "192.0.2.100/24"), at(1, "192.0.2.101/32"), at(2, "192.0.2.101/32"), at(3, "192.0.2.102/32"),
			at(5, "192.0.2.103/32"), at(4, "192.0.2.104/32"), at(6, "2001:db8::100/64"), tentative, failed,
			at(8, "192.0.2.106/32"), at(9, "192.0.2.107/24"), at(10, "192.0.2.108/24"), at(11, "192.0.2.109/24"),
			at(9, "192.0.2.110/32"), at(1, "192.0.2.110/32")},
	}}
	// By address; "" for those that the host has not.
	want := map[string]string{
		"192.0.2.100":      "eth0",
		"192.0.2.101":      "eth0", // the first by name
		"192.0.2.102":      "",     // its link is down
		"192.0.2.103":      "",     // an announcement
		"192.0.2.104":      "",
		"192.0.2.105":      "",
		"192.0.2.106":      "", // in another VRF, on its device
		"192.0.2.107":      "",
		"192.0.2.108":      "",
		"192.0.2.109":      "",   // a port of a bridge in it
		"192.0.2.110":      "lo", // in the default one, too
		"2001:db8::100":    "port",
		"2001:db8::102":    "",
		"2001:db8::103":    "",
		"::ffff:192.0.2.1": "",
	}
	for text, device := range want {
		a := netip.MustParseAddr(text)
		got, err := s.Addresses(t.Context(), []netip.Addr{a}, "bgp-vrf")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]model.HostAddress{{Address: a, Device: device}}, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}
