package reconcile

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// A step that changes by what a key is told waits until no announcer has anything else to do, and for a moment after that.
func TestLastStepsWaitForAllAnnouncers(t *testing.T) {
	w := standing("a", "b")
	w.second = w.part("frr", "leak", func(k keys) []string { return k.announced })
	delete(w.announcer.have, "a")
	w.announcer.lastly = set{"a": true}
	play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
		wantLog(t, w, "create leak a", "create leak b")
		if got := l.Status(); got.Verdict != status.Degraded || len(got.Troubles) != 1 || got.Troubles[0].State != status.Waiting {
			t.Errorf("status: %+v", got)
		}
		w.poke() // at once: too early
		wantLog(t, w)
		w.pass(5 * time.Second)
		wantLog(t, w, "create address a")
		if got := l.Status(); got.Verdict != status.OK {
			t.Errorf("status: %+v", got)
		}
	})
}

// Keys may move slowly, and there may be many: what happens meanwhile does not wait for all of them.
func TestLastStepsLetOthersHaveTheirTurn(t *testing.T) {
	w := standing("a", "b", "c", "d", "e")
	w.announcer.have = set{}
	w.announcer.lastly = setOf(w.want)
	w.announcer.during = func(step string) {
		time.Sleep(400 * time.Millisecond)
		if step == "create address a" {
			w.want = append(w.want, "new")
			w.pokes <- struct{}{}
		}
	}
	play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
		w.pass(time.Minute)
		wantLog(t, w, "create address a", "create address b", "create address c", "create carrier new", "create address new",
			"create address d", "create address e")
		if got := l.Status(); got.Verdict != status.OK {
			t.Errorf("status: %+v", got)
		}
	})
}

func TestLastStepsWaitWhileAnAnnouncerFails(t *testing.T) {
	for name, trouble := range map[string]func(*part){
		"unread":     func(p *part) { p.readErr = errors.New("down") },
		"no plan":    func(p *part) { p.planErr = errors.New("down") },
		"step fails": func(p *part) { p.fail["create leak b"] = errors.New("refused") },
	} {
		t.Run(name, func(t *testing.T) {
			w := standing("a", "b")
			w.second = w.part("frr", "leak", func(k keys) []string { return k.announced })
			w.second.have = set{"a": true}
			trouble(w.second)
			delete(w.announcer.have, "a")
			w.announcer.lastly = set{"a": true}
			play(t, w, nil, func(t *testing.T, l *Loop[*world, keys]) {
				preview, err := l.Plan(t.Context())
				if err != nil || !slices.ContainsFunc(preview.Steps, func(s plan.Planned) bool { return s.Object == "address a" }) {
					t.Errorf("the preview leaves it out: %+v, %v", preview, err)
				}
				w.pass(time.Minute)
				if slices.Contains(w.done(), "create address a") {
					t.Error("it did not wait")
				}
				w.second.readErr, w.second.planErr, w.second.fail = nil, nil, nil
				w.pass(time.Minute)
				if !w.announcer.have["a"] {
					t.Errorf("it waits for ever: %+v", l.Status())
				}
			})
		})
	}
}

// A last step that deletes and serves nothing withdraws nothing: it is no withdrawal, and waits like the others.
func TestASurplusIsNoWithdrawal(t *testing.T) {
	w := standing("a")
	w.second = w.part("frr", "leak", func(k keys) []string { return k.announced })
	w.announcer.have["old"] = true
	w.announcer.lastly = set{"old": true}
	w.announcer.serves = func(k string) []string {
		if k == "old" {
			return []string{}
		}
		return []string{k}
	}
	play(t, w, nil, func(t *testing.T, _ *Loop[*world, keys]) {
		wantLog(t, w, "create leak a")
		w.pass(5 * time.Second)
		wantLog(t, w, "delete address old")
	})
}

// A step that serves no key is made also where nothing may be announced: a drain must not wait for a carrier to be read.
func TestAStepThatServesNobody(t *testing.T) {
	w := standing("a")
	w.second = w.part("frr", "drain", func(k keys) []string { return k.announced })
	w.second.silent = true
	w.second.serves = func(string) []string { return []string{} }
	w.carriers.planErr = errors.New("unread")
	play(t, w, nil, func(t *testing.T, _ *Loop[*world, keys]) { wantLog(t, w, "create drain a") })
}

// What an operator says takes effect at a closed gate, too.
func TestAtGate(t *testing.T) {
	w := standing("a")
	w.second = w.part("frr", "drain", func(k keys) []string { return k.carried })
	w.second.have = set{"a": true}
	w.second.silent = true
	said := false
	change := func(o *Options[*world, keys]) {
		o.AtGate = func(k keys) keys {
			if said {
				k.carried = append(slices.Clone(k.carried), "now")
			}
			return k
		}
	}
	play(t, w, change, func(t *testing.T, _ *Loop[*world, keys]) {
		w.sourceErr = model.ErrNotInSync
		w.poke()
		wantLog(t, w)
		said = true
		w.poke()
		if got := w.done(); !slices.Contains(got, "create drain now") {
			t.Errorf("steps: %q", got)
		}
	})
}
