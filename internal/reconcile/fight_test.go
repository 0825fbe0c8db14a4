package reconcile

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/status"
)

// undo has a stranger undo each step on a carrier, and the kernel tell of it.
func (w *world) undo(key string) {
	w.undoes = key
	pokes := w.carriers.pokes
	w.carriers.during = func(string) {
		time.AfterFunc(time.Millisecond, func() { pokes <- struct{}{} })
	}
	pokes <- struct{}{}
}

func TestFightIsPaced(t *testing.T) {
	w := standing("a", "b")
	var log bytes.Buffer
	play(t, w, func(o *Options[*world, keys]) { o.Log = logTo(&log) }, func(t *testing.T, l *loopOf) {
		w.undo("a")
		w.pass(time.Second)
		if n := len(w.done()); n < 3 {
			t.Errorf("put back %d times in the first second, want at least 3", n)
		}
		w.pass(time.Minute)
		if n := len(w.done()); n > 40 {
			t.Errorf("put back %d times in a minute, want at most 40", n)
		}
		if !hasTrouble(l.Status(), status.Fought, "carrier a") {
			t.Errorf("status: %+v", l.Status().Troubles)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want 1:\n%s", n, &log)
		}
		before := w.computed
		w.pass(10 * time.Second)
		if n := w.computed - before; n > 20 {
			t.Errorf("%d rounds in ten seconds of a fight", n)
		}

		// Another object's loss is mended at once, and so is this one after the fight has ended.
		delete(w.carriers.have, "b")
		w.carriers.pokes <- struct{}{}
		w.pass(500 * time.Millisecond)
		wantKeys(t, "carriers", w.carriers.have.without("a"), "b")
		w.undoes, w.carriers.during = "", nil
		w.pass(time.Minute)
		wantKeys(t, "carriers", w.carriers.have, "a", "b")
		if r := l.Status(); r.Verdict != status.OK {
			t.Errorf("status: %s: %+v", r.Text, r.Troubles)
		}
		delete(w.carriers.have, "a")
		w.carriers.pokes <- struct{}{}
		w.pass(500 * time.Millisecond)
		wantKeys(t, "carriers", w.carriers.have, "a", "b")
	})
}

func (s set) without(drop string) set {
	rest := set{}
	for k := range s {
		if k != drop {
			rest[k] = true
		}
	}
	return rest
}

// Steps that the source causes are no fight, however often they come back.
func TestWhatTheSourceChangesIsNotPaced(t *testing.T) {
	w := standing("a")
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		for range 20 {
			w.want = []string{"a", "b"}
			w.poke()
			wantLog(t, w, "create carrier b", "create address b")
			w.want = []string{"a"}
			w.poke()
			w.done()
		}
		if r := l.Status(); r.Verdict != status.OK {
			t.Errorf("status: %s: %+v", r.Text, r.Troubles)
		}
	})
}

// While a carrier is fought over, the state goes on changing: what a change brings is done in its round, even if it is
// the same step (all flows of a bridge are one).
func TestFightDoesNotSlowTheSource(t *testing.T) {
	w := standing("a", "b")
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.undo("a")
		w.pass(20 * time.Second)
		for w.done(); len(w.done()) == 0; { // until it was put back just now
			w.pass(10 * time.Millisecond)
		}
		w.want = []string{"a", "c"}
		w.poke()
		wantLog(t, w, "create carrier a", "create carrier c", "create address c", "delete address b", "delete carrier b")
	})
}
