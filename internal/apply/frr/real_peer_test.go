package frr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/model"
)

// peered is the real FRR with a neighbour, another bgpd: what that has been told counts.
type peered struct {
	real
	peer *vty.Client
}

func startPeered(t *testing.T, peerAS string) peered {
	t.Helper()
	r := startReal(t)
	p := peered{real: r, peer: vty.New(filepath.Join(r.StartPeer(), "bgpd.vty"))}
	t.Cleanup(func() { _ = p.peer.Close() })
	for _, end := range []struct {
		at                   *vty.Client
		as, with, id, remote string
	}{{p.peer, peerAS, "64999", "10.0.0.2", "192.0.2.1"}, {p.operator, "64999", peerAS, "10.0.0.1", "192.0.2.2"}} {
		neighbor := "neighbor " + end.remote + " "
		err := end.at.Configure(t.Context(), []string{"router bgp " + end.as, "bgp router-id " + end.id, "no bgp ebgp-requires-policy",
			neighbor + "remote-as " + end.with, neighbor + "shutdown", neighbor + "timers 10 30", neighbor + "timers connect 1", neighbor + "advertisement-interval 0",
			"address-family ipv6 unicast", neighbor + "activate", "exit-address-family",
			"no " + neighbor + "shutdown", "exit"})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// heard is one path that the peer has.
type heard struct {
	MED, LocalPref uint32
	Community      string
	Version        int64 // of the table when the prefix last changed
}

// hears returns what the peer has of a prefix.
func (p peered) hears(prefix netip.Prefix) (heard, error) {
	family := families()[0]
	if prefix.Addr().Is6() {
		family = families()[1]
	}
	var answer struct {
		Version int64 `json:"version"`
		Paths   []struct {
			Metric    uint32 `json:"metric"`
			LocPrf    uint32 `json:"locPrf"`
			Community struct {
				String string `json:"string"`
			} `json:"community"`
		} `json:"paths"`
	}
	if err := p.peer.ShowJSON(p.t.Context(), "show bgp "+family+" "+prefix.String()+" json", &answer); err != nil {
		return heard{}, err
	}
	if len(answer.Paths) != 1 {
		return heard{}, fmt.Errorf("the peer has %d paths to %s", len(answer.Paths), prefix)
	}
	if answer.Version == 0 {
		return heard{}, fmt.Errorf("the peer has not chosen a path to %s yet", prefix)
	}
	got := answer.Paths[0]
	return heard{got.Metric, got.LocPrf, got.Community.String, answer.Version}, nil
}

// session is the peer's view of the session: how often it was established, and how many updates came.
func (p peered) session(t *testing.T) (established, updates int) {
	t.Helper()
	var answer map[string]struct {
		Times    int `json:"connectionsEstablished"`
		Messages struct {
			Updates int `json:"updatesRecv"`
		} `json:"messageStats"`
	}
	if err := p.peer.ShowJSON(t.Context(), "show bgp neighbors 192.0.2.1 json", &answer); err != nil {
		t.Fatal(err)
	}
	return answer["192.0.2.1"].Times, answer["192.0.2.1"].Messages.Updates
}

func both() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("2001:db8::9/128")}
}

func (p peered) hearsBoth(t *testing.T, check func(heard) error) (list []heard) {
	t.Helper()
	if testing.Verbose() {
		defer func() {
			if t.Failed() {
				for _, c := range []*vty.Client{p.operator, p.peer} {
					for _, show := range []string{"show bgp summary", "show bgp neighbors"} {
						text, err := c.Show(context.Background(), show)
						t.Logf("%s: %v\n%s", show, err, text)
					}
				}
			}
		}()
	}
	eventually(t, func() error {
		list = nil
		var errs []error
		for _, prefix := range both() {
			h, err := p.hears(prefix)
			if err == nil {
				err = check(h)
			}
			list, errs = append(list, h), append(errs, err)
		}
		return errors.Join(errs...)
	})
	return list
}

func anything(heard) error { return nil }

// routes has routes in the VRF announce what addresses did, as the kernel's applier writes them.
func (p peered) routes(verb string) {
	p.IP("-n", "bgp-vrf", "route", verb, "203.0.113.9/32", "dev", "bgp-nic", "proto", "179", "metric", "1024", "scope", "link")
	p.IP("-n", "bgp-vrf", "route", verb, "2001:db8::9/128", "dev", "bgp-nic", "proto", "179", "metric", "1024")
}

// tellAgain tells zebra of the routes again where it has dropped them, because there were addresses of the same prefixes:
// package source/zebra.
func (p peered) tellAgain() bool {
	p.t.Helper()
	version, err := p.version(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if !version.AtLeast(10, 2) {
		return false
	}
	<-time.After(time.Second)
	p.routes("del")
	p.routes("add")
	return true
}

// TestRealRoutes: bgpd announces routes of our protocol through the route map, and none that leads to another device; an
// address and a route take each other's place and the peer hears nothing of it.
func TestRealRoutes(t *testing.T) {
	p := startPeered(t, "65001")
	p.addVRF(t)
	want := realWant()
	p.round(t, want)
	before := p.hearsBoth(t, anything)
	established, updates := p.session(t)

	routes := realWant()
	routes.Leak.Redistribute, routes.Leak.Device = []string{"kernel"}, "bgp-nic"
	if d := cmp.Diff([]string{"update route-map ovnbgp-announce: +match interface bgp-nic +set metric 0; router bgp 64999 vrf bgp-vrf: " +
		"+redistribute kernel route-map ovnbgp-announce (ipv4, ipv6)"}, p.round(t, routes)); d != "" {
		t.Errorf("the round (-want +got):\n%s", d)
	}
	p.IP("-n", "bgp-vrf", "addr", "add", "169.254.179.1/32", "dev", "bgp-nic", "scope", "link") // see kernel's anchor
	p.IP("-n", "bgp-vrf", "link", "add", "other", "type", "veth", "peer", "name", "other-peer")
	p.IP("-n", "bgp-vrf", "link", "set", "other", "up")
	p.IP("-n", "bgp-vrf", "link", "set", "other-peer", "up")
	p.IP("-n", "bgp-vrf", "route", "add", "198.51.100.7/32", "dev", "other", "proto", "179", "metric", "1024")
	quiet := func(when string) {
		t.Helper()
		<-time.After(time.Second) // what should not come has time to
		if d := cmp.Diff(before, p.hearsBoth(t, anything)); d != "" {
			t.Errorf("%s the peer heard something (-before +after):\n%s", when, d)
		}
		if e, u := p.session(t); e != established || u != updates {
			t.Errorf("%s: the session is the %dth, with %d updates, was the %dth, with %d", when, e, u, established, updates)
		}
	}
	p.routes("add")
	p.IP("-n", "bgp-vrf", "addr", "del", "203.0.113.9/32", "dev", "bgp-nic")
	p.IP("-n", "bgp-vrf", "addr", "del", "2001:db8::9/128", "dev", "bgp-nic")
	if p.tellAgain() {
		before = p.hearsBoth(t, anything)
		established, updates = p.session(t)
	}
	quiet("from addresses to routes")
	if did := p.round(t, routes); did != nil {
		t.Errorf("the round did %q", did)
	}
	for _, prefix := range []string{"198.51.100.7/32", "169.254.179.1/32"} {
		if h, err := p.hears(netip.MustParsePrefix(prefix)); err == nil {
			t.Errorf("the peer hears %s, which is not ours: %+v", prefix, h)
		}
	}

	p.IP("-n", "bgp-vrf", "addr", "add", "203.0.113.9/32", "dev", "bgp-nic")
	p.IP("-n", "bgp-vrf", "addr", "add", "2001:db8::9/128", "dev", "bgp-nic", "nodad")
	p.IP("-n", "bgp-vrf", "route", "del", "203.0.113.9/32", "dev", "bgp-nic", "metric", "1024")
	p.IP("-n", "bgp-vrf", "route", "del", "2001:db8::9/128", "dev", "bgp-nic", "metric", "1024")
	quiet("and back")

	// The measure bites: a prefix that was away for a moment is seen.
	p.IP("-n", "bgp-vrf", "addr", "del", "203.0.113.9/32", "dev", "bgp-nic")
	eventually(t, func() error {
		if _, u := p.session(t); u == updates {
			return errors.New("the peer heard nothing of an address that went")
		}
		return nil
	})
	p.IP("-n", "bgp-vrf", "addr", "add", "203.0.113.9/32", "dev", "bgp-nic")
	p.hearsBoth(t, anything)

	// FRR comes back with nothing, and is told again; bgpd asks zebra for routes it has had all the time.
	p.routes("add")
	p.IP("-n", "bgp-vrf", "addr", "del", "203.0.113.9/32", "dev", "bgp-nic")
	p.IP("-n", "bgp-vrf", "addr", "del", "2001:db8::9/128", "dev", "bgp-nic")
	p.tellAgain()
	p.StopBGP()
	p.StartBGP()
	p.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "exit")
	p.round(t, routes)
	p.working(t, routes)

	steps, err := p.Cleanup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if err := s.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := p.operator.Show(t.Context(), "show running-config"); err != nil || strings.Contains(string(text), "ovnbgp") {
		t.Errorf("after cleanup: %v\n%s", err, text)
	}
}

// TestRealDrain: the peer hears the community, an internal one local preference 0, and the session stays as it is; who has
// been told is known.
func TestRealDrain(t *testing.T) {
	for name, as := range map[string]string{"external": "65001", "internal": "64999"} {
		t.Run(name, func(t *testing.T) {
			p := startPeered(t, as)
			p.addVRF(t)
			want := realWant()
			p.round(t, want)
			p.hearsBoth(t, func(h heard) error {
				if p.isDrained(as, h) == nil {
					return fmt.Errorf("drained before anybody said so: %+v", h)
				}
				return nil
			})
			established, _ := p.session(t)
			if d, err := p.Draining(t.Context()); err != nil || d.InForce || d.Peers != nil {
				t.Errorf("not drained: %+v, %v", d, err)
			}

			drained := realWant()
			drained.BGP.Drained = true
			if did := p.round(t, drained); len(did) != 1 {
				t.Errorf("the round did %q", did)
			}
			begin := time.Now()
			eventually(t, func() error {
				d, err := p.Draining(t.Context())
				if err != nil {
					return err
				}
				for _, told := range d.Peers {
					if !told.Done() || !told.Up || told.Drained == 0 {
						return fmt.Errorf("not told: %+v", told)
					}
				}
				if !d.InForce || len(d.Peers) != 2 {
					return fmt.Errorf("draining: %+v", d)
				}
				return nil
			})
			t.Logf("every peer had been told after %s", time.Since(begin).Round(time.Millisecond))
			p.hearsBoth(t, func(h heard) error {
				return p.isDrained(as, h)
			})
			if did := p.round(t, drained); did != nil {
				t.Errorf("a second round did %q", did)
			}
			// What comes while drained is told alike.
			p.IP("-n", "bgp-vrf", "addr", "add", "203.0.113.10/32", "dev", "bgp-nic")
			eventually(t, func() error {
				h, err := p.hears(netip.MustParsePrefix("203.0.113.10/32"))
				if err == nil {
					err = p.isDrained(as, h)
				}
				return err
			})

			if did := p.round(t, want); len(did) != 1 {
				t.Errorf("the round did %q", did)
			}
			p.hearsBoth(t, func(h heard) error {
				if p.isDrained(as, h) == nil {
					return fmt.Errorf("still drained: %+v", h)
				}
				return nil
			})
			if e, _ := p.session(t); e != established {
				t.Errorf("the session is the %dth, was the %dth", e, established)
			}
			if text := p.running(t); strings.Contains(text, "ovnbgp") || strings.Contains(text, "graceful-shutdown") {
				t.Errorf("left:\n%s", text)
			}
		})
	}
}

// isDrained tells whether a path asks the peer of an AS to send elsewhere.
func (p peered) isDrained(as string, h heard) error {
	internal, community := as == "64999", h.Community == "gracefulShutdown" || h.Community == "graceful-shutdown"
	if internal && h.LocalPref != 0 || !internal && !community {
		return fmt.Errorf("not drained: %+v", h)
	}
	return nil
}

// TestRealPermanent: a line that was there stays, and the node's drain is told by it.
func TestRealPermanent(t *testing.T) {
	p := startPeered(t, "65001")
	p.addVRF(t)
	p.configure(t, "router bgp 64999", "bgp graceful-shutdown", "exit")
	drained := realWant()
	drained.BGP.Drained = true
	for _, node := range []model.Node{realWant(), drained, realWant()} {
		p.round(t, node)
		if did := p.round(t, node); did != nil {
			t.Errorf("a second round did %q", did)
		}
		if !strings.Contains(p.running(t), " bgp graceful-shutdown\n") || len(p.Remarks()) != 1 {
			t.Errorf("the line is gone, or not named: %v\n%s", p.Remarks(), p.running(t))
		}
	}
}
