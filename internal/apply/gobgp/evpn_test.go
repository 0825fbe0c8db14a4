package gobgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

var vtep = netip.MustParseAddr("10.255.0.1")

// red is a VRF that has all.
func red() model.BGPVRF {
	return model.BGPVRF{Name: "vrf-100", VNI: 100, RD: "10.255.0.1:100", Export: []string{"64999:100"}, VTEP: vtep,
		RouterMAC: "02:00:00:00:01:00"}
}

func TestTenants(t *testing.T) {
	with := func(change func(*model.BGPVRF)) []model.BGPVRF {
		v := red()
		change(&v)
		return []model.BGPVRF{v}
	}
	two := append(with(func(*model.BGPVRF) {}), with(func(v *model.BGPVRF) { v.Name = "vrf-200" })...)
	for _, tt := range []struct {
		name string
		vrfs []model.BGPVRF
		as   uint32
		want string
	}{
		{"all is said", with(func(*model.BGPVRF) {}), 64999, "rd 10.255.0.1:100 vni 100 rt 64999:100 router-mac 02:00:00:00:01:00"},
		{"derived", with(func(v *model.BGPVRF) { v.RD, v.Export, v.VNI = "", nil, 65536+7 }), 65536 + 5,
			"rd 192.0.2.1:7 vni 65543 rt 5:65543 router-mac 02:00:00:00:01:00"},
		{"targets of all kinds", with(func(v *model.BGPVRF) {
			v.Export = []string{"64999:4294967295", "192.0.2.9:65535", "64999:4294967295", "4200000000:65535"}
		}), 64999, "rd 10.255.0.1:100 vni 100 rt 192.0.2.9:65535 64086.59904:65535 64999:4294967295 router-mac 02:00:00:00:01:00"},
		{"a MAC in capitals", with(func(v *model.BGPVRF) { v.RouterMAC = "02:00:00:00:AB:CD" }), 64999,
			"rd 10.255.0.1:100 vni 100 rt 64999:100 router-mac 02:00:00:00:ab:cd"},
		{"no VNI", with(func(v *model.BGPVRF) { v.VNI = 0 }), 64999, "a VNI is a number from 1 to 16777215, not 0"},
		{"a VNI of 25 bits", with(func(v *model.BGPVRF) { v.VNI = 1 << 24 }), 64999, "not 16777216"},
		{"no VTEP", with(func(v *model.BGPVRF) { v.VTEP = netip.Addr{} }), 64999, "no IPv4 address as its source (invalid IP)"},
		{"an IPv6 VTEP", with(func(v *model.BGPVRF) { v.VTEP = netip.MustParseAddr("2001:db8::1") }), 64999, "(2001:db8::1)"},
		{"no MAC", with(func(v *model.BGPVRF) { v.RouterMAC = "" }), 64999, `the router's MAC "" is none`},
		{"a long MAC", with(func(v *model.BGPVRF) { v.RouterMAC = "02:00:00:00:00:00:01:00" }), 64999, "is none"},
		{"an RD that is none", with(func(v *model.BGPVRF) { v.RD = "red" }), 64999, `route distinguisher: "red" is neither`},
		{"an RD that is too high", with(func(v *model.BGPVRF) { v.RD = "4200000000:65536" }), 64999, "is neither"},
		{"a target that is too high", with(func(v *model.BGPVRF) { v.Export = []string{"64999:4294967296"} }), 64999,
			`route target: "64999:4294967296" is neither`},
		{"a target with an IPv6 address", with(func(v *model.BGPVRF) { v.Export = []string{"[2001:db8::1]:1"} }), 64999, "is neither"},
		{"two of one RD", two, 64999, "its route distinguisher 10.255.0.1:100 is that of VRF vrf-100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, faults := tenants(model.BGP{AS: tt.as, RouterID: netip.MustParseAddr("192.0.2.1"), VRFs: tt.vrfs})
			last := tt.vrfs[len(tt.vrfs)-1].Name
			vrf, there := made[last]
			got := fmt.Sprintf("rd %s%s", vrf.RD, vrf.evpn)
			if there == (faults[last] != nil) {
				t.Fatalf("made %t and refused: %v", there, faults[last])
			}
			if !there {
				got = faults[last].Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestTypeFiveReadBack: what is written is what is read.
func TestTypeFiveReadBack(t *testing.T) {
	preference := uint32(200)
	for _, prefix := range []string{"198.51.100.7/32", "10.7.0.0/24", "2001:db8:100::/64"} {
		v := red()
		v.RD, v.Export = "4200000000:10", []string{"64999:100", "192.0.2.1:7", "4200000000:10"}
		made, faults := tenants(model.BGP{VRFs: []model.BGPVRF{v}})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		p := path{Prefix: netip.MustParsePrefix(prefix), NextHop: vtep, evpn: made[v.Name].evpn, Attributes: model.Attributes{
			Communities: []model.Community{64999<<16 | 1}, LocalPreference: &preference}}
		for _, p.Drained = range []bool{false, true} {
			encoded, err := p.encode()
			if err != nil {
				t.Fatal(err)
			}
			got, ok := ofPath(encoded)
			if !ok || !p.same(got) || got.String() != p.normal().String() && !p.Drained {
				t.Errorf("wrote %s, read %s, %t", p, got, ok)
			}
		}
	}
}

// typeFive is what the peer knows of type-5 routes, in FRR's words.
func typeFive(leaf *fake.Peer) string { return leaf.Show("show bgp l2vpn evpn route detail") }

// evpnLeaf is a link with a leaf, and the node's end of a session with l2vpn evpn.
func evpnLeaf(t *testing.T) (*fake.Peer, model.Peer) {
	t.Helper()
	leaf := numbered(t, "eth1", "100.64.1", "address-family l2vpn evpn", "neighbor 100.64.1.2 activate", "exit-address-family")
	all := model.PeerFamily{Family: model.EVPN, In: model.Filter{All: true}, Out: model.Filter{Own: true}}
	return leaf, model.Peer{Name: "leaf1", Address: netip.MustParseAddr("100.64.1.1"),
		Families: []model.PeerFamily{family(model.IPv4Unicast), all}}
}

func inVRF(vrf string, prefixes ...string) []model.Announcement {
	list := announced(prefixes...)
	for i := range list {
		list[i].VRF = vrf
	}
	return list
}

// TestRealTypeFive: a tenant's prefixes at a peer with FRR, through changes of everything they say; the session stays.
func TestRealTypeFive(t *testing.T) {
	leaf, peer := evpnLeaf(t)
	s := newSide(t)
	want := node(peer)
	want.BGP.VRFs = []model.BGPVRF{red(), {Name: "vrf-200", VNI: 200, VTEP: vtep, RouterMAC: "02:00:00:00:02:00"}}
	want.Announcements = append(announced("203.0.113.9/32"), append(inVRF("vrf-100", "198.51.100.7/32", "2001:db8:100::7/128"),
		inVRF("vrf-200", "198.51.100.7/32")...)...)
	want.Announcements[1].Attributes.Communities = []model.Community{64999<<16 | 100}
	t.Log(s.apply(want))
	told := func(what string, parts ...string) {
		t.Helper()
		fake.Eventually(t, 15*time.Second, what, func() bool {
			text := typeFive(leaf)
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
		})
	}
	told("the leaf has all", "Route [5]:[0]:[32]:[198.51.100.7] VNI 100", "RT:64999:100 ET:8 Rmac:02:00:00:00:01:00",
		"Route [5]:[0]:[128]:[2001:db8:100::7] VNI 100", "Community: 64999:100", "10.255.0.1 from 100.64.1.2",
		"Route Distinguisher: 10.255.0.1:200", "[198.51.100.7] VNI 200", "RT:64999:200 ET:8 Rmac:02:00:00:00:02:00")
	first := leaf.Neighbor("100.64.1.2")
	keys := []string{"bgp-vrf 203.0.113.9/32", "vrf-100 198.51.100.7/32", "vrf-100 2001:db8:100::7/128", "vrf-200 198.51.100.7/32"}
	isAnnounced(t, s, keys...)

	want.BGP.Drained = true
	if did := s.apply(want); len(did) != 1 {
		t.Errorf("drain: %q", did)
	}
	told("the leaf is told of the drain", "Community: 64999:100 graceful-shutdown")
	if d, err := s.Draining(t.Context()); err != nil || !d.InForce || len(d.Peers) != 2 || d.Peers[1].Family != model.EVPN ||
		d.Peers[1].Drained != 3 || d.Peers[1].Left != 0 {
		t.Errorf("draining: %+v, %v", d, err)
	}
	want.BGP.Drained = false
	s.apply(want)

	want.BGP.VRFs[0].VNI, want.BGP.VRFs[0].RouterMAC, want.BGP.VRFs[0].Export = 101, "02:00:00:00:01:01", []string{"64999:1", "64999:2"}
	if did := s.apply(want); len(did) != 2 {
		t.Errorf("another VNI: %q", did)
	}
	told("the leaf has the new VNI", "[198.51.100.7] VNI 101", "RT:64999:1 RT:64999:2 ET:8 Rmac:02:00:00:00:01:01")
	want.BGP.VRFs[0].RD = "10.255.0.1:111"
	t.Log(s.apply(want))
	isAnnounced(t, s, keys...)
	told("the leaf has the new distinguisher", "Route Distinguisher: 10.255.0.1:111")
	fake.Eventually(t, 5*time.Second, "and not the old", func() bool { return !strings.Contains(typeFive(leaf), "10.255.0.1:100") })

	want.Announcements = want.Announcements[:2]
	if did, goal := s.apply(want), []string{"delete path 2001:db8:100::7/128 rd 10.255.0.1:111",
		"delete path 198.51.100.7/32 rd 10.255.0.1:200"}; len(did) != 2 || !slices.Contains(goal, did[0]) || !slices.Contains(goal, did[1]) {
		t.Errorf("did %q", did)
	}
	fake.Eventually(t, 5*time.Second, "withdrawn", func() bool {
		text := typeFive(leaf)
		return !strings.Contains(text, "2001:db8:100::7") && !strings.Contains(text, "VNI 200") && strings.Contains(text, "VNI 101")
	})
	isAnnounced(t, s, keys[:2]...)
	if now := leaf.Neighbor("100.64.1.2"); now.Established != first.Established || now.Established != 1 {
		t.Errorf("the session was begun anew: %+v, was %+v", now, first)
	}
}

func isAnnounced(t *testing.T, s *side, want ...string) {
	t.Helper()
	got, err := s.Announced(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("announced (-want +got):\n%s", d)
	}
}

// TestRealLostBridge: a VRF whose bridge is lost keeps what is wanted of it, says what is missing, and lets go of what is not
// wanted. One that imports says that it cannot.
func TestRealLostBridge(t *testing.T) {
	ip(t, "link set lo up")
	s := newSide(t)
	want := node()
	want.BGP.VRFs = []model.BGPVRF{red()}
	want.Announcements = inVRF("vrf-100", "198.51.100.7/32", "198.51.100.8/32")
	s.apply(want)
	want.BGP.VRFs[0].RouterMAC = ""
	want.BGP.VRFs[0].Import = []string{"64999:100"}
	want.Announcements = want.Announcements[1:]
	failed := s.round(want)
	if len(failed) != 2 || !strings.Contains(failed["VRF vrf-100"], "MAC") || !strings.Contains(failed["import into VRF vrf-100"], "64999:100") {
		t.Errorf("failed: %q", failed)
	}
	isAnnounced(t, s, "vrf-100 198.51.100.8/32")
	want.BGP.VRFs = nil
	s.apply(want)
	isAnnounced(t, s)
}

// TestTypeFiveHandedOn: another node's route keeps its next hop, which is the end of that node's tunnel, unless it is to come
// here. Ours has its own in any case.
func TestTypeFiveHandedOn(t *testing.T) {
	for _, self := range []bool{false, true} {
		families := []model.PeerFamily{{Family: model.EVPN, Out: model.Filter{All: true}, NextHopSelf: self}}
		made := makePolicy(model.Peer{Name: "leaf", Families: families}, vtep, true, netip.Addr{}, false)
		if len(made.policy.Statements) != 2 {
			t.Fatalf("statements: %v", made.policy.Statements)
		}
		own, others := made.policy.Statements[0].Actions.Nexthop, made.policy.Statements[1].Actions.Nexthop
		if own != nil || others.GetUnchanged() == self || others.GetSelf() != self {
			t.Errorf("next-hop-self %t: of ours %v, of others %v", self, own, others)
		}
	}
}

// TestRealTypeFiveRestart: a speaker that takes up after another says that type-5 routes were kept, tells all that is wanted,
// and nothing else. FRR 8.4 itself keeps none over a restart, whoever asks it to (FRR issue 9749): that it forgets is not
// checked, nor that it remembers.
func TestRealTypeFiveRestart(t *testing.T) {
	leaf, peer := evpnLeaf(t)
	s := newSide(t)
	want := node(peer)
	want.BGP.VRFs = []model.BGPVRF{red()}
	want.Announcements = inVRF("vrf-100", "198.51.100.7/32", "198.51.100.8/32")
	has := func(address string) bool { return strings.Contains(typeFive(leaf), "["+address+"] VNI 100") }
	s.apply(want)
	fake.Eventually(t, 15*time.Second, "the leaf has both", func() bool { return has("198.51.100.7") && has("198.51.100.8") })
	s.stop()
	fake.Eventually(t, 5*time.Second, "the session is down", func() bool { return leaf.Neighbor("100.64.1.2").State != "Established" })
	next := newSide(t)
	want.Announcements = want.Announcements[:1]
	next.apply(want)
	fake.Eventually(t, 20*time.Second, "the leaf has what is wanted", func() bool {
		return leaf.Neighbor("100.64.1.2").State == "Established" && has("198.51.100.7") && !has("198.51.100.8")
	})
	if text := leaf.Show("show bgp neighbors 100.64.1.2"); !strings.Contains(text, "L2VPN EVPN(preserved)") {
		t.Errorf("the leaf was not told that type-5 routes were kept: %s", text)
	}
}
