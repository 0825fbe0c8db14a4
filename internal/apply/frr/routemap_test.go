package frr_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

// wantRoutes announces by routes.
func wantRoutes(prefixes ...string) model.Node {
	node := want(prefixes...)
	node.Leak.Redistribute, node.Leak.Device = []string{"kernel"}, "bgp-nic"
	return node
}

func TestRoutesAreRedistributedByTheRouteMap(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	before := b.String()
	a := newApplier(t, b.Dir)
	b.SetRoutes(vrf, prefixes("203.0.113.9/32", "2001:db8::9/128")...)
	node := wantRoutes("203.0.113.9/32", "2001:db8::9/128")
	steps, err := a.Plan(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "routes.plan", planText(t, steps))
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	if written := b.Written(); !strings.HasPrefix(written[0], "route-map ovnbgp-announce") {
		t.Errorf("the route map is not the first that is written, so for a moment nothing passes: %q", written)
	}
	golden(t, "routes.conf", b.String())
	idle(t, a, b, node)
	if leaked := b.Leaked(vrf); len(leaked) != 2 {
		t.Errorf("leaked are %v", leaked)
	}

	// Without its route map nothing would pass.
	b.Type("no route-map ovnbgp-announce")
	if leaked := b.Leaked(vrf); len(leaked) != 0 {
		t.Errorf("leaked are %v without the route map", leaked)
	}
	if err := converge(t, a, node); err != nil {
		t.Fatal(err)
	}
	golden(t, "routes.conf", b.String())

	steps, err = a.Cleanup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "routes-cleanup.plan", planText(t, steps))
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, b.String()); d != "" {
		t.Errorf("after cleanup (-before +after):\n%s", d)
	}
}

// What is there from an earlier version, or another's, redistributes as well: changing it would withdraw everything for a
// moment. The other source is added beside it.
func TestRedistributionThatIsThereStays(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	b.Type("router bgp 64999 vrf bgp-vrf", "bgp router-id 10.0.0.1", "address-family ipv4 unicast", "redistribute kernel",
		"redistribute connected", "exit-address-family", "address-family ipv6 unicast", "redistribute kernel route-map mine",
		"exit-address-family", "exit")
	a := newApplier(t, b.Dir)
	b.Written()
	if err := converge(t, a, wantRoutes()); err != nil {
		t.Fatal(err)
	}
	if written := b.Written(); slices.ContainsFunc(written, func(line string) bool {
		return strings.Contains(line, "redistribute") || strings.Contains(line, "route-map")
	}) {
		t.Errorf("written: %q", written)
	}
	b.Written()
	if err := converge(t, a, want()); err != nil {
		t.Fatal(err)
	}
	if written := b.Written(); !slices.Contains(written, "redistribute connected") || slices.ContainsFunc(written, func(line string) bool {
		return strings.HasPrefix(line, "no ")
	}) {
		t.Errorf("back to addresses: written: %q", written)
	}
}

func TestADeviceThatIsNoName(t *testing.T) {
	b := fake.Start(t)
	a := newApplier(t, b.Dir)
	node := wantRoutes()
	node.Leak.Device = "bgp nic"
	if steps, err := a.Plan(t.Context(), node); err == nil || steps != nil {
		t.Errorf("planned %v, %v", steps, err)
	}
}
