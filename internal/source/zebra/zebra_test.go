package zebra

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/fake/frr"
)

const vrf = "default"

var (
	first  = netip.MustParsePrefix("203.0.113.11/32")
	second = netip.MustParsePrefix("203.0.113.12/32")
	sixth  = netip.MustParsePrefix("2001:db8::11/128")
)

// on plays with each FRR there is: the drop came with 10.2.
func on(t *testing.T, play func(*testing.T, *frr.Daemons, *Source)) {
	for name, root := range frr.Roots(t) {
		t.Run(name, func(t *testing.T) {
			d := frr.StartAll(t, root)
			d.IP("link", "add", "bgp-nic", "type", "veth", "peer", "name", "bgp-nic-peer")
			d.IP("link", "set", "bgp-nic", "up")
			d.IP("link", "set", "bgp-nic-peer", "up")
			s := New(d.Dir)
			t.Cleanup(func() { _ = s.Close() })
			play(t, d, s)
		})
	}
}

func addRoute(d *frr.Daemons, p netip.Prefix) {
	d.IP("route", "add", p.String(), "dev", "bgp-nic", "proto", "179", "metric", "1024")
}

// await waits until zebra knows what is wanted.
func await(t *testing.T, s *Source, p netip.Prefix, address, route bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		a, r, err := s.Knows(t.Context(), vrf, p, 1024)
		switch {
		case err != nil:
			t.Fatal(err)
		case a == address && r == route:
			return
		case time.Now().After(end):
			t.Fatalf("%s: address %v, route %v; want %v, %v", p, a, r, address, route)
		}
	}
}

func TestKnows(t *testing.T) {
	on(t, func(t *testing.T, d *frr.Daemons, s *Source) {
		await(t, s, first, false, false)
		addRoute(d, first)
		addRoute(d, sixth)
		await(t, s, first, false, true)
		await(t, s, sixth, false, true)
		d.IP("address", "add", second.String(), "dev", "bgp-nic")
		await(t, s, second, true, false)
		// The kernel gives it a route by itself.
		d.IP("address", "add", "2001:db8::12/128", "dev", "bgp-nic", "nodad")
		await(t, s, netip.MustParsePrefix("2001:db8::12/128"), true, false)
	})
}

func TestLacks(t *testing.T) {
	on(t, func(t *testing.T, d *frr.Daemons, s *Source) {
		ask := map[netip.Prefix]uint32{}
		lacks := func(want ...netip.Prefix) {
			t.Helper()
			var got []netip.Prefix
			// A pause, or the questions keep zebra from what it is asked about.
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
				var err error
				if got, err = s.Lacks(t.Context(), vrf, ask); err != nil {
					t.Fatal(err)
				}
				if len(got) == len(want) && len(s.since) == len(want) {
					break
				}
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("lacks (-want +got):\n%s", diff)
			}
		}
		for _, p := range []netip.Prefix{first, second, sixth} {
			ask[p] = 1024
			addRoute(d, p)
		}
		lacks()
		lacks() // it counts before it asks
		if s.changed(t.Context()) {
			t.Error("something changed while nothing did")
		}
		ask[netip.MustParsePrefix("203.0.113.13/32")] = 1024
		if got, err := s.Lacks(t.Context(), vrf, ask); err != nil || len(got) > 0 {
			t.Errorf("lacks %v at once (%v), and has a moment to note it", got, err)
		}
		lacks(netip.MustParsePrefix("203.0.113.13/32"))
		if !s.changed(t.Context()) {
			t.Error("nobody is told that a route is lacking")
		}
		addRoute(d, netip.MustParsePrefix("203.0.113.13/32"))
		lacks()
		d.IP("route", "del", second.String(), "metric", "1024")
		lacks(second)
		delete(ask, second)
		lacks()
		for i := range few + 1 { // too many to be asked after one by one
			p := netip.MustParsePrefix("198.51.100." + strconv.Itoa(i) + "/32")
			ask[p] = 1024
			addRoute(d, p)
		}
		lacks()
	})
}

func TestUnreadIsNoAnswer(t *testing.T) {
	s := New(t.TempDir())
	if _, err := s.Lacks(t.Context(), vrf, map[netip.Prefix]uint32{first: 1024}); err == nil {
		t.Error("without a zebra nothing is said to be lacking, and no error")
	}
	if _, _, err := s.Knows(t.Context(), vrf, first, 1024); err == nil {
		t.Error("without a zebra a prefix is said to be unknown, and no error")
	}
}
