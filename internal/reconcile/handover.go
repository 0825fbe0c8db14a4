package reconcile

import (
	"slices"
	"time"

	"ovnbgp/internal/model"
)

// handsOver tells whether a withdrawal waits a moment because the address has moved: the database told two nodes of it
// at once, and the one that gains it has to build first. Until then the world would be told by nobody. It is short: what
// is sent to the old place meanwhile is lost.
func (r *round[I, S]) handsOver(t task, q inquiry) bool {
	if r.opts.Timers.Handover == 0 || len(t.Serves) == 0 {
		return false
	}
	moved := !slices.ContainsFunc(t.Serves, func(k string) bool { return q.decisions[k].Verdict != model.Elsewhere })
	if !moved {
		return false
	}
	waits := false
	for _, k := range t.Serves {
		if _, known := r.leaving[k]; !known {
			r.leaving[k] = q.now
		}
		waits = waits || q.now.Sub(r.leaving[k]) < r.opts.Timers.Handover
	}
	r.waiting = r.waiting || waits
	return waits
}

// forgetLeft drops the keys that have left, or are wanted again.
func (r *round[I, S]) forgetLeft(q inquiry) {
	for k := range r.leaving {
		if q.wanted[k] || q.complete && !q.announced[k] {
			delete(r.leaving, k)
		}
	}
}

// handoverEnds lists when the loop has withdrawals to make that waited.
func (l *Loop[I, S]) handoverEnds() (ends []time.Time) {
	for _, since := range l.leaving {
		if end := since.Add(l.opts.Timers.Handover); end.After(l.weighed) {
			ends = append(ends, end)
		}
	}
	return ends
}
