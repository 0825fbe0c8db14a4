package frr_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// addresses are announced in these tests: of both families, and more than are looked at.
var addresses = []string{"203.0.113.9/32", "203.0.113.10/32", "203.0.113.11/32", "2001:db8::9/128"}

func TestLeakWithoutEffect(t *testing.T) {
	const anew = "update router bgp 64999 vrf bgp-vrf: made anew  # the leak is configured and has no effect: "
	tests := []struct {
		name   string
		broken func(*fake.BGP)
		plan   string // once a moment is over
	}{
		{"both families", func(b *fake.BGP) { b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast") },
			anew + "no address of ipv4 unicast and ipv6 unicast reaches the default instance\n"},
		{"one family: the other must not flap", func(b *fake.BGP) { b.Forget(vrf, false, "ipv6 unicast") },
			"update router bgp 64999: import vrf bgp-vrf (ipv6 unicast) made anew  # the leak is configured and has no " +
				"effect: no address of ipv6 unicast reaches the default instance\n"},
		{"leaked and not valid", func(b *fake.BGP) { b.Invalidate(vrf, "ipv4 unicast", "ipv6 unicast") },
			anew + "no address of ipv4 unicast and ipv6 unicast reaches the default instance\n"},
		{"not tied to the kernel's VRF", func(b *fake.BGP) { b.Unbind(vrf) }, anew + "bgpd does not know the kernel's VRF\n"},
		{"the operator filters", func(b *fake.BGP) {
			b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast")
			for _, family := range []string{"ipv4 unicast", "ipv6 unicast"} {
				b.Type("router bgp 64999", "address-family "+family, "import vrf route-map some", "exit")
			}
		}, ""},
		{"nothing in the VRF", func(b *fake.BGP) {
			b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast")
			b.SetVRF(vrf)
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := fake.Start(t)
			b.Type(operators...)
			b.SetVRF(vrf, prefixes(addresses...)...)
			synctest.Test(t, func(t *testing.T) {
				a := newApplier(t, b.Dir)
				node := want(addresses...)
				if err := converge(t, a, node); err != nil {
					t.Fatal(err)
				}
				before := b.String()
				if d := cmp.Diff(len(addresses), len(b.Leaked(vrf))); d != "" {
					t.Fatalf("leaked (-want +got):\n%s", d)
				}
				tt.broken(b)
				idle(t, a, b, node) // it may be only late
				time.Sleep(time.Second)
				steps, err := a.Plan(t.Context(), node)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.plan, planText(t, steps)); d != "" {
					t.Errorf("plan (-want +got):\n%s", d)
				}
				if tt.plan == "" {
					return
				}
				b.Written()
				if err := do(t.Context(), steps); err != nil {
					t.Fatal(err)
				}
				whole := slices.Contains(b.Written(), "no router bgp 64999 vrf bgp-vrf")
				if whole != strings.HasPrefix(tt.plan, anew) {
					t.Errorf("made anew as a whole: %v, and the plan says %s", whole, tt.plan)
				}
				if n := len(b.Leaked(vrf)); n != len(addresses) {
					t.Errorf("%d addresses leak, want %d", n, len(addresses))
				}
				if d := cmp.Diff(sortedBlocks(before), sortedBlocks(b.String())); d != "" {
					t.Errorf("the configuration changed (-before +after):\n%s", d)
				}
				idle(t, a, b, node)
			})
		})
	}
}

// TestForeignInstance: an instance that holds a line of the operator's is never taken away, whenever bgpd ends. The
// step fails and says what to type; the import alone, which is ours, is made anew as ever.
func TestForeignInstance(t *testing.T) {
	tests := []struct {
		name     string
		operator []string // in our VRF's instance
		broken   func(*fake.BGP)
		mended   bool
	}{
		{"neighbour", []string{"neighbor 192.0.2.1 remote-as 65010"},
			func(b *fake.BGP) { b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast") }, false},
		{"router id of its own", []string{"bgp router-id 10.0.0.7"},
			func(b *fake.BGP) { b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast") }, false},
		{"route-map", []string{"address-family ipv4 unicast", "redistribute connected route-map m", "exit-address-family"},
			func(b *fake.BGP) { b.Unbind(vrf) }, false},
		{"one word", []string{"address-family l2vpn evpn", "advertise-all-vni", "exit-address-family"},
			func(b *fake.BGP) { b.Unbind(vrf) }, false},
		{"only an import is broken", []string{"neighbor 192.0.2.1 remote-as 65010"},
			func(b *fake.BGP) { b.Forget(vrf, false, "ipv6 unicast") }, true},
	}
	for _, tt := range tests {
		for n := 1; n <= 9; n++ {
			b := fake.Start(t)
			b.Type(operators...)
			b.Type(slices.Concat([]string{"router bgp 64999 vrf bgp-vrf"}, tt.operator, []string{"exit"})...)
			b.SetVRF(vrf, prefixes(addresses...)...)
			synctest.Test(t, func(t *testing.T) {
				a := newApplier(t, b.Dir)
				node := want(addresses...)
				if err := converge(t, a, node); err != nil {
					t.Fatal(err)
				}
				before := b.String()
				tt.broken(b)
				idle(t, a, b, node)
				time.Sleep(time.Second)
				b.FailAt(n, fake.HangUpBefore)
				err := do(t.Context(), mustPlan(t, a, node))
				if by := "type in vtysh's configuration `no router bgp 64999 vrf bgp-vrf`"; !tt.mended &&
					(err == nil || !strings.Contains(err.Error(), by)) {
					t.Errorf("%s: the step says %v, want %s", tt.name, err, by)
				}
				if w := b.Written(); !tt.mended && len(w) > 0 {
					t.Errorf("%s: wrote %q", tt.name, w)
				}
				time.Sleep(time.Minute)
				if err := converge(t, a, node); tt.mended && err != nil {
					t.Errorf("%s, cut at line %d: %v", tt.name, n, err)
				}
				if d := cmp.Diff(sortedBlocks(before), sortedBlocks(b.String())); d != "" {
					t.Errorf("%s, cut at line %d: the configuration (-before +after):\n%s", tt.name, n, d)
				}
			})
		}
	}
}

// sortedBlocks leaves the order of the instances out.
func sortedBlocks(text string) map[string]bool {
	blocks := map[string]bool{}
	for _, block := range strings.Split(text, "exit\n!\n") {
		blocks[strings.TrimPrefix(block, "frr version 8.4.4\nfrr defaults traditional\n!\nhostname node\n!\n")] = true
	}
	return blocks
}

// TestStubbornFault: mending that does not help is not repeated every round.
func TestStubbornFault(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	b.SetVRF(vrf, prefixes(addresses...)...)
	synctest.Test(t, func(t *testing.T) {
		a := newApplier(t, b.Dir)
		node := want(addresses...)
		if err := converge(t, a, node); err != nil {
			t.Fatal(err)
		}
		b.Forget(vrf, true, "ipv4 unicast", "ipv6 unicast")
		idle(t, a, b, node)
		mended := 0
		var said string
		for range 10 * 60 { // ten minutes
			time.Sleep(time.Second)
			steps := mustPlan(t, a, node)
			if err := do(t.Context(), steps); err != nil {
				said = err.Error()
			} else if len(steps) > 0 {
				mended++
				idle(t, a, b, node) // the mended leak gets its moment before it is judged again
			}
		}
		if mended != 6 { // at about 1, 11, 31, 71, 151 and 311 seconds
			t.Errorf("mended %d times in ten minutes, want 6", mended)
		}
		if !strings.Contains(said, "made anew 6 times; tried again at") {
			t.Errorf("the step says %q", said)
		}
		b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast") // as a newer FRR would
		time.Sleep(10 * time.Minute)
		if err := converge(t, a, node); err != nil {
			t.Errorf("still: %v", err)
		}
		idle(t, a, b, node)
	})
}

// TestMendingFails: an instance that was taken away and not made again is added in the next round.
func TestMendingFails(t *testing.T) {
	for n := 1; n <= 9; n++ {
		b := fake.Start(t)
		b.Type(operators...)
		b.SetVRF(vrf, prefixes(addresses...)...)
		synctest.Test(t, func(t *testing.T) {
			a := newApplier(t, b.Dir)
			node := want(addresses...)
			if err := converge(t, a, node); err != nil {
				t.Fatal(err)
			}
			b.Forget(vrf, false, "ipv4 unicast", "ipv6 unicast")
			idle(t, a, b, node)
			time.Sleep(time.Second)
			b.FailAt(n, fake.HangUpBefore)
			if err := do(t.Context(), mustPlan(t, a, node)); err == nil {
				t.Errorf("no failure at line %d", n)
			}
			time.Sleep(time.Minute)
			if err := converge(t, a, node); err != nil {
				t.Errorf("failure at line %d: %v", n, err)
			}
			if got := len(b.Leaked(vrf)); got != len(addresses) {
				t.Errorf("failure at line %d: %d addresses leak", n, got)
			}
		})
	}
}

func mustPlan(t *testing.T, a *frr.Applier, node model.Node) []plan.Step {
	t.Helper()
	steps, err := a.Plan(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}
