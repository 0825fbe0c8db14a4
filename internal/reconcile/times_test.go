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
