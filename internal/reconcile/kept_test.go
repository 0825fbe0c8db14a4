package reconcile

import (
	"context"
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/model"
)

// keepKeys has what is held told again by an announcer that begins with nothing.
func keepKeys(o *Options[*world, keys]) {
	o.Kept = func(_ context.Context, _ *world, k keys, held []string) (keys, error) {
		k.announced = append(slices.Clone(k.announced), held...)
		return k, nil
	}
}

// A speaker that was started anew tells what is held, and goes on to tell it; without the option nobody would.
func TestHeldIsToldAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Options[*world, keys])
		want   []string
	}{
		"a speaker that forgets": {keepKeys, []string{"create path a", "create path b"}},
		"control":                {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := standing("a", "b")
			w.second = w.part("gobgp", "path", func(k keys) []string { return k.announced })
			w.known, w.database, w.want = "A", "B", nil
			play(t, w, tt.change, func(t *testing.T, l *loopOf) {
				w.pass(time.Second)
				wantLog(t, w, tt.want...)
				w.poke()
				w.pass(time.Minute)
				wantLog(t, w)
				wantKeys(t, "announced", w.announcer.have, "a", "b")
				if held := l.Status().Held; held == nil || len(held.Keys) != 2 {
					t.Errorf("held: %+v", held)
				}
				w.database, w.want = "A", []string{"a", "b"}
				w.poke()
				wantKeys(t, "told", w.second.have, "a", "b")
			})
		})
	}
}

// What a row explains is not told again to be withdrawn at once.
func TestExplainedIsNotToldAgain(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("gobgp", "path", func(k keys) []string { return k.announced })
	w.want = []string{"b"}
	w.decisions = []model.Decision{{Key: "a", Verdict: model.Elsewhere, Evidence: model.Explained, Text: "moved"}}
	play(t, w, keepKeys, func(t *testing.T, _ *loopOf) {
		w.pass(time.Second)
		wantLog(t, w, "create path b", "delete address a", "delete carrier a")
	})
}

// The guard judges once a round, so the whole database is asked once, though the speaker's plan needs the verdict first.
func TestWhatIsHeldIsAskedAboutOnce(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("gobgp", "path", func(k keys) []string { return k.announced })
	w.known, w.database, w.want = "A", "B", nil
	play(t, w, keepKeys, func(t *testing.T, l *loopOf) {
		if rounds := l.Status().Rounds; len(rounds) != 1 || w.asked != 1 {
			t.Errorf("asked %d times in %d rounds, want once in one", w.asked, len(rounds))
		}
		if _, err := l.Plan(t.Context()); err != nil || w.asked != 1 {
			t.Errorf("a preview asked again, or failed: asked %d times, %v", w.asked, err)
		}
	})
}
