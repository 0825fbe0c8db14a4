package frr

import (
	"context"
	"fmt"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// mendingManaged makes a leak without effect anew where the configuration is ours. Nothing in the VRF's instance is
// foreign then: it is written again as it is rendered, the operator's raw lines with it.
func (a *Applier) mendingManaged(want model.Node, e effect) plan.Step {
	return plan.Step{Verb: plan.Update, Object: e.mended(want.Leak), Why: e.why(),
		Do: func(ctx context.Context) error { return a.mendManaged(ctx, want) }}
}

// mendManaged looks again first. Cut short anywhere, what is left to add is what the next round finds missing.
func (a *Applier) mendManaged(ctx context.Context, want model.Node) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	t, err := a.again(ctx, want)
	if err != nil {
		return err
	}
	if len(t.diff.Changes) > 0 {
		return fmt.Errorf("FRR's configuration is another since: %s; that is mended first", describe(t.diff.Changes, nil))
	}
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return err
	}
	e, err := a.effect(ctx, want, have)
	if err != nil || e.good() {
		return err
	}
	if err := a.mayMend(e); err != nil {
		return err
	}
	lines := reimporting(want.Leak, e)
	if e.whole() {
		lines = renewing(want.Leak, t.config)
	}
	if err := a.bgpd.Configure(ctx, lines); err != nil {
		return fmt.Errorf("make the leak of VRF %s anew: %w", want.Leak.VRF, err)
	}
	return nil
}

// renewing returns the commands that make the VRF's instance anew in the words it is rendered in: never without the
// route-maps that keep strays out.
func renewing(leak model.Leak, config text.Config) []string {
	header := difference{as: leak.AS, vrf: leak.VRF}.header(true)
	return append([]string{"no " + header}, text.Commands(config.Blocks, header)...)
}
