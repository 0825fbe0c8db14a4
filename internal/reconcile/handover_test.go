package reconcile

import (
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

func handingOver(o *Options[*world, keys]) { o.Timers.Handover = 250 * time.Millisecond }

func decidedOn(key string, verdict model.Verdict) model.Decision {
	return model.Decision{Key: key, Verdict: verdict, Evidence: model.Explained, Text: "moved"}
}

// An address that is another node's now is announced a moment longer, and its carrier stays as long; one that was
// stopped or forbidden is withdrawn at once.
func TestHandover(t *testing.T) {
	w := standing("moved", "stopped")
	play(t, w, handingOver, func(t *testing.T, l *loopOf) {
		w.want = nil
		w.decisions = []model.Decision{decidedOn("moved", model.Elsewhere), decidedOn("stopped", model.Unplaced)}
		w.poke()
		wantLog(t, w, "delete address stopped", "delete carrier stopped")
		w.pass(230 * time.Millisecond)
		wantLog(t, w)
		w.pass(20 * time.Millisecond)
		wantLog(t, w, "delete address moved", "delete carrier moved")
		if r := l.Status(); r.Verdict != status.OK || len(r.Announced) != 0 {
			t.Errorf("status: %+v", r)
		}
		w.pass(time.Minute)
		wantLog(t, w)
	})
}

// What comes back within the moment was never away; the next time it has the whole moment again.
func TestHandoverIsTakenBack(t *testing.T) {
	w := standing("a")
	play(t, w, handingOver, func(t *testing.T, _ *loopOf) {
		for range 2 {
			w.want, w.decisions = nil, []model.Decision{decidedOn("a", model.Elsewhere)}
			w.poke()
			w.pass(200 * time.Millisecond)
			w.want, w.decisions = []string{"a"}, nil
			w.poke()
			w.pass(time.Second)
			wantLog(t, w)
		}
	})
}

// A withdrawal that fails is tried again, and not put off once more.
func TestHandoverThatFails(t *testing.T) {
	w := standing("a")
	w.announcer.fail["delete address a"] = errTest
	play(t, w, handingOver, func(t *testing.T, _ *loopOf) {
		w.want, w.decisions = nil, []model.Decision{decidedOn("a", model.Elsewhere)}
		w.poke()
		w.pass(time.Second)
		if n := len(w.done()); n == 0 || n > 8 {
			t.Errorf("%d tries within a second", n)
		}
		delete(w.announcer.fail, "delete address a")
		w.pass(time.Minute)
		wantLog(t, w, "delete address a", "delete carrier a")
	})
}

// A plan says what will be done, without the moment.
func TestHandoverInPlan(t *testing.T) {
	w := standing("a")
	play(t, w, handingOver, func(t *testing.T, l *loopOf) {
		w.want, w.decisions = nil, []model.Decision{decidedOn("a", model.Elsewhere)}
		p, err := l.Plan(t.Context())
		if err != nil || len(p.Steps) != 2 || p.Steps[0].Verb != plan.Delete {
			t.Errorf("plan: %+v, %v", p, err)
		}
	})
}
