package reconcile

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
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

// So do carriers that depend on no source: a route of a neighbour that died must not wait for a database.
func TestClosedGateReplacesFreeCarriers(t *testing.T) {
	w := standing("a")
	learned := []string{"via1", "via2"}
	w.carriers.free = setOf([]string{"via1", "via2"})
	w.carriers.serves = func(k string) []string {
		if w.carriers.free[k] {
			return []string{}
		}
		return []string{k}
	}
	atGate := func(o *Options[*world, keys]) {
		o.AtGate = func(k keys) keys {
			k.carried = slices.Concat(k.carried, learned)
			return k
		}
	}
	play(t, w, atGate, func(t *testing.T, _ *loopOf) {
		w.carriers.have["stale"] = true // it serves a key of its own
		w.leave()
		wantLog(t, w, "create carrier via1", "create carrier via2")
		learned = []string{"via2"}
		w.poke()
		wantLog(t, w, "delete carrier via1")
		for range 3 * fightFree { // the source may change its mind as often as it likes
			learned = []string{"via1", "via2"}
			w.poke()
			learned = []string{"via2"}
			w.poke()
		}
		if n := len(w.done()); n != 6*fightFree {
			t.Errorf("%d steps, want %d", n, 6*fightFree)
		}
		w.pass(10 * time.Minute)
		wantLog(t, w)
		wantKeys(t, "carriers", w.carriers.have, "a", "via2", "stale")
	})
}

// Before the first snapshot what depends on no source is made, and what is announced is told by all announcers; nothing
// else is touched. The first snapshot decides as ever.
func TestFirstState(t *testing.T) {
	w := newWorld("a", "b")
	w.sourceErr = model.ErrNotInSync
	w.carriers.have, w.announcer.have = setOf([]string{"a", "gone"}), setOf([]string{"a", "gone"})
	w.carriers.free = set{"via1": true}
	w.second = w.part("gobgp", "path", func(k keys) []string { return k.announced })
	var unready error
	first := func(o *Options[*world, keys]) {
		o.First = func(context.Context) (keys, error) {
			return keys{carried: []string{"via1"}, announced: w.announcer.have.sorted()}, unready
		}
		o.AtGate = func(k keys) keys { t.Error("AtGate was asked"); return k }
	}
	unready = errTest
	play(t, w, first, func(t *testing.T, l *loopOf) {
		w.poke()
		wantLog(t, w)
		if r := l.Status(); !strings.Contains(r.Source.Err, errTest.Error()) {
			t.Errorf("the status does not say what it waits for: %+v", r.Source)
		}
		unready = nil
		w.poke()
		wantLog(t, w, "create carrier via1", "create path a", "create path gone")
		w.pass(10 * time.Minute)
		wantLog(t, w)
		wantKeys(t, "carriers", w.carriers.have, "a", "gone", "via1")
		if r := l.Status(); r.Synced || r.Verdict != status.Starting {
			t.Errorf("status: %+v", r)
		}
		w.copied = map[string]model.Decision{"gone": {Key: "gone", Verdict: model.Unplaced, Evidence: model.Explained, Text: "elsewhere"}}
		w.comeBack("a", "b")
		w.pass(time.Minute)
		wantKeys(t, "announced", w.announcer.have, "a", "b")
		wantKeys(t, "told", w.second.have, "a", "b")
		wantKeys(t, "carriers", w.carriers.have, "a", "b")
	})
}
