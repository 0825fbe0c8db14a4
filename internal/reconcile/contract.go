package reconcile

import (
	"context"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Source is what the loop reads.
type Source[T any] interface {
	// Snapshot returns a consistent view. An error (model.ErrNotInSync is the usual one) closes the gate: nothing
	// is decided anew or taken away until the source has caught up.
	Snapshot(context.Context) (T, error)
	// Pokes receives when there may be something new. A poke carries no data.
	Pokes() <-chan struct{}
}

// Applier is a subsystem that the loop changes.
type Applier[S State[S]] interface {
	Name() string
	// Plan compares want with the actual state and lists what would make them match. It changes nothing, sees
	// only objects we own, and is empty when they match. An error means the actual state could not be read.
	//
	// It reads its own writes: planned again after its steps have run, it no longer lists those that worked.
	// An object that can only be changed by delete and create is listed as both, and the create fails while the
	// old object is there; so its keys are withdrawn, then it is deleted, then made.
	Plan(ctx context.Context, want S) ([]plan.Step, error)
	// Pokes receives when the actual state may have changed by another hand; nil when nothing tells.
	Pokes() <-chan struct{}
}

// Announcer is an applier that tells the world.
type Announcer[S State[S]] interface {
	Applier[S]
	// Announced lists the keys the world is told now: read, never remembered. An announcer that only hands on
	// what those before it tell (FRR with a leak) lists none; its steps then serve all keys.
	Announced(context.Context) ([]string, error)
}

// Rereader is an applier that compares with a copy. Reread makes the next Plan read the actual state anew.
type Rereader interface {
	Reread(context.Context) error
}

// State is a desired state from which announcements can be taken out again; carriers stay.
type State[S any] interface {
	Keys() []string
	Without(keys ...string) S
}

// Evidence says what the whole database knows of keys that are announced but wanted no more. A key it leaves
// out is in no row. I is the input of the round that asks.
type Evidence[I any] func(context.Context, I, []string) (map[string]model.Decision, error)
