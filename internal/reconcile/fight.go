package reconcile

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"ovnbgp/internal/plan"
)

// Pace of steps that another hand undoes. The first few are repeated at once: drift is mended within a second. From
// then on the pauses double, up to one that is shorter than the usual carrier_grace, so that an address which is fought
// over does not flap as well.
const (
	fightFree  = 20               // repeats before the first pause
	fightPause = time.Second / 4  // the first
	fightMax   = 4 * time.Second  // the longest
	fightCalm  = 30 * time.Second // what is not repeated for so long is not fought over any more
)

// errFought stands for a step that is left out because it was undone too often.
var errFought = errors.New("another hand undoes it again and again: it is repeated less often")

// fights are the steps that worked though the state was the same as in the round before: another hand undid them, or
// they did not last.
type fights map[stepID]*fight

// stepID names a step over rounds.
type stepID struct {
	subsystem, object string
	verb              plan.Verb
}

// fight is one such step.
type fight struct {
	step    task
	count   int // times in a row
	last    time.Time
	blocked bool // it was left out of the last round
}

func idOf(t task) stepID { return stepID{t.subsystem, t.Object, t.Verb} }

// note keeps that a step worked.
func (f fights) note(t task, now time.Time) {
	id := idOf(t)
	if f[id] == nil || now.Sub(f[id].last) >= fightCalm {
		f[id] = &fight{}
	}
	f[id].step, f[id].last = t, now
	f[id].count++
}

// due returns when the step may be repeated.
func (f *fight) due() time.Time {
	switch n := f.count - fightFree - 1; {
	case n < 0:
		return f.last
	case n < 10:
		return f.last.Add(min(fightPause<<n, fightMax))
	}
	return f.last.Add(fightMax)
}

func (f *fight) isFought() bool { return f.count > fightFree }

// blocks tells whether a step must be left out now.
func (f fights) blocks(t task, now time.Time) bool {
	x := f[idOf(t)]
	if x == nil || !now.Before(x.due()) {
		return false
	}
	x.blocked = true
	return true
}

// open begins a round.
func (f fights) open() {
	for _, x := range f {
		x.blocked = false
	}
}

// settle forgets what has ended and returns when to look again; the zero time when nothing is fought over.
func (f fights) settle(now time.Time) time.Time {
	var at time.Time
	for id, x := range f {
		if now.Sub(x.last) >= fightCalm {
			delete(f, id)
			continue
		}
		if !x.isFought() {
			continue
		}
		look := x.last.Add(fightCalm)
		if x.blocked {
			look = x.due()
		}
		if at.IsZero() || look.Before(at) {
			at = look
		}
	}
	return at
}

// settleFights lists in the books what is fought over, and decides when to look at it again.
func (r *round[I, S]) settleFights() {
	r.foughtAt = r.fights.settle(time.Now())
	for _, x := range r.fights {
		if x.isFought() {
			r.books.fought(x.step, fmt.Sprintf("done %d times, undone by another hand", x.count))
		}
	}
}

// isPaced tells whether a step is left out of this round because it is fought over. What changes in the state is not:
// the source may cause the same step as often as it likes.
func (r *round[I, S]) isPaced(t task) bool {
	if !r.fights.blocks(t, time.Now()) || r.changed() {
		return false
	}
	r.paced = true
	return true
}

// isChanged compares what is wanted with what the last round wanted; before the first, all is change.
func isChanged[S any](last *decided[S], want S) bool {
	return last == nil || !reflect.DeepEqual(last.want, want)
}
