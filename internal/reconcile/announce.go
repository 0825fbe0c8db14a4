package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"ovnbgp/internal/plan"
)

// announce has every announcer tell the world what is wanted and carried. It returns the deletes that are still to
// be run: withdrawals of what is wanted no more, which the guard has to see.
func (r *round[I, S]) announce(ctx context.Context) []task {
	var deletes []task
	// No announcer may take up a key from the one before it that is not carried: one that is being mended, or
	// that should have been taken back and could not.
	bad := maps.Clone(r.mending)
	var moves []task
	busy := false
	for i, a := range r.opts.Announcers {
		if ctx.Err() != nil {
			return nil
		}
		steps, err := r.planAnnouncer(ctx, i, a)
		if err != nil {
			maps.Copy(bad, r.withheld) // it may tell any of them: law 3
			continue
		}
		// What is withheld is taken back first, so that no announcer hands it on to the next.
		for _, t := range steps {
			switch {
			case t.Last:
				moves = append(moves, t)
			case t.Verb != plan.Delete:
				busy = true
			case !r.isSafety(t):
				deletes = append(deletes, t)
			case r.gate != nil || r.do(ctx, r.uncarried(t)) != nil:
				bad.add(t.Serves)
			}
		}
		for _, t := range steps {
			if t.Verb != plan.Delete && !t.Last && r.mayAnnounce(t, bad) && r.do(ctx, t) == nil {
				r.announcedAt = time.Now()
			}
		}
	}
	r.move(ctx, moves, busy, bad)
	return deletes
}

// tellingTime is how long what an announcer did last may take to have its effect: a BGP daemon that was told to
// redistribute more has to ask another daemon for it.
const tellingTime = time.Second

// movingTime is how long a round moves keys. Each may have to wait for a BGP daemon, and there may be thousands: what
// happens meanwhile must not wait for all of them.
const movingTime = time.Second

// move runs the steps that change by what a key is told (plan.Step.Last), once no announcer has anything else to do.
func (r *round[I, S]) move(ctx context.Context, moves []task, busy bool, bad set) {
	if len(moves) == 0 {
		return
	}
	still := !busy && r.gate == nil && r.allReadAndPlanned() && time.Since(r.announcedAt) >= tellingTime
	began := time.Now()
	for _, t := range moves {
		if still && time.Since(began) >= movingTime {
			still = false
			r.unsettled = time.Time{} // it goes on at once
		}
		if still && r.mayAnnounce(t, bad) {
			_ = r.do(ctx, t) // kept by do
			continue
		}
		r.waiting = true
		r.books.waiting(t)
	}
}

func (r *round[I, S]) planAnnouncer(ctx context.Context, i int, a Announcer[S]) ([]task, error) {
	if err := r.told[i].err; err != nil {
		return nil, err
	}
	want, err := r.keeping(ctx, i, r.want.Without(r.withheld.sorted()...))
	var steps []task
	if err == nil {
		steps, err = r.plan(ctx, a, want)
	}
	r.told[i].unplanned = err
	return steps, err
}

// keeping brings into what an announcer is to tell the keys that another one tells, and whose withdrawal is held.
func (r *round[I, S]) keeping(ctx context.Context, i int, want S) (S, error) {
	if r.opts.Kept == nil || r.gate != nil || len(r.told[i].keys) == len(r.announced) {
		return want, nil
	}
	q := r.inquiry()
	missing := slices.DeleteFunc(q.vanished(), func(k string) bool { return r.told[i].keys[k] })
	if len(missing) == 0 {
		return want, nil
	}
	r.judge(ctx, q)
	missing = slices.DeleteFunc(missing, func(k string) bool { return !r.verdict.held[k] })
	if len(missing) == 0 {
		return want, nil
	}
	return r.opts.Kept(ctx, r.in, want, missing)
}

func (s set) add(keys []string) {
	for _, k := range keys {
		s[k] = true
	}
}

// isSafety tells whether a delete takes back nothing but keys that are withheld.
func (r *round[I, S]) isSafety(t task) bool {
	return t.Serves != nil && !slices.ContainsFunc(t.Serves, func(k string) bool { return !r.withheld[k] })
}

// mayAnnounce tells whether a step that adds or changes may run: not while a carrier is unread (rule 2), and not
// when it would take up a key that is not carried (rule 1). One that serves no key takes up none.
func (r *round[I, S]) mayAnnounce(t task, bad set) bool {
	if t.Serves != nil && len(t.Serves) == 0 {
		return true
	}
	if r.opts.Rules.Unread && len(r.unread) > 0 {
		r.waiting = true
		return false
	}
	if r.opts.Rules.Withhold {
		for k := range bad {
			if t.ServesKey(k) && !r.mustShare(t, k) {
				r.waiting = true
				return false
			}
		}
	}
	return true
}

// mustShare tells whether a step that hands on all keys alike may take up one that is not carried. At a closed gate
// nothing is withdrawn, so a key that nobody can mend would keep a BGP daemon that was restarted from telling any of
// the others, for as long as the database is away.
func (r *round[I, S]) mustShare(t task, key string) bool {
	return t.Serves == nil && r.gate != nil && r.mending[key] &&
		time.Since(r.broken[key]) >= r.opts.Timers.CarrierGrace
}

// withdrawFree withdraws at a closed gate what depends on no source.
func (r *round[I, S]) withdrawFree(ctx context.Context, deletes []task) {
	if r.opts.Free == nil {
		return
	}
	for _, t := range deletes {
		if len(t.Serves) > 0 && !slices.ContainsFunc(t.Serves, func(k string) bool { return !r.opts.Free(k) }) {
			_ = r.do(ctx, t) // kept by do
		}
	}
}

// withdraw runs the withdrawals that the guard lets go. Those that a decision explains do not wait for the database
// to be asked about the others.
func (r *round[I, S]) withdraw(ctx context.Context, deletes []task) {
	q := r.inquiry()
	r.forgetLeft(q)
	undecided := r.guard.undecided(q)
	var unsure []task
	for _, t := range deletes {
		switch {
		case touches(t, undecided):
			unsure = append(unsure, t)
		case !r.handsOver(t, q):
			_ = r.do(ctx, t) // kept by do
		}
	}
	if ctx.Err() != nil {
		return
	}
	r.judge(ctx, q)
	for _, t := range unsure {
		if !touches(t, r.verdict.held) {
			_ = r.do(ctx, t) // kept by do
		}
	}
}

// judge has the guard give its verdict, once a round: when every announcer has had its turn, for the whole database may be
// asked, and what is to be told must not wait for that; or before, when an announcer must know what is held to be told it.
func (r *round[I, S]) judge(ctx context.Context, q inquiry) {
	if r.judged {
		return
	}
	r.verdict, r.judged = r.guard.judge(q, r.evidence(ctx)), true
	if !r.dry {
		r.books.held(r.guard.report())
	}
}

// touches tells whether a step serves one of the keys.
func touches(t task, keys set) bool {
	if t.Serves == nil {
		return len(keys) > 0
	}
	return slices.ContainsFunc(t.Serves, func(k string) bool { return keys[k] })
}
