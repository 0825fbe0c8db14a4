package model

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These words are what operators and scripts look for in logs, plans and the status.
func TestObjectTexts(t *testing.T) {
	host, network := netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("10.7.0.0/24")
	preference := uint32(0)
	attributes := Attributes{Communities: []Community{64999<<16 | 100, GracefulShutdown},
		LargeCommunities: []LargeCommunity{{64999, 1, 2}}, LocalPreference: &preference}
	for _, c := range []struct {
		object fmt.Stringer
		want   string
	}{
		{Link{Name: "bgp-vrf", Kind: LinkVRF, Table: 10}, "link bgp-vrf type vrf table 10"},
		{Link{Name: "bgp-nic", Kind: LinkDummy, Master: "bgp-vrf"}, "link bgp-nic type dummy master bgp-vrf"},
		{Link{Name: "br-ex.100", Kind: LinkVLAN, Parent: "br-ex", VLAN: 100}, "link br-ex.100 type vlan id 100 on br-ex"},
		{Link{Name: "br-ex", Kind: LinkExisting}, "link br-ex"},
		{Address{Device: "br-ex", Prefix: host}, "address 203.0.113.9/32 dev br-ex"},
		{Sysctl{Family: 4, Device: "br-ex.100", Name: "proxy_arp", Value: "1"}, "sysctl net.ipv4.conf.br-ex/100.proxy_arp=1"},
		{Rule{Prefix: host, Table: 17}, "rule to 203.0.113.9/32 lookup 17"},
		{Rule{Table: 17}, "rule to all lookup 17"},
		{Route{Prefix: host, Device: "br-ex", Table: 17}, "route 203.0.113.9/32 dev br-ex table 17"},
		{Route{Prefix: network, Device: "br-ex", Table: 17, Gateway: host.Addr()}, "route 10.7.0.0/24 via 203.0.113.9 dev br-ex table 17"},
		{Neighbor{IP: host.Addr(), MAC: "fa:16:3e:00:00:09", Device: "br-ex"}, "neighbour 203.0.113.9 lladdr fa:16:3e:00:00:09 dev br-ex"},
		{Proxy{IP: netip.MustParseAddr("2001:db8::9"), Device: "br-ex"}, "proxy 2001:db8::9 dev br-ex"},
		{Flow{Bridge: "br-ex", Priority: 900, EtherType: EtherIPv6, InPort: "patch-x", Localnet: "x", OFPort: 3}, "flow br-ex priority=900,ipv6,in_port=patch-x"},
		{Flow{Bridge: "br-ex", Priority: 900, EtherType: EtherIPv4, Localnet: "x"}, "flow br-ex priority=900,ip,in_port=(localnet x)"},
		{Attributes{}, ""},
		{attributes, " community 64999:100 community 65535:0 large-community 64999:1:2 local-preference 0"},
		{Filter{}, ""},
		{Filter{All: true, Attributes: Attributes{Communities: []Community{64999<<16 | 7}}}, " all community 64999:7"},
		{Filter{Own: true, Default: true, Prefixes: []PrefixRange{{Prefix: network, GE: 24, LE: 32}}}, " own default [10.7.0.0/24 le 32]"},
	} {
		if got := c.object.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestServing(t *testing.T) {
	host, network := netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("10.7.0.0/24")
	key := Key("bgp-vrf", host)
	n := Node{
		VRF:           VRF{Name: "bgp-vrf", Table: 10, Device: "bgp-nic"},
		Links:         []Link{{Name: "bgp-vrf", Kind: LinkVRF, Table: 10}, {Name: "br-ex", Kind: LinkExisting, Serves: []string{key}}},
		Rules:         []Rule{{Prefix: host, Table: 17, Serves: []string{key}}, {Prefix: network, Table: 17, Serves: []string{Key("bgp-vrf", network)}}},
		Announcements: []Announcement{{VRF: "bgp-vrf", Prefix: network}, {VRF: "bgp-vrf", Prefix: host}},
	}
	for k, want := range map[string][]string{
		key:                     {"rule to 203.0.113.9/32 lookup 17", "link br-ex", "address 203.0.113.9/32 dev bgp-nic"},
		Key("bgp-vrf", network): {"rule to 10.7.0.0/24 lookup 17", "route 10.7.0.0/24 dev bgp-nic table 10"},
	} {
		if d := cmp.Diff(want, n.Serving(k)); d != "" {
			t.Errorf("objects serving %s (-want +got):\n%s", k, d)
		}
	}
}
