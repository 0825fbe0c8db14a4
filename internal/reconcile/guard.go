package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// guard keeps a broken database from emptying the fabric: it holds withdrawals that happen for want of data. The whole
// database is asked about what would be held, and about nothing else. Held keys are found anew each round as announced and
// not wanted; the guard remembers only what it needs to know when they went and since when the same set is held, so a
// restart holds again what was held, with a new window.
type guard struct {
	cfg Guard

	answers  map[string]answer    // what the whole database said of keys, while they are announced and unwanted
	departed map[string]departure // keys that the world was told within the window and is told no more
	previous set                  // announced at the last look
	looked   time.Time            // when that was
	letGo    set                  // unexplained keys that were let go since previous was read
	released set                  // let go by an operator or by time, until they are gone

	held     []status.HeldKey // sorted by key
	since    time.Time        // since when it is this set
	judged   time.Time        // when the guard last judged
	database databaseWatch
}

// answer is what the database said of a key.
type answer struct {
	decision model.Decision
	err      error
	at       time.Time
}

// departure is a key that went.
type departure struct {
	at          time.Time
	unexplained bool
}

// inquiry is what the guard is asked about in one round.
type inquiry struct {
	now               time.Time
	announced, wanted set
	complete          bool // every announcer was read
	decisions         map[string]model.Decision
	known, database   string // identities of the database: accepted before, read now
}

// verdict is what the guard says.
type verdict struct {
	held   set
	accept string // identity of the database to accept now; "" for none
	why    string // why it is accepted
	// answers are what the whole database said of keys that go.
	answers map[string]answer
}

// ask asks the whole database for evidence of keys.
type ask func(keys []string) (map[string]model.Decision, error)

func newGuard(cfg Guard) *guard {
	return &guard{cfg: cfg, answers: map[string]answer{}, departed: map[string]departure{}, letGo: set{},
		released: set{}}
}

// clone returns a guard whose judgement leaves this one as it is.
func (g *guard) clone() *guard {
	c := *g
	c.answers, c.departed = maps.Clone(g.answers), maps.Clone(g.departed)
	c.letGo, c.released = maps.Clone(g.letGo), maps.Clone(g.released)
	return &c
}

// vanished lists the keys that are announced and wanted no more.
func (q inquiry) vanished() []string {
	var keys []string
	for k := range q.announced {
		if !q.wanted[k] {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// undecided are the keys that vanish without a decision of this round that explains it, and that nobody released.
func (g *guard) undecided(q inquiry) set {
	keys := set{}
	for _, k := range q.vanished() {
		if q.decisions[k].Evidence != model.Explained && !g.released[k] {
			keys[k] = true
		}
	}
	return keys
}

// judge decides what is held now.
func (g *guard) judge(q inquiry, ask ask) verdict {
	g.judged = q.now
	g.departures(q)
	undecided := g.undecided(q)
	maps.DeleteFunc(g.released, func(k string, _ bool) bool { return q.wanted[k] || q.complete && !q.announced[k] })
	maps.DeleteFunc(g.answers, func(k string, _ answer) bool { return !undecided[k] })
	g.database.look(q)
	var held, letGo []status.HeldKey
	for {
		held, letGo = g.sort(q, undecided)
		if !g.inquire(q.now, held, ask) {
			break
		}
	}
	if q.complete {
		g.letGo = set{} // else they are counted when what is announced can be read again
	}
	for _, key := range letGo {
		g.letGo[key.Key] = true
	}
	g.hold(q.now, held)
	rowless := len(letGo) > 0 || !q.complete || slices.ContainsFunc(held, func(k status.HeldKey) bool {
		return k.Class == status.HeldUnread || k.Class == status.HeldUnexplained || k.Class == status.HeldDatabase
	})
	return g.verdict(q.now, rowless)
}

// sort says which undecided keys are to be held by what is known of them, and which no row has and are let go.
func (g *guard) sort(q inquiry, undecided set) (held, letGo []status.HeldKey) {
	unread := 0
	for _, k := range undecided.sorted() {
		key := status.HeldKey{Key: k}
		key.Class, key.Text = g.class(k, q.decisions[k])
		switch key.Class {
		case "":
			continue
		case status.HeldUnexplained:
			letGo = append(letGo, key)
			continue
		case status.HeldUnread:
			unread++
		case status.HeldDoubtful, status.HeldDatabase:
		}
		held = append(held, key)
	}
	other := g.database.isOther()
	if !other && !g.tooMany(q, len(letGo)+unread) {
		return held, letGo
	}
	for _, key := range letGo {
		if other {
			key.Class = status.HeldDatabase
		}
		held = append(held, key)
	}
	return held, nil
}

// departures keeps the window of what went.
func (g *guard) departures(q inquiry) {
	if q.complete {
		for k := range g.previous {
			if !q.announced[k] {
				g.departed[k] = departure{at: g.looked, unexplained: g.letGo[k]}
			}
		}
		g.previous, g.looked = q.announced, q.now
	}
	maps.DeleteFunc(g.departed, func(k string, d departure) bool {
		return q.announced[k] || q.wanted[k] || q.now.Sub(d.at) > g.cfg.Window
	})
}

// inquire asks the database about keys that are to be held, if it has not said lately, and returns whether it did.
// Only these are worth the whole database, which a node has not at hand: what is let go is let go without.
func (g *guard) inquire(now time.Time, held []status.HeldKey, ask ask) bool {
	if ask == nil {
		return false
	}
	var stale []string
	for _, key := range held {
		a, known := g.answers[key.Key]
		asked := known && a.at.Equal(now)
		if !asked && (!known || a.err != nil || now.Sub(a.at) >= g.cfg.Recheck) {
			stale = append(stale, key.Key)
		}
	}
	if len(stale) == 0 {
		return false
	}
	slices.Sort(stale)
	found, err := ask(stale)
	for _, k := range stale {
		g.answers[k] = answer{decision: found[k], err: err, at: now}
	}
	return true
}

// class says for want of what a withdrawal may be held; "" when a row explains it. The whole database outweighs the
// node's copy, but a row in the copy is a row.
func (g *guard) class(key string, local model.Decision) (status.HeldClass, string) {
	a, asked := g.answers[key]
	switch {
	case asked && a.err != nil:
		return status.HeldUnread, "the database could not be asked: " + a.err.Error()
	case a.decision.Evidence == model.Explained:
		return "", ""
	case a.decision.Evidence == model.Doubtful || a.decision.Verdict == model.Announced:
		return status.HeldDoubtful, a.decision.Text
	case local.Evidence == model.Doubtful || local.Verdict == model.Announced:
		return status.HeldDoubtful, local.Text
	case local.Evidence == model.Unexplained && local.Verdict != model.Unknown:
		return status.HeldUnexplained, local.Text // there is a row, and it proves nothing
	}
	return status.HeldUnexplained, "no row has the address any more"
}

// tooMany tells whether so many unexplained keys go within the window that something else must be wrong.
func (g *guard) tooMany(q inquiry, pending int) bool {
	told, going := len(q.announced), pending
	for _, d := range g.departed {
		told++
		if d.unexplained {
			going++
		}
	}
	return g.cfg.Min > 0 && going >= g.cfg.Min && going*100 > g.cfg.Percent*told
}

// hold keeps the set and since when it is this one, and releases it when it was held long enough.
func (g *guard) hold(now time.Time, held []status.HeldKey) {
	slices.SortFunc(held, func(a, b status.HeldKey) int { return strings.Compare(a.Key, b.Key) })
	same := slices.EqualFunc(g.held, held, func(a, b status.HeldKey) bool { return a.Key == b.Key })
	if !same {
		g.since = now
	}
	g.held = held
	if g.cfg.Hold == 0 || now.Sub(g.since) < g.cfg.Hold {
		return
	}
	kept := g.held[:0:0]
	for _, key := range g.held {
		if releasedByTime(key.Class) {
			g.released[key.Key] = true
		} else {
			kept = append(kept, key)
		}
	}
	if len(kept) != len(g.held) {
		g.held, g.since = kept, now
	}
}

func releasedByTime(c status.HeldClass) bool {
	return c == status.HeldDoubtful || c == status.HeldUnexplained
}

func (g *guard) verdict(now time.Time, rowless bool) verdict {
	v := verdict{held: set{}, answers: g.answers}
	for _, key := range g.held {
		v.held[key.Key] = true
	}
	v.accept, v.why = g.database.acceptable(now, g.cfg.Hold, rowless)
	return v
}

// hash names exactly what is held; "" when nothing is.
func (g *guard) hash() string {
	if len(g.held) == 0 && !g.database.isOther() {
		return ""
	}
	var text strings.Builder
	for _, k := range g.held {
		text.WriteString(k.Key + "\n")
	}
	if g.database.isOther() {
		text.WriteString("database " + g.database.now + "\n")
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:6])
}

// accept releases what the hash names.
func (g *guard) accept(hash string) error {
	switch current := g.hash(); {
	case current == "":
		return fmt.Errorf("nothing is held")
	case current != hash:
		return fmt.Errorf("%q does not name what is held now (%d keys, hash %s): look again, then accept that",
			hash, len(g.held), current)
	}
	for _, k := range g.held {
		g.released[k.Key] = true
	}
	g.database.acceptByHand()
	return nil
}

// nextLook returns when the guard has something to decide by itself; the zero time when nothing is held. It counts
// from the last judgement and from what was asked then, not from the moment of the call.
func (g *guard) nextLook() time.Time {
	if len(g.held) == 0 && !g.database.isOther() {
		return time.Time{}
	}
	next := g.judged.Add(g.cfg.Recheck)
	for _, key := range g.held {
		a, known := g.answers[key.Key]
		if again := a.at.Add(g.cfg.Recheck); known && again.Before(next) {
			next = again
		}
	}
	for _, since := range []time.Time{g.since, g.database.since} {
		if release := since.Add(g.cfg.Hold); g.cfg.Hold > 0 && release.After(g.judged) && release.Before(next) {
			next = release
		}
	}
	return next
}

// report returns what is held, for the status; nil when nothing is.
func (g *guard) report() *status.Held {
	hash := g.hash()
	if hash == "" {
		return nil
	}
	h := &status.Held{Hash: hash, Since: g.since.UTC(), Keys: slices.Clone(g.held),
		Accept: "ovnbgp sync --accept-withdrawals=" + hash}
	if g.database.isOther() {
		h.Database = g.database.now
		if len(g.held) == 0 {
			h.Since = g.database.since.UTC()
		}
	}
	all := func(k status.HeldKey) bool { return !releasedByTime(k.Class) }
	if g.cfg.Hold > 0 && len(g.held) > 0 && !slices.ContainsFunc(g.held, all) {
		h.Release = g.since.Add(g.cfg.Hold).UTC()
	}
	return h
}
