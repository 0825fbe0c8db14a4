package ovs

import (
	"context"
	"errors"
	"fmt"

	"ovnbgp/internal/client/openflow"
	"ovnbgp/internal/plan"
)

// CleanupUnmapped lists the deletes of our flows on bridges that are not mapped: an earlier mapping left them, and they
// would take the packets of whatever port gets the number of the one they were for.
//
// Such a bridge is somebody else's, who may have made it for another kind of controller, and with any number of flows.
// So it is asked for ours alone, and nobody watches it: the row that ends a mapping pokes. One that cannot be had,
// because nothing listens or because it speaks no version of ours, is passed over.
//
// It asks all of them. Plan leaves out those that it has found clean.
func (a *Applier) CleanupUnmapped(ctx context.Context, bridges ...string) ([]plan.Step, error) {
	var steps []plan.Step
	var errs []error
	for _, name := range bridges {
		more, _, err := a.inspect(ctx, name)
		steps, errs = append(steps, more...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return steps, nil
}

// planUnmapped is CleanupUnmapped for the bridges that were not found clean since they are unmapped.
func (a *Applier) planUnmapped(ctx context.Context, bridges []string) ([]plan.Step, error) {
	var steps []plan.Step
	var errs []error
	for _, name := range a.unclean(bridges) {
		more, clean, err := a.inspect(ctx, name)
		steps, errs = append(steps, more...), append(errs, err)
		if clean {
			a.setClean(name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return steps, nil
}

// unclean forgets the bridges that are not among these, and returns those of which nothing is known.
func (a *Applier) unclean(bridges []string) (ask []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	still := map[string]bool{}
	for _, name := range bridges {
		if a.clean[name] {
			still[name] = true
		} else {
			ask = append(ask, name)
		}
	}
	a.clean = still
	return ask
}

func (a *Applier) setClean(bridge string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clean == nil {
		a.clean = map[string]bool{}
	}
	a.clean[bridge] = true
}

// inspect lists the deletes on one bridge. It is clean when asking again would find nothing either. Where nothing
// listens that is not known: the switch may come back with the flows that were saved. To ask there costs nobody
// anything.
func (a *Applier) inspect(ctx context.Context, name string) (steps []plan.Step, clean bool, err error) {
	var flows []openflow.Flow
	err = a.visit(ctx, name, func(ctx context.Context, b Bridge) (err error) {
		flows, err = b.Flows(ctx, ownCookie, ownMask)
		return err
	})
	var version *openflow.VersionError
	switch {
	case errors.As(err, &version):
		return nil, true, nil
	case isAbsent(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	apply := func(ctx context.Context, changes ...openflow.Change) error {
		return a.visit(ctx, name, func(ctx context.Context, b Bridge) error { return b.Apply(ctx, changes...) })
	}
	steps = compare(name, nil, flows, nil).steps(apply)
	return steps, len(steps) == 0, nil
}

// visit is a connection for one deed.
func (a *Applier) visit(ctx context.Context, name string, deed func(context.Context, Bridge) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.timers.Reach)
	defer cancel()
	b, err := a.dial(ctx, name)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", name, err)
	}
	defer b.Close()
	if err := deed(ctx, b); err != nil {
		return fmt.Errorf("bridge %s: %w", name, err)
	}
	return nil
}
