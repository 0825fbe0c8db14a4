package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// unresponsive is an applier that did not answer in time: it is not asked again for a while, or one daemon that hangs
// would hold up every round for all the others.
type unresponsive struct {
	until time.Time
	err   error
}

// pauses is how many times its limit an applier that did not answer is left alone, unless it pokes or an operator
// asks.
const pauses = 2

// consult reads from an applier, within the time a read may take.
func (r *round[I, S]) consult(ctx context.Context, name string, read func(context.Context) error) error {
	again := slices.Contains(r.arrivals.from, name) || slices.Contains(r.arrivals.triggers, Request)
	if u, known := r.unresponsive[name]; known && r.start.Before(u.until) && !again {
		return u.err
	}
	limit := r.opts.Timers.Read
	err := bounded(ctx, limit, read)
	delete(r.unresponsive, name)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %s: %w", limit, err)
		r.unresponsive[name] = unresponsive{until: time.Now().Add(pauses * limit), err: err}
	}
	return err
}
