package frr_test

import (
	"context"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/reconcile"
)

var _ reconcile.Announcer[model.Node] = (*frr.Applier)(nil)

var update = flag.Bool("update", false, "rewrite the golden files")

const vrf = "bgp-vrf"

// operators is a configuration as deployments have it: none of it is ours.
var operators = []string{
	"router bgp 64999", "bgp router-id 10.0.0.1", "no bgp ebgp-requires-policy", "neighbor uplink peer-group",
	"neighbor uplink remote-as internal", "neighbor uplink password s3cret",
	"address-family ipv4 unicast", "redistribute connected", "neighbor uplink activate", "import vrf other",
	"exit-address-family", "exit",
	"router bgp 64999 vrf other", "bgp router-id 10.0.0.9", "exit",
}

func want(addresses ...string) model.Node {
	node := model.Node{Leak: model.Leak{AS: 64999, VRF: vrf, Redistribute: []string{"connected"}, Why: "addresses reach the peers"}}
	for _, a := range addresses {
		node.Announcements = append(node.Announcements, model.Announcement{VRF: vrf, Prefix: netip.MustParsePrefix(a)})
	}
	return node
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func newApplier(t *testing.T, dir string) *frr.Applier {
	t.Helper()
	a := frr.New(frr.Options{Sockets: dir, AS: 64999, VRF: vrf})
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func planText(t *testing.T, steps []plan.Step) string {
	t.Helper()
	var b strings.Builder
	if err := plan.Write(&b, steps); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func do(ctx context.Context, steps []plan.Step) error {
	for _, s := range steps {
		if err := s.Do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// idle checks that nothing is planned and that nothing was written while finding that out.
func idle(t *testing.T, a *frr.Applier, b *fake.BGP, node model.Node) {
	t.Helper()
	b.Written()
	steps, err := a.Plan(t.Context(), node)
	if err != nil || len(steps) > 0 {
		t.Errorf("not idle: %v, %s", err, planText(t, steps))
	}
	if w := b.Written(); len(w) > 0 {
		t.Errorf("Plan wrote %q", w)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestLeakIsAddedOnce(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	a := newApplier(t, b.Dir)
	steps, err := a.Plan(t.Context(), want())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "added.plan", planText(t, steps))
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	golden(t, "added.conf", b.String())
	idle(t, a, b, want())

	b.Restart()
	b.Type(operators...)
	steps, err = a.Plan(t.Context(), want())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "added.plan", planText(t, steps))
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	golden(t, "added.conf", b.String())
	idle(t, a, b, want())
}

func TestStates(t *testing.T) {
	complete := []string{"router bgp 64999", "bgp router-id 10.0.0.1", "address-family ipv4 unicast", "import vrf bgp-vrf",
		"exit-address-family", "address-family ipv6 unicast", "import vrf bgp-vrf", "exit-address-family", "exit",
		"router bgp 64999 vrf bgp-vrf", "bgp router-id 10.0.0.1", "address-family ipv4 unicast", "redistribute connected",
		"exit-address-family", "address-family ipv6 unicast", "redistribute connected", "exit-address-family", "exit"}
	id := netip.MustParseAddr("10.0.0.7")
	withID := want()
	withID.Leak.RouterID = id
	kernel := want()
	kernel.Leak.Redistribute, kernel.Leak.Device = []string{"connected", "kernel"}, "bgp-nic"
	tests := []struct {
		name  string
		typed []string
		want  model.Node
		plan  string // without the reason
		fails string // what Do says
	}{
		{"complete", complete, want(), "", ""},
		{"nothing wanted", nil, model.Node{}, "", ""},
		{"a line with more words counts", append(complete, "router bgp 64999 vrf bgp-vrf", "address-family ipv4 unicast",
			"no redistribute connected", "redistribute connected route-map x", "exit"), want(), "", ""},
		{"one line gone", append(complete, "router bgp 64999 vrf bgp-vrf", "address-family ipv6 unicast",
			"no redistribute connected", "exit"), want(),
			"update router bgp 64999 vrf bgp-vrf: +redistribute connected (ipv6)", ""},
		{"import gone", append(complete, "router bgp 64999", "address-family ipv4 unicast", "no import vrf bgp-vrf", "exit"),
			want(), "update router bgp 64999: +import vrf bgp-vrf (ipv4)", ""},
		{"router id gone", append(complete, "router bgp 64999 vrf bgp-vrf", "no bgp router-id 10.0.0.1", "exit"), want(),
			"update router bgp 64999 vrf bgp-vrf: +bgp router-id 10.0.0.1", ""},
		{"another router id, none configured", append(complete, "router bgp 64999 vrf bgp-vrf", "bgp router-id 10.0.0.3",
			"exit"), want(), "", ""},
		{"another router id than the configured", complete, withID,
			"update router bgp 64999 vrf bgp-vrf: +bgp router-id 10.0.0.7", ""},
		{"kernel too", complete, kernel, "update route-map ovnbgp-announce: +match interface bgp-nic +set metric 0; " +
			"router bgp 64999 vrf bgp-vrf: +redistribute kernel route-map ovnbgp-announce (ipv4, ipv6)", ""},
		{"no router id anywhere", []string{"router bgp 64999", "exit"}, want(),
			"create router bgp 64999 vrf bgp-vrf: +bgp router-id ? +redistribute connected (ipv4, ipv6); " +
				"router bgp 64999: +import vrf bgp-vrf (ipv4, ipv6)",
			"no router id for VRF bgp-vrf: set bgp_router_id, or give FRR's default instance one"},
		{"no instance at all, but a router id", nil, withID,
			"create router bgp 64999 vrf bgp-vrf: +bgp router-id 10.0.0.7 +redistribute connected (ipv4, ipv6); " +
				"router bgp 64999: +import vrf bgp-vrf (ipv4, ipv6)", ""},
		{"another AS", []string{"router bgp 65001", "bgp router-id 10.0.0.1", "exit"}, want(),
			"create router bgp 64999 vrf bgp-vrf: +bgp router-id 10.0.0.1 +redistribute connected (ipv4, ipv6); " +
				"router bgp 64999: +import vrf bgp-vrf (ipv4, ipv6)",
			"FRR's BGP instance of VRF default has AS 65001, and bgp_AS is 64999: one of them is wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := fake.Start(t)
			b.Type(tt.typed...)
			a := newApplier(t, b.Dir)
			steps, err := a.Plan(t.Context(), tt.want)
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(planText(t, steps), "  #")
			if d := cmp.Diff(tt.plan, got); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
			before := b.String()
			err = do(t.Context(), steps)
			if tt.fails == "" && err == nil {
				idle(t, a, b, tt.want)
				return
			}
			if err == nil || err.Error() != tt.fails {
				t.Errorf("got %v, want %s", err, tt.fails)
			}
			if d := cmp.Diff(before, b.String()); d != "" {
				t.Errorf("a refused step changed something (-before +after):\n%s", d)
			}
		})
	}
}

func TestRefusedNames(t *testing.T) {
	b := fake.Start(t)
	a := newApplier(t, b.Dir)
	for _, change := range []func(*model.Leak){
		func(l *model.Leak) { l.VRF = "a b" },
		func(l *model.Leak) { l.VRF = "x\nrouter bgp 1" },
		func(l *model.Leak) { l.VRF = "sixteen-letters-" },
		func(l *model.Leak) { l.AS = 0 },
		func(l *model.Leak) { l.Redistribute = []string{"static"} },
		func(l *model.Leak) { l.RouterID = netip.MustParseAddr("2001:db8::1") },
	} {
		node := want()
		change(&node.Leak)
		if steps, err := a.Plan(t.Context(), node); err == nil || steps != nil {
			t.Errorf("%+v: planned %v, %v", node.Leak, steps, err)
		}
	}
}

func TestUnreadIsNotEmpty(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	a := newApplier(t, b.Dir)
	b.SetVRF(vrf, prefixes("203.0.113.9/32")...)
	node := want("203.0.113.9/32")
	if err := converge(t, a, node); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ { // the shows that one Plan makes of a good leak
		b.FailShow(n)
		if steps, err := a.Plan(t.Context(), node); err == nil || steps != nil || !strings.Contains(err.Error(), "closed the connection") {
			t.Errorf("show %d: planned %v, %v", n, steps, err)
		}
	}
	b.Down()
	if steps, err := a.Plan(t.Context(), node); err == nil || steps != nil {
		t.Errorf("FRR is down: planned %v, %v", steps, err)
	}
	b.Up()
	b.Type(operators...)
	if steps, err := a.Plan(t.Context(), node); err != nil || len(steps) != 1 {
		t.Errorf("FRR is back: planned %v, %v", steps, err)
	}
}

// converge runs rounds until one has nothing to do, at most five.
func converge(t *testing.T, a *frr.Applier, node model.Node) error {
	t.Helper()
	var last error
	for range 5 {
		steps, err := a.Plan(t.Context(), node)
		if err == nil && len(steps) == 0 {
			return nil
		}
		if err == nil {
			err = do(t.Context(), steps)
		}
		last = err
	}
	return last
}

// TestUnderFailures: whatever line of the configuration fails in whatever way, it ends as if none had.
func TestUnderFailures(t *testing.T) {
	for _, how := range fake.Failures() {
		for n := 1; n <= 24; n++ {
			b := fake.Start(t)
			b.Type(operators...)
			a := newApplier(t, b.Dir)
			b.FailAt(n, how)
			if err := converge(t, a, want()); err != nil {
				t.Errorf("failure %d at line %d: %v", how, n, err)
			}
			golden(t, "added.conf", b.String())
			if leaksSecret(b.Written()) {
				t.Error("a line of the operator's was written")
			}
		}
	}
}

func leaksSecret(lines []string) bool {
	return strings.Contains(strings.Join(lines, "\n"), "s3cret")
}

func TestCleanup(t *testing.T) {
	for name, foreign := range map[string][]string{
		"alone":   nil,
		"foreign": {"router bgp 64999 vrf bgp-vrf", "neighbor 192.0.2.1 remote-as 65010", "exit"},
	} {
		t.Run(name, func(t *testing.T) {
			b := fake.Start(t)
			b.Type(operators...)
			a := newApplier(t, b.Dir)
			if steps, err := a.Cleanup(t.Context()); err != nil || len(steps) > 0 {
				t.Errorf("nothing of ours is there: %v, %s", err, planText(t, steps))
			}
			if err := converge(t, a, want()); err != nil {
				t.Fatal(err)
			}
			b.Type(foreign...)
			steps, err := a.Cleanup(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "cleanup-"+name+".plan", planText(t, steps))
			if err := do(t.Context(), steps); err != nil {
				t.Fatal(err)
			}
			golden(t, "cleanup-"+name+".conf", b.String())
			if steps, err := a.Cleanup(t.Context()); err != nil || len(steps) > 0 {
				t.Errorf("a second cleanup: %v, %s", err, planText(t, steps))
			}
		})
	}
}

// TestCleanupOfOtherVRFs: what an earlier configuration called its VRF leaves FRR, too; others' VRFs stay.
func TestCleanupOfOtherVRFs(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	before := b.String()
	if err := converge(t, newApplier(t, b.Dir), want()); err != nil {
		t.Fatal(err)
	}
	now := frr.New(frr.Options{Sockets: b.Dir, AS: 64999, VRF: "renamed"})
	t.Cleanup(func() { _ = now.Close() })
	if steps, err := now.Cleanup(t.Context()); err != nil || len(steps) > 0 {
		t.Errorf("without the old name: %v, %s", err, planText(t, steps))
	}
	if _, err := now.Cleanup(t.Context(), vrf, "no name"); err == nil {
		t.Error("a VRF that cannot be named in FRR's configuration was accepted")
	}
	steps, err := now.Cleanup(t.Context(), vrf, vrf)
	if err != nil {
		t.Fatal(err)
	}
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, b.String()); d != "" {
		t.Errorf("after cleanup (-before +after):\n%s", d)
	}
}
