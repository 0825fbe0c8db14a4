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
func (a *Applier) CleanupUnmapped(ctx context.Context, bridges ...string) ([]plan.Step, error) {
	var steps []plan.Step
	var errs []error
	for _, name := range bridges {
		more, err := a.planUnmapped(ctx, name)
		steps, errs = append(steps, more...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return steps, nil
}

func (a *Applier) planUnmapped(ctx context.Context, name string) ([]plan.Step, error) {
	var flows []openflow.Flow
	err := a.visit(ctx, name, func(ctx context.Context, b Bridge) (err error) {
		flows, err = b.Flows(ctx, ownCookie, ownMask)
		return err
	})
	var version *openflow.VersionError
	switch {
	case isAbsent(err) || errors.As(err, &version):
		return nil, nil
	case err != nil:
		return nil, err
	}
	apply := func(ctx context.Context, changes ...openflow.Change) error {
		return a.visit(ctx, name, func(ctx context.Context, b Bridge) error { return b.Apply(ctx, changes...) })
	}
	return compare(name, nil, flows, nil).steps(apply), nil
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
