package reconcile

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// leave closes the gate and lets a round see it.
func (w *world) leave() {
	w.want, w.sourceErr = nil, fmt.Errorf("nb: %w", model.ErrNotInSync)
	w.poke()
}

func (w *world) comeBack(want ...string) {
	w.want, w.sourceErr = want, nil
	w.poke()
}

// While the source is away, what was wanted last is mended, and nothing is taken away.
func TestClosedGateOnlyMakes(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "path", func(k keys) []string { return k.announced })
	w.second.have = setOf([]string{"a", "b"})
	w.known, w.database = "A", "A"
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.database = "B"
		w.leave()
		delete(w.carriers.have, "a")
		w.second.have = set{}                                            // FRR was restarted
		w.carriers.have["stale"], w.announcer.have["stale"] = true, true // by whatever hand
		w.carriers.pokes <- struct{}{}
		w.pass(time.Second)
		wantLog(t, w, "create carrier a", "create path a", "create path b")
		w.pass(10 * time.Minute)
		wantLog(t, w)
		if w.asked != 0 {
			t.Errorf("evidence was asked for %d times", w.asked)
		}
		r := l.Status()
		if r.Verdict != status.Stopped || r.Source.InSync || r.Ready || len(r.Announced) != 3 || r.Wanted != 2 {
			t.Errorf("status: %+v", r)
		}
		if r.Rounds[0].Result != resultGate || r.Source.Err == "" {
			t.Errorf("status: %+v, %+v", r.Rounds[0], r.Source)
		}
		w.database = "A"
		w.comeBack("a", "b")
		wantLog(t, w, "delete address stale", "delete carrier stale")
		if r := l.Status(); r.Verdict != status.OK || !r.Source.InSync {
			t.Errorf("status: %+v", r)
		}
	})
}

func TestClosedGateBeforeTheFirstSnapshotDoesNothing(t *testing.T) {
	w := newWorld("a")
	w.sourceErr = model.ErrNotInSync
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.pass(time.Minute)
		w.poke()
		wantLog(t, w)
		if r := l.Status(); r.Verdict != status.Starting {
			t.Errorf("status: %+v", r)
		}
	})
}

// What cannot be mended stays announced until the source is back, however long that takes; then rule 4 is due.
func TestClosedGateWithdrawsNothingAfterTheGrace(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "path", func(k keys) []string { return k.announced })
	w.second.have = setOf([]string{"b"})
	w.second.fail["create path a"] = errTest
	play(t, w, nil, func(t *testing.T, l *loopOf) {
		w.leave()
		delete(w.carriers.have, "a")
		w.carriers.fail["create carrier a"] = errTest
		w.carriers.pokes <- struct{}{}
		w.pass(time.Second)
		delete(w.second.fail, "create path a")
		w.pass(time.Minute)
		wantKeys(t, "announced", w.announcer.have, "a", "b")
		wantKeys(t, "handed on", w.second.have, "b") // not taken up while it does not forward
		if !hasTrouble(l.Status(), status.Mending, "a") {
			t.Errorf("status: %+v", l.Status().Troubles)
		}
		w.comeBack("a", "b")
		wantKeys(t, "announced", w.announcer.have, "b")
	})
}

// What hands on all keys alike is made again though one of them cannot be mended: else a BGP daemon that was restarted
// would tell none of them for as long as the database is away. Within the grace it waits for the mending.
func TestClosedGateHandsOnTheOthers(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "leak", func(keys) []string { return []string{"vrf"} })
	w.second.serves, w.second.silent = func(string) []string { return nil }, true
	w.second.have = setOf([]string{"vrf"})
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.leave()
		delete(w.carriers.have, "a")
		w.carriers.fail["create carrier a"] = errTest
		w.carriers.pokes <- struct{}{}
		w.pass(time.Second)
		w.second.have = set{} // FRR was restarted
		w.second.pokes <- struct{}{}
		w.pass(time.Second)
		wantKeys(t, "leaked within the grace", w.second.have)
		w.pass(time.Minute)
		wantKeys(t, "leaked after it", w.second.have, "vrf")
		wantKeys(t, "announced", w.announcer.have, "a", "b")
	})
}

// What was wanted and could not be carried is announced when it can.
func TestClosedGateAnnouncesWhatWasWanted(t *testing.T) {
	w := standing("a")
	w.want = []string{"a", "b"}
	w.carriers.fail["create carrier b"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.leave()
		delete(w.carriers.fail, "create carrier b")
		w.pass(time.Minute)
		wantKeys(t, "announced", w.announcer.have, "a", "b")
	})
}

// What stands in the way cannot be cleared: the key that it would lead astray is not announced.
func TestClosedGateAnnouncesNothingBesideWhatIsInTheWay(t *testing.T) {
	w := standing("a")
	w.want = []string{"a", "b"}
	w.carriers.serves = func(k string) []string {
		if k == "old" {
			return []string{"b"}
		}
		return []string{k}
	}
	w.carriers.fail["create carrier b"] = errTest
	play(t, w, nil, func(t *testing.T, _ *loopOf) {
		w.leave()
		w.carriers.have["old"] = true
		delete(w.carriers.fail, "create carrier b")
		w.pass(time.Minute)
		wantKeys(t, "announced", w.announcer.have, "a")
		w.comeBack("a", "b")
		wantKeys(t, "announced", w.announcer.have, "a", "b")
	})
}

// A source that comes and goes does not have every old trouble told anew.
func TestClosedGateForgetsNoTrouble(t *testing.T) {
	w := standing("a", "b", "c")
	w.known, w.database = "A", "A"
	var log bytes.Buffer
	play(t, w, func(o *Options[*world, keys]) { o.Log = logTo(&log) }, func(t *testing.T, l *loopOf) {
		w.want = []string{"a", "new"}
		w.carriers.fail["create carrier new"] = errTest
		w.announcer.fail["delete address b"] = errTest // so that its carrier waits
		w.carriers.fail["delete carrier c"] = errTest
		w.poke()
		w.pass(time.Minute)
		since := troubles(l.Status())
		before := strings.Count(log.String(), "step failed")
		for range 3 {
			w.leave()
			w.pass(time.Minute)
			if got := troubles(l.Status()); !maps.Equal(got, since) {
				t.Errorf("troubles at the closed gate: got %v, want %v", got, since)
			}
			w.comeBack("a", "new")
			w.pass(time.Minute)
		}
		if n := strings.Count(log.String(), "step failed"); n != before || before != 3 {
			t.Errorf("%d warnings before the gate closed, %d after, want 3 and 3:\n%s", before, n, &log)
		}
		if got := troubles(l.Status()); !maps.Equal(got, since) {
			t.Errorf("troubles after all: got %v, want %v", got, since)
		}
	})
}

// troubles says since when each is one.
func troubles(r status.Report) map[string]time.Time {
	list := map[string]time.Time{}
	for _, o := range r.Troubles {
		list[string(o.State)+" "+o.Object] = o.Since
	}
	return list
}
