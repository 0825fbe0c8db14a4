package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// set is a set of announcement keys.
type set map[string]bool

func setOf(keys []string) set {
	s := make(set, len(keys))
	for _, k := range keys {
		s[k] = true
	}
	return s
}

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// round is one run: what was read, what was found, what is left to do. It is thrown away at its end.
type round[I any, S State[S]] struct {
	*Loop[I, S]
	arrivals arrivals
	start    time.Time

	dry     bool  // a preview: nothing is run, nothing is kept
	gate    error // why the source could not be read: the gate is closed
	hasWant bool  // there is a state to work by: of this snapshot, or at a closed gate of the last

	in        I
	want      S
	keys      []string // that the state wants, in its order
	wanted    set
	decisions []model.Decision
	unwanted  map[string]model.Decision // those on keys that are not wanted; see lastWord

	told      []told // by announcer, in the order of Options.Announcers
	announced set    // every key that any announcer tells

	// unread names the carriers whose actual state is not known; nothing may be concluded from them.
	unread map[string]error
	// gone says of wanted keys which carrier is not in place.
	gone map[string]string
	// withheld are the wanted keys that must not be announced now.
	withheld set
	// mending are the announced keys that are not carried and are left alone for carrier_grace.
	mending set
	// vanishing is what is known of the keys that are announced and wanted no more.
	vanishing map[string]model.Decision
	clears    []task // deletes of carriers
	guard     *guard // the loop's; in a preview a copy
	verdict   verdict
	judged    bool // the guard gave its verdict
	errs      []error
	steps     map[plan.Verb]int
	waiting   bool // something is left that no error stands for
	paced     bool // a step was left out because it is fought over
	// changed tells whether the state is another than in the last round.
	changed func() bool
}

// decided is what Compute made of a snapshot.
type decided[S any] struct {
	want      S
	decisions []model.Decision
}

// told is what one announcer tells the world. It is not known when that could not be read, nor when a plan could
// not be made: a BGP daemon that does not answer may still be believed by its peers.
type told struct {
	keys      set
	err       error
	unplanned error
}

func (t told) problem() error { return cmp.Or(t.err, t.unplanned) }

// task is a step with the name of its subsystem.
type task struct {
	subsystem string
	plan.Step
}

// round runs one round and keeps what came of it. The error joins all that failed.
func (l *Loop[I, S]) round(ctx context.Context, a arrivals) error {
	r := &round[I, S]{Loop: l, arrivals: a, start: time.Now(), guard: l.guard, unread: map[string]error{},
		steps: map[plan.Verb]int{}}
	l.books.open()
	l.fights.open()
	err := r.run(ctx)
	r.settleFights()
	r.close(ctx, err)
	r.settle(err == nil && !r.waiting, r.start)
	l.lookAt = time.Time{}
	if r.judged {
		l.lookAt = l.guard.nextLook()
	}
	return err
}

// errGate marks that the source could not be read: no decision could be made.
var errGate = errors.New("the source cannot be read")

// run is the order of things: build, announce, withdraw, clear. See Rules.
//
// What is withheld is withdrawn before anything is announced, and what stands in the way of a wanted key is cleared
// while its carriers are built; all other deletes come last. At a closed gate nothing is taken away but what depends on no
// source.
func (r *round[I, S]) run(ctx context.Context) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	r.build(ctx)
	r.withhold()
	deletes := r.announce(ctx)
	if r.gate == nil {
		r.withdraw(ctx, deletes)
		r.clear(ctx)
		r.acceptDatabase(ctx)
	} else {
		r.withdrawFree(ctx, deletes)
		r.clearFree(ctx)
	}
	if len(r.steps) > 0 && ctx.Err() == nil {
		r.readAnnounced(ctx) // for the report
	}
	return errors.Join(append(r.errs, r.gate, ctx.Err())...)
}

// read reads the source, decides, and asks the announcers what they tell now. While the source cannot be read a round
// goes on with what depends on no source, and what was decided last, if anything was; a preview does not.
func (r *round[I, S]) read(ctx context.Context) error {
	err := bounded(ctx, r.opts.Timers.Read, func(ctx context.Context) (err error) {
		r.in, err = r.opts.Source.Snapshot(ctx)
		return err
	})
	if err != nil {
		r.gate = fmt.Errorf("%w: %w", errGate, err)
		if r.dry || ctx.Err() != nil {
			return r.gate
		}
		if err := r.decideAtGate(ctx); err != nil {
			return err
		}
	} else {
		r.compute()
	}
	r.hasWant = true
	r.keys = r.want.Keys()
	r.wanted = setOf(r.keys)
	r.readAnnounced(ctx)
	return nil
}

// compute decides by what was read.
func (r *round[I, S]) compute() {
	r.want, r.decisions = r.opts.Compute(r.in)
	last := r.last
	r.changed = sync.OnceValue(func() bool { return isChanged(last, r.want) })
	if !r.dry {
		r.last = &decided[S]{r.want, r.decisions}
		r.worked = r.last
	}
}

// readAnnounced reads what every announcer tells the world now.
func (r *round[I, S]) readAnnounced(ctx context.Context) {
	before := r.told
	r.told, r.announced = make([]told, len(r.opts.Announcers)), make(set, len(r.announced))
	for i, a := range r.opts.Announcers {
		var keys []string
		err := r.consult(ctx, a.Name(), func(ctx context.Context) (err error) {
			keys, err = a.Announced(ctx)
			return err
		})
		r.told[i] = told{keys: setOf(keys), err: err}
		if before != nil {
			r.told[i].unplanned = before[i].unplanned
		}
		maps.Copy(r.announced, r.told[i].keys)
		r.noteRead(a.Name(), err)
	}
}

// noteRead keeps that an applier could not be read.
func (r *round[I, S]) noteRead(subsystem string, err error) {
	if err == nil {
		return
	}
	r.errs = append(r.errs, fmt.Errorf("read %s: %w", subsystem, err))
	if !r.dry {
		r.books.unread(subsystem, err)
	}
}

// allRead tells whether every announcer said what it tells.
func (r *round[I, S]) allRead() bool {
	return !slices.ContainsFunc(r.told, func(t told) bool { return t.err != nil })
}

// allReadAndPlanned tells whether every announcer could be read, and planned if it was its turn.
func (r *round[I, S]) allReadAndPlanned() bool {
	return !slices.ContainsFunc(r.told, func(t told) bool { return t.problem() != nil })
}

// do runs a step. One that has begun is finished even if the context ends; none is begun after that.
func (r *round[I, S]) do(ctx context.Context, t task) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t = r.because(t)
	if r.isPaced(t) {
		return fmt.Errorf("%s: %w", t.Step, errFought)
	}
	err := bounded(context.WithoutCancel(ctx), r.opts.Timers.Step, t.Do)
	if err == nil {
		if !r.changed() {
			r.fights.note(t, time.Now())
		}
		r.steps[t.Verb]++
		r.books.worked(t, r.isDrift() && !r.changed())
		return nil
	}
	err = fmt.Errorf("%s: %w", t.Step, err)
	r.errs = append(r.errs, fmt.Errorf("%s: %w", t.subsystem, err))
	r.books.failed(t, err)
	return err
}

// isDrift tells whether only another hand can be the cause of what this round changes.
func (r *round[I, S]) isDrift() bool {
	return !slices.ContainsFunc(r.arrivals.triggers, func(t Trigger) bool { return t != Drift && t != Timer })
}
