package reconcile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// keys is the simplest state: each key needs one carrier of the same name.
type keys struct {
	carried   []string
	announced []string
}

func (k keys) Keys() []string { return k.announced }

func (k keys) Without(drop ...string) keys {
	k.announced = slices.DeleteFunc(slices.Clone(k.announced), func(s string) bool { return slices.Contains(drop, s) })
	return k
}

// world is what the tests' loop reads and changes, all in memory. Everything that happens is a line in its log.
type world struct {
	fence
	log   []string
	pokes chan struct{}

	want      []string // what the source says
	decisions []model.Decision
	sourceErr error
	slow      time.Duration // how long the source takes to answer
	undoes    string        // a carrier that a stranger deletes before each round
	computed  int
	database  string
	known     string

	copied      map[string]model.Decision // what the round's input says when asked
	evidence    map[string]model.Decision
	evidenceErr error
	asked       int

	carriers  *part
	announcer *part
	second    *part
}

// part is an applier over a set of keys.
type part struct {
	w       *world
	name    string
	noun    string
	have    set
	pokes   chan struct{}
	readErr error
	planErr error
	hangs   bool             // Plan does not answer
	asked   int              // calls of Plan
	fail    map[string]error // by step, "create carrier a"
	during  func(step string)
	forgets bool // its steps say they worked and change nothing
	lastly  set  // keys whose steps are to be the last
	free    set  // keys whose deletes depend on no source
	silent  bool // it has no keys of its own, and hands on what the others tell
	rereads int
	serves  func(key string) []string
	announcing
}

type announcing struct{ pick func(keys) []string }

func newWorld(want ...string) *world {
	w := &world{pokes: make(chan struct{}, 100), want: want, evidence: map[string]model.Decision{}}
	w.carriers = w.part("kernel", "carrier", func(k keys) []string { return k.carried })
	w.announcer = w.part("nic", "address", func(k keys) []string { return k.announced })
	return w
}

func (w *world) part(name, noun string, pick func(keys) []string) *part {
	return &part{w: w, name: name, noun: noun, have: set{}, fail: map[string]error{}, pokes: make(chan struct{}, 100),
		serves: func(k string) []string { return []string{k} }, announcing: announcing{pick}}
}

func (w *world) Snapshot(context.Context) (*world, error) {
	w.sync()
	time.Sleep(w.slow)
	w.sync()
	delete(w.carriers.have, w.undoes)
	return w, w.sourceErr
}

func (w *world) Pokes() <-chan struct{} { return w.pokes }

func (w *world) compute(*world) (keys, []model.Decision) {
	w.computed++
	return keys{carried: slices.Clone(w.want), announced: slices.Clone(w.want)}, w.decisions
}

func (w *world) explain(_ *world, keys []string) map[string]model.Decision {
	found := map[string]model.Decision{}
	for _, k := range keys {
		if d, known := w.copied[k]; known {
			found[k] = d
		}
	}
	return found
}

func (w *world) ask(_ context.Context, _ *world, _ []string) (map[string]model.Decision, error) {
	w.asked++
	return w.evidence, w.evidenceErr
}

func (p *part) Name() string           { return p.name }
func (p *part) Pokes() <-chan struct{} { return p.pokes }

func (p *part) Announced(context.Context) ([]string, error) {
	if p.silent {
		return nil, p.readErr
	}
	return p.have.sorted(), p.readErr
}

func (p *part) Reread(context.Context) error {
	p.rereads++
	return nil
}

func (p *part) Plan(ctx context.Context, want keys) ([]plan.Step, error) {
	p.asked++
	if p.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := cmp.Or(p.readErr, p.planErr); err != nil {
		return nil, err
	}
	var steps []plan.Step
	wanted := setOf(p.pick(want))
	for _, k := range wanted.sorted() {
		if !p.have[k] {
			steps = append(steps, p.step(plan.Create, k))
		}
	}
	for _, k := range p.have.sorted() {
		if !wanted[k] {
			steps = append(steps, p.step(plan.Delete, k))
		}
	}
	return steps, nil
}

func (p *part) step(v plan.Verb, k string) plan.Step {
	s := plan.Step{Verb: v, Object: p.noun + " " + k, Why: "test", Serves: p.serves(k), Last: p.lastly[k],
		Free: p.free[k] && v == plan.Delete}
	s.Do = func(ctx context.Context) error {
		if p.during != nil {
			p.during(s.String())
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.fail[s.String()]; err != nil {
			p.w.log = append(p.w.log, s.String()+": "+err.Error())
			return err
		}
		p.w.log = append(p.w.log, s.String())
		switch {
		case p.forgets:
		case v == plan.Delete:
			delete(p.have, k)
		default:
			p.have[k] = true
		}
		return nil
	}
	return s
}

// done returns what happened since it was last called.
func (w *world) done() []string {
	log := w.log
	w.log = nil
	return log
}

// standing makes a world in which everything wanted is there, and nothing is left to do.
func standing(want ...string) *world {
	w := newWorld(want...)
	w.carriers.have, w.announcer.have = setOf(want), setOf(want)
	return w
}

func (w *world) options() Options[*world, keys] {
	o := Options[*world, keys]{
		Source: w, Compute: w.compute,
		Carriers: []Applier[keys]{w.carriers}, Announcers: []Announcer[keys]{w.announcer},
		Explain:        w.explain,
		Evidence:       w.ask,
		Database:       func(*world) (string, string) { return w.known, w.database },
		AcceptDatabase: w.accept,
		Rules:          AllRules(),
		Timers:         Timers{CarrierGrace: 5 * time.Second},
		Guard:          Guard{Window: time.Minute, Percent: 50, Min: 10, Hold: 5 * time.Minute},
	}
	if w.second != nil {
		o.Announcers = append(o.Announcers, w.second)
	}
	return o
}

func (w *world) accept(_ context.Context, id string) error {
	w.log = append(w.log, "accept "+id)
	w.known = id
	return nil
}

// play runs a loop in a bubble of its own clock while the scenario acts on the world.
func play(t *testing.T, w *world, change func(*Options[*world, keys]), scenario func(*testing.T, *Loop[*world, keys])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w.pokes = make(chan struct{}, 100) // channels belong to the bubble that made them
		for _, p := range []*part{w.carriers, w.announcer, w.second} {
			if p != nil {
				p.pokes = make(chan struct{}, 100)
			}
		}
		o := w.options()
		if change != nil {
			change(&o)
		}
		l := New(o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()
		scenario(t, l)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: got %v, want the context's error", err)
		}
	})
}

// fence orders what the test does to the world before what the loop sees of it: a timer that fires does not.
type fence struct{ mu sync.Mutex }

func (f *fence) sync() {
	f.mu.Lock()
	defer f.mu.Unlock()
}

// pass lets time pass until everybody waits again.
func (f *fence) pass(d time.Duration) {
	f.sync()
	time.Sleep(d)
	synctest.Wait()
}

// poke pokes as a source does, and lets the round happen.
func (w *world) poke() {
	w.pokes <- struct{}{}
	w.pass(10 * time.Millisecond)
}

func wantLog(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.done(); !slices.Equal(got, want) {
		t.Errorf("steps:\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func wantKeys(t *testing.T, what string, got set, want ...string) {
	t.Helper()
	if !maps.Equal(got, setOf(want)) {
		t.Errorf("%s: got %v, want %v", what, got.sorted(), want)
	}
}

// names returns "k00", "k01", …
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("k%02d", i)
	}
	return list
}

func logTo(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}
