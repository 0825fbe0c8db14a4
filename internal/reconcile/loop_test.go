package reconcile

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

var errTest = errors.New("refused")

func TestFirstRoundBuildsThenAnnounces(t *testing.T) {
	w := newWorld("a", "b")
	play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
		wantLog(t, w, "create carrier a", "create carrier b", "create address a", "create address b")
		if r := l.Status(); r.Verdict != status.OK || !r.Ready || len(r.Announced) != 2 {
			t.Errorf("status: %+v", r)
		}
	})
}

func TestWithdrawsBeforeClearing(t *testing.T) {
	w := standing("a", "b")
	play(t, w, nil, func(t *testing.T, _ *Loop[*world, keys]) {
		w.want = []string{"b", "c"}
		w.poke()
		wantLog(t, w, "create carrier c", "create address c", "delete address a", "delete carrier a")
	})
}

func TestTenPokesAreOneRound(t *testing.T) {
	w := standing("a")
	play(t, w, nil, func(t *testing.T, _ *Loop[*world, keys]) {
		before := w.computed
		for range 10 {
			w.pokes <- struct{}{}
			w.carriers.pokes <- struct{}{}
		}
		w.pass(time.Second)
		if got := w.computed - before; got != 1 {
			t.Errorf("rounds: got %d, want 1", got)
		}
	})
}

func TestIdleIsSilent(t *testing.T) {
	w := standing("a", "b")
	var log bytes.Buffer
	play(t, w, func(o *Options[*world, keys]) { o.Log = logTo(&log) }, func(t *testing.T, _ *Loop[*world, keys]) {
		before := w.computed
		w.pass(time.Hour)
		if w.computed != before {
			t.Errorf("%d rounds without a cause", w.computed-before)
		}
		w.poke()
		wantLog(t, w)
		if log.Len() > 0 {
			t.Errorf("log: %s", &log)
		}
	})
}

func TestLogsStepsAndFirstFailures(t *testing.T) {
	w := newWorld("a")
	w.announcer.fail["create address a"] = errTest
	var log bytes.Buffer
	play(t, w, func(o *Options[*world, keys]) { o.Log = logTo(&log) }, func(t *testing.T, _ *Loop[*world, keys]) {
		w.pass(10 * time.Second)
		want := `level=INFO msg=step subsystem=kernel object="carrier a" verb=create why=test
level=WARN msg="step failed" subsystem=nic object="address a" verb=create why=test err="create address a: refused"
`
		if got := log.String(); got != want {
			t.Errorf("log:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestRetriesWithBackoffAndAtPokes(t *testing.T) {
	w := newWorld("a")
	w.carriers.fail["create carrier a"] = errTest
	play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
		wantLog(t, w, "create carrier a: refused")
		w.pass(time.Second)
		if n := len(w.done()); n < 3 || n > 5 { // at 0.1, 0.2, 0.4, 0.8 s, each up to a quarter earlier
			t.Errorf("tries in the first second: got %d, want 3 to 5", n)
		}
		w.pass(10 * time.Minute)
		w.done()
		w.pass(10 * time.Minute)
		if n := len(w.done()); n < 20 || n > 28 { // every 30 s, up to a quarter earlier
			t.Errorf("tries in ten minutes: got %d, want 20 to 28", n)
		}
		delete(w.carriers.fail, "create carrier a")
		w.poke()
		wantLog(t, w, "create carrier a", "create address a")
		if !l.unsettled.IsZero() || !l.retryAt.IsZero() {
			t.Errorf("after a good round: unsettled since %s, retry at %s", l.unsettled, l.retryAt)
		}
	})
}

func TestEchoOfAFailureMakesNoHotLoop(t *testing.T) {
	w := newWorld("a")
	w.carriers.fail["create carrier a"] = errTest
	w.carriers.during = func(string) { w.carriers.pokes <- struct{}{} }
	play(t, w, nil, func(t *testing.T, _ *Loop[*world, keys]) {
		w.done()
		w.pass(10 * time.Second)
		if n := len(w.done()); n > 101 {
			t.Errorf("tries in ten seconds: got %d, want at most 101", n)
		}
	})
}

func TestOneFailureDoesNotStopTheRest(t *testing.T) {
	w := newWorld("a", "b")
	w.second = w.part("frr", "path", func(k keys) []string { return k.announced })
	w.announcer.fail["create address a"] = errTest
	play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
		wantLog(t, w, "create carrier a", "create carrier b", "create address a: refused", "create address b",
			"create path a", "create path b")
		w.pass(time.Millisecond)
		if err := l.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "nic: create address a: refused") {
			t.Errorf("Sync: got %v", err)
		}
	})
}

func TestEndFinishesTheStepAtHandOnly(t *testing.T) {
	w := newWorld("a", "b")
	synctest.Test(t, func(t *testing.T) {
		w.pokes = make(chan struct{})
		w.carriers.pokes, w.announcer.pokes = nil, nil
		ctx, cancel := context.WithCancel(t.Context())
		w.carriers.during = func(string) { cancel() }
		l := New(w.options())
		if err := l.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		wantLog(t, w, "create carrier a")
		if err := l.Sync(t.Context()); !errors.Is(err, errStopped) {
			t.Errorf("Sync after the end: %v", err)
		}
	})
}

func TestIntervalReadsAnew(t *testing.T) {
	w := standing("a")
	play(t, w, func(o *Options[*world, keys]) { o.Timers.Interval = time.Minute },
		func(t *testing.T, _ *Loop[*world, keys]) {
			w.pass(150 * time.Second)
			if w.carriers.rereads != 2 || w.announcer.rereads != 2 {
				t.Errorf("rereads: %d and %d, want 2 each", w.carriers.rereads, w.announcer.rereads)
			}
		})
}

func TestPlanChangesNothing(t *testing.T) {
	w := standing("a", "b")
	play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
		w.want = []string{"b", "c"}
		p, err := l.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := p.Write(&text); err != nil {
			t.Fatal(err)
		}
		want := `kernel  create carrier c  # test
nic     create address c  # test
nic     delete address a  # test
kernel  delete carrier a  # test
`
		if text.String() != want {
			t.Errorf("got:\n%s\nwant:\n%s", &text, want)
		}
		wantLog(t, w)
	})
}

func TestPlanWithoutARunningLoop(t *testing.T) {
	w := newWorld("a")
	w.carriers.readErr = errTest
	p, err := New(w.options()).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) != 0 || len(p.Problems) != 1 {
		t.Errorf("got %+v, want one problem and no step", p)
	}
	w.sourceErr = model.ErrNotInSync
	if _, err := New(w.options()).Plan(t.Context()); !errors.Is(err, model.ErrNotInSync) {
		t.Errorf("Plan of a closed gate: %v", err)
	}
}

// A daemon that hangs must not hold up the others round after round.
func TestAnApplierThatHangsIsLeftAloneForAWhile(t *testing.T) {
	w := standing("a")
	w.second = w.part("frr", "path", func(k keys) []string { return k.announced })
	w.second.have, w.second.hangs = setOf([]string{"a"}), true
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.pass(10 * time.Second) // the first round waits in vain
		asked := w.second.asked
		w.want = []string{"a", "b"}
		w.poke()
		wantLog(t, w, "create carrier b", "create address b")
		if w.second.asked != asked {
			t.Errorf("asked again at once")
		}
		w.second.hangs = false
		w.second.pokes <- struct{}{} // it is back
		w.pass(200 * time.Millisecond)
		wantLog(t, w, "create path b")
		if r := l.Status(); !r.Ready {
			t.Errorf("status: %+v", r)
		}
	})
}
