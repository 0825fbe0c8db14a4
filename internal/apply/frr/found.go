package frr

import (
	"context"
	"fmt"
	"time"

	"ovnbgp/internal/model"
)

// found is what the last look at FRR, a round's or Run's, found to be as it must be. A round may believe it for as long
// as a look is old anyway (maxInterval): bgpd answers slowly while it works, and most rounds are about addresses. It is
// believed only while Run is connected to bgpd, so that the end of the daemon is noticed at once.
type found struct {
	what    string // of the wanted, as text, that was found in place, with effect; "" for none
	at      time.Time
	watched bool
	forgot  uint64 // times that what was found was forgotten
}

// aim is what is looked at of a state in mode Assist.
func aim(want model.Node) string { return fmt.Sprint(want.Leak, want.BGP.Drained) }

// isFound tells whether what is wanted was found in place a moment ago.
func (a *Applier) isFound(what string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found.watched && a.found.what == what && time.Since(a.found.at) < a.lasting()
}

// lasting is how long a look is believed. Where Run looks as well, and pokes when it sees something new, that is until
// its next look has had time to be made: a round then need never wait for bgpd.
func (a *Applier) lasting() time.Duration {
	if a.options.Interval == 0 {
		return maxInterval
	}
	return 2 * min(a.options.Interval, maxInterval)
}

// changes is to be taken before a look, and handed to keepFound after it: what changed meanwhile was not seen.
func (a *Applier) changes() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found.forgot
}

func (a *Applier) keepFound(what string, changes uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found.forgot == changes {
		a.found.what, a.found.at = what, time.Now()
	}
}

func (a *Applier) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found.what = ""
	a.found.forgot++
}

// watch says whether the end of bgpd would be noticed now.
func (a *Applier) watch(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found.watched = on
}

// Reread makes the next Plan look at FRR.
func (a *Applier) Reread(context.Context) error {
	a.forget()
	return nil
}
