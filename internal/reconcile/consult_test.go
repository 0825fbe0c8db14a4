package reconcile

import (
	"context"
	"testing"
	"time"

	"ovnbgp/internal/plan"
)

// sluggish is a carrier whose reads fail, each after a while.
type sluggish struct {
	takes time.Duration
	asked int
}

func (*sluggish) Name() string           { return "ovs" }
func (*sluggish) Pokes() <-chan struct{} { return nil }

func (s *sluggish) Plan(context.Context, keys) ([]plan.Step, error) {
	s.asked++
	time.Sleep(s.takes)
	return nil, errTest
}

// A carrier that fails slowly is read once a round, however often the others are planned in it.
func TestACarrierThatFailsIsReadOnceARound(t *testing.T) {
	w := standing("a", "b")
	slow := &sluggish{takes: 4 * time.Second}
	play(t, w, func(o *Options[*world, keys]) { o.Carriers = append(o.Carriers, slow) }, func(t *testing.T, l *loopOf) {
		w.pass(10 * time.Minute)
		for last := l.Status().Rounds[0].At; l.Status().Rounds[0].At.Equal(last); { // until a try has just ended
			w.pass(time.Second)
		}
		slow.asked = 0
		w.want = []string{"b", "c"}
		w.poke()
		w.pass(5 * time.Second)
		wantLog(t, w, "create carrier c", "delete address a", "delete carrier a")
		if slow.asked != 1 {
			t.Errorf("read %d times, want once", slow.asked)
		}
	})
}
