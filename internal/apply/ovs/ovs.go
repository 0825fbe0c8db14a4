// Package ovs keeps our flows on the provider bridges. It owns the flows of our cookies and nothing else, changes
// those of a bridge in one bundle, and touches neither bridges nor their ports: a bridge that is missing is a reason,
// not a task. Start at Applier.Plan.
package ovs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ovnbgp/internal/client/openflow"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Bridge is a connection to one bridge of the switch. *openflow.Conn is the real one.
type Bridge interface {
	Flows(ctx context.Context, cookie, mask uint64) ([]openflow.Flow, error)
	Apply(ctx context.Context, changes ...openflow.Change) error
	// Monitor wraps errors.ErrUnsupported where flows can only be polled.
	Monitor(ctx context.Context, fn func(openflow.Update)) error
	Done() <-chan struct{}
	Close()
}

// Timers are the intervals of an Applier.
type Timers struct {
	Poll  time.Duration // between reads of a bridge that has no flow monitor
	Retry time.Duration // at most, between attempts to reach a bridge that does not answer
	Reach time.Duration // for one such attempt, or one read of the flows
}

// DefaultTimers keep the promise that a flow deleted by another hand is back within 5 s on any bridge.
func DefaultTimers() Timers {
	return Timers{Poll: 4 * time.Second, Retry: time.Second, Reach: 5 * time.Second}
}

// Applier is the switch as the loop sees it. It keeps one connection a bridge, and dials again when ovs-vswitchd
// comes back.
type Applier struct {
	dial   func(context.Context, string) (Bridge, error)
	timers Timers
	pokes  chan struct{}

	ctx    context.Context // of the keepers; ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	bridges map[string]*keeper
	clean   map[string]bool // unmapped bridges, while they stay that, on which nothing of ours was found
}

// New returns an Applier that reaches bridges through dial, which returns an error that wraps fs.ErrNotExist or
// syscall.ECONNREFUSED where nothing listens. See Sockets for the real one. End it with Close.
func New[B Bridge](dial func(ctx context.Context, bridge string) (B, error), timers Timers) *Applier {
	a := &Applier{timers: timers, pokes: make(chan struct{}, 1), bridges: map[string]*keeper{}}
	a.dial = func(ctx context.Context, bridge string) (Bridge, error) {
		b, err := dial(ctx, bridge)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// Sockets dials the bridges' management sockets, which are in dir (/run/openvswitch). onWrite is called for each
// message that changes flows, and may be nil.
func Sockets(dir string, onWrite func()) func(context.Context, string) (*openflow.Conn, error) {
	return func(ctx context.Context, bridge string) (*openflow.Conn, error) {
		if bridge != filepath.Base(bridge) || strings.HasPrefix(bridge, ".") {
			return nil, fmt.Errorf("%q is no name of a bridge: %w", bridge, fs.ErrNotExist) // nor does the switch make one
		}
		return openflow.Dial(ctx, filepath.Join(dir, bridge+".mgmt"), openflow.Options{OnWrite: onWrite})
	}
}

// Close ends all connections.
func (a *Applier) Close() {
	a.cancel()
	a.tasks.Wait()
}

// Name is "ovs".
func (a *Applier) Name() string { return "ovs" }

// Pokes receives when a flow of ours was changed by another hand, and when a bridge comes or goes.
func (a *Applier) Pokes() <-chan struct{} { return a.pokes }

func (a *Applier) poke() {
	select {
	case a.pokes <- struct{}{}:
	default:
	}
}

// Reread makes the next Plan read the flows anew, those on unmapped bridges, too.
func (a *Applier) Reread(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clean = nil
	for _, k := range a.bridges {
		k.view.forget()
	}
	return nil
}

// Plan compares the flows of the mapped bridges with those wanted there, and lists the deletes of what an earlier
// mapping left on others. Where nothing listens there are no flows, and the steps that make them fail with that as the
// reason; a bridge that answers, but not with its flows, is an error.
//
// It asks the switch only where it must: a copy of the flows serves where a flow monitor would have told of a change,
// and an unmapped bridge is asked until it was found clean. Reread ends both.
func (a *Applier) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	wanted := map[string][]model.Flow{}
	for _, b := range want.Bridges {
		wanted[b.Name] = nil
	}
	for _, f := range want.Flows {
		wanted[f.Bridge] = append(wanted[f.Bridge], f)
	}
	a.release(func(bridge string) bool { _, ok := wanted[bridge]; return !ok })
	steps, err := a.planBridges(ctx, wanted)
	more, also := a.planUnmapped(ctx, want.Unmapped)
	if err := errors.Join(err, also); err != nil {
		return nil, err
	}
	return append(steps, more...), nil
}

// Cleanup lists the deletes of all flows of ours on these bridges, which are mapped.
func (a *Applier) Cleanup(ctx context.Context, bridges ...string) ([]plan.Step, error) {
	wanted := map[string][]model.Flow{}
	for _, name := range bridges {
		wanted[name] = nil
	}
	return a.planBridges(ctx, wanted)
}

func (a *Applier) planBridges(ctx context.Context, wanted map[string][]model.Flow) ([]plan.Step, error) {
	var steps []plan.Step
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		k := a.keeper(name)
		flows, absent, err := k.read(ctx, places(wanted[name]))
		if err != nil {
			errs = append(errs, fmt.Errorf("bridge %s: %w", name, err))
			continue
		}
		steps = append(steps, compare(name, wanted[name], flows, absent).steps(k.apply)...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return steps, nil
}

// isAbsent tells whether an error of dialling means that there is no switch whose flows could count, from one that
// leaves them unknown: a switch that is stuck forwards what it has, and so does one whose column protocols allows no
// version of ours.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// owned is our mark on flows: the cookie, or the one that the old agent's EVPN driver used.
func owned(f openflow.Flow) bool { return f.Cookie == model.Cookie || f.Cookie == model.OldCookie }

// ownCookie and ownMask ask a switch for both cookies at once: they differ in few bits. What else they match is not
// owned.
const (
	ownCookie = model.Cookie & model.OldCookie
	ownMask   = ^uint64(model.Cookie ^ model.OldCookie)
)
