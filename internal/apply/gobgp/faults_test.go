package gobgp

import (
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

// round plays one round and returns what failed, by object.
func (s *side) round(want model.Node) map[string]string {
	s.t.Helper()
	steps, err := s.Plan(s.t.Context(), want)
	if err != nil {
		s.t.Fatal(err)
	}
	failed := map[string]string{}
	for _, step := range steps {
		if err := step.Do(s.t.Context()); err != nil {
			failed[step.Object] = err.Error()
		}
	}
	return failed
}

// TestRealOneBad: a neighbour whose link has no IPv6 is told its IPv4 prefixes, and IPv6 ones in the same session once it has.
// It and a VRF, which the speaker cannot have, do not keep it from the other neighbour, nor from changing filters.
func TestRealOneBad(t *testing.T) {
	leaf := numbered(t, "eth1", "100.64.1")
	bad := numbered(t, "eth2", "100.64.2")
	ip(t, "-6 addr flush dev eth2 scope global")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf1", Address: netip.MustParseAddr("100.64.1.1")},
		model.Peer{Name: "bad", Address: netip.MustParseAddr("100.64.2.1")})
	want.BGP.VRFs = []model.BGPVRF{{Name: "vrf-10", VNI: 10}}
	want.Announcements = announced("203.0.113.9/32", "2001:db8::9/128")
	s.round(want) // starts the speaker
	s.round(want)
	failed := s.round(want)
	if len(failed) != 2 || !strings.Contains(failed["filters of peers"], "take ipv6 out of the neighbour's families") || !strings.Contains(failed["VRF vrf-10"], "VRF vrf-10: the embedded speaker") {
		t.Errorf("failed: %q", failed)
	}
	fake.Eventually(t, 15*time.Second, "the good leaf has all", func() bool { return leaf.Routes("ipv4 unicast")["203.0.113.9/32"] != nil })
	fake.Eventually(t, 15*time.Second, "the bad one has IPv4", func() bool { return bad.Routes("ipv4 unicast")["203.0.113.9/32"] != nil })
	for i := range want.BGP.Peers {
		want.BGP.Peers[i].Families[0].Out.Attributes = model.Attributes{Communities: []model.Community{64999<<16 | 7}}
	}
	s.round(want)
	for _, p := range []*fake.Peer{leaf, bad} {
		fake.Eventually(t, 5*time.Second, "the filter's community is told", func() bool {
			return strings.Contains(p.Detail("ipv4 unicast", "203.0.113.9/32"), "64999:7")
		})
	}
	if bad.Routes("ipv6 unicast")["2001:db8::9/128"] != nil {
		t.Error("the bad one is told IPv6, by which next hop?")
	}
	ip(t, "addr add "+linkPrefix("100.64.2")+"2/64 dev eth2 nodad")
	if failed := s.round(want); len(failed) != 1 {
		t.Errorf("failed: %q", failed)
	}
	fake.Eventually(t, 5*time.Second, "the bad one has IPv6", func() bool { return bad.Routes("ipv6 unicast")["2001:db8::9/128"] != nil })
	if n := s.speaker.Established("bad"); n != 1 {
		t.Errorf("its session came up %d times", n)
	}
}

// TestRealLostIPv6: the address that is a neighbour's next hop goes while its session is up. It keeps what it has, and the
// other's filters follow.
func TestRealLostIPv6(t *testing.T) {
	leaf, other := numbered(t, "eth1", "100.64.1"), numbered(t, "eth2", "100.64.2")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf", Address: netip.MustParseAddr("100.64.1.1")},
		model.Peer{Name: "leaf in", Address: netip.MustParseAddr("100.64.2.1")})
	want.Announcements = announced("203.0.113.9/32")
	s.apply(want)
	told := func(p *fake.Peer) func() bool {
		return func() bool { return p.Routes("ipv4 unicast")["203.0.113.9/32"] != nil }
	}
	fake.Eventually(t, 15*time.Second, "leaf has all", told(leaf))
	fake.Eventually(t, 15*time.Second, "the other has all", told(other))
	ip(t, "-6 addr flush dev eth1 scope global")
	want.BGP.Peers[1].Families[0].Out.Attributes = model.Attributes{Communities: []model.Community{64999<<16 | 7}}
	if failed := s.round(want); len(failed) != 1 || !strings.Contains(failed["filters of peers"], "peer leaf:") {
		t.Errorf("failed: %q", failed)
	}
	fake.Eventually(t, 5*time.Second, "the other's community is told", func() bool {
		return strings.Contains(other.Detail("ipv4 unicast", "203.0.113.9/32"), "64999:7")
	})
	if !told(leaf)() {
		t.Error("the leaf has lost the path")
	}
}

// TestRealMovedInterface: a neighbour that moves to another interface begins anew there, and one that was never found is
// looked for no more when it is not wanted.
func TestRealMovedInterface(t *testing.T) {
	before, after := unnumbered(t, "eth1"), unnumbered(t, "eth2")
	ip(t, "link add eth9 type veth peer name eth9p")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "eth9").Run() })
	ip(t, "link set eth9 up")
	ip(t, "link set eth9p up")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf", Interface: "eth1"})
	want.Announcements = announced("203.0.113.9/32")
	s.apply(want)
	has := func(p *fake.Peer) func() bool {
		return func() bool { return p.Routes("ipv4 unicast")["203.0.113.9/32"] != nil }
	}
	fake.Eventually(t, 15*time.Second, "the first leaf has it", has(before))
	want.BGP.Peers[0].Interface = "eth2"
	s.apply(want)
	fake.Eventually(t, 15*time.Second, "the second leaf has it", has(after))
	if links := s.speaker.Links(); !slices.Equal(links, []string{"eth2"}) {
		t.Errorf("neighbours are looked for on %q", links)
	}
	if a := s.speaker.Sessions()["leaf"].Address; a.Zone() != "eth2" {
		t.Errorf("the session is with %s", a)
	}
	nobody := want
	nobody.BGP.Peers = append(slices.Clone(want.BGP.Peers), node(model.Peer{Name: "nobody", Interface: "eth9"}).BGP.Peers...)
	if failed := s.round(nobody); len(failed) != 1 || !s.speaker.Searching() {
		t.Errorf("failed %q, searching %t", failed, s.speaker.Searching())
	}
	s.apply(want)
	if s.speaker.Searching() {
		t.Errorf("still searching on %q", s.speaker.Links())
	}
}

// TestRealWrongAS: a neighbour in our own AS where an external one is wanted is refused, says so, and is taken once it is
// mended.
func TestRealWrongAS(t *testing.T) {
	leaf := numbered(t, "eth1", "100.64.1", "neighbor 100.64.1.2 remote-as 65001")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf", Address: netip.MustParseAddr("100.64.1.1")})
	want.BGP.AS = 65001
	want.Announcements = announced("203.0.113.9/32")
	s.apply(want)
	session := func() model.Session {
		list, err := s.Sessions(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0]
	}
	fake.Eventually(t, 20*time.Second, "the session is refused", func() bool {
		now := session()
		return strings.Contains(now.Warning, "own AS") && !now.Up()
	})
	leaf.Configure("no router bgp 65001", "router bgp 65002", "no bgp ebgp-requires-policy", "neighbor 100.64.1.2 remote-as 65001",
		"neighbor 100.64.1.2 timers connect 2", "exit")
	fake.Eventually(t, 40*time.Second, "the session is up, without a warning", func() bool {
		now := session()
		return now.Up() && now.Warning == ""
	})
}
