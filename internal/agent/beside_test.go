package agent

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"ovnbgp/internal/config"
	fake "ovnbgp/internal/fake/frr"
)

// typeLeak is what an agent of mode assist had left there.
func typeLeak(b *fake.BGP) {
	b.Type("router bgp 64999", "bgp router-id 10.0.0.1", "address-family ipv4 unicast", "import vrf bgp-vrf",
		"exit-address-family", "exit", "router bgp 64999 vrf bgp-vrf", "bgp router-id 10.0.0.1", "address-family ipv4 unicast",
		"redistribute connected", "exit-address-family", "exit")
}

// With the speaker built in, what the agent had added to an FRR that still runs is told, and goes with a cleanup. An FRR that
// does not run keeps nothing from being cleaned up.
func TestLeakLeftInFRR(t *testing.T) {
	frr := fake.Start(t)
	w := newWorld(t, "")
	w.configure(t, "frr_sockets = "+frr.Dir+"\n[bgp]\nspeaker = embedded\nrouter_id = 10.0.0.1\n")
	typeLeak(frr)
	left := func() bool {
		t.Helper()
		result, err := w.options.Load()
		if err != nil {
			t.Fatal(err)
		}
		told := false
		if err := withNode(t.Context(), result.Settings, w.options, func(ctx context.Context, n *node) error {
			for _, r := range n.leftInFRR(ctx) {
				told = told || r.Reason == "leak-left-in-frr" && strings.Contains(r.Row, "router bgp 64999")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return told
	}
	if !left() {
		t.Error("status does not tell of the leak")
	}
	steps, err := Cleanup(t.Context(), w.options, CleanupOptions{})
	if err != nil || !mentions(steps, "import vrf bgp-vrf") || strings.Contains(frr.String(), "bgp-vrf") {
		t.Errorf("cleanup: %v, %+v\n%s", err, steps, frr)
	}
	if left() {
		t.Error("status tells of a leak that is gone")
	}
	frr.Down()
	if steps, err := Cleanup(t.Context(), w.options, CleanupOptions{}); err != nil || len(steps) > 0 {
		t.Errorf("without FRR: %v, %+v", err, steps)
	}
}

// Where nothing is written to FRR a drain would be a word without a deed. It can be ended, whoever began it.
func TestNoDrainInModeObserve(t *testing.T) {
	a := &Agent{node: &node{speaks: config.SpeakerFRR}}
	a.wired.Paths.DrainFile = filepath.Join(t.TempDir(), "drained")
	a.wired.Node.BGP.Mode = config.ModeObserve
	if err := a.SetDrained(t.Context(), true); err == nil || !strings.Contains(err.Error(), "frr_mode is observe") {
		t.Errorf("got %v", err)
	}
	if since := drainedSince(t, a.wired.Paths.DrainFile); !since.IsZero() {
		t.Errorf("drained since %s", since)
	}
}
