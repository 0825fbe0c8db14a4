package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/fake/fabric"
	"ovnbgp/internal/model"
)

// test is one thing a speaker must do.
type test struct {
	name string
	play func(*scene)
	// cannot lists who is not up to it, a speaker or a make of peers: what is played instead, which must show that it is
	// so, and why.
	cannot map[string]refusal
}

// refusal is what is played in place of a case.
type refusal struct {
	play func(*scene)
	why  string
}

func cases() []test {
	return []test{
		{name: "announce and withdraw", play: announceAndWithdraw},
		{name: "loopbacks", play: loopbacks},
		{name: "iBGP", play: internal},
		{name: "communities", play: withCommunities},
		{name: "local preference", play: localPreference},
		{name: "attributes of a neighbour", play: neighborAttributes},
		{name: "IPv6", play: ipv6},
		{name: "IPv4 over an IPv6 next hop", play: extendedNextHop},
		{name: "unnumbered", play: unnumbered},
		{name: "ECMP and no transit", play: ecmp},
		{name: "default only", play: defaultOnly},
		{name: "maximum prefixes", play: maximumPrefixes},
		{name: "password", play: password},
		{name: "wrong password", play: wrongPassword},
		{name: "TTL security", play: ttlSecurity},
		{name: "multihop", play: multihop},
		{name: "BFD down", play: bfdDown},
		{name: "peer restarts", play: peerRestarts},
		{name: "peer restarts without graceful restart", play: peerRestartsHard},
		{name: "speaker killed", play: restarts(killBGP)},
		{name: "speaker terminated", play: restarts(terminateBGP)},
		{name: "all of FRR killed", play: restarts(killAll), cannot: map[string]refusal{"gobgp": {hasNoFRR, "there is no FRR"}}},
		{name: "all of FRR restarted", play: restarts(terminateAll), cannot: map[string]refusal{"gobgp": {hasNoFRR, "there is no FRR"}}},
		{name: "agent killed", play: restarts(killAgent)},
		{name: "agent upgraded", play: restarts(upgradeAgent)},
		{name: "speaker killed without graceful restart", play: speakerRestartsHard},
		{name: "one of two leaves cut", play: func(s *scene) { s.throughTwo(normal()) }},
		{name: "drain", play: drain},
		{name: "drain within the AS", play: drainInternal},
		{name: "a hundred addresses", play: hundred},
		evpn(),
	}
}

func TestConformance(t *testing.T) {
	for _, tt := range cases() {
		for _, kind := range speakerNames() {
			for _, peers := range fabric.Makes() {
				t.Run(strings.ReplaceAll(fmt.Sprintf("%s/%s with %s", tt.name, kind, peers), " ", "-"), func(t *testing.T) {
					t.Parallel()
					play := tt.play
					for _, who := range []string{kind, string(peers)} {
						if r, listed := tt.cannot[who]; listed {
							t.Logf("%s cannot: %s", who, r.why)
							play = r.play
						}
					}
					play(newScene(t, kind, peers))
				})
			}
		}
	}
}

// What the cases announce.
const (
	first, second = "203.0.113.9/32", "203.0.113.10/32"
	third         = "2001:db8:9::9/128"
)

func announceAndWithdraw(s *scene) {
	l := s.leaf()
	s.announce(model.Attributes{}, first)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	before := s.up(l)
	s.announce(model.Attributes{}, second)
	s.apply()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999", second+" via 10.0.1.2 as 64999")
	s.withdraw(first)
	s.apply()
	s.told(l, model.IPv4Unicast, second+" via 10.0.1.2 as 64999")
	s.same(l, before)
}

// same checks that the session is the one it was.
func (s *scene) same(l *leaf, before fabric.Session) {
	s.t.Helper()
	after, err := l.Session(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if !after.Up || after.Epoch != before.Epoch {
		s.t.Errorf("the session with leaf %d is another: %+v, before %+v", l.number, after, before)
	}
}

func loopbacks(s *scene) {
	l := s.leaf(dual)
	s.play()
	s.await(func() error {
		four, err4 := l.Paths(s.t.Context(), model.IPv4Unicast)
		six, err6 := l.Paths(s.t.Context(), model.IPv6Unicast)
		got := fmt.Sprint(four, six, err4, err6)
		want := "[10.255.0.1/32 via 10.0.1.2 as 64999] [2001:db8:ffff::1/128 via 2001:db8:0:1::2 as 64999] <nil> <nil>"
		if got != want {
			return fmt.Errorf("told %s, want %s", got, want)
		}
		return nil
	})
	s.learned(4, l)
	s.learned(6, l)
}

// dual has a session between IPv4 addresses carry IPv6 too.
func dual(b both) {
	b.node.Families = append(b.node.Families, family(model.IPv6Unicast))
	b.leaf.Families = append(b.leaf.Families, model.IPv6Unicast)
	b.leaf.Originates = append(b.leaf.Originates, default6)
}

// within makes a leaf one of the node's AS.
func within(b both) {
	b.node.AS = model.PeerAS{Kind: model.ASInternal}
	b.leaf.AS = nodeAS
}

func internal(s *scene) {
	l := s.leaf(within)
	s.announce(model.Attributes{}, first)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 preference 100")
	s.learned(4, l)
}

func withCommunities(s *scene) {
	l := s.leaf()
	some := model.Attributes{Communities: []model.Community{nodeAS<<16 | 100, nodeAS<<16 | 200},
		LargeCommunities: []model.LargeCommunity{{Global: nodeAS, Local1: 1, Local2: 2}}}
	s.announce(some, first)
	s.announce(model.Attributes{}, second)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999 community 64999:100 64999:200 large 64999:1:2",
		second+" via 10.0.1.2 as 64999")
	before := s.up(l)
	s.withdraw(first)
	some.Communities = some.Communities[1:]
	s.announce(some, first)
	s.apply()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999 community 64999:200 large 64999:1:2",
		second+" via 10.0.1.2 as 64999")
	s.same(l, before)
}

func localPreference(s *scene) {
	l := s.leaf(within)
	preference := uint32(200)
	s.announce(model.Attributes{LocalPreference: &preference}, first)
	s.announce(model.Attributes{}, second)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 preference 200", second+" via 10.0.1.2 preference 100")
}

func neighborAttributes(s *scene) {
	plain, marked := s.leaf(), s.leaf(func(b both) {
		b.node.Families[0].Out.Communities = []model.Community{nodeAS<<16 | 300}
	})
	s.announce(model.Attributes{Communities: []model.Community{nodeAS<<16 | 100}}, first)
	s.play()
	s.told(plain, model.IPv4Unicast, first+" via 10.0.1.2 as 64999 community 64999:100")
	s.told(marked, model.IPv4Unicast, first+" via 10.0.2.2 as 64999 community 64999:100 64999:300")
}

// over6 moves the session to the link's IPv6 addresses.
func over6(b both) {
	b.leaf.Local, b.leaf.Neighbor = ends(number(b), 6)
	b.node.Address = b.leaf.Local
}

func number(b both) int { return int(b.leaf.RouterID.As4()[3]) }

func ipv6(s *scene) {
	l := s.leaf(over6, func(b both) {
		b.node.Families = []model.PeerFamily{family(model.IPv6Unicast)}
		b.leaf.Families, b.leaf.Originates = []model.BGPFamily{model.IPv6Unicast}, []netip.Prefix{default6}
	})
	s.announce(model.Attributes{}, third)
	s.play()
	s.told(l, model.IPv6Unicast, third+" via 2001:db8:0:1::2 as 64999")
	s.learned(6, l)
	s.withdraw(third)
	s.apply()
	s.told(l, model.IPv6Unicast)
}

func extendedNextHop(s *scene) {
	l := s.leaf(over6, dual, func(b both) { b.node.ExtendedNextHop, b.leaf.ExtendedNextHop = true, true })
	s.announce(model.Attributes{}, first, third)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 2001:db8:0:1::2 as 64999")
	s.told(l, model.IPv6Unicast, third+" via 2001:db8:0:1::2 as 64999")
	s.learned(4, l)
}

func unnumbered(s *scene) {
	l := s.leaf(dual, func(b both) {
		b.node.Address, b.node.Interface, b.node.AS = netip.Addr{}, "eth1", model.PeerAS{Kind: model.ASExternal}
		b.leaf.Local, b.leaf.Unnumbered, b.leaf.Neighbor = netip.Addr{}, true, fabric.LinkLocal(1, 0)
	})
	s.node.IP("addr", "flush", "dev", "eth1", "scope", "global")
	l.Node().IP("addr", "flush", "dev", "eth1", "scope", "global")
	s.announce(model.Attributes{}, first, third)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via fe80::ff:fe00:101 as 64999")
	s.told(l, model.IPv6Unicast, third+" via fe80::ff:fe00:101 as 64999")
	s.learned(4, l)
	s.learned(6, l)
}

func ecmp(s *scene) {
	one, two := s.leaf(), s.leaf()
	s.announce(model.Attributes{}, first)
	s.play()
	s.learned(4, one, two)
	s.told(one, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	s.told(two, model.IPv4Unicast, first+" via 10.0.2.2 as 64999")
	s.originate(one)
	s.learned(4, two)
	s.told(one, model.IPv4Unicast, first+" via 10.0.1.2 as 64999") // and not the other leaf's default
	s.originate(one, default4)
	s.learned(4, one, two)
}

func (s *scene) originate(l *leaf, prefixes ...netip.Prefix) {
	s.t.Helper()
	if err := l.Originate(s.t.Context(), prefixes...); err != nil {
		s.t.Fatal(err)
	}
}

// defaultOnly: what is told before the default route has been read when the default is there.
func defaultOnly(s *scene) {
	stranger := netip.MustParsePrefix("198.51.100.0/24")
	l := s.leaf(func(b both) { b.leaf.Originates = []netip.Prefix{stranger} })
	s.play()
	s.originate(l, stranger, default4)
	s.learned(4, l)
	if out := s.node.IP("route", "show", stranger.String()); out != "" {
		s.t.Errorf("the node took more than the default: %s", out)
	}
}

// maximumPrefixes: a neighbour that leaks is reported and keeps its session.
func maximumPrefixes(s *scene) {
	many := []netip.Prefix{default4}
	l := s.leaf(func(b both) {
		b.node.Families[0].In, b.node.Families[0].WarnPrefixes = model.Filter{All: true}, 3
	})
	s.play()
	s.learned(4, l)
	before := s.up(l)
	for i := range 5 {
		many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 32))
	}
	s.originate(l, many...)
	s.await(func() error {
		if out := s.node.IP("route", "show", "198.51.100.4/32"); out == "" {
			return fmt.Errorf("the last of the neighbour's prefixes has not come")
		}
		return s.warned("leaf1", "10.0.1.1")
	})
	s.same(l, before)
}

// warned looks for the warning of too many prefixes in what FRR, or the speaker itself, has logged.
func (s *scene) warned(names ...string) error {
	log := s.process.log.String()
	if s.frr != nil {
		log += s.frr.Log()
	}
	for line := range strings.Lines(log) {
		tells := strings.Contains(line, "MAXPFX") || strings.Contains(line, "prefixes of")
		for _, name := range names {
			if tells && strings.Contains(line, name) {
				return nil
			}
		}
	}
	return fmt.Errorf("no warning of too many prefixes")
}

func password(s *scene) {
	l := s.leaf(func(b both) { b.node.Password, b.leaf.Password = "s3cret", "s3cret" })
	s.announce(model.Attributes{}, first)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
}

// wrongPassword: the session with the leaf whose password is right comes up, and by then the other's would have.
func wrongPassword(s *scene) {
	wrong := s.leaf(func(b both) { b.node.Password, b.leaf.Password = "s3cret", "other" })
	right := s.leaf(func(b both) { b.node.Password, b.leaf.Password = "s3cret", "s3cret" })
	s.start()
	s.up(right)
	time.Sleep(2 * time.Second) // both ends try once a second
	if session, err := wrong.Session(s.t.Context()); err != nil || session.Up {
		s.t.Errorf("with the wrong password: %+v, %v", session, err)
	}
	if strings.Contains(s.process.log.String(), "s3cret") {
		s.t.Error("the password is in the speaker's log")
	}
}

func ttlSecurity(s *scene) {
	l := s.leaf(func(b both) { b.node.TTLSecurity, b.leaf.TTLSecurity = 1, true })
	s.announce(model.Attributes{}, first)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
}

// multihop: between loopbacks, by way of static routes.
func multihop(s *scene) {
	l := s.leaf(func(b both) {
		b.node.Address, b.node.Source, b.node.Multihop = b.leaf.RouterID, loopback4, 2
		b.leaf.Local, b.leaf.Neighbor, b.leaf.Multihop = b.leaf.RouterID, loopback4, 2
	})
	l.Node().IP("addr", "add", l.options.RouterID.String()+"/32", "dev", "lo")
	l.Node().IP("route", "add", loopback4.String(), "via", "10.0.1.2")
	s.node.IP("route", "add", l.options.RouterID.String(), "via", "10.0.1.1")
	s.announce(model.Attributes{}, first)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.255.0.1 as 64999")
}

// hasNoFRR looks for FRR on the node of a speaker that does without.
func hasNoFRR(s *scene) {
	if s.frr != nil {
		s.t.Error("there is FRR on the node")
	}
}
