package conformance

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"ovnbgp/internal/apply/gobgp"
	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	gospeaker "ovnbgp/internal/client/speaker"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/source/rib"
)

// builtIn is the speaker built in, with what an agent has beside it: the source of what peers told, and the applier that
// brings that into the kernel.
type builtIn struct {
	*gobgp.Applier
	rib      *rib.Source
	carriers *kernel.Carriers
	pokes    chan struct{}
}

// patience is how long peers have to tell again what they told before.
const patience = 30 * time.Second

func openGoBGP(p place) (speaker, error) {
	conn, err := netlink.Open(context.Background(), netlink.Options{Protocols: []uint8{model.Protocol}}, nil)
	if err != nil {
		return speaker{}, err
	}
	sp := gospeaker.New(gospeaker.Options{Log: p.Log})
	b := &builtIn{Applier: gobgp.New(sp, p.VRF), rib: rib.New(sp, patience), carriers: kernel.NewCarriers(conn),
		pokes: make(chan struct{}, 1)}
	closing := func() error { return errors.Join(sp.Close(), conn.Close()) }
	return speaker{Announcer: b, Run: b.run, Close: closing}, nil
}

// run hands on the pokes of all three.
func (b *builtIn) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return b.rib.Run(ctx) })
	parts.Go(func() error { return b.Run(ctx) })
	for _, from := range []<-chan struct{}{b.Applier.Pokes(), b.rib.Pokes(), b.carriers.Pokes()} {
		parts.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-from:
				}
				select {
				case b.pokes <- struct{}{}:
				default: // one is waiting
				}
			}
		})
	}
	return parts.Wait()
}

func (b *builtIn) Pokes() <-chan struct{} { return b.pokes }

// Plan has the carriers' steps before those of the announcer, as the agent has.
func (b *builtIn) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	told, err := b.rib.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	want.Leak = model.Leak{} // there is no FRR to leak in
	want.Routes, want.LearnedUnknown = desired.Learned(told, want.BGP)
	want.LearnedGone = told.Gone
	steps, err := b.carriers.Plan(ctx, want)
	if err != nil {
		return nil, err
	}
	announcing, err := b.Applier.Plan(ctx, want)
	return append(steps, announcing...), err
}
