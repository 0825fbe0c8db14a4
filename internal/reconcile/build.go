package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ovnbgp/internal/plan"
)

// passes bounds how often carriers are planned in one round. A step can undo what was there (a device that changes
// its master loses its addresses), which the next pass makes again.
const passes = 3

// errNotThere is what a step is told that worked but whose object is still planned.
var errNotThere = errors.New("done, but not there when read back")

// build makes the carriers, clears what is in their way, and finds which wanted keys are not carried. Success is what
// is read back, not what a step says of itself.
func (r *round[I, S]) build(ctx context.Context) {
	done := outcomes{}
	for pass := 0; ctx.Err() == nil; pass++ {
		todo := r.planCarriers(ctx)
		r.findGone(todo, done)
		r.sweep(ctx, done)
		if pass == passes || !r.make(ctx, todo, done) {
			r.noteUndone(todo, done)
			return
		}
	}
}

// outcomes are the carriers' steps that were run in this round.
type outcomes map[string]error

func (o outcomes) of(t task) (ran bool, err error) {
	err, ran = o[t.subsystem+" "+t.String()]
	return ran, err
}

// try runs a step, once a round.
func (r *round[I, S]) try(ctx context.Context, t task, done outcomes) error {
	if ran, err := done.of(t); ran {
		return err
	}
	err := r.do(ctx, t)
	done[t.subsystem+" "+t.String()] = err
	return err
}

// make runs the steps that were not run yet, and tells whether there were any.
func (r *round[I, S]) make(ctx context.Context, todo []task, done outcomes) (ran bool) {
	for _, t := range todo {
		if again, _ := done.of(t); again || ctx.Err() != nil {
			continue
		}
		_ = r.try(ctx, t, done) // kept by do
		ran = true
	}
	return ran
}

// planCarriers plans all carriers; the deletes are kept for later. One that could not be read is not asked again in
// this round: each try may take long, and all others wait for it.
func (r *round[I, S]) planCarriers(ctx context.Context) []task {
	r.clears = nil
	var todo []task
	for _, a := range r.opts.Carriers {
		if r.unread[a.Name()] != nil {
			continue
		}
		steps, err := r.plan(ctx, a, r.want)
		if err != nil {
			r.unread[a.Name()] = err
			continue
		}
		for _, t := range steps {
			if t.Verb == plan.Delete {
				r.clears = append(r.clears, t)
			} else {
				todo = append(todo, t)
			}
		}
	}
	return todo
}

// plan asks one applier for its steps.
func (r *round[I, S]) plan(ctx context.Context, a Applier[S], want S) ([]task, error) {
	var steps []plan.Step
	err := r.consult(ctx, a.Name(), func(ctx context.Context) (err error) {
		steps, err = a.Plan(ctx, want)
		return err
	})
	if err != nil {
		r.noteRead(a.Name(), err)
		return nil, err
	}
	tasks := make([]task, len(steps))
	for i, s := range steps {
		tasks[i] = task{subsystem: a.Name(), Step: s}
	}
	return tasks, nil
}

// findGone finds the keys whose carriers are not in place from what is to do. A re-marking that failed takes nothing
// away.
func (r *round[I, S]) findGone(todo []task, done outcomes) {
	r.gone = map[string]string{}
	for _, t := range todo {
		if t.Verb == plan.Adopt {
			continue
		}
		reason := t.String()
		if _, err := done.of(t); err != nil {
			reason = err.Error()
		}
		keys := t.Serves
		if keys == nil {
			keys = r.wanted.sorted()
		}
		for _, k := range keys {
			if r.wanted[k] && r.gone[k] == "" {
				r.gone[k] = reason
			}
		}
	}
}

// noteUndone keeps what is still to do at the end of the build though its step worked, or though no pass was left.
func (r *round[I, S]) noteUndone(todo []task, done outcomes) {
	for _, t := range todo {
		switch ran, err := done.of(t); {
		case !ran:
			r.waiting = true
		case err == nil:
			err = fmt.Errorf("%s: %w", t.Step, errNotThere)
			r.errs = append(r.errs, err)
			r.books.failed(t, err)
		}
	}
}

// withhold decides which wanted keys must not be announced now (rules 1 and 4).
func (r *round[I, S]) withhold() {
	r.withheld, r.mending = set{}, set{}
	told, now := r.announced, time.Now()
	r.weighed = now
	r.forgetMended()
	for k, reason := range r.gone {
		since, known := r.broken[k]
		if !known {
			since = now
			r.broken[k] = now
		}
		announced := told[k]
		// At a closed gate nothing is withdrawn: there is no end to the mending.
		mending := r.gate != nil || r.opts.Rules.MendFirst && now.Sub(since) < r.opts.Timers.CarrierGrace
		switch {
		case announced && mending:
			r.mending[k] = true
			r.books.mending(k, reason)
		case announced || r.opts.Rules.Withhold:
			r.withheld[k] = true
			r.books.withheld(k, reason)
		}
	}
}

// forgetMended drops the keys that are carried again or wanted no more. While a carrier is unread, a key that was
// gone may still be: its clock runs on, but nothing is done about it until the carrier is read.
func (r *round[I, S]) forgetMended() {
	for k := range r.broken {
		_, gone := r.gone[k]
		if !r.wanted[k] || !gone && len(r.unread) == 0 {
			delete(r.broken, k)
		}
	}
}
