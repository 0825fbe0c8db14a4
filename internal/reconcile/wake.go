package reconcile

import "time"

// nextWake returns when the loop must look again by itself, and why; the zero time when it need not. All times are
// moments that the last round set: what keeps the loop busy in between puts none of them off.
func (l *Loop[I, S]) nextWake() (time.Time, Trigger) {
	var at time.Time
	var trigger Trigger
	earlier := func(t time.Time, why Trigger) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at, trigger = t, why
		}
	}
	earlier(l.retryAt, Retry)
	earlier(l.rereadAt, Timer)
	for _, since := range l.broken {
		// A deadline that was past when the keys were last weighed has been acted upon, or waits for a retry.
		if deadline := since.Add(l.opts.Timers.CarrierGrace); deadline.After(l.weighed) {
			earlier(deadline, Grace)
		}
	}
	for _, end := range l.handoverEnds() {
		earlier(end, Grace)
	}
	earlier(l.lookAt, Hold)
	earlier(l.foughtAt, Retry)
	return at, trigger
}

// settle decides after a round when the next try is: after as long again as the youngest trouble has lasted. So the
// pauses double, and what fails for the first time is not made to wait for what fails for good.
func (l *Loop[I, S]) settle(done bool, began time.Time) {
	if done {
		l.unsettled, l.retryAt = time.Time{}, time.Time{}
		return
	}
	if l.unsettled.IsZero() {
		l.unsettled = began
	}
	youngest := l.books.youngest()
	if youngest.Before(l.unsettled) {
		youngest = l.unsettled
	}
	delay := min(max(began.Sub(youngest), l.opts.Timers.RetryMin), l.opts.Timers.RetryMax)
	l.retryAt = time.Now().Add(l.jitter(delay))
}

// after returns a time in the future, or none when the duration is zero.
func after(now time.Time, d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// newTimer returns a timer for a moment; for the zero time one that never fires.
func newTimer(at time.Time) *time.Timer {
	if at.IsZero() {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTimer(time.Until(at))
}
