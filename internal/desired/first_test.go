package desired_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
)

func learnedBy(hops ...string) model.RIB {
	l := model.Learned{Prefix: netip.MustParsePrefix("0.0.0.0/0")}
	for _, h := range hops {
		l.Paths = append(l.Paths, model.LearnedPath{NextHop: netip.MustParseAddr(h)})
	}
	rib := model.RIB{Known: true}
	if len(hops) > 0 {
		rib.Learned = []model.Learned{l}
	}
	return rib
}

func routeTexts(n model.Node) (texts []string) {
	for _, r := range n.Routes {
		texts = append(texts, r.String())
	}
	return texts
}

// Learned routes are replaced, and all others stay; the state that they are brought into is not changed.
func TestLearnedNow(t *testing.T) {
	bridge := model.Route{Table: 10, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Device: "br-ex"}
	state := model.Node{Routes: []model.Route{bridge}, BGP: model.BGP{Multipath: model.Multipath{Paths: 2}}}
	two := desired.LearnedNow(state, learnedBy("192.0.2.1", "192.0.2.2"))
	one := desired.LearnedNow(two, learnedBy("192.0.2.2"))
	none := desired.LearnedNow(one, model.RIB{})
	for name, tt := range map[string]struct {
		of      model.Node
		hops    int
		unknown bool
	}{"two": {two, 2, false}, "one": {one, 1, false}, "none, and not known": {none, 0, true}} {
		if tt.of.Routes[0].String() != bridge.String() || tt.of.LearnedUnknown != tt.unknown {
			t.Errorf("%s: %v, unknown %v", name, routeTexts(tt.of), tt.of.LearnedUnknown)
		}
		if hops := len(tt.of.Routes) - 1; hops > 1 || hops == 1 && len(tt.of.Routes[1].NextHops) != tt.hops || hops == 0 && tt.hops != 0 {
			t.Errorf("%s: %v", name, routeTexts(tt.of))
		}
	}
}

// Before OVN is read: what is announced as it is, the host's addresses as they are now, neighbours, learned routes, and
// nothing that belongs to OVN.
func TestFirst(t *testing.T) {
	gone, here := netip.MustParseAddr("192.0.2.50"), netip.MustParseAddr("192.0.2.51")
	c := config.Node{VRF: "bgp-vrf", VRFTable: 10, NIC: "bgp-nic", HostAddresses: []config.HostAddress{
		{Name: "gone", Address: gone}, {Name: "here", Address: here}}}
	c.BGP = config.BGP{Speaker: config.SpeakerEmbedded, Instance: model.BGP{AS: 64999, Peers: []model.Peer{{Name: "leaf1"}},
		Multipath: model.Multipath{Paths: 2}}}
	announced := func(a netip.Addr, route bool) model.Announcement {
		return model.Announcement{VRF: "bgp-vrf", Prefix: netip.PrefixFrom(a, a.BitLen()), Device: "bgp-nic", AsRoute: route}
	}
	in := desired.Input{RIB: learnedBy("192.0.2.1"), Host: model.Host{Name: "node1", Drained: true,
		Addresses: []model.HostAddress{{Address: gone}, {Address: here, Device: "eth0"}}}}
	n := desired.First(in, c, []model.Announcement{announced(netip.MustParseAddr("203.0.113.9"), false), announced(gone, true)})

	if d := cmp.Diff([]string{"bgp-vrf 192.0.2.51/32", "bgp-vrf 203.0.113.9/32"}, n.Keys()); d != "" {
		t.Errorf("announced (-want +got):\n%s", d)
	}
	if !n.Announcements[1].IsAddress() || n.Announcements[0].IsAddress() {
		t.Errorf("borne otherwise than before: %+v", n.Announcements)
	}
	if len(n.BGP.Peers) != 1 || !n.BGP.Drained || len(n.Routes) != 1 || n.LearnedUnknown {
		t.Errorf("BGP %+v, routes %v", n.BGP, routeTexts(n))
	}
	if len(n.Bridges)+len(n.Unmapped)+len(n.Rules)+len(n.Flows)+len(n.Sysctls)+len(n.Neighbors)+len(n.Addresses) != 0 || len(n.Links) != 2 {
		t.Errorf("more than OVN allows: %+v", n)
	}
}

// What is held is announced as it stands in the kernel, beside what is wanted; the state that it is brought into is not
// changed, and what is not held is left out.
func TestKept(t *testing.T) {
	announced := func(a string) model.Announcement {
		return model.Announcement{VRF: "bgp-vrf", Prefix: netip.MustParsePrefix(a), Device: "bgp-nic"}
	}
	state := model.Node{Announcements: []model.Announcement{announced("203.0.113.9/32")}}
	got := desired.Kept(state, config.Node{}, []model.Announcement{announced("203.0.113.10/32"), announced("203.0.113.8/32")},
		[]string{"bgp-vrf 203.0.113.8/32"})
	if d := cmp.Diff([]string{"bgp-vrf 203.0.113.8/32", "bgp-vrf 203.0.113.9/32"}, got.Keys()); d != "" {
		t.Errorf("announced (-want +got):\n%s", d)
	}
	if len(state.Announcements) != 1 || len(got.Announcements[0].Whys) != 1 {
		t.Errorf("state %v, kept %+v", state.Keys(), got.Announcements[0])
	}
}
