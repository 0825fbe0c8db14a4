package ovs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ovnbgp/internal/client/openflow"
)

// keeper holds the connection to one bridge and watches the flows there.
type keeper struct {
	a    *Applier
	name string
	ctx  context.Context // ends when the bridge is mapped no more
	stop context.CancelFunc
	keys atomic.Pointer[map[openflow.Key]bool] // where our flows belong
	seen atomic.Pointer[string]                // digest of what Plan read last; nil once we have written since

	turn      chan struct{} // full while somebody uses what follows, which may take as long as a dial
	conn      Bridge        // nil, or one that may have ended
	monitored bool
}

// keeper returns the bridge's keeper, and starts it when there is none.
func (a *Applier) keeper(bridge string) *keeper {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.bridges[bridge]; k != nil {
		return k
	}
	ctx, stop := context.WithCancel(a.ctx)
	k := &keeper{a: a, name: bridge, ctx: ctx, stop: stop, turn: make(chan struct{}, 1)}
	a.bridges[bridge] = k
	a.tasks.Go(k.run)
	return k
}

// release ends the keepers of bridges that are mapped no more.
func (a *Applier) release(gone func(bridge string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, k := range a.bridges {
		if gone(name) {
			k.stop()
			delete(a.bridges, name)
		}
	}
}

// run keeps the connection until its context ends.
func (k *keeper) run() {
	ctx := k.ctx
	defer k.close()
	pause := k.a.timers.Retry / 8
	for ctx.Err() == nil {
		conn, monitored, fresh, err := k.reach(ctx)
		if err != nil {
			wait(ctx, pause)
			pause = min(2*pause, k.a.timers.Retry)
			continue
		}
		pause = k.a.timers.Retry / 8
		if fresh {
			k.a.poke()
		}
		k.watch(ctx, conn, monitored)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// reach is connect with a bound of our own.
func (k *keeper) reach(ctx context.Context) (conn Bridge, monitored, fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.a.timers.Reach)
	defer cancel()
	conn, fresh, err = k.connect(ctx)
	if err == nil {
		err = k.take(ctx)
	}
	if err != nil {
		return nil, false, false, err
	}
	defer k.leave()
	return conn, k.monitored, fresh, nil
}

// take waits for the turn to use the connection's fields, and leave gives it to the next.
func (k *keeper) take(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *keeper) leave() { <-k.turn }

// watch returns when the connection has ended. Where the switch tells nothing, it looks.
func (k *keeper) watch(ctx context.Context, conn Bridge, monitored bool) {
	var tick <-chan time.Time
	if !monitored {
		t := time.NewTicker(k.a.timers.Poll)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-conn.Done():
			k.a.poke()
			return
		case <-tick:
			k.poll(ctx, conn)
		}
	}
}

// poll pokes when the flows are others than Plan saw last. A read that fails says nothing: the next one may not, and
// a connection that has ended shows elsewhere.
func (k *keeper) poll(ctx context.Context, conn Bridge) {
	ctx, cancel := context.WithTimeout(ctx, k.a.timers.Reach)
	defer cancel()
	flows, err := conn.Flows(ctx, 0, 0)
	if err != nil {
		return
	}
	if seen := k.seen.Load(); seen == nil || *seen != k.digest(flows) {
		k.a.poke()
	}
}

// digest is the text of all flows that matter here.
func (k *keeper) digest(flows []openflow.Flow) string {
	var lines []string
	for _, f := range flows {
		if k.matters(f) {
			lines = append(lines, f.String())
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// expect tells the keeper what Plan has seen, and where our flows belong: one of another's in such a place has taken
// ours away.
func (k *keeper) expect(keys map[openflow.Key]bool, flows []openflow.Flow) {
	k.keys.Store(&keys)
	seen := k.digest(flows)
	k.seen.Store(&seen)
}

func (k *keeper) matters(f openflow.Flow) bool {
	keys := k.keys.Load()
	return owned(f) || keys != nil && (*keys)[f.Key()]
}

func (k *keeper) update(u openflow.Update) {
	switch u.Event {
	case openflow.Added, openflow.Removed, openflow.Modified:
		if k.matters(u.Flow) {
			k.a.poke()
		}
	case openflow.Resumed:
		k.a.poke()
	}
}

// connect returns the connection, and whether it was made now.
func (k *keeper) connect(ctx context.Context) (conn Bridge, fresh bool, err error) {
	if err := k.take(ctx); err != nil {
		return nil, false, err
	}
	defer k.leave()
	if k.conn != nil {
		select {
		case <-k.conn.Done():
			k.conn.Close()
			k.conn = nil
		default:
			return k.conn, false, nil
		}
	}
	if err := k.ctx.Err(); err != nil {
		return nil, false, err
	}
	conn, err = k.a.dial(ctx, k.name)
	if err != nil {
		return nil, false, err
	}
	err = conn.Monitor(ctx, k.update)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		conn.Close()
		return nil, false, err
	}
	k.conn, k.monitored = conn, err == nil
	return conn, true, nil
}

func (k *keeper) close() {
	k.turn <- struct{}{}
	defer k.leave()
	if k.conn != nil {
		k.conn.Close()
		k.conn = nil
	}
}

// read returns the bridge's flows, anybody's: a foreign flow may stand where ours belongs. absent says why there can
// be none.
func (k *keeper) read(ctx context.Context) (flows []openflow.Flow, absent, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.a.timers.Reach)
	defer cancel()
	for range 2 {
		conn, _, err := k.connect(ctx)
		if err != nil && isAbsent(err) {
			return nil, err, nil
		}
		if err != nil {
			return nil, nil, err
		}
		flows, err = conn.Flows(ctx, 0, 0)
		if err == nil {
			return flows, nil, nil
		}
		// A connection that ended says nothing about the switch that is there now: ask that one.
		if !errors.Is(err, openflow.ErrClosed) {
			return nil, nil, err
		}
	}
	return nil, nil, openflow.ErrClosed
}

// apply makes changes on the bridge as it is when they are made.
func (k *keeper) apply(ctx context.Context, changes ...openflow.Change) error {
	conn, _, err := k.connect(ctx)
	if err == nil {
		k.seen.Store(nil)
		err = conn.Apply(ctx, changes...)
	}
	if err != nil {
		return fmt.Errorf("bridge %s: %w", k.name, err)
	}
	return nil
}
