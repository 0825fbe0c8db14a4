package gobgp

import (
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovnbgp/internal/client/speaker"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

// TestMain runs the tests in a network namespace of their own: a speaker's sockets are made by whatever thread.
func TestMain(m *testing.M) {
	const inside = "OVNBGP_TEST_NAMESPACE"
	if os.Geteuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Stdin, self.Stdout, self.Stderr = os.Stdin, os.Stdout, os.Stderr
	self.Env = append(os.Environ(), inside+"=1")
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := self.Run(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// side is a node's speaker with an applier.
type side struct {
	*Applier
	t *testing.T
}

func newSide(t *testing.T) *side {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := &side{Applier: New(speaker.New(speaker.Options{Log: log}), "bgp-vrf"), t: t}
	t.Cleanup(s.stop)
	return s
}

func (s *side) stop() {
	if err := s.speaker.Close(); err != nil {
		s.t.Error(err)
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

// apply brings the state about, and returns the steps that worked.
func (s *side) apply(want model.Node) []string {
	s.t.Helper()
	var did []string
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(50 * time.Millisecond) {
		steps, err := s.Plan(s.t.Context(), want)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(steps) == 0 {
			return did
		}
		for _, step := range steps {
			if err = step.Do(s.t.Context()); err == nil {
				did = append(did, step.String())
			}
		}
		if err != nil && time.Now().After(deadline) {
			s.t.Fatal(err)
		}
	}
}

func announced(prefixes ...string) (list []model.Announcement) {
	for _, p := range prefixes {
		list = append(list, model.Announcement{VRF: "bgp-vrf", Prefix: netip.MustParsePrefix(p), Whys: []string{"test"}})
	}
	return list
}

func family(f model.BGPFamily) model.PeerFamily {
	return model.PeerFamily{Family: f, In: model.Filter{Default: true}, Out: model.Filter{Own: true}}
}

func node(peers ...model.Peer) model.Node {
	for i := range peers {
		p := &peers[i]
		p.Keepalive, p.Hold, p.ConnectRetry = 3*time.Second, 9*time.Second, 2*time.Second
		if p.AS.Kind == "" {
			p.AS = model.PeerAS{Kind: model.ASExternal}
		}
		if p.Families == nil {
			p.Families = []model.PeerFamily{family(model.IPv4Unicast), family(model.IPv6Unicast)}
		}
	}
	return model.Node{BGP: model.BGP{AS: 64999, RouterID: netip.MustParseAddr("10.255.0.1"),
		Loopbacks:       []netip.Addr{netip.MustParseAddr("10.255.0.1"), netip.MustParseAddr("2001:db8:ff::1")},
		GracefulRestart: model.GracefulRestart{Enabled: true, RestartTime: 60 * time.Second, PreserveForwarding: true},
		Multipath:       model.Multipath{Paths: 8, Relax: true}, Peers: peers,
		Profiles: []model.BFDProfile{{Name: "normal", Multiplier: 3, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond}}}}
}

// linkPrefix is the IPv6 prefix of a link, by its IPv4 one.
func linkPrefix(net string) string {
	return "2001:db8:64:" + net[strings.LastIndex(net, ".")+1:] + "::"
}

// numbered is a link with a leaf at 100.64.N.1, the node at .2.
func numbered(t *testing.T, device, net string, more ...string) *fake.Peer {
	t.Helper()
	leaf := fake.StartPeer(t)
	leaf.Link("node", device)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", device).Run() })
	leaf.IP("addr", "add", net+".1/24", "dev", "node")
	leaf.IP("addr", "add", linkPrefix(net)+"1/64", "dev", "node", "nodad")
	ip(t, "link set lo up")
	ip(t, "addr add "+net+".2/24 dev "+device)
	ip(t, "addr add "+linkPrefix(net)+"2/64 dev "+device+" nodad")
	ip(t, "link set "+device+" up")
	leaf.Configure(append(append([]string{"router bgp 65001", "bgp router-id 10.255.0.9", "no bgp ebgp-requires-policy", "timers bgp 3 9",
		"bgp graceful-restart", "neighbor " + net + ".2 remote-as 64999", "neighbor " + net + ".2 timers connect 2"}, more...),
		"address-family ipv4 unicast", "neighbor "+net+".2 default-originate", "exit-address-family",
		"address-family ipv6 unicast", "neighbor "+net+".2 activate", "neighbor "+net+".2 default-originate", "exit-address-family", "exit")...)
	return leaf
}

func TestRealAnnounce(t *testing.T) {
	leaf := numbered(t, "eth1", "100.64.1")
	other := numbered(t, "eth2", "100.64.2")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf1", Address: netip.MustParseAddr("100.64.1.1")})
	want.Announcements = announced("203.0.113.9/32", "2001:db8::9/128")
	preference := uint32(200)
	want.Announcements[0].Attributes = model.Attributes{Communities: []model.Community{64999<<16 | 100},
		LargeCommunities: []model.LargeCommunity{{Global: 64999, Local1: 1, Local2: 2}}, LocalPreference: &preference}
	t.Log(s.apply(want))
	if did := s.apply(want); did != nil {
		t.Errorf("again: %q", did)
	}
	fake.Eventually(t, 15*time.Second, "the leaf has all", func() bool {
		v4, v6 := leaf.Routes("ipv4 unicast"), leaf.Routes("ipv6 unicast")
		return v4["203.0.113.9/32"] != nil && v4["10.255.0.1/32"] != nil && v6["2001:db8::9/128"] != nil && v6["2001:db8:ff::1/128"] != nil
	})
	detail := leaf.Detail("ipv4 unicast", "203.0.113.9/32")
	for _, part := range []string{"64999:100", "64999:1:2", `"origin":"incomplete"`, "100.64.1.2"} {
		if !strings.Contains(detail, part) {
			t.Errorf("no %q in %s", part, detail)
		}
	}
	if detail := leaf.Detail("ipv6 unicast", "2001:db8::9/128"); !strings.Contains(detail, linkPrefix("100.64.1")+"2") {
		t.Errorf("the next hop of IPv6 is not the link's address: %s", detail)
	}
	first := leaf.Neighbor("100.64.1.2")

	// A second neighbour, other attributes, the drain: the first session stays.
	want.BGP.Peers = append(want.BGP.Peers, node(model.Peer{Name: "leaf2", Address: netip.MustParseAddr("100.64.2.1")}).BGP.Peers...)
	want.Announcements[0].Attributes = model.Attributes{Communities: []model.Community{64999<<16 | 200}}
	want.Announcements = append(want.Announcements, announced("203.0.113.10/32")...)
	t.Log(s.apply(want))
	fake.Eventually(t, 15*time.Second, "both leaves have all", func() bool {
		return other.Routes("ipv4 unicast")["203.0.113.10/32"] != nil && leaf.Routes("ipv4 unicast")["203.0.113.10/32"] != nil &&
			strings.Contains(leaf.Detail("ipv4 unicast", "203.0.113.9/32"), "64999:200")
	})
	want.BGP.Drained = true
	if did := s.apply(want); len(did) != 1 {
		t.Errorf("drain: %q", did)
	}
	fake.Eventually(t, 5*time.Second, "the leaf is told of the drain", func() bool {
		return strings.Contains(leaf.Detail("ipv4 unicast", "203.0.113.9/32"), "graceful") || strings.Contains(leaf.Detail("ipv4 unicast", "203.0.113.9/32"), "65535:0")
	})
	want.BGP.Drained = false
	if did := s.apply(want); len(did) != 1 {
		t.Errorf("undrain: %q", did)
	}
	fake.Eventually(t, 5*time.Second, "the leaf is told of its end", func() bool {
		return !strings.Contains(leaf.Detail("ipv4 unicast", "203.0.113.9/32"), "65535:0")
	})

	// Filters change what is told and taken, and no session.
	want.BGP.Peers[0].Families[0].Out = model.Filter{Own: true, Attributes: model.Attributes{Communities: []model.Community{64999<<16 | 7}}}
	t.Log(s.apply(want))
	fake.Eventually(t, 5*time.Second, "the filter's community is told", func() bool {
		return strings.Contains(leaf.Detail("ipv4 unicast", "203.0.113.10/32"), "64999:7")
	})
	want.Announcements = want.Announcements[1:]
	t.Log(s.apply(want))
	fake.Eventually(t, 5*time.Second, "withdrawn", func() bool { return leaf.Routes("ipv4 unicast")["203.0.113.9/32"] == nil })
	if now := leaf.Neighbor("100.64.1.2"); now.Established != first.Established || now.Established != 1 {
		t.Errorf("the session was begun anew: %+v, was %+v", now, first)
	}

	// A neighbour with another setting begins anew, alone; and one goes.
	want.BGP.Peers[1].AllowOwnAS = true
	t.Log(s.apply(want))
	fake.Eventually(t, 15*time.Second, "the second session is begun anew", func() bool {
		n := other.Neighbor("100.64.2.2")
		return n.Established == 2 && n.State == "Established"
	})
	want.BGP.Peers = want.BGP.Peers[:1]
	t.Log(s.apply(want))
	fake.Eventually(t, 5*time.Second, "the second session is over", func() bool { return other.Neighbor("100.64.2.2").State != "Established" })
	if now := leaf.Neighbor("100.64.1.2"); now.Established != 1 {
		t.Errorf("the first session was begun anew: %+v", now)
	}
}

// unnumbered is a link with a leaf that has link-local addresses alone.
func unnumbered(t *testing.T, device string, more ...string) *fake.Peer {
	t.Helper()
	leaf := fake.StartPeer(t)
	leaf.Link("node", device)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", device).Run() })
	ip(t, "link set lo up")
	ip(t, "link set "+device+" up")
	leaf.ConfigureZebra("interface node", "ipv6 nd ra-interval 1", "exit")
	leaf.Configure(append(append([]string{"router bgp 65001", "bgp router-id 10.255.0.9", "no bgp ebgp-requires-policy", "timers bgp 3 9",
		"bgp graceful-restart", "neighbor node interface remote-as external", "neighbor node timers connect 2",
		"neighbor node capability extended-nexthop"}, more...),
		"address-family ipv4 unicast", "neighbor node default-originate", "exit-address-family",
		"address-family ipv6 unicast", "neighbor node activate", "neighbor node default-originate", "exit-address-family", "exit")...)
	return leaf
}

func TestRealUnnumbered(t *testing.T) {
	leaf := unnumbered(t, "eth1", "neighbor node password s3cret")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf1", Interface: "eth1", Password: "s3cret"})
	want.Announcements = announced("203.0.113.9/32", "2001:db8::9/128")
	t.Log(s.apply(want))
	fake.Eventually(t, 15*time.Second, "the leaf has all", func() bool {
		v4, v6 := leaf.Routes("ipv4 unicast"), leaf.Routes("ipv6 unicast")
		return v4["203.0.113.9/32"] != nil && v4["10.255.0.1/32"] != nil && v6["2001:db8::9/128"] != nil
	})
	if r := leaf.Routes("ipv4 unicast")["203.0.113.9/32"][0]; !r.Valid || !strings.HasPrefix(r.NextHops[0].IP, "fe80:") {
		t.Errorf("IPv4 has no IPv6 next hop: %+v", r)
	}
	if did := s.apply(want); did != nil {
		t.Errorf("again: %q", did)
	}
}

// TestRealRestart: a speaker that ends and one that takes up after it. The leaf keeps all, and forgets what is not told
// again. BFD, which ends with the speaker, does not take it away.
func TestRealRestart(t *testing.T) {
	leaf := numbered(t, "eth1", "100.64.1", "neighbor 100.64.1.2 bfd")
	s := newSide(t)
	want := node(model.Peer{Name: "leaf1", Address: netip.MustParseAddr("100.64.1.1"), BFD: "normal"})
	want.Announcements = announced("203.0.113.9/32", "203.0.113.10/32")
	want.BGP.GracefulRestart.PreserveForwarding = false // the first one
	s.apply(want)
	want.BGP.GracefulRestart.PreserveForwarding = true
	fake.Eventually(t, 15*time.Second, "the leaf has all", func() bool { return leaf.Routes("ipv4 unicast")["203.0.113.10/32"] != nil })
	fake.Eventually(t, 15*time.Second, "BFD is up", func() bool { return strings.Contains(leaf.Show("show bgp neighbors 100.64.1.2"), "Status: Up") })
	s.stop()
	fake.Eventually(t, 5*time.Second, "the session is down", func() bool { return leaf.Neighbor("100.64.1.2").State != "Established" })
	<-time.After(3 * time.Second) // longer than BFD needs
	if r := leaf.Routes("ipv4 unicast")["203.0.113.9/32"]; r == nil {
		t.Fatalf("the leaf forgot all with the speaker: %s", leaf.Show("show bgp neighbors 100.64.1.2"))
	}
	next := newSide(t)
	want.Announcements = want.Announcements[1:]
	next.apply(want)
	lost := time.Time{}
	fake.Eventually(t, 20*time.Second, "the leaf forgets what is not told again", func() bool {
		r := leaf.Routes("ipv4 unicast")
		if r["203.0.113.10/32"] == nil && lost.IsZero() {
			lost = time.Now()
		}
		return r["203.0.113.9/32"] == nil && leaf.Neighbor("100.64.1.2").State == "Established"
	})
	if !lost.IsZero() {
		t.Errorf("what is told again was lost meanwhile: %s", leaf.Show("show bgp neighbors 100.64.1.2"))
	}
	<-time.After(3 * time.Second)
	if n := leaf.Neighbor("100.64.1.2"); n.State != "Established" || n.Established != 2 {
		t.Errorf("the session did not stay: %+v", n)
	}
}

// TestRealNewNeighbor: with a neighbour that is new the first session is the one that stays, whichever of BFD and BGP it
// has come up first. bgpd of FRR registers its BFD session anew when it has learned its own address of the first BGP session.
func TestRealNewNeighbor(t *testing.T) {
	for name, link := range map[string]func(*testing.T) (*fake.Peer, model.Peer, string){
		"numbered": func(t *testing.T) (*fake.Peer, model.Peer, string) {
			return numbered(t, "eth1", "100.64.1", "neighbor 100.64.1.2 bfd"), model.Peer{Address: netip.MustParseAddr("100.64.1.1")}, "100.64.1.2"
		},
		"unnumbered": func(t *testing.T) (*fake.Peer, model.Peer, string) {
			return unnumbered(t, "eth1", "neighbor node bfd"), model.Peer{Interface: "eth1"}, "node"
		},
	} {
		t.Run(name, func(t *testing.T) {
			leaf, peer, us := link(t)
			s := newSide(t)
			peer.Name, peer.BFD = "leaf1", "normal"
			want := node(peer)
			want.BGP.GracefulRestart.PreserveForwarding = false
			s.apply(want)
			fake.Eventually(t, 15*time.Second, "BFD is up", func() bool { return strings.Contains(leaf.Show("show bgp neighbors "+us), "Status: Up") })
			// bgpd 10.7 may refuse the first OPEN: BGP comes up after BFD then.
			fake.Eventually(t, 15*time.Second, "BGP is up", func() bool { return leaf.Neighbor(us).State == "Established" })
			list, err := s.Sessions(t.Context())
			if n := leaf.Neighbor(us); n.State != "Established" || n.Established != 1 || len(list) != 1 || list[0].Established != 1 || list[0].BFDDowns != 0 {
				t.Errorf("the session did not stay: %+v; here %+v, %v", n, list, err)
			}
		})
	}
}
