package kernel

import (
	"context"
	"fmt"
	"slices"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Carriers brings packets: VRF, VLAN devices, the addresses and settings by which the kernel answers OVN, rules,
// routes, neighbours and proxy entries.
type Carriers struct {
	k Kernel
}

// NewCarriers returns an applier over the kernel.
func NewCarriers(k Kernel) *Carriers { return &Carriers{k: k} }

// Name returns "kernel".
func (*Carriers) Name() string { return "kernel" }

// Pokes receives when the kernel's state may have changed.
func (c *Carriers) Pokes() <-chan struct{} { return c.k.Pokes() }

// Reread makes the next Plan read the kernel anew.
func (c *Carriers) Reread(context.Context) error {
	c.k.Invalidate()
	return nil
}

// Plan compares. Links come before what is on them, neighbours before the routes that lead to them, and rules last:
// they lead packets to what must be there by then. Deletes come the other way round, but for default routes: a bridge
// that is mapped no more is known by the one that leads to it, so it goes after all that is on the bridge.
//
// It refuses to plan, with an error that names the command, when a VRF or its device stands there under another name
// or table: moving announced addresses from one to the other would withdraw them.
func (c *Carriers) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	v, err := c.read(ctx, want)
	if err != nil {
		return nil, err
	}
	if err := checkVRF(v.Links, want.VRF); err != nil {
		return nil, err
	}
	return c.plan(v, want), nil
}

// Cleanup lists the deletes of all that is ours, the VRF and its device too; sysctls stay. Of where, only the mapped
// bridges and the VRF count.
func (c *Carriers) Cleanup(ctx context.Context, where model.Node) ([]plan.Step, error) {
	nothing := model.Node{Bridges: where.Bridges, VRF: where.VRF}
	v, err := c.read(ctx, nothing)
	if err != nil {
		return nil, err
	}
	return append(c.plan(v, nothing), c.cleanupVRF(v, where.VRF)...), nil
}

func (c *Carriers) read(ctx context.Context, want model.Node) (*view, error) {
	for _, b := range want.Bridges {
		c.k.Watch(b.Table)
	}
	for _, r := range want.Routes {
		if r.Table != model.MainTable { // of which only ours count, and those are seen by their protocol
			c.k.Watch(r.Table)
		}
	}
	if want.VRF.Table != 0 {
		c.k.Watch(want.VRF.Table) // what is announced there decides when carriers may go
	}
	actual, err := c.k.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	return newView(actual, want), nil
}

func (c *Carriers) plan(v *view, want model.Node) []plan.Step {
	kinds := []func(*steps, *view, model.Node){
		c.planLinks, c.planSysctls, c.planAddresses, c.planNeighbors, c.planProxies, c.planRoutes, c.planLearned, c.planRules,
	}
	var all steps
	var deletes []plan.Step
	for _, planKind := range kinds {
		var s steps
		planKind(&s, v, want)
		all.makes = append(all.makes, s.makes...)
		deletes = append(s.deletes, deletes...)
		all.last = append(all.last, s.last...)
	}
	return slices.Concat(all.makes, deletes, all.last)
}
