package frr_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

func drainedWant() model.Node {
	node := want()
	node.BGP.Drained = true
	return node
}

func TestDrain(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	a := newApplier(t, b.Dir)
	if err := converge(t, a, want()); err != nil {
		t.Fatal(err)
	}
	before := b.String()
	steps, err := a.Plan(t.Context(), drainedWant())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "drain.plan", planText(t, steps))
	for _, s := range steps {
		if s.Serves == nil || len(s.Serves) > 0 {
			t.Errorf("%s serves %v, want none", s, s.Serves)
		}
	}
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	golden(t, "drain.conf", b.String())
	idle(t, a, b, drainedWant())
	if r := a.Remarks(); r != nil {
		t.Errorf("remarks: %v", r)
	}

	// FRR comes back with nothing: drained again. An agent without a memory does the same.
	b.Restart()
	b.Type(operators...)
	another := newApplier(t, b.Dir)
	if err := converge(t, another, drainedWant()); err != nil {
		t.Fatal(err)
	}
	idle(t, another, b, drainedWant())

	steps, err = another.Plan(t.Context(), want())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "undrain.plan", planText(t, steps))
	if err := do(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, b.String()); d != "" {
		t.Errorf("after undrain (-before +after):\n%s", d)
	}
	idle(t, another, b, want())
}

// The line that deployed files have for good is not ours: it stays, and is named. That goes for the one of all instances,
// beside which FRR takes no other.
func TestPermanentGracefulShutdown(t *testing.T) {
	for name, line := range map[string][]string{
		"instance": {"router bgp 64999", "bgp graceful-shutdown", "exit"},
		"all":      {"bgp graceful-shutdown"},
	} {
		t.Run(name, func(t *testing.T) {
			b := fake.Start(t)
			b.Type(operators...)
			b.Type(line...)
			a := newApplier(t, b.Dir)
			if err := converge(t, a, want()); err != nil {
				t.Fatal(err)
			}
			before := b.String()
			if r := a.Remarks(); len(r) != 1 || r[0].Reason != "permanent-graceful-shutdown" {
				t.Errorf("remarks: %v", r)
			}
			b.Written()
			for _, node := range []model.Node{drainedWant(), want()} {
				if err := converge(t, a, node); err != nil {
					t.Fatal(err)
				}
				idle(t, a, b, node)
			}
			if written := b.Written(); slices.Contains(written, "bgp graceful-shutdown") || slices.Contains(written, "no bgp graceful-shutdown") {
				t.Errorf("written: %q", written)
			}
			if d := cmp.Diff(before, b.String()); d != "" {
				t.Errorf("after drain and undrain (-before +after):\n%s", d)
			}
		})
	}
}

// Whatever line fails in whatever way: a drain comes to the same end, and so does its end.
func TestDrainUnderFailures(t *testing.T) {
	for _, how := range fake.Failures() {
		for n := 1; n <= 9; n++ {
			b := fake.Start(t)
			b.Type(operators...)
			a := newApplier(t, b.Dir)
			if err := converge(t, a, want()); err != nil {
				t.Fatal(err)
			}
			before := b.String()
			b.FailAt(n, how)
			if err := converge(t, a, drainedWant()); err != nil {
				t.Errorf("failure %d at line %d: %v", how, n, err)
			}
			golden(t, "drain.conf", b.String())
			b.FailAt(n, how)
			if err := converge(t, a, want()); err != nil {
				t.Errorf("failure %d at line %d: %v", how, n, err)
			}
			if d := cmp.Diff(before, b.String()); d != "" {
				t.Errorf("failure %d at line %d: after undrain (-before +after):\n%s", how, n, d)
			}
		}
	}
}

// Cleanup ends a drain.
func TestCleanupOfADrain(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	before := b.String()
	a := newApplier(t, b.Dir)
	if err := converge(t, a, drainedWant()); err != nil {
		t.Fatal(err)
	}
	steps, err := a.Cleanup(t.Context())
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
