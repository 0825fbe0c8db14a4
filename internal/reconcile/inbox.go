package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Trigger is what caused a round.
type Trigger string

// Triggers.
const (
	Start   Trigger = "start"
	Event   Trigger = "event"   // the source poked
	Drift   Trigger = "drift"   // an applier poked: another hand may have changed something
	Timer   Trigger = "timer"   // reconcile_interval
	Retry   Trigger = "retry"   // something was left to do
	Grace   Trigger = "grace"   // carrier_grace of a key is over
	Hold    Trigger = "hold"    // the guard looks again
	Request Trigger = "request" // an operator asked
)

// arrivals is what came in since the last round.
type arrivals struct {
	triggers []Trigger
	from     []string  // the appliers that poked
	first    time.Time // when the source first poked; zero if it did not
}

// inbox collects pokes until the loop takes them. A poke is never lost and never waits.
type inbox struct {
	notify chan struct{}

	mu      sync.Mutex
	pending arrivals
}

func newInbox() *inbox { return &inbox{notify: make(chan struct{}, 1)} }

// forward puts every poke of a channel in, until the channel or the context ends. From is the applier's name, if it
// is one.
func (b *inbox) forward(ctx context.Context, pokes <-chan struct{}, t Trigger, from string) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-pokes:
			if !open {
				return
			}
			b.put(t, from)
		}
	}
}

func (b *inbox) put(t Trigger, from string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.pending.triggers, t) {
		b.pending.triggers = append(b.pending.triggers, t)
	}
	if from != "" && !slices.Contains(b.pending.from, from) {
		b.pending.from = append(b.pending.from, from)
	}
	if t == Event && b.pending.first.IsZero() {
		b.pending.first = time.Now()
	}
	select {
	case b.notify <- struct{}{}:
	default:
	}
}

// take empties the inbox.
func (b *inbox) take() arrivals {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.pending
	b.pending = arrivals{}
	select {
	case <-b.notify:
	default:
	}
	return a
}

func (b *inbox) has(t Trigger) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.pending.triggers, t)
}
