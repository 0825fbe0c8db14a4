package kernel_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// zebra stands between an applier and the kernel, and takes note of the addresses and routes of a device as FRR does: of
// addresses late, of routes at once, from 10.2 on of none that has an address's prefix, and of an IPv4 route that is
// replaced by the same never.
type zebra struct {
	kernel.Kernel
	t     *testing.T
	drops bool          // it is 10.2 or later
	late  time.Duration // until it hears of an address
	down  error

	addresses map[netip.Prefix]bool
	routes    map[netip.Prefix]bool
	news      []news
	untold    map[netip.Prefix]time.Time // since when it knows of neither; zero: not now
	worst     time.Duration              // that a prefix was untold
	writes    int
}

// news of an address is under way.
type news struct {
	at      time.Time
	prefix  netip.Prefix
	present bool
}

func newZebra(t *testing.T, k kernel.Kernel, drops bool) *zebra {
	return &zebra{Kernel: k, t: t, drops: drops, late: 7 * time.Millisecond, addresses: map[netip.Prefix]bool{},
		routes: map[netip.Prefix]bool{}, untold: map[netip.Prefix]time.Time{}}
}

// hear takes in the addresses it was told of long enough ago.
func (z *zebra) hear() {
	z.news = slices.DeleteFunc(z.news, func(n news) bool {
		if time.Now().Before(n.at) {
			return false
		}
		z.addresses[n.prefix] = n.present
		return true
	})
	for p := range z.untold {
		switch since := z.untold[p]; {
		case z.addresses[p] || z.routes[p]:
			z.untold[p] = time.Time{}
		case since.IsZero():
			z.untold[p] = time.Now()
		default:
			z.worst = max(z.worst, time.Since(since))
		}
	}
}

func (z *zebra) AddrReplace(a netlink.Addr) error {
	z.writes++
	z.news = append(z.news, news{time.Now().Add(z.late), a.Prefix, true})
	return z.Kernel.AddrReplace(a)
}

func (z *zebra) AddrDel(a netlink.Addr) error {
	z.writes++
	z.news = append(z.news, news{time.Now().Add(z.late), a.Prefix, false})
	return z.Kernel.AddrDel(a)
}

func (z *zebra) told(r netlink.Route) {
	z.hear()
	if !z.drops || !z.addresses[r.Dst] {
		z.routes[r.Dst] = true
	}
}

func (z *zebra) RouteAdd(r netlink.Route) error {
	z.writes++
	z.told(r)
	return z.Kernel.RouteAdd(r)
}

func (z *zebra) RouteReplace(r netlink.Route) error {
	z.writes++
	now, err := z.Actual(z.t.Context())
	if err != nil {
		return err
	}
	if r.Dst.Addr().Is6() || !slices.Contains(now.Routes, r) {
		z.told(r)
	}
	return z.Kernel.RouteReplace(r)
}

func (z *zebra) RouteDel(r netlink.Route) error {
	z.writes++
	z.hear()
	delete(z.routes, r.Dst)
	return z.Kernel.RouteDel(r)
}

// Knows and Lacks make it a kernel.Daemon.
func (z *zebra) Knows(_ context.Context, _ string, p netip.Prefix, _ uint32) (address, route bool, err error) {
	z.hear()
	return z.addresses[p], z.routes[p], z.down
}

func (z *zebra) Lacks(_ context.Context, _ string, routes map[netip.Prefix]uint32) (lacking []netip.Prefix, err error) {
	z.hear()
	for p := range routes {
		if !z.routes[p] {
			lacking = append(lacking, p)
		}
	}
	slices.SortFunc(lacking, netip.Prefix.Compare)
	return lacking, z.down
}

// play does the steps of a plan, and returns them with what failed.
func (z *zebra) play(a *kernel.Announcements, want model.Node) (text []string) {
	z.t.Helper()
	steps, err := a.Plan(z.t.Context(), want)
	must(z.t, err)
	for _, s := range steps {
		line := s.String()
		if err := s.Do(z.t.Context()); err != nil {
			line += ": " + err.Error()
		}
		text = append(text, line)
	}
	return text
}

// announced makes the VRF and its device, announces by a zebra's kernel, and lets it hear of that.
func announced(t *testing.T, drops bool, want model.Node) (*zebra, *kernel.Announcements) {
	t.Helper()
	k := fakekernel.New()
	bridge(t, k)
	for _, s := range planned(t, k, want) {
		must(t, s.Do(t.Context()))
	}
	z := newZebra(t, k, drops)
	a := kernel.NewAnnouncements(z, base().VRF)
	a.Ask(z)
	z.play(a, want)
	time.Sleep(time.Second) // synctest's
	z.hear()
	for _, w := range want.Announcements {
		z.untold[w.Prefix] = time.Time{}
	}
	return z, a
}

// planned lists the carriers' steps.
func planned(t *testing.T, k kernel.Kernel, want model.Node) []plan.Step {
	t.Helper()
	steps, err := kernel.NewCarriers(k).Plan(t.Context(), want)
	must(t, err)
	return steps
}

// TestBearersAndFRR changes hosts from addresses to routes and back with an FRR that drops routes, and with one that does
// not. FRR lets nobody know when it knows of neither for less than 50 ms.
func TestBearersAndFRR(t *testing.T) {
	for name, drops := range map[string]bool{"8.4": false, "10.2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, a := announced(t, drops, g2())
				for range 2 {
					for _, want := range []model.Node{asRoutes(g2()), g2()} {
						for _, line := range z.play(a, want) {
							if strings.Contains(line, ": the ") {
								t.Error(line)
							}
						}
						time.Sleep(time.Second)
						z.hear()
						z.writes = 0
						if text := z.play(a, want); len(text) > 0 || z.writes > 0 {
							t.Errorf("%d writes afterwards: %v", z.writes, text)
						}
						for _, w := range want.Announcements {
							if z.addresses[w.Prefix] == w.AsRoute || z.routes[w.Prefix] != w.AsRoute {
								t.Errorf("%s, as route %v: FRR knows of an address %v, of a route %v", w.Prefix, w.AsRoute,
									z.addresses[w.Prefix], z.routes[w.Prefix])
							}
						}
					}
				}
				if z.worst > 20*time.Millisecond {
					t.Errorf("FRR knew neither bearer for %s", z.worst)
				}
			})
		})
	}
}

// TestBothBearersAndFRR begins where a change was cut short.
func TestBothBearersAndFRR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, a := announced(t, true, g2())
		for _, w := range asRoutes(g2()).Announcements {
			must(t, z.RouteAdd(routeOf(t, z, w.Prefix)))
		}
		if diff := cmp.Diff([]string{"delete address 2001:db8:1::11/128 dev bgp-nic", "delete address 203.0.113.11/32 dev bgp-nic"},
			z.play(a, asRoutes(g2()))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if z.worst > 20*time.Millisecond {
			t.Errorf("FRR knew neither bearer for %s", z.worst)
		}
	})
}

// routeOf is the route that announces a host.
func routeOf(t *testing.T, k kernel.Kernel, p netip.Prefix) netlink.Route {
	t.Helper()
	r := netlink.Route{Table: 10, Dst: p, LinkIndex: link(t, k, "bgp-nic").Index, Protocol: model.Protocol,
		Type: netlink.TypeUnicast, Metric: 1024}
	if p.Addr().Is4() {
		r.Scope = netlink.ScopeLink
	}
	return r
}

func TestNoChangeWhileFRRIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, a := announced(t, true, g2())
		z.down, z.writes = errors.New("zebra is away"), 0
		for _, line := range z.play(a, asRoutes(g2())) {
			if !strings.HasSuffix(line, ": zebra is away") {
				t.Errorf("done: %s", line)
			}
		}
		if z.writes > 0 {
			t.Errorf("%d writes", z.writes)
		}
	})
}

func TestAFRRThatTakesNoNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, a := announced(t, true, asRoutes(g2()))
		p := netip.MustParsePrefix("203.0.113.11/32")
		delete(z.routes, p)
		const again = "update route 203.0.113.11/32 dev bgp-nic table 10"
		if diff := cmp.Diff([]string{again}, z.play(a, asRoutes(g2()))); diff != "" || !z.routes[p] {
			t.Errorf("FRR knows of it: %v; (-want +got):\n%s", z.routes[p], diff)
		}
		if text := z.play(a, asRoutes(g2())); len(text) > 0 {
			t.Errorf("and once more: %v", text)
		}
		// Something else has the address, in the VRF and not on the device.
		delete(z.routes, p)
		z.addresses[p], z.writes = true, 0
		want := []string{again + ": the BGP daemon has not taken note of 203.0.113.11/32"}
		if diff := cmp.Diff(want, z.play(a, asRoutes(g2()))); diff != "" || z.writes > 2 {
			t.Errorf("%d writes; (-want +got):\n%s", z.writes, diff)
		}
	})
}
