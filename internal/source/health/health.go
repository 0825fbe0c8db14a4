// Package health asks, again and again, whether what addresses of the host stand for works: by HTTP, by a TCP connection,
// or by a program. It says what it found, and pokes when that changes; what follows from it is decided elsewhere. Start at
// Source.Watch.
package health

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"ovnbgp/internal/model"
)

// Check is what is asked, and how often. One of HTTP, TCP and Command is set.
type Check struct {
	HTTP    string   // URL
	TCP     string   // address and port
	Command []string // a program and its arguments

	Interval, Timeout time.Duration
	Rise, Fall        int
}

// State is what is known of an address.
type State struct {
	Health model.Health
	Text   string // of an attempt that failed
}

// Source runs the checks of those addresses that are watched. Nothing is asked before Run.
type Source struct {
	pokes   chan struct{}
	changed chan struct{} // what is watched
	ask     func(context.Context, Check) error

	mu       sync.Mutex
	watched  map[netip.Addr]Check
	states   map[netip.Addr]State
	attempts Attempts
}

// Attempts counts what came of asking.
type Attempts struct{ Passed, Failed uint64 }

// New returns a source that watches nothing.
func New() *Source {
	return &Source{pokes: make(chan struct{}, 1), changed: make(chan struct{}, 1), ask: ask,
		states: map[netip.Addr]State{}}
}

// Pokes receives when the state of an address has changed.
func (s *Source) Pokes() <-chan struct{} { return s.pokes }

// Attempts returns how often was asked so far, with which outcome.
func (s *Source) Attempts() Attempts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// Watch says which addresses are to be checked, those that the host has now, and returns what is known of them. An address
// that was not watched a moment ago is one of which nothing is known: what answered then may have answered elsewhere.
func (s *Source) Watch(checks map[netip.Addr]Check) map[netip.Addr]State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !reflect.DeepEqual(checks, s.watched) && len(checks)+len(s.watched) > 0 {
		for a := range s.states {
			if !reflect.DeepEqual(s.watched[a], checks[a]) {
				delete(s.states, a)
			}
		}
		s.watched = maps.Clone(checks)
		notify(s.changed)
	}
	known := make(map[netip.Addr]State, len(checks))
	for a := range checks {
		known[a] = State{Health: model.HealthUnknown}
		if state, ok := s.states[a]; ok {
			known[a] = state
		}
	}
	return known
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting
	}
}

// Run runs the checks until the context ends.
func (s *Source) Run(ctx context.Context) error {
	running := map[netip.Addr]*runner{}
	var all sync.WaitGroup
	defer all.Wait()
	for {
		s.mu.Lock()
		watched := s.watched
		s.mu.Unlock()
		for a, r := range running {
			if check, still := watched[a]; !still || !reflect.DeepEqual(check, r.check) {
				r.stop()
				delete(running, a)
			}
		}
		for a, check := range watched {
			if running[a] == nil {
				inner, stop := context.WithCancel(ctx)
				r := &runner{source: s, address: a, check: check, stop: stop}
				running[a] = r
				all.Go(func() { r.run(inner) })
			}
		}
		select {
		case <-ctx.Done():
			for _, r := range running {
				r.stop()
			}
			return ctx.Err()
		case <-s.changed:
		}
	}
}

// runner checks one address.
type runner struct {
	source  *Source
	address netip.Addr
	check   Check
	stop    context.CancelFunc
	row     int // attempts in a row that spoke against the state
}

func (r *runner) run(ctx context.Context) {
	for {
		attempt, cancel := context.WithTimeout(ctx, r.check.Timeout)
		err := r.source.ask(attempt, r.check)
		if errors.Is(attempt.Err(), context.DeadlineExceeded) && err != nil {
			err = errTimeout
		}
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.source.note(ctx, r, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.check.Interval):
		}
	}
}

var errTimeout = errors.New("no answer in time")

// note counts an attempt. The first decides; after that it takes Rise or Fall of them in a row to change the state.
func (s *Source) note(ctx context.Context, r *runner, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return // the address is not watched any more, or by another runner
	}
	// Run may not have stopped this runner yet: what another check asked says nothing of this one.
	if check, watched := s.watched[r.address]; !watched || !reflect.DeepEqual(check, r.check) {
		return
	}
	now, needed, counter := State{Health: model.Passing}, r.check.Rise, &s.attempts.Passed
	if err != nil {
		now, needed, counter = State{Health: model.Failing, Text: err.Error()}, r.check.Fall, &s.attempts.Failed
	}
	*counter++
	before, known := s.states[r.address]
	if known && before.Health == now.Health {
		r.row = 0
		return
	}
	if r.row++; known && r.row < needed {
		return
	}
	r.row = 0
	s.states[r.address] = now
	notify(s.pokes)
}
