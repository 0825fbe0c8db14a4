package reconcile

import (
	"context"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Source is what the loop reads.
type Source[T any] interface {
	// Snapshot returns a consistent view. An error that wraps model.ErrNotInSync closes the gate: nothing is
	// changed until the source has caught up.
	Snapshot(context.Context) (T, error)
	// Pokes receives when there may be something new. A poke carries no data.
	Pokes() <-chan struct{}
}

// Applier is a subsystem that the loop changes.
type Applier[S State[S]] interface {
	Name() string
	// Plan compares want with the actual state and lists what would make them match. It changes nothing, sees
	// only objects we own, and is empty when they match. An error means the actual state could not be read.
	Plan(ctx context.Context, want S) ([]plan.Step, error)
	// Pokes receives when the actual state may have changed by another hand; nil when nothing tells.
	Pokes() <-chan struct{}
}

// Announcer is an applier that tells the world.
type Announcer[S State[S]] interface {
	Applier[S]
	// Announced lists the keys the world is told now: read, never remembered.
	Announced(context.Context) ([]string, error)
}

// State is a desired state from which announcements can be taken out again; carriers stay.
type State[S any] interface {
	Keys() []string
	Without(keys ...string) S
}

// Evidence says what the database knows of keys that are announced but wanted no more.
type Evidence func(context.Context, []string) (map[string]model.Decision, error)
