package reconcile

import (
	"testing"
	"time"

	"ovnbgp/internal/model"
)

// A deadline that passes while the loop is busy is not left to a retry, which may be half a minute away.
func TestGraceThatEndsWhileTheLoopIsBusy(t *testing.T) {
	w := standing("a", "b")
	w.want = []string{"a", "b", "bad"}
	w.carriers.fail["create carrier bad"] = errTest
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.pass(10 * time.Minute)
		w.carriers.fail["create carrier a"] = errTest
		delete(w.carriers.have, "a")
		w.poke()
		w.pass(4800 * time.Millisecond)
		l.retryAt = time.Now().Add(30 * time.Second) // far away, whatever it was
		w.slow = 400 * time.Millisecond
		go func() { _, _ = l.Plan(t.Context()) }()
		w.pass(500 * time.Millisecond)
		w.slow = 0
		w.pass(400 * time.Millisecond) // the round that began at once
		wantKeys(t, "announced after the grace", w.announcer.have, "b")
	})
}

// Questions of an operator do not keep the guard from looking again.
func TestGuardLooksAgainThoughTheLoopIsAsked(t *testing.T) {
	w := heldWorld()
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.want = names(3)
		w.poke()
		w.evidence = evidenceOf(model.Explained, names(15)[3:]...)
		for range 4 {
			w.pass(2 * time.Second)
			if _, err := l.Plan(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantKeys(t, "announced", w.announcer.have, names(3)...)
	})
}

// What fails for good is tried ever more seldom; what fails for the first time is not made to wait for that.
func TestNewTroubleDoesNotInheritTheOldOnesPauses(t *testing.T) {
	w := standing("a")
	w.want = []string{"a", "bad"}
	w.carriers.fail["create carrier bad"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.pass(10 * time.Minute)
		w.want = []string{"a", "bad", "new"}
		w.announcer.fail["create address new"] = errTest
		w.poke()
		delete(w.announcer.fail, "create address new")
		w.pass(200 * time.Millisecond)
		wantKeys(t, "announced", w.announcer.have, "a", "new")
		w.done()
		w.pass(10 * time.Minute)
		if n := len(w.done()); n > 28 {
			t.Errorf("tries of what fails for good: %d in ten minutes, want at most 28", n)
		}
	})
}

// A key that needs several tries is not slowed by the rounds that others cause meanwhile.
func TestPausesGrowWithTimeNotWithRounds(t *testing.T) {
	w := standing("a")
	w.want = []string{"a", "bad"}
	w.carriers.fail["create carrier bad"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		for range 20 {
			w.poke()
		}
		w.done()
		w.pass(500 * time.Millisecond)
		if n := len(w.done()); n == 0 {
			t.Error("not tried again within half a second of its first failure")
		}
	})
}
