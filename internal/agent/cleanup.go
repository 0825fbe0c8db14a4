package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	"ovnbgp/internal/plan"
)

// CleanupOptions say how a node is cleaned up.
type CleanupOptions struct {
	DryRun bool // only list the steps
	Force  bool // remove what carries packets even where not all could be withdrawn
}

// Cleanup removes everything of ours from the node, announcements first, and returns the steps. It needs the node's
// lock: an agent would build everything again. Failures are joined, and do not keep the other steps from being done,
// but for one rule: what carries packets stays while something could not be withdrawn.
func Cleanup(ctx context.Context, o Options, how CleanupOptions) ([]plan.Planned, error) {
	result, err := o.Load() // what is not built needs no cleaning: Startable is not asked
	if err != nil {
		return nil, err
	}
	settings := result.Settings
	if !how.DryRun {
		lock, err := TakeLock(settings.Paths.LockFile)
		if err != nil {
			return nil, err
		}
		defer lock.Release() //nolint:errcheck // the kernel drops it in any case
	}
	var done []plan.Planned
	err = withNode(ctx, settings, o, func(ctx context.Context, n *node) error {
		local, err := n.waitLocal(ctx, o.Progress)
		if err != nil {
			return fmt.Errorf("%w; see that it runs and that ovsdb_connection names it", err)
		}
		done, err = n.cleanup(ctx, local, settings.Node, how)
		return err
	})
	return done, err
}

// waitLocal waits until the local switch has been read, and tells what it waits for when that takes long.
func (n *node) waitLocal(ctx context.Context, progress func(string)) (ovn.Local, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	quiet := time.AfterFunc(silence, func() {
		if progress != nil {
			progress(fmt.Sprintf("waiting for the local switch, for %s at most", patience))
		}
	})
	defer quiet.Stop()
	return n.ovn.WaitLocal(ctx)
}

// cleanup removes, looks again, and then has the switch forget the database. Which bridges are ours to look at says the
// switch; without a central database that is enough.
func (n *node) cleanup(ctx context.Context, local ovn.Local, c config.Node, how CleanupOptions) ([]plan.Planned, error) {
	h, err := n.source.host.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	where, _ := desired.Node(desired.Input{OVN: ovn.Snapshot{Local: local}, Host: h}, c)
	done, err := untilNothingIsLeft(how, func(how CleanupOptions) ([]plan.Planned, error) {
		return n.cleanupPass(ctx, where, c, how)
	})
	if err != nil {
		return done, err
	}
	last, err := run(ctx, "database", n.forget(local), how)
	more, drainErr := run(ctx, "state", append(forgetDrain(n.source.drainFile), forgetBoot(bootFile(n.source.drainFile))...), how)
	return slices.Concat(done, last, more), errors.Join(err, drainErr)
}

// cleanupPasses bounds how often a node is looked at: what is removed may uncover what could not be seen, or removed,
// before it.
const cleanupPasses = 3

// untilNothingIsLeft makes passes until one finds nothing that it could do. What failed in that one is the error.
func untilNothingIsLeft(how CleanupOptions, pass func(CleanupOptions) ([]plan.Planned, error)) ([]plan.Planned, error) {
	var done []plan.Planned
	var err error
	for range cleanupPasses {
		var steps []plan.Planned
		steps, err = pass(how)
		done = append(done, steps...)
		if len(steps) == 0 || how.DryRun {
			return done, err
		}
	}
	left, leftErr := pass(CleanupOptions{DryRun: true, Force: how.Force})
	if len(left) > 0 && err == nil {
		err = fmt.Errorf("%s %s is there, or there again, after %d passes: does something make it anew?",
			left[0].Subsystem, left[0].Object, cleanupPasses)
	}
	if err == nil {
		err = leftErr
	}
	return done, err
}

// part is what one subsystem has to remove.
type part struct {
	name    string
	cleanup func(context.Context) ([]plan.Step, error)
}

// cleanupPass asks each subsystem in the order of a withdrawal: announcers before carriers.
func (n *node) cleanupPass(ctx context.Context, where model.Node, c config.Node, how CleanupOptions) ([]plan.Planned, error) {
	parts := append([]part{{n.addresses.Name(), n.addresses.Cleanup}}, n.speakerParts(c)...)
	done, withdrawing := runParts(ctx, how, parts...)
	if withdrawing != nil && !how.Force {
		return done, fmt.Errorf("%w\nwhat carries packets stays while not all could be withdrawn: mend this, or go on with --force",
			withdrawing)
	}
	more, err := runParts(ctx, how,
		part{n.carriers.Name(), func(ctx context.Context) ([]plan.Step, error) { return n.carriers.Cleanup(ctx, where) }},
		part{n.flows.Name(), func(ctx context.Context) ([]plan.Step, error) { return n.flows.Cleanup(ctx, names(where.Bridges)...) }},
		part{n.flows.Name(), func(ctx context.Context) ([]plan.Step, error) { return n.flows.CleanupUnmapped(ctx, where.Unmapped...) }})
	return append(done, more...), errors.Join(withdrawing, err)
}

// cleanupFRR removes what FRR has of ours. The leaks of the VRFs that are there as ours count, too: the configuration may
// name another now.
func (n *node) cleanupFRR(ctx context.Context) ([]plan.Step, error) {
	vrfs, err := n.carriers.OwnVRFs(ctx)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, vrf := range vrfs {
		if vrf.Name != "" {
			others = append(others, vrf.Name)
		}
	}
	return n.frr.Cleanup(ctx, others...)
}

func runParts(ctx context.Context, how CleanupOptions, parts ...part) ([]plan.Planned, error) {
	var done []plan.Planned
	var errs []error
	for _, part := range parts {
		steps, err := part.cleanup(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
			continue
		}
		did, err := run(ctx, part.name, steps, how)
		done, errs = append(done, did...), append(errs, err)
	}
	return done, errors.Join(errs...)
}

// run runs steps and returns those that worked; with DryRun it returns all.
func run(ctx context.Context, name string, steps []plan.Step, how CleanupOptions) ([]plan.Planned, error) {
	var done []plan.Planned
	var errs []error
	for _, step := range steps {
		if !how.DryRun {
			if err := step.Do(ctx); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", name, step, err))
				continue
			}
		}
		done = append(done, plan.Planned{Subsystem: name, Verb: step.Verb, Object: step.Object, Why: step.Why})
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

// forget lists the steps that remove what is ours from the switch's external_ids: the identity of the database, and that
// of the other which another driver read.
func (n *node) forget(local ovn.Local) (steps []plan.Step) {
	for _, key := range local.Marks {
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: "external_ids:" + key, Why: "cleanup",
			Do: func(ctx context.Context) error { return ovs.SetExternalID(ctx, n.ovn.Switch(), key, "") }})
	}
	return steps
}
