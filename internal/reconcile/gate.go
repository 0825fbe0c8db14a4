package reconcile

import (
	"context"
	"fmt"
	"sync"
)

// decideAtGate finds what to work by while the source cannot be read: what was decided last or, before anything was, what
// depends on no source. Where there is neither, the error says so.
func (r *round[I, S]) decideAtGate(ctx context.Context) error {
	switch {
	case r.last != nil:
		r.want, r.decisions = r.last.want, r.last.decisions
		if r.opts.AtGate != nil {
			r.want = r.opts.AtGate(r.want)
		}
	case r.opts.First != nil:
		want, err := r.opts.First(ctx)
		if err != nil {
			r.gate = fmt.Errorf("%w; %w", r.gate, err)
			return r.gate
		}
		r.want = want
	default:
		return r.gate
	}
	before := r.worked
	r.changed = sync.OnceValue(func() bool { return isChanged(before, r.want) })
	r.worked = &decided[S]{r.want, r.decisions}
	return nil
}

// clearFree deletes at a closed gate the carriers that depend on no source.
func (r *round[I, S]) clearFree(ctx context.Context) {
	for _, t := range r.clears {
		if t.Free {
			_ = r.do(ctx, t) // kept by do
		}
	}
}
