package reconcile

import (
	"testing"
	"time"

	"ovnbgp/internal/status"
)

type loopOf = Loop[*world, keys]

func rules(change func(*Rules)) func(*Options[*world, keys]) {
	return func(o *Options[*world, keys]) { change(&o.Rules) }
}

func TestRule1WithholdsWhatIsNotCarried(t *testing.T) {
	w := newWorld("a", "b")
	w.carriers.fail["create carrier a"] = errTest
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		wantKeys(t, "announced", w.announcer.have, "b")
		r := l.Status()
		if len(r.Withheld) != 1 || r.Verdict != status.Degraded {
			t.Errorf("status: %+v", r)
		}
		delete(w.carriers.fail, "create carrier a")
		w.poke()
		wantKeys(t, "announced", w.announcer.have, "a", "b")
	})
	w = newWorld("a", "b")
	w.carriers.fail["create carrier a"] = errTest
	play(t, w, rules(func(r *Rules) { r.Withhold = false }), func(t *testing.T, _ *loopOf) {
		wantKeys(t, "announced with rule 1 off", w.announcer.have, "a", "b")
	})
}

func TestRule1ReadsBack(t *testing.T) {
	w := newWorld("a")
	w.carriers.forgets = true
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		wantLog(t, w, "create carrier a")
		wantKeys(t, "announced", w.announcer.have)
	})
}

func TestRule2OnlyWithdrawsWhileUnread(t *testing.T) {
	for _, on := range []bool{true, false} {
		w := standing("a", "b")
		play(t, w, rules(func(r *Rules) { r.Unread = on }), func(t *testing.T, l *loopOf) {
			w.want = []string{"b", "c"}
			w.carriers.readErr = errTest
			w.poke()
			if !on {
				wantKeys(t, "announced with rule 2 off", w.announcer.have, "b", "c")
				return
			}
			wantLog(t, w, "delete address a")
			if s := l.Status().Subsystems[0]; s.Read || s.Err == "" {
				t.Errorf("status of the carriers: %+v", s)
			}
			w.carriers.readErr = nil
			w.poke()
			wantLog(t, w, "create carrier c", "create address c", "delete carrier a")
		})
	}
}

func TestRule3KeepsACarrierThatIsAnnounced(t *testing.T) {
	for _, on := range []bool{true, false} {
		w := standing("a", "b")
		play(t, w, rules(func(r *Rules) { r.ClearLast = on }), func(t *testing.T, _ *loopOf) {
			w.want = []string{"b"}
			w.announcer.fail["delete address a"] = errTest
			w.poke()
			if !on {
				wantKeys(t, "carriers with rule 3 off", w.carriers.have, "b")
				return
			}
			wantKeys(t, "carriers", w.carriers.have, "a", "b")
			delete(w.announcer.fail, "delete address a")
			w.pass(time.Second)
			wantKeys(t, "carriers", w.carriers.have, "b")
		})
	}
}

func TestRule3WaitsForAllAnnouncersToBeRead(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "path", func(k keys) []string { return k.announced })
	w.second.have = setOf([]string{"a", "b"})
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = []string{"b"}
		w.second.readErr = errTest
		w.poke()
		wantLog(t, w, "delete address a")
		if !hasTrouble(l.Status(), status.Waiting, "carrier a") {
			t.Errorf("status: %+v", l.Status().Troubles)
		}
		w.second.readErr = nil
		w.pass(time.Second)
		wantLog(t, w, "delete path a", "delete carrier a")
	})
}

func hasTrouble(r status.Report, s status.State, object string) bool {
	for _, o := range r.Troubles {
		if o.State == s && o.Object == object {
			return true
		}
	}
	return false
}

// A stale carrier beside the new one goes at once: the key it serves is carried and stays announced.
func TestRule3ClearsBesideWhatIsInPlace(t *testing.T) {
	w := standing("a")
	w.carriers.have["old"] = true
	w.carriers.serves = func(string) []string { return []string{"a"} }
	play(t, w, nil, func(t *testing.T, _ *loopOf) { wantLog(t, w, "delete carrier old") })

	w = standing("a")
	w.carriers.have = setOf([]string{"old"}) // the new one is not there
	w.carriers.serves = func(string) []string { return []string{"a"} }
	w.carriers.fail["create carrier a"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.pass(4 * time.Second)
		wantKeys(t, "carriers within the grace", w.carriers.have, "old")
		wantKeys(t, "announced within the grace", w.announcer.have, "a")
		w.pass(2 * time.Second)
		wantKeys(t, "announced after the grace", w.announcer.have)
		wantKeys(t, "carriers after the grace", w.carriers.have)
	})
}

func TestRule3AnObjectThatServesAll(t *testing.T) {
	w := standing("a", "b")
	w.carriers.have["bridge"] = true
	w.carriers.serves = func(k string) []string {
		if k == "bridge" {
			return nil
		}
		return []string{k}
	}
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		wantLog(t, w, "delete carrier bridge")
		w.carriers.have["bridge"] = true
		delete(w.carriers.have, "a")
		w.carriers.fail["create carrier a"] = errTest
		w.poke()
		wantKeys(t, "carriers while a is not in place", w.carriers.have, "b", "bridge")
	})
}

func TestRule4MendsBeforeItWithdraws(t *testing.T) {
	w := standing("a", "b")
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		delete(w.carriers.have, "a")
		w.carriers.fail["create carrier a"] = errTest
		w.poke()
		w.pass(4 * time.Second)
		wantKeys(t, "announced within the grace", w.announcer.have, "a", "b")
		if !hasTrouble(l.Status(), status.Mending, "a") {
			t.Errorf("status: %+v", l.Status().Troubles)
		}
		delete(w.carriers.fail, "create carrier a")
		w.pass(5 * time.Second)
		wantKeys(t, "carriers", w.carriers.have, "a", "b")

		delete(w.carriers.have, "a")
		w.carriers.fail["create carrier a"] = errTest
		w.poke()
		w.pass(5 * time.Second)
		wantKeys(t, "announced after the grace", w.announcer.have, "b")
		delete(w.carriers.fail, "create carrier a")
		w.poke()
		wantKeys(t, "announced once mended", w.announcer.have, "a", "b")
	})
	w = standing("a", "b")
	delete(w.carriers.have, "a")
	w.carriers.fail["create carrier a"] = errTest
	play(t, w, rules(func(r *Rules) { r.MendFirst = false }), func(t *testing.T, _ *loopOf) {
		wantKeys(t, "announced with rule 4 off", w.announcer.have, "b")
	})
}

// A carrier that cannot be read is not known to be gone still: the grace runs on, but nothing is withdrawn by it.
func TestRule4DoesNotWithdrawWhatItCannotSee(t *testing.T) {
	w := standing("a")
	delete(w.carriers.have, "a")
	w.carriers.fail["create carrier a"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.carriers.readErr = errTest
		w.pass(10 * time.Second)
		wantKeys(t, "announced while unread", w.announcer.have, "a")
		w.carriers.readErr = nil
		w.poke()
		wantKeys(t, "announced once it was seen to be gone", w.announcer.have)
	})
}

// The kernel has the address and FRR does not leak it yet: the leak must not be made while the address does not
// forward, neither while that is mended nor when it could not be taken back.
func TestWhatIsNotCarriedIsNotHandedOn(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "leak", func(keys) []string { return []string{"leak"} })
	w.second.serves = func(string) []string { return nil }
	w.second.silent = true
	delete(w.carriers.have, "a")
	w.carriers.fail["create carrier a"] = errTest
	w.announcer.fail["delete address a"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.pass(7 * time.Second)
		wantKeys(t, "announced", w.announcer.have, "a", "b")
		wantKeys(t, "leaks", w.second.have)
		delete(w.announcer.fail, "delete address a")
		w.done()
		w.poke()
		wantLog(t, w, "create carrier a: refused", "delete address a", "create leak leak")
	})
}

// A BGP daemon that cannot be planned may be believed by its peers still: what it may have told keeps its carriers.
func TestRule3WaitsForAnAnnouncerThatCannotBePlanned(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "leak", func(keys) []string { return nil })
	w.second.silent, w.second.planErr = true, errTest
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = []string{"b"}
		w.poke()
		wantLog(t, w, "delete address a")
		if s := l.Status(); s.Ready || !s.Synced || s.Subsystems[2].Read {
			t.Errorf("status: %+v", s)
		}
		w.second.planErr = nil
		w.pass(time.Second)
		wantLog(t, w, "delete carrier a")
	})
}

// A stale rule is looked at before the new one: what a key had in another place goes before the key is announced
// here, and where it cannot go the key is not announced.
func TestWhatStandsInTheWayGoesFirst(t *testing.T) {
	w := newWorld("a")
	w.carriers.have["old"] = true
	w.carriers.serves = func(string) []string { return []string{"a"} }
	w.carriers.fail["delete carrier old"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		wantLog(t, w, "delete carrier old: refused", "create carrier a")
		delete(w.carriers.fail, "delete carrier old")
		w.poke()
		wantLog(t, w, "delete carrier old", "create address a")
	})
}
