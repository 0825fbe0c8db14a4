package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ovnbgp/internal/metrics"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// Loop brings about what a source asks for. Make it with New.
type Loop[I any, S State[S]] struct {
	opts     Options[I, S]
	inbox    *inbox
	requests chan request
	stopped  chan struct{}
	report   atomic.Pointer[status.Report]
	reported chan struct{}

	mu      sync.Mutex // taken by whoever runs a round while the loop does not run
	started bool

	// Below is owned by the goroutine of Run.
	books        *books
	guard        *guard
	fights       fights
	last         *decided[S]             // what came of the last snapshot; nil before the first
	worked       *decided[S]             // what the last round worked by, at a closed gate, too
	broken       map[string]time.Time    // since when a wanted key's carrier is gone
	leaving      map[string]time.Time    // since when an announced key is known to be another node's
	unresponsive map[string]unresponsive // appliers that did not answer in time
	unsettled    time.Time               // since when rounds leave something to do; zero if the last left nothing
	retryAt      time.Time
	rereadAt     time.Time
	lookAt       time.Time // when the guard must look again
	foughtAt     time.Time // when to look again at what is fought over
	weighed      time.Time // when the ends of carrier_grace were last acted upon
	announcedAt  time.Time // when the world was last told something new; at first when the loop was made
	measured     measured

	// jitter makes a retry a little earlier: nodes that lost the same server must not all come back at the same
	// moment.
	jitter func(time.Duration) time.Duration
}

// request is a call that the loop's goroutine answers.
type request struct {
	serve  func(ctx context.Context) error
	answer chan error
}

// New returns a loop that is not running yet.
func New[I any, S State[S]](o Options[I, S]) *Loop[I, S] {
	o.Timers = o.Timers.withDefaults()
	o.Guard = o.Guard.withDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.NewReconcile(prometheus.NewRegistry())
	}
	l := &Loop[I, S]{
		opts:         o,
		inbox:        newInbox(),
		requests:     make(chan request),
		reported:     make(chan struct{}, 1),
		stopped:      make(chan struct{}),
		books:        newBooks(o.Log, o.Metrics, o.DatabaseName),
		guard:        newGuard(o.Guard),
		broken:       map[string]time.Time{},
		leaving:      map[string]time.Time{},
		unresponsive: map[string]unresponsive{},
		fights:       fights{},
		announcedAt:  time.Now(),
		jitter:       func(d time.Duration) time.Duration { return d - rand.N(d/4+1) },
	}
	l.report.Store(&status.Report{Version: o.Version, Time: time.Now().UTC(), Verdict: status.Starting,
		Text: "no round yet"})
	return l
}

// Run works until the context ends, then finishes the step at hand and leaves everything as it is. It may be
// called once. The error is the context's.
func (l *Loop[I, S]) Run(ctx context.Context) error {
	l.mu.Lock()
	l.started = true
	l.mu.Unlock()
	var listeners sync.WaitGroup
	defer listeners.Wait()
	defer close(l.stopped)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.listen(ctx, &listeners)

	l.rereadAt = after(time.Now(), l.opts.Timers.Interval)
	_ = l.round(ctx, arrivals{triggers: []Trigger{Start}}) // here and below: the status has it
	for ctx.Err() == nil {
		l.wait(ctx)
	}
	return ctx.Err()
}

// listen turns the pokes of all parts into arrivals.
func (l *Loop[I, S]) listen(ctx context.Context, wg *sync.WaitGroup) {
	listen := func(pokes <-chan struct{}, t Trigger, from string) {
		if pokes != nil {
			wg.Go(func() { l.inbox.forward(ctx, pokes, t, from) })
		}
	}
	listen(l.opts.Source.Pokes(), Event, "")
	for _, a := range l.appliers() {
		listen(a.Pokes(), Drift, a.Name())
	}
}

func (l *Loop[I, S]) appliers() []Applier[S] {
	all := slices.Clone(l.opts.Carriers)
	for _, a := range l.opts.Announcers {
		all = append(all, a)
	}
	return all
}

// wait sleeps until there is something to do and does it.
func (l *Loop[I, S]) wait(ctx context.Context) {
	wake, trigger := l.nextWake()
	timer := newTimer(wake)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case r := <-l.requests:
		r.answer <- r.serve(ctx)
	case <-l.inbox.notify:
		l.debounce(ctx)
		if ctx.Err() == nil {
			_ = l.round(ctx, l.inbox.take())
		}
	case <-timer.C:
		if trigger == Timer {
			_ = l.reread(ctx)
		}
		a := l.inbox.take()
		a.triggers = append(a.triggers, trigger)
		_ = l.round(ctx, a)
	}
}

// debounce waits so that ten pokes become one round. While something is left to do or is fought over a poke of an
// applier waits longer: it may be the echo of the failure, and would make a loop without a pause. A poke of the source
// cuts that short.
func (l *Loop[I, S]) debounce(ctx context.Context) {
	short := time.NewTimer(l.opts.Timers.Debounce)
	defer short.Stop()
	if !l.unsettled.IsZero() || !l.foughtAt.IsZero() {
		long := time.NewTimer(l.opts.Timers.RetryMin)
		defer long.Stop()
		for waiting := true; waiting && !l.inbox.has(Event); {
			select {
			case <-ctx.Done():
				return
			case <-long.C:
				waiting = false
			case <-l.inbox.notify:
			}
		}
	}
	select {
	case <-ctx.Done():
	case <-short.C:
	}
}

// reread has all appliers that keep copies read the actual state anew. Its failures show in the round's plans.
func (l *Loop[I, S]) reread(ctx context.Context) error {
	l.rereadAt = after(time.Now(), l.opts.Timers.Interval)
	var errs []error
	for _, a := range l.appliers() {
		if r, ok := a.(Rereader); ok {
			errs = append(errs, bounded(ctx, l.opts.Timers.Read, r.Reread))
		}
	}
	return errors.Join(errs...)
}

// Sync reads everything anew, runs a full round and returns what failed in it.
func (l *Loop[I, S]) Sync(ctx context.Context) error {
	return l.ask(ctx, func(own context.Context) error {
		err := l.reread(own)
		return errors.Join(err, l.round(own, arrivals{triggers: []Trigger{Request}}))
	})
}

// AcceptWithdrawals releases the held withdrawals and, where that is held, accepts the database, if the hash names
// exactly what is held now; then it runs a round. Failures of the round are in the status.
func (l *Loop[I, S]) AcceptWithdrawals(ctx context.Context, hash string) error {
	return l.ask(ctx, func(own context.Context) error {
		if err := l.guard.accept(hash); err != nil {
			return err
		}
		_ = l.round(own, arrivals{triggers: []Trigger{Request}}) // reported by the status
		return nil
	})
}

// Plan returns what a round would do now if every step went well. It changes nothing. A loop that was never started
// answers, too.
func (l *Loop[I, S]) Plan(ctx context.Context) (plan.Preview, error) {
	l.mu.Lock()
	if !l.started {
		defer l.mu.Unlock()
		return l.preview(ctx)
	}
	l.mu.Unlock()
	var p plan.Preview
	err := l.ask(ctx, func(own context.Context) (err error) {
		p, err = l.preview(own)
		return err
	})
	return p, err
}

// errStopped answers requests to a loop that does not run.
var errStopped = errors.New("the loop does not run")

// ask has the loop's goroutine serve a request. The request goes on when the asker has left.
func (l *Loop[I, S]) ask(ctx context.Context, serve func(context.Context) error) error {
	l.mu.Lock()
	started := l.started
	l.mu.Unlock()
	if !started {
		return errStopped
	}
	r := request{serve: serve, answer: make(chan error, 1)}
	select {
	case l.requests <- r:
	case <-l.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reported receives when a round has made a new report; reports that nobody waited for become one.
func (l *Loop[I, S]) Reported() <-chan struct{} { return l.reported }

// Status returns the report of the last round, as of now.
func (l *Loop[I, S]) Status() status.Report {
	r := *l.report.Load()
	r.Time = time.Now().UTC()
	if l.opts.Writes == nil {
		return r
	}
	writes := l.opts.Writes()
	r.Subsystems = slices.Clone(r.Subsystems)
	for i := range r.Subsystems {
		r.Subsystems[i].Writes = writes[r.Subsystems[i].Name]
	}
	return r
}

// bounded runs a read with a time limit, so that one that hangs does not stop the loop.
func bounded(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f(ctx)
}
