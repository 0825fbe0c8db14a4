package agent

import (
	"context"
	"errors"
	"fmt"

	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	"ovnbgp/internal/plan"
)

// Cleanup removes everything of ours from the node, announcements first, and returns the steps; with dryRun it only
// lists them. It needs the node's lock: an agent would build everything again. Failures are joined, and do not keep
// the other steps from being done.
func Cleanup(ctx context.Context, o Options, dryRun bool) ([]plan.Planned, error) {
	result, err := o.Load() // what is not built needs no cleaning: Startable is not asked
	if err != nil {
		return nil, err
	}
	settings := result.Settings
	if !dryRun {
		lock, err := TakeLock(settings.Paths.LockFile)
		if err != nil {
			return nil, err
		}
		defer lock.Release() //nolint:errcheck // the kernel drops it in any case
	}
	var done []plan.Planned
	err = withNode(ctx, settings, o, func(ctx context.Context, n *node) error {
		done, err = n.cleanup(ctx, settings, dryRun)
		return err
	})
	return done, err
}

// cleanup asks each subsystem in the order of a withdrawal: announcers before carriers.
func (n *node) cleanup(ctx context.Context, s config.Settings, dryRun bool) ([]plan.Planned, error) {
	// Which bridges are ours to look at says the switch; without a Northbound database that is enough.
	local, err := n.ovn.WaitLocal(ctx)
	if err != nil {
		return nil, err
	}
	h, err := n.source.host.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	where, _ := desired.Node(desired.Input{OVN: ovn.Snapshot{Local: local}, Host: h}, s.Node)
	parts := []struct {
		name    string
		cleanup func(context.Context) ([]plan.Step, error)
	}{
		{n.addresses.Name(), n.addresses.Cleanup},
		{n.leak.Name(), n.leak.Cleanup},
		{n.carriers.Name(), func(ctx context.Context) ([]plan.Step, error) { return n.carriers.Cleanup(ctx, where) }},
		{n.flows.Name(), func(ctx context.Context) ([]plan.Step, error) { return n.flows.Cleanup(ctx, names(where.Bridges)...) }},
		{"database", func(context.Context) ([]plan.Step, error) { return n.forgetDatabase(local), nil }},
	}
	var done []plan.Planned
	var errs []error
	for _, part := range parts {
		steps, err := part.cleanup(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
			continue
		}
		for _, step := range steps {
			if !dryRun {
				if err := step.Do(ctx); err != nil {
					errs = append(errs, fmt.Errorf("%s: %s: %w", part.name, step, err))
					continue
				}
			}
			done = append(done, plan.Planned{Subsystem: part.name, Verb: step.Verb, Object: step.Object, Why: step.Why})
		}
	}
	return done, errors.Join(errs...)
}

func names(bridges []model.Bridge) []string {
	var list []string
	for _, b := range bridges {
		list = append(list, b.Name)
	}
	return list
}

// forgetDatabase lists the step that removes the identity of the database from the switch.
func (n *node) forgetDatabase(local ovn.Local) []plan.Step {
	if local.KnownDatabase == "" {
		return nil
	}
	return []plan.Step{{Verb: plan.Delete, Object: "external_ids:" + knownDatabase, Why: "cleanup",
		Do: func(ctx context.Context) error { return ovs.SetExternalID(ctx, n.ovn.Switch(), knownDatabase, "") }}}
}
