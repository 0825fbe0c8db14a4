package reconcile

import (
	"context"
)

// sweep deletes, before anything is announced, what stands in the way of wanted keys: a stale rule is looked at
// before the new one. Where that fails the key is not carried, whatever else is in place.
func (r *round[I, S]) sweep(ctx context.Context, done outcomes) {
	announced := r.announced
	var later []task
	for _, t := range r.clears {
		switch {
		case ctx.Err() != nil:
			return
		case !touches(t, r.wanted) || t.Serves == nil:
			later = append(later, t)
		case r.gate == nil && r.mayClear(t, announced):
			if err := r.try(ctx, t, done); err != nil {
				r.obstruct(t, nil, err.Error())
			}
		default:
			r.obstruct(t, announced, t.Object+" is in the way and still in use")
			later = append(later, t)
		}
	}
	r.clears = later
}

// obstruct notes that the keys of a stale carrier are not carried because of it, but for those excepted.
func (r *round[I, S]) obstruct(t task, except set, reason string) {
	for _, k := range t.Serves {
		if r.wanted[k] && !except[k] && r.gone[k] == "" {
			r.gone[k] = reason
		}
	}
}

// clear deletes carriers that nothing needs any more (rule 3).
func (r *round[I, S]) clear(ctx context.Context) {
	if len(r.clears) == 0 || ctx.Err() != nil {
		return
	}
	if r.opts.Rules.ClearLast {
		r.readAnnounced(ctx) // again: the withdrawals may have failed, or not have arrived yet
	}
	announced := r.announced
	for _, t := range r.clears {
		switch {
		case touches(t, r.verdict.held): // the guard's status has it
		case !r.mayClear(t, announced):
			r.waiting = true
			r.books.waiting(r.because(t))
		default:
			_ = r.do(ctx, t) // kept by do
		}
	}
}

// mayClear is rule 3.
func (r *round[I, S]) mayClear(t task, announced set) bool {
	if !r.opts.Rules.ClearLast {
		return true
	}
	keys := t.Serves
	if keys == nil {
		keys = announced.sorted()
		if !r.allReadAndPlanned() {
			return false
		}
	}
	for _, k := range keys {
		carried := r.wanted[k] && r.gone[k] == "" && len(r.unread) == 0
		untold := r.allReadAndPlanned() && !announced[k] && !r.verdict.held[k]
		if !carried && !untold {
			return false
		}
	}
	return true
}
