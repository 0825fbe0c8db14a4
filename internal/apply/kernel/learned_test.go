package kernel

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

// A next hop is on the device with the longest prefix around it, of those that the main table's packets leave by: none in a
// VRF, not even where an address there is nearer.
func TestDeviceOfNextHop(t *testing.T) {
	at := func(link int, prefix string) netlink.Addr {
		return netlink.Addr{LinkIndex: link, Prefix: netip.MustParsePrefix(prefix)}
	}
	v := newView(netlink.Actual{
		Links: []netlink.Link{{Index: 2, Name: "eth0", AdminUp: true, Running: true}, {Index: 3, Name: "eth1", AdminUp: true, Running: true},
			{Index: 4, Name: "bgp-vrf", Kind: "vrf"}, {Index: 5, Name: "bgp-nic", Kind: "dummy", Master: 4},
			{Index: 6, Name: "vrf-mgmt", Kind: "vrf"}, {Index: 7, Name: "br-mgmt", Kind: "bridge", Master: 6}, {Index: 8, Name: "eth2", Master: 7}},
		Addrs: []netlink.Addr{at(2, "192.0.2.2/24"), at(3, "192.0.2.2/30"), at(5, "192.0.2.1/32"), at(7, "192.0.2.9/29"), at(8, "198.51.100.2/24"),
			at(2, "2001:db8::2/64"), at(5, "2001:db8::1/128")},
	}, model.Node{VRF: model.VRF{Name: "bgp-vrf", Device: "bgp-nic"}})
	for gateway, device := range map[string]string{
		"192.0.2.1":    "eth1", // announced here, too
		"192.0.2.10":   "eth0", // in the other VRF's prefix, too
		"198.51.100.1": "",     // nowhere else
		"2001:db8::1":  "eth0",
		"203.0.113.1":  "",
	} {
		hop := model.NextHop{Gateway: netip.MustParseAddr(gateway)}
		want := []model.NextHop{{Gateway: hop.Gateway, Device: device}}
		if d := cmp.Diff(want, v.usable([]model.NextHop{hop}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("next hop %s (-want +got):\n%s", gateway, d)
		}
	}
}

// TestExplainLearned: what the kernel says in one word is said in plain ones, with the next hop that is to blame.
func TestExplainLearned(t *testing.T) {
	route := model.Route{Metric: 20, Source: netip.MustParseAddr("192.0.2.11"), NextHops: []model.NextHop{
		{Gateway: netip.MustParseAddr("198.51.100.1"), Device: "eth1"}, {Gateway: netip.MustParseAddr("192.0.2.1")}}}
	for err, want := range map[error]string{
		unix.ENETUNREACH:  "the next hop 192.0.2.1 is on no link of this node",
		unix.EHOSTUNREACH: "the next hop 192.0.2.1 is on no link of this node",
		unix.EEXIST:       "metric 20 is in the way",
		unix.EINVAL:       "is 192.0.2.11, the source",
	} {
		if got := explainLearned(err, route); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v: %v, want %q", err, got, want)
		}
	}
	if err := explainLearned(nil, route); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}
