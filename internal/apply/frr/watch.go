package frr

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/model"
)

const (
	maxInterval   = 5 * time.Second        // FRR tells nobody about its configuration
	redial        = 500 * time.Millisecond // while FRR is down
	afterRestart  = 500 * time.Millisecond // between looks, while a restarted FRR is still reading its files
	restartWindow = 30 * time.Second
)

// Pokes receives when FRR came back or went away, and when what we look at in it has changed.
func (a *Applier) Pokes() <-chan struct{} { return a.pokes }

func (a *Applier) poke() {
	a.forget()
	select {
	case a.pokes <- struct{}{}:
	default: // one is waiting
	}
}

// Run watches FRR until the context ends; it is what makes Pokes work. The end of a connection tells of a restart
// at once; all else is looked at every Interval.
func (a *Applier) Run(ctx context.Context) error {
	restarted := make(chan struct{}, 1)
	var group errgroup.Group
	group.Go(func() error { return a.watchDaemon(ctx, restarted) })
	group.Go(func() error { return a.watchLeak(ctx, restarted) })
	return group.Wait()
}

func (a *Applier) watchDaemon(ctx context.Context, restarted chan<- struct{}) error {
	for ctx.Err() == nil {
		connected := false
		err := a.bgpd.Gone(ctx, func() {
			connected = true
			a.poke()
			a.watch(true)
			select {
			case restarted <- struct{}{}:
			default:
			}
		})
		if connected {
			a.watch(false)
			a.poke() // it went away
		}
		if err != nil || connected {
			wait(ctx, redial)
		}
	}
	return ctx.Err()
}

func (a *Applier) watchLeak(ctx context.Context, restarted <-chan struct{}) error {
	interval := min(a.options.Interval, maxInterval)
	var seen string
	var hurry time.Time // until then every look comes early
	for {
		next := interval
		if time.Now().Before(hurry) {
			next = afterRestart
		}
		var timer <-chan time.Time // nil, that is never, with the timer off
		if next > 0 {
			timer = time.After(next)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-restarted:
			hurry = time.Now().Add(restartWindow)
		case <-timer:
		}
		now, suspicious := a.look(ctx)
		if suspicious {
			hurry = time.Now().Add(restartWindow)
		}
		if now != seen {
			seen = now
			a.poke()
		}
	}
}

// look returns what there is to see, as text to compare with the next look, and whether it asks for a closer one.
func (a *Applier) look(ctx context.Context) (seen string, suspicious bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	a.mu.Lock()
	want := a.wanted
	a.mu.Unlock()
	if a.options.Mode == Managed || a.options.Mode == Observe {
		return a.lookAtAll(ctx, want)
	}
	if want.Leak.VRF == "" || valid(want.Leak) != nil {
		return "", false
	}
	change := a.changes()
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return "unread", false // the daemon's watch knows more
	}
	missing := compare(want.Leak, have)
	drain := a.drainSteps(want, have)
	seen = fmt.Sprint(missing, missing.obstacle, have.vrfs, len(drain))
	if missing.lacks() || missing.obstacle != nil || drain != nil {
		return seen, false
	}
	effect, err := a.effect(ctx, want, have)
	if err != nil {
		return "unread", false
	}
	if effect.good() {
		a.judge(effect)
		a.keepFound(aim(want), change)
		return seen, false
	}
	// Long enough is something new to see: the round it causes plans the mending.
	return fmt.Sprint(seen, effect, a.judge(effect)), true
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// lookAtAll is look where all of FRR's configuration counts.
func (a *Applier) lookAtAll(ctx context.Context, want model.Node) (seen string, suspicious bool) {
	running, err := a.readAll(ctx)
	if err != nil {
		return "unread", false
	}
	hash := sha256.New()
	_, _ = io.WriteString(hash, text.Format(running.Merged())) // a hash takes all
	seen = fmt.Sprintf("%x", hash.Sum(nil))
	if want.Leak.VRF == "" {
		return seen, false
	}
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return "unread", false
	}
	effect, err := a.effect(ctx, want, have)
	switch {
	case err != nil:
		return "unread", false
	case effect.good():
		a.judge(effect)
		return seen, false
	}
	return fmt.Sprint(seen, effect, a.judge(effect)), true
}
