package reconcile

import (
	"context"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

func TestDatabaseFirstKnownIsAccepted(t *testing.T) {
	w := standing("a")
	w.database = "A"
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		wantLog(t, w, "accept A")
		w.poke()
		wantLog(t, w)
	})
}

// The source may read the identity back later than it was written.
func TestDatabaseIsAcceptedOnce(t *testing.T) {
	w := standing("a")
	w.database = "A"
	play(t, w, func(o *Options[*world, keys]) {
		o.Database = func(*world) (string, string) { return "", "A" }
	}, func(t *testing.T, _ *loopOf) {
		wantLog(t, w, "accept A")
		w.poke()
		wantLog(t, w)
	})
}

func TestDatabaseAnotherWithAllRowsIsAcceptedInTime(t *testing.T) {
	w := standing("a", "b")
	w.known, w.database = "A", "B"
	w.want = []string{"a"}
	w.evidence = evidenceOf(model.Doubtful, "b")
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		if h := l.Status().Held; h == nil || h.Database != "B" || h.Keys[0].Class != status.HeldDoubtful {
			t.Fatalf("held: %+v", h)
		}
		w.pass(4 * time.Minute)
		wantLog(t, w)
		w.pass(2 * time.Minute)
		wantLog(t, w, "delete address b", "delete carrier b", "accept B")
		w.poke()
		if r := l.Status(); r.Held != nil || r.Verdict != status.OK {
			t.Errorf("status: %+v", r)
		}
	})
}

func TestDatabaseAnotherWithoutRowsWaitsForAHand(t *testing.T) {
	w := standing(names(3)...)
	w.known, w.database = "A", "B"
	w.want = names(1)
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.pass(time.Hour)
		wantLog(t, w)
		h := l.Status().Held
		if h == nil || len(h.Keys) != 2 || !h.Release.IsZero() {
			t.Fatalf("held: %+v", h)
		}
		if err := l.AcceptWithdrawals(t.Context(), h.Hash); err != nil {
			t.Fatal(err)
		}
		wantLog(t, w, "delete address k01", "delete address k02", "delete carrier k01", "delete carrier k02", "accept B")
	})
}

// With nothing to withdraw the database itself is what is held, and can be accepted by hand at once.
func TestDatabaseAnotherWithNothingVanished(t *testing.T) {
	w := standing("a")
	w.known, w.database = "A", "B"
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		h := l.Status().Held
		if h == nil || len(h.Keys) != 0 || h.Database != "B" {
			t.Fatalf("held: %+v", h)
		}
		if err := l.AcceptWithdrawals(t.Context(), h.Hash); err != nil {
			t.Fatal(err)
		}
		wantLog(t, w, "accept B")
	})
}

func TestDatabaseAcceptIsTriedAgain(t *testing.T) {
	w := standing("a")
	w.database = "A"
	failing := true
	play(t, w, func(o *Options[*world, keys]) {
		accept := o.AcceptDatabase
		o.AcceptDatabase = func(ctx context.Context, id string) error {
			if failing {
				return errTest
			}
			return accept(ctx, id)
		}
	}, func(t *testing.T, l *loopOf) {
		if r := l.Status(); r.Verdict != status.Degraded {
			t.Errorf("status: %+v", r)
		}
		failing = false
		w.pass(time.Second)
		wantLog(t, w, "accept A")
	})
}
