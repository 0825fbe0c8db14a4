package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// books keep how it went, tell it once to the log and always to the metrics.
type books struct {
	log     *slog.Logger
	metrics *metrics.Reconcile

	before   map[objectID]*status.Object // troubles of the last round
	troubles map[objectID]*status.Object // of this one
	steps    int                         // run in this round, well or not
	failures int

	rounds   []status.Round
	lastGood time.Time
	source   status.Source
	heldHash string
	warned   bool // of a source that is not in sync
	remarks  map[status.Remark]bool
}

// startup is how long a source may take to come in sync before that is worth a word in the log.
const startup = 5 * time.Second

// objectID names an object over rounds.
type objectID struct {
	subsystem, object string
	state             status.State
	verb              plan.Verb
}

func newBooks(log *slog.Logger, m *metrics.Reconcile, database string) *books {
	return &books{log: log, metrics: m, source: status.Source{Name: database}, troubles: map[objectID]*status.Object{}}
}

// open begins a round.
func (b *books) open() {
	b.before, b.troubles = b.troubles, map[objectID]*status.Object{}
	b.steps, b.failures = 0, 0
}

// trouble notes an object that is not as it must be, and tells whether it was already so in the last round.
func (b *books) trouble(o status.Object) (known bool) {
	id := objectID{o.Subsystem, o.Object, o.State, o.Verb}
	if _, twice := b.troubles[id]; twice {
		return true
	}
	o.Since, o.Tries = time.Now().UTC(), 1
	old, known := b.before[id]
	if known {
		o.Since, o.Tries = old.Since, old.Tries+1
	}
	b.troubles[id] = &o
	return known
}

// keepUntried keeps the troubles of what a round at a closed gate did not try: what takes away. They are neither over
// nor new when the source is back.
func (b *books) keepUntried() {
	for id, o := range b.before {
		if _, again := b.troubles[id]; !again && (id.verb == plan.Delete || id.subsystem == guardName) {
			b.troubles[id] = o
		}
	}
}

func (b *books) worked(t task, drift bool) {
	b.steps++
	kind := kindOf(t.Object)
	b.metrics.Operations.WithLabelValues(kind, string(t.Verb), "ok").Inc()
	if drift {
		b.metrics.Drift.WithLabelValues(kind).Inc()
	}
	b.log.Info("step", "subsystem", t.subsystem, "object", t.Object, "verb", string(t.Verb), "why", t.Why)
}

func (b *books) failed(t task, err error) {
	b.steps++
	b.failures++
	b.metrics.Operations.WithLabelValues(kindOf(t.Object), string(t.Verb), "error").Inc()
	known := b.trouble(status.Object{Subsystem: t.subsystem, Object: t.Object, State: status.Failing, Verb: t.Verb,
		Why: t.Why, Err: err.Error()})
	if !known {
		b.log.Warn("step failed", "subsystem", t.subsystem, "object", t.Object, "verb", string(t.Verb),
			"why", t.Why, "err", err)
	}
}

func (b *books) unread(subsystem string, err error) {
	b.failures++
	if !b.trouble(status.Object{Subsystem: subsystem, Object: subsystem, State: status.Unread, Err: err.Error()}) {
		b.log.Warn("cannot be read", "subsystem", subsystem, "err", err)
	}
}

// readAgain tells of the subsystems that could not be read in the last round and could in this one.
func (b *books) readAgain() {
	for id := range b.before {
		if _, still := b.troubles[id]; id.state == status.Unread && !still {
			b.log.Info("is read again", "subsystem", id.subsystem)
		}
	}
}

func (b *books) waiting(t task) {
	b.trouble(status.Object{Subsystem: t.subsystem, Object: t.Object, State: status.Waiting, Verb: t.Verb, Why: t.Why})
}

func (b *books) withheld(key, reason string) {
	b.trouble(status.Object{Subsystem: announcements, Object: key, State: status.Withheld, Err: reason})
}

func (b *books) mending(key, reason string) {
	b.trouble(status.Object{Subsystem: announcements, Object: key, State: status.Mending, Err: reason})
}

func (b *books) fought(t task, reason string) {
	known := b.trouble(status.Object{Subsystem: t.subsystem, Object: t.Object, State: status.Fought, Verb: t.Verb,
		Why: t.Why, Err: reason})
	if !known {
		b.log.Warn("fought over", "subsystem", t.subsystem, "object", t.Object, "verb", string(t.Verb), "why", t.Why)
	}
}

// Subsystems of what no applier is to blame for.
const (
	announcements = "announcements" // keys
	guardName     = "guard"
)

// held tells the log when the guard begins to hold, or holds another set.
func (b *books) held(h *status.Held) {
	b.metrics.GuardActive.Set(0)
	b.metrics.GuardBlocked.Set(0)
	if h == nil {
		b.heldHash = ""
		return
	}
	b.metrics.GuardActive.Set(1)
	b.metrics.GuardBlocked.Set(float64(len(h.Keys)))
	if h.Hash != b.heldHash {
		b.heldHash = h.Hash
		b.log.Warn("withdrawals held", "subsystem", guardName, "object", h.Hash, "why", status.HeldText(h))
	}
}

// gate notes whether the source could be read.
func (b *books) gate(err error, known, database string) {
	src := status.Source{InSync: err == nil, Since: time.Now().UTC(), Name: b.source.Name, Database: database,
		Known: known}
	if err != nil {
		src.Err = err.Error()
		src.Database, src.Known = b.source.Database, b.source.Known
	}
	if !b.source.Since.IsZero() && src.InSync == b.source.InSync {
		src.Since = b.source.Since
	}
	switch {
	case err != nil && b.source.InSync:
		b.log.Warn("the source is not in sync: nothing is decided anew", "err", err)
		b.warned = true
	case err != nil && !b.warned && src.Since.Add(startup).Before(time.Now()):
		// A source that has not been in sync yet is starting up; that takes a moment.
		b.log.Warn("the source is not in sync yet", "err", err)
		b.warned = true
	case err == nil && b.warned:
		b.log.Info("the source is in sync again")
		b.warned = false
	}
	b.source = src
}

// round adds a round to the list. Rounds that found nothing to do are one entry, the latest.
func (b *books) round(r status.Round, seconds time.Duration) {
	for _, t := range r.Triggers[:min(1, len(r.Triggers))] {
		b.metrics.Duration.WithLabelValues(t).Observe(seconds.Seconds())
	}
	b.metrics.Total.WithLabelValues(r.Result).Inc()
	if r.Result == resultOK {
		b.lastGood = r.At.Add(seconds)
		b.metrics.LastSuccess.Set(float64(b.lastGood.UnixMilli()) / 1000)
	}
	idle := func(r status.Round) bool { return len(r.Steps) == 0 && r.Result == resultOK }
	if len(b.rounds) > 0 && idle(r) && idle(b.rounds[0]) {
		b.rounds[0] = r
		return
	}
	b.rounds = slices.Insert(b.rounds, 0, r)
	b.rounds = b.rounds[:min(len(b.rounds), maxRounds)]
}

// Bounds of what a report lists.
const (
	maxRounds   = 10
	maxTroubles = 100
	maxRemarks  = 100
	// maxWarnings bounds how many remarks one round tells the log: a database full of bad values is one fault.
	maxWarnings = 20
)

// youngest returns since when the latest trouble is one; the zero time when there is none.
func (b *books) youngest() time.Time {
	var latest time.Time
	if !b.source.InSync {
		latest = b.source.Since
	}
	for _, o := range b.troubles {
		if o.Since.After(latest) {
			latest = o.Since
		}
	}
	return latest
}

// objects returns the troubles, sorted and bounded, and how many more there are.
func (b *books) objects() (list []status.Object, more int) {
	count := map[status.State]int{}
	for _, o := range b.troubles {
		list = append(list, *o)
		count[o.State]++
	}
	for _, s := range status.States() {
		b.metrics.Objects.WithLabelValues(string(s)).Set(float64(count[s]))
	}
	slices.SortFunc(list, func(x, y status.Object) int {
		return strings.Compare(sortKey(x), sortKey(y))
	})
	more = max(0, len(list)-maxTroubles)
	return list[:len(list)-more], more
}

func sortKey(o status.Object) string {
	return string(o.State) + "\x00" + o.Subsystem + "\x00" + o.Object + "\x00" + string(o.Verb)
}

// troubled counts the objects of a kind that a step failed on.
func (b *books) troubled(subsystem, kind string) int {
	n := 0
	for id := range b.troubles {
		if id.state == status.Failing && id.verb != plan.Delete && id.subsystem == subsystem &&
			kindOf(id.object) == kind {
			n++
		}
	}
	return n
}

// remark tells the log of decisions about rows and settings that were not there before, and returns all of them,
// bounded, and how many more there are.
func (b *books) remark(decisions []model.Decision) (list []status.Remark, more int) {
	now := map[status.Remark]bool{}
	fresh := 0
	for _, d := range decisions {
		m := status.Remark{Reason: d.Reason, Row: d.Row, Text: d.Text, Fix: d.Fix}
		if d.Address.IsValid() || now[m] {
			continue
		}
		now[m] = true
		list = append(list, m)
		if b.remarks[m] {
			continue
		}
		if fresh++; fresh <= maxWarnings {
			b.log.Warn("remark", "object", m.Row, "why", m.Text)
		}
	}
	if fresh > maxWarnings {
		b.log.Warn("more remarks than are told here", "why", fmt.Sprintf("status has %d more", fresh-maxWarnings))
	}
	b.remarks = now
	more = max(0, len(list)-maxRemarks)
	return list[:len(list)-more], more
}

// kindOf returns an object's kind, the first word of its name.
func kindOf(object string) string {
	kind, _, _ := strings.Cut(object, " ")
	return kind
}

// reasons counts decisions by verdict and reason.
func reasons(decisions []model.Decision) []status.ReasonCount {
	count := map[status.ReasonCount]int{}
	for _, d := range decisions {
		count[status.ReasonCount{Verdict: d.Verdict, Reason: d.Reason}]++
	}
	list := make([]status.ReasonCount, 0, len(count))
	for r, n := range count {
		r.Count = n
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y status.ReasonCount) int {
		return strings.Compare(string(x.Verdict)+"\x00"+x.Reason, string(y.Verdict)+"\x00"+y.Reason)
	})
	return list
}

// Results of a round.
const (
	resultOK          = "ok"
	resultIncomplete  = "incomplete" // something waits, or is withheld
	resultError       = "error"
	resultGate        = "gate-closed"
	resultInterrupted = "interrupted"
)

func (r *round[I, S]) result(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil:
		return resultInterrupted
	case r.gate != nil:
		return resultGate
	case err != nil:
		return resultError
	case r.waiting || r.paced || len(r.verdict.held) > 0:
		return resultIncomplete
	}
	return resultOK
}
