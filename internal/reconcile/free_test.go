package reconcile

import (
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/model"
)

// What depends on no source comes and goes at a closed gate as well; all else stays, though it is wanted no more.
func TestClosedGateLetsGoWhatIsFree(t *testing.T) {
	w := standing("a", "b")
	vips := []string{"vip1"}
	atGate := func(o *Options[*world, keys]) {
		o.AtGate = func(k keys) keys {
			k.announced = slices.Concat(k.announced, vips)
			return k
		}
		o.Free = func(key string) bool { return key == "vip1" || key == "vip2" }
	}
	play(t, w, atGate, func(t *testing.T, l *loopOf) {
		w.announcer.have["stale"] = true // by whatever hand
		w.leave()
		wantLog(t, w, "create address vip1")
		vips = []string{"vip2"}
		w.carriers.pokes <- struct{}{}
		w.pass(time.Second)
		wantLog(t, w, "create address vip2", "delete address vip1")
		vips = nil
		w.carriers.pokes <- struct{}{}
		w.pass(time.Second)
		wantLog(t, w, "delete address vip2")
		w.pass(10 * time.Minute)
		wantLog(t, w)
		wantKeys(t, "announced", w.announcer.have, "a", "b", "stale")
	})
}

// Before the first snapshot there is no state to bring anything into.
func TestClosedGateAtStartAsksNobody(t *testing.T) {
	w := newWorld("a")
	w.sourceErr = model.ErrNotInSync
	asked := 0
	play(t, w, func(o *Options[*world, keys]) {
		o.AtGate = func(k keys) keys { asked++; return k }
	}, func(t *testing.T, _ *loopOf) {
		w.poke()
		wantLog(t, w)
		if asked != 0 {
			t.Errorf("AtGate was asked %d times", asked)
		}
	})
}
