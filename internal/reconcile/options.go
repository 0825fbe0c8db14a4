package reconcile

import (
	"context"
	"log/slog"
	"time"

	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// Options say what a loop reads, decides with and changes. Source, Compute and Rules are needed; all else may be
// left out.
type Options[I any, S State[S]] struct {
	Source Source[I]
	// Compute makes the decisions. It is pure and called once a round, with what Source read; Explain, Evidence
	// and Database get the same value. So what they must agree on within a round (the settings in force) belongs into that
	// value, not into a closure.
	Compute func(I) (S, []model.Decision)
	// AtGate brings into the state of an earlier round what depends on no source: at a closed gate an operator may still
	// say something. It may be nil.
	AtGate func(S) S
	// First is asked at a closed gate while nothing was decided yet. It returns what depends on no source, and what is
	// announced now as it is: nothing else is to be concluded. An error says why not; nil: nothing is done then.
	First func(context.Context) (S, error)
	// Kept brings keys into a state that it does not want and that are announced all the same, as they are announced now. It
	// is asked where an announcer that forgets with its process, unlike another, does not tell keys whose withdrawal is held:
	// after a restart the guard would hold what nobody tells. nil: no announcer forgets.
	Kept func(ctx context.Context, in I, want S, keys []string) (S, error)
	// Free tells whether a key depends on no source, so that it is withdrawn at a closed gate, too. nil: none is.
	Free func(key string) bool
	// Carriers bring packets, Announcers tell the world. Each list is run in its order; where one announcer
	// hands what it has to the next (the kernel's addresses to FRR), it comes first.
	Carriers   []Applier[S]
	Announcers []Announcer[S]

	// Explain says what the round's input has on keys that are wanted no more and of which Compute's decisions say
	// nothing, as that decides about what is here. It is pure like Compute.
	Explain func(I, []string) map[string]model.Decision
	// Evidence is asked before a key is held, and again while it is; without it the decisions of Compute, and
	// Explain, count. It may be dear: a key that goes for no known reason is let go without, while few do.
	Evidence Evidence[I]
	// Database returns the identity of the database that this node last accepted, "" before the first, and of
	// the one read now, "" when unknown. AcceptDatabase keeps an identity.
	Database       func(I) (known, now string)
	DatabaseName   string // for the status
	AcceptDatabase func(ctx context.Context, id string) error

	// Count lists how many objects of each kind a state wants, for the status.
	Count func(S) []status.Count
	// Kinds names the kind of each key that a state wants, in the order of Keys, for the metrics.
	Kinds func(S) []string
	// Writes returns how many writes each subsystem has made, for the status.
	Writes  func() map[string]uint64
	Version string

	Rules  Rules
	Timers Timers
	Guard  Guard

	Log     *slog.Logger
	Metrics *metrics.Reconcile
}

// Rules are the switches of what keeps "announce only what forwards" true when things fail. In production all
// are on; a test turns one off to see it matter.
type Rules struct {
	// Withhold (1): a key whose carrier could not be created or updated is not announced anew.
	Withhold bool
	// Unread (2): while the state of a carrier cannot be read, announcers only withdraw.
	Unread bool
	// ClearLast (3): a carrier is deleted only when each key it serves is carried by what is wanted and in place,
	// or is neither announced nor held any more.
	ClearLast bool
	// MendFirst (4): an announced key whose carrier is gone is mended for Timers.CarrierGrace before it is
	// withdrawn. Off, it is withdrawn at once.
	MendFirst bool
}

// AllRules returns the rules with every switch on.
func AllRules() Rules {
	return Rules{Withhold: true, Unread: true, ClearLast: true, MendFirst: true}
}

// Timers are the loop's times. Where zero means "off" the field says so; any other zero takes a default.
type Timers struct {
	Debounce     time.Duration // pokes within it are one round; 5 ms
	Interval     time.Duration // reconcile_interval: everything is read anew; 0: off
	CarrierGrace time.Duration // carrier_grace; 0: off, a key whose carrier is gone is withdrawn at once
	Handover     time.Duration // how long a key that is another node's now is still announced; 0: not at all
	RetryMin     time.Duration // first retry of what failed, about doubled each time; 100 ms
	RetryMax     time.Duration // 30 s
	Step         time.Duration // bound of one step; 30 s
	Read         time.Duration // bound of one read; 10 s
}

// Guard are the settings of what keeps a broken database from emptying the fabric.
type Guard struct {
	Window  time.Duration // guard_window
	Percent int           // guard_percent: held when more than this share of the announced keys …
	Min     int           // guard_min: … and at least this many are unexplained; 0: this class is never held
	Hold    time.Duration // guard_hold: time after which the same set is released; 0: only by hand
	Recheck time.Duration // how often evidence is asked for again while keys are held; 5 s
}

func (t Timers) withDefaults() Timers {
	setDefault(&t.Debounce, 5*time.Millisecond)
	setDefault(&t.RetryMin, 100*time.Millisecond)
	setDefault(&t.RetryMax, 30*time.Second)
	setDefault(&t.Step, 30*time.Second)
	setDefault(&t.Read, 10*time.Second)
	return t
}

func (g Guard) withDefaults() Guard {
	setDefault(&g.Recheck, 5*time.Second)
	return g
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}
