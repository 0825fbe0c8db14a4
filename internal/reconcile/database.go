package reconcile

import (
	"context"
	"slices"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// databaseWatch knows whether the database read is the one this node has accepted.
type databaseWatch struct {
	known, now string
	since      time.Time // since when it is another
	byHand     string    // identity that an operator accepted
	written    string    // identity that was kept; the source may not have read it back yet
}

// look takes in what this round read.
func (d *databaseWatch) look(q inquiry) {
	known := q.known
	if d.written != "" && q.database == d.written {
		known = d.written
	}
	if q.database != d.now || known != d.known {
		d.since = q.now
	}
	d.known, d.now = known, q.database
}

// isOther tells whether the database is not the one known. Before the first is known none is another.
func (d *databaseWatch) isOther() bool {
	return d.known != "" && d.now != "" && d.known != d.now && d.byHand != d.now
}

func (d *databaseWatch) acceptByHand() {
	if d.isOther() {
		d.byHand = d.now
	}
}

// acceptable returns the identity to accept now, and why. Rowless says that some announced key has no row.
func (d *databaseWatch) acceptable(now time.Time, hold time.Duration, rowless bool) (id, why string) {
	switch {
	case d.now == "" || d.now == d.known:
		return "", ""
	case d.known == "":
		return d.now, "no database was known to this node"
	case d.byHand == d.now:
		return d.now, "accepted by an operator"
	case !rowless && hold > 0 && now.Sub(d.since) >= hold:
		return d.now, "every announced address has had a row in it"
	}
	return "", ""
}

// acceptDatabase keeps the identity of a database that the guard has accepted.
func (r *round[I, S]) acceptDatabase(ctx context.Context) {
	for _, t := range r.databaseStep(r.verdict) {
		if r.do(ctx, t) == nil {
			r.guard.database.written = r.verdict.accept
		}
	}
}

// databaseStep returns the step that accepts a database, or none.
func (r *round[I, S]) databaseStep(v verdict) []task {
	if v.accept == "" || r.opts.AcceptDatabase == nil {
		return nil
	}
	return []task{{subsystem: guardName, Step: plan.Step{
		Verb: plan.Update, Object: "database " + v.accept, Why: v.why,
		Do: func(ctx context.Context) error { return r.opts.AcceptDatabase(ctx, v.accept) },
	}}}
}

// inquiry is what this round asks the guard.
func (r *round[I, S]) inquiry() inquiry {
	q := inquiry{now: time.Now(), announced: r.announced, wanted: r.wanted, complete: r.allRead(),
		decisions: heaviest(r.decisions, func(k string) bool { return r.announced[k] && !r.wanted[k] })}
	if r.opts.Explain != nil {
		if keys := slices.DeleteFunc(q.vanished(), func(k string) bool {
			return q.decisions[k].Evidence == model.Explained
		}); len(keys) > 0 {
			for k, d := range r.opts.Explain(r.in, keys) {
				if weight(d) > weight(q.decisions[k]) || q.decisions[k].Text == "" {
					q.decisions[k] = d
				}
			}
		}
	}
	r.vanishing = q.decisions
	if r.opts.Database != nil {
		q.known, q.database = r.opts.Database(r.in)
	}
	return q
}

// weight says which of several decisions on a key counts: one that knows the address in another place, for it must
// not be announced twice; else one that doubts.
func weight(d model.Decision) int {
	switch {
	case d.Evidence == model.Explained && d.Verdict == model.Elsewhere:
		return 3
	case d.Evidence == model.Doubtful:
		return 2
	case d.Evidence == model.Explained:
		return 1
	}
	return 0
}

// evidence returns how the guard asks the database; nil when there is none to ask.
func (r *round[I, S]) evidence(ctx context.Context) ask {
	if r.opts.Evidence == nil {
		return nil
	}
	return func(keys []string) (found map[string]model.Decision, err error) {
		err = bounded(ctx, r.opts.Timers.Read, func(ctx context.Context) error {
			found, err = r.opts.Evidence(ctx, r.in, keys)
			return err
		})
		return found, err
	}
}
