package reconcile

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// evidenceOf makes decisions of one kind for keys.
func evidenceOf(e model.Evidence, ks ...string) map[string]model.Decision {
	found := map[string]model.Decision{}
	for _, k := range ks {
		found[k] = model.Decision{Key: k, Evidence: e, Text: "a row says so"}
	}
	return found
}

func TestGuardByClass(t *testing.T) {
	cases := []struct {
		name             string
		announced, leave int // keys announced, and how many of them are wanted still
		min, percent     int
		local            model.Evidence // what the round's decisions say of those that vanish
		copied           model.Evidence // what the round's input says of them when asked
		row              model.Evidence // what the whole database says
		known, database  string
		evidenceErr      error
		held             int
		class            status.HeldClass
		asked            int // how often the whole database is
	}{
		{name: "12 of 15 vanish", announced: 15, leave: 3, held: 12, class: status.HeldUnexplained, asked: 1},
		{name: "one of 15 vanishes", announced: 15, leave: 14},
		{name: "9 of 15 vanish: under the minimum", announced: 15, leave: 6},
		{name: "10 of 15 vanish", announced: 15, leave: 5, held: 10, class: status.HeldUnexplained, asked: 1},
		{name: "10 of 20 are not more than half", announced: 20, leave: 10},
		{name: "11 of 20 are", announced: 20, leave: 9, held: 11, class: status.HeldUnexplained, asked: 1},
		{name: "all of 9", announced: 9},
		{name: "a lower minimum", announced: 9, min: 3, held: 9, class: status.HeldUnexplained, asked: 1},
		{name: "another percentage", announced: 15, leave: 3, percent: 80},
		{name: "minimum 0 is off", announced: 15, min: -1},
		{name: "explained by the round's decision", announced: 15, local: model.Explained},
		{name: "explained by a row of the database", announced: 15, row: model.Explained, asked: 1},
		{name: "one doubtful is held", announced: 15, leave: 14, local: model.Doubtful, held: 1,
			class: status.HeldDoubtful, asked: 1},
		{name: "doubtful by the database", announced: 15, leave: 3, row: model.Doubtful, held: 12,
			class: status.HeldDoubtful, asked: 1},
		{name: "doubtful by the round's input", announced: 15, leave: 14, copied: model.Doubtful, held: 1,
			class: status.HeldDoubtful, asked: 1},
		{name: "explained by the round's input", announced: 15, copied: model.Explained},
		{name: "the round's input has a row that proves nothing", announced: 15, leave: 14, copied: model.Unexplained},
		{name: "doubtful, and a row explains it", announced: 15, local: model.Doubtful, row: model.Explained, asked: 1},
		{name: "doubtful with the minimum off", announced: 2, min: -1, local: model.Doubtful, held: 2,
			class: status.HeldDoubtful, asked: 1},
		{name: "one in another database", announced: 3, leave: 2, known: "A", database: "B", held: 1,
			class: status.HeldDatabase, asked: 1},
		{name: "explained in another database", announced: 3, leave: 2, known: "A", database: "B",
			row: model.Explained, asked: 1},
		{name: "the database is not known by name", announced: 3, leave: 2, known: "A"},
		{name: "the database cannot be asked", announced: 15, leave: 3, evidenceErr: errTest, held: 12,
			class: status.HeldUnread, asked: 1},
		{name: "the database need not be asked", announced: 15, leave: 14, evidenceErr: errTest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			all := names(c.announced)
			w := standing(all...)
			w.known, w.database, w.evidenceErr = c.known, c.database, c.evidenceErr
			if c.known == "" && c.database == "" {
				w.known, w.database = "A", "A"
			}
			configure := func(o *Options[*world, keys]) {
				switch {
				case c.min > 0:
					o.Guard.Min = c.min
				case c.min < 0:
					o.Guard.Min = 0
				}
				if c.percent > 0 {
					o.Guard.Percent = c.percent
				}
			}
			play(t, w, configure, func(t *testing.T, l *loopOf) {
				gone := all[c.leave:]
				w.want = all[:c.leave]
				if c.local != "" {
					for _, d := range evidenceOf(c.local, gone...) {
						w.decisions = append(w.decisions, d)
					}
				}
				if c.copied != "" {
					w.copied = evidenceOf(c.copied, gone...)
				}
				if c.row != "" {
					w.evidence = evidenceOf(c.row, gone...)
				}
				w.poke()
				wantKeys(t, "announced", w.announcer.have, slices.Concat(all[:c.leave], gone[:c.held])...)
				wantKeys(t, "carriers", w.carriers.have, slices.Concat(all[:c.leave], gone[:c.held])...)
				if w.asked != c.asked {
					t.Errorf("the database was asked %d times, want %d", w.asked, c.asked)
				}
				h := l.Status().Held
				if c.held == 0 && len(heldKeys(h)) > 0 || c.held > 0 && (h == nil || h.Keys[0].Class != c.class) {
					t.Errorf("status of what is held: %+v", h)
				}
			})
		})
	}
}

func heldKeys(h *status.Held) []status.HeldKey {
	if h == nil {
		return nil
	}
	return h.Keys
}

// heldWorld has 15 announced keys of which 12 vanish without a row.
func heldWorld() *world {
	w := standing(names(15)...)
	w.known, w.database = "A", "A"
	return w
}

func TestGuardCountsOverAWindow(t *testing.T) {
	for _, pause := range []time.Duration{30 * time.Second, 61 * time.Second} {
		w := heldWorld()
		play(t, w, nil, func(t *testing.T, _ *loopOf) {
			all := names(15)
			w.want = all[:6] // 9 go
			w.poke()
			wantKeys(t, "announced after nine went", w.announcer.have, all[:6]...)
			w.pass(pause)
			w.want = all[:5]
			w.poke()
			if pause < time.Minute {
				wantKeys(t, "announced: the tenth of the window is held", w.announcer.have, all[:6]...)
			} else {
				wantKeys(t, "announced: the window is over", w.announcer.have, all[:5]...)
			}
		})
	}
}

// Held keys count for as long as they are held: the window's end must not let them through.
func TestGuardHoldsLongerThanItsWindow(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.want = names(3)
		w.poke()
		w.pass(4 * time.Minute)
		wantKeys(t, "announced", w.announcer.have, names(15)...)
	})
}

func TestGuardReleasesAfterHold(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = names(3)
		w.poke()
		if h := l.Status().Held; h == nil || !h.Release.Equal(h.Since.Add(5*time.Minute)) {
			t.Fatalf("held: %+v", h)
		}
		w.pass(4*time.Minute + 55*time.Second)
		wantKeys(t, "announced within the hold", w.announcer.have, names(15)...)
		w.pass(10 * time.Second)
		wantKeys(t, "announced after the hold", w.announcer.have, names(3)...)
		wantKeys(t, "carriers after the hold", w.carriers.have, names(3)...)
		w.poke()
		if h := l.Status().Held; h != nil {
			t.Errorf("held: %+v", h)
		}
	})
}

func TestGuardHoldBeginsAnewWithAnotherSet(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = names(3)
		w.poke()
		first := l.Status().Held.Hash
		w.pass(4 * time.Minute)
		w.want = names(4)
		w.poke()
		if h := l.Status().Held; h.Hash == first || len(h.Keys) != 11 {
			t.Errorf("held: %+v", h)
		}
		w.pass(4 * time.Minute)
		wantKeys(t, "announced", w.announcer.have, names(15)...)
		w.pass(time.Minute)
		wantKeys(t, "announced", w.announcer.have, names(4)...)
	})
}

func TestGuardAsksAgainWhileItHolds(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.want = names(3)
		w.poke()
		if w.asked != 1 {
			t.Errorf("asked %d times, want once", w.asked)
		}
		w.poke()
		if w.asked != 1 {
			t.Errorf("asked %d times within five seconds, want once", w.asked)
		}
		w.evidence = evidenceOf(model.Explained, names(15)[3:8]...)
		w.pass(5 * time.Second)
		if w.asked != 2 {
			t.Errorf("asked %d times, want twice", w.asked)
		}
		// Five are explained; the seven that are left are under the minimum.
		wantKeys(t, "announced", w.announcer.have, names(3)...)
	})
}

// What the database says decides what is counted: the few that no row has are let go when rows explain the others,
// and are held with what is doubtful by their rows when they are too many still.
func TestGuardCountsAgainByTheAnswers(t *testing.T) {
	for explained, held := range map[int]int{0: 12, 2: 10, 3: 0, 12: 0} {
		w := heldWorld()
		w.evidence = evidenceOf(model.Explained, names(15)[3:3+explained]...)
		play(t, w, nil, func(t *testing.T, _ *loopOf) {
			w.want = names(3)
			w.poke()
			wantKeys(t, "announced", w.announcer.have, slices.Concat(names(3), names(15)[15-held:])...)
			if w.asked != 1 {
				t.Errorf("asked %d times, want once", w.asked)
			}
		})
	}
	w := heldWorld()
	w.evidence = evidenceOf(model.Doubtful, "k03", "k04")
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.want = names(3)
		w.poke()
		wantKeys(t, "announced: ten without a row, two doubtful", w.announcer.have, names(15)...)
		w.evidence = evidenceOf(model.Doubtful, "k03")
		w.want = names(4) // eleven, none of them with a row: k04 has lost its own
		w.pass(5 * time.Second)
		w.poke()
		wantKeys(t, "announced", w.announcer.have, names(15)...)
	})
}

// What a row made doubtful stays so while the database cannot be asked: that few are left is no reason to let them go.
func TestGuardDoesNotForgetADoubt(t *testing.T) {
	w := heldWorld()
	w.evidence = evidenceOf(model.Doubtful, "k14")
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.want = names(3)
		w.poke()
		w.want = names(14)
		w.poke()
		wantKeys(t, "announced", w.announcer.have, names(15)...)
		w.evidenceErr = errTest
		w.pass(time.Minute)
		wantKeys(t, "announced while the database does not answer", w.announcer.have, names(15)...)
		w.evidence, w.evidenceErr = nil, nil
		w.pass(5 * time.Second)
		wantKeys(t, "announced when its row is gone", w.announcer.have, names(14)...)
	})
}

// Keys that are let go and stay, for want of a write, are not asked about, and do not keep the loop busy.
func TestGuardDoesNotAskAboutWhatIsLetGo(t *testing.T) {
	w := heldWorld()
	w.evidence = evidenceOf(model.Explained, names(15)[3:8]...)
	for _, k := range names(15) {
		w.announcer.fail["delete address "+k] = errTest
	}
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = names(3)
		w.poke()
		w.want = names(2) // and one more, which is doubtful
		w.copied = evidenceOf(model.Doubtful, "k02")
		w.poke()
		asked, computed := w.asked, w.computed
		w.pass(time.Minute)
		if w.asked > asked+13 || w.computed > computed+60 {
			t.Errorf("asked %d times, computed %d times in a minute", w.asked-asked, w.computed-computed)
		}
		if h := l.Status().Held; len(heldKeys(h)) != 1 {
			t.Errorf("held: %+v", h)
		}
	})
}

func TestGuardAcceptsByHashOnly(t *testing.T) {
	w := heldWorld()
	w.announcer.fail["delete address k03"] = errTest
	var log bytes.Buffer
	play(t, w, func(o *Options[*world, keys]) { o.Log = logTo(&log) }, func(t *testing.T, l *loopOf) {
		if err := l.AcceptWithdrawals(t.Context(), ""); err == nil {
			t.Error("an empty hash was accepted while nothing is held")
		}
		w.want = names(3)
		w.poke()
		hash := l.Status().Held.Hash
		for _, wrong := range []string{"", "0123456789ab", hash[:4]} {
			if err := l.AcceptWithdrawals(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), hash) {
				t.Errorf("hash %q: got %v, want an error that names %s", wrong, err, hash)
			}
		}
		wantKeys(t, "announced", w.announcer.have, names(15)...)
		if n := strings.Count(log.String(), `msg="withdrawals held"`); n != 1 {
			t.Errorf("%d warnings, want 1: %s", n, &log)
		}
		if err := l.AcceptWithdrawals(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, "announced", w.announcer.have, names(4)...)
		delete(w.announcer.fail, "delete address k03")
		w.pass(time.Second) // what could not be withdrawn stays released
		wantKeys(t, "announced", w.announcer.have, names(3)...)
		wantKeys(t, "carriers", w.carriers.have, names(3)...)
	})
}

func TestGuardForgetsWhatIsWantedAgain(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = names(3)
		w.poke()
		w.want = names(15)
		w.poke()
		if h := l.Status().Held; h != nil {
			t.Errorf("held: %+v", h)
		}
		w.pass(time.Hour)
		wantKeys(t, "announced", w.announcer.have, names(15)...)
	})
}

func TestGuardHoldsOverARestart(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(*testing.T, *loopOf) {
		w.want = names(3)
		w.poke()
		w.pass(4 * time.Minute)
	})
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.pass(4 * time.Minute)
		wantKeys(t, "announced", w.announcer.have, names(15)...)
		if h := l.Status().Held; len(heldKeys(h)) != 12 {
			t.Errorf("held: %+v", h)
		}
	})
}

func TestGuardDoesNotHoldSafety(t *testing.T) {
	w := standing(names(15)...)
	w.carriers.have = set{}
	for _, k := range names(15) {
		w.carriers.fail["create carrier "+k] = errTest
	}
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.pass(6 * time.Second)
		wantKeys(t, "announced", w.announcer.have)
	})
}

func TestGuardExplainedDoNotWaitForTheOthers(t *testing.T) {
	w := heldWorld()
	for _, d := range evidenceOf(model.Explained, "k14") {
		w.decisions = append(w.decisions, d)
	}
	play(t, w, func(o *Options[*world, keys]) {
		o.Evidence = nil
		o.Guard.Min = 3
	}, func(t *testing.T, _ *loopOf) {
		w.want = names(3)
		w.poke()
		wantKeys(t, "announced", w.announcer.have, names(14)...)
	})
}

func TestGuardPlanSaysWhatIsHeld(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = names(3)
		p, err := l.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Steps) != 0 || len(p.Problems) != 1 || !strings.Contains(p.Problems[0], "--accept-withdrawals=") {
			t.Errorf("plan: %+v", p)
		}
		if l.guard.hash() != "" {
			t.Error("a preview changed the guard")
		}
	})
}
