package health

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/model"
)

// world answers checks by a flag for each address and port.
type world struct {
	bad   atomic.Bool
	hangs atomic.Bool
	asked atomic.Int64
}

func (w *world) ask(ctx context.Context, _ Check) error {
	w.asked.Add(1)
	if w.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.bad.Load() {
		return errors.New("connection refused")
	}
	return nil
}

func start(t *testing.T, w *world) *Source {
	t.Helper()
	s := New()
	s.ask = w.ask
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func vip() netip.Addr { return netip.MustParseAddr("192.0.2.100") }

func watching() map[netip.Addr]Check {
	return map[netip.Addr]Check{vip(): {TCP: "127.0.0.1:80", Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}}
}

// The first attempt decides at once; then it takes so many in a row, and one of the other kind begins the count anew.
func TestRiseAndFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		s := start(t, w)
		expect := func(when string, want model.Health) {
			t.Helper()
			if got := s.Watch(watching())[vip()].Health; got != want {
				t.Errorf("%s: %s, want %s", when, got, want)
			}
		}
		next := func() { time.Sleep(2 * time.Second); synctest.Wait() }
		expect("before the first attempt", model.HealthUnknown)
		synctest.Wait()
		expect("at once", model.Passing)
		w.bad.Store(true)
		next()
		next()
		expect("two failed", model.Passing)
		w.bad.Store(false)
		next()
		w.bad.Store(true)
		next()
		next()
		expect("two failed after one that passed", model.Passing)
		<-s.Pokes()
		next()
		expect("three failed", model.Failing)
		select {
		case <-s.Pokes():
		default:
			t.Error("nobody was told")
		}
		w.bad.Store(false)
		next()
		expect("one passed", model.Failing)
		next()
		expect("two passed", model.Passing)
		if d := cmp.Diff(Attempts{Passed: 4, Failed: 5}, s.Attempts()); d != "" {
			t.Errorf("attempts (-want +got):\n%s", d)
		}
	})
}

// Of an address that comes back nothing is known but what is asked now, and one that is gone is not asked about.
func TestWatchedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		s := start(t, w)
		s.Watch(watching())
		synctest.Wait()
		s.Watch(nil)
		synctest.Wait()
		asked := w.asked.Load()
		time.Sleep(time.Minute)
		if w.asked.Load() != asked {
			t.Error("an address that the host has not is checked")
		}
		w.bad.Store(true)
		if got := s.Watch(watching())[vip()]; got.Health != model.HealthUnknown {
			t.Errorf("an address that came is %s", got.Health)
		}
		synctest.Wait()
		if d := cmp.Diff(State{model.Failing, "connection refused"}, s.Watch(watching())[vip()]); d != "" {
			t.Errorf("state (-want +got):\n%s", d)
		}
	})
}

// Another check of the same address starts anew, too; the same one again changes nothing.
func TestAnotherCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		s := start(t, w)
		s.Watch(watching())
		synctest.Wait()
		for range 3 {
			if got := s.Watch(watching())[vip()].Health; got != model.Passing {
				t.Errorf("asked again: %s", got)
			}
		}
		if w.asked.Load() != 1 {
			t.Errorf("%d attempts", w.asked.Load())
		}
		other := watching()
		c := other[vip()]
		c.TCP = "127.0.0.1:81"
		other[vip()] = c
		if got := s.Watch(other)[vip()].Health; got != model.HealthUnknown {
			t.Errorf("another check: %s", got)
		}
	})
}

// An attempt of a check that is no more wanted may end before its runner is stopped: it says nothing of the new one, and
// is not counted.
func TestAttemptOfAnotherCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New() // not run: as if Run had not come to it yet
		other := watching()
		c := other[vip()]
		c.TCP = "127.0.0.1:81"
		other[vip()] = c
		for _, watched := range []map[netip.Addr]Check{other, nil} {
			s.Watch(watching())
			old := &runner{source: s, address: vip(), check: watching()[vip()]}
			s.Watch(watched)
			s.note(t.Context(), old, errors.New("connection refused"))
			if got := s.Watch(other)[vip()]; got != (State{Health: model.HealthUnknown}) {
				t.Errorf("an attempt of the old check made the new one's state %v", got)
			}
			select {
			case <-s.Pokes():
				t.Error("somebody was told")
			default:
			}
		}
		if got := s.Attempts(); got != (Attempts{}) {
			t.Errorf("attempts: %v", got)
		}
		now := &runner{source: s, address: vip(), check: c}
		s.note(t.Context(), now, nil)
		if got := s.Watch(other)[vip()].Health; got != model.Passing {
			t.Errorf("after an attempt of its own it is %s", got)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.hangs.Store(true)
		s := start(t, w)
		s.Watch(watching())
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if d := cmp.Diff(State{model.Failing, "no answer in time"}, s.Watch(watching())[vip()]); d != "" {
			t.Errorf("state (-want +got):\n%s", d)
		}
	})
}
