package ovs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ovnbgp/internal/client/openflow"
)

// keeper holds the connection to one bridge and watches the flows there.
type keeper struct {
	a    *Applier
	name string
	ctx  context.Context // ends when the bridge is mapped no more
	stop context.CancelFunc
	view view

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
	if k.view.differs(flows) {
		k.a.poke()
	}
}

func (k *keeper) update(u openflow.Update) {
	if k.view.update(u) {
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
	k.view.begin()
	err = conn.Monitor(ctx, k.update)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		conn.Close()
		return nil, false, err
	}
	k.conn, k.monitored = conn, err == nil
	if k.monitored {
		k.view.watched(conn)
	}
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

// read returns the bridge's flows that are ours, and anybody's in the places where ours belong. absent says why there
// can be none.
func (k *keeper) read(ctx context.Context, places map[openflow.Key]bool) (flows []openflow.Flow, absent, err error) {
	k.view.expect(places) // before the read: from here on updates of these places count
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
		flows, err = k.flows(ctx, conn)
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

// flows returns the copy while it is true, and reads otherwise.
func (k *keeper) flows(ctx context.Context, conn Bridge) ([]openflow.Flow, error) {
	flows, kept, generation := k.view.recall(conn)
	if kept {
		return flows, nil
	}
	all, err := conn.Flows(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	return k.view.remember(conn, generation, all), nil
}

// apply makes changes on the bridge as it is when they are made.
func (k *keeper) apply(ctx context.Context, changes ...openflow.Change) error {
	conn, _, err := k.connect(ctx)
	if err == nil {
		k.view.wrote()       // whatever comes of it
		defer k.view.wrote() // and what was read meanwhile
		err = conn.Apply(ctx, changes...)
	}
	if err != nil {
		return fmt.Errorf("bridge %s: %w", k.name, err)
	}
	return nil
}
