// Package gobgp announces by the BGP speaker built in: it has the speaker know each announced prefix as a path of its
// own, and the neighbours of the configuration. What the speaker has is read from it each time. It owns the whole of the
// speaker, which lives in this process and begins with nothing.
//
// Paths come before neighbours (peers.go): a neighbour that kept our routes over a restart forgets what is not told
// again. A path is told by what stands in it: what was announced because OVN has it is of origin "incomplete", as FRR
// marks what it redistributes; the node's own loopbacks are of origin "IGP". What lies in a VRF with a VNI is a type-5 route
// (evpn.go). Start at Applier.Plan.
package gobgp

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Applier announces by a speaker.
type Applier struct {
	speaker *speaker.Speaker
	vrf     string
	pokes   <-chan struct{}
	copy    copied

	wantedMu    sync.Mutex
	wantedPeers []model.Peer // of the last Plan: what Sessions tells of
	// draining are the paths that must be in the speaker, drained, of the last Plan; nil: it wanted none drained.
	draining map[id]wanted
	// vrfs names the VRF of each route distinguisher ever wanted: a type-5 route says no name. The speaker lives as long.
	vrfs map[string]string
}

// New returns an applier. Announcements of the VRF are told to the speaker's neighbours as they are, those of the VRFs of
// model.BGP as type-5 routes.
func New(s *speaker.Speaker, vrf string) *Applier {
	return &Applier{speaker: s, vrf: vrf, pokes: s.Listen(), vrfs: map[string]string{}}
}

// Name returns "gobgp".
func (*Applier) Name() string { return "gobgp" }

// Pokes receives when neighbours were found or lost.
func (a *Applier) Pokes() <-chan struct{} { return a.pokes }

// Announced lists the keys of the paths that the speaker has, sorted.
func (a *Applier) Announced(context.Context) ([]string, error) {
	have, err := a.paths()
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, p := range have {
		if !p.Own {
			keys = append(keys, a.keyOf(p))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil // one may be there by an old route distinguisher and by the new one
}

// keyOf returns the key of a path's announcement.
func (a *Applier) keyOf(p path) string {
	if p.RD == "" {
		return model.Key(a.vrf, p.Prefix)
	}
	a.wantedMu.Lock()
	defer a.wantedMu.Unlock()
	return model.Key(a.vrfs[p.RD], p.Prefix)
}

// Plan compares. Before the speaker is started that is the only step: the round after it, which the start itself
// causes, plans the rest.
func (a *Applier) Plan(_ context.Context, want model.Node) ([]plan.Step, error) {
	if want.BGP.AS == 0 {
		return nil, fmt.Errorf("no AS for BGP: set bgp_AS")
	}
	a.wantedMu.Lock()
	a.wantedPeers, a.draining = want.BGP.Peers, nil
	if want.BGP.Drained {
		a.draining = a.wantedPaths(want)
	}
	vrfs, _ := tenants(want.BGP)
	for name, vrf := range vrfs {
		a.vrfs[vrf.RD] = name
	}
	a.wantedMu.Unlock()
	g := speaker.Global{AS: want.BGP.AS, RouterID: want.BGP.RouterID}
	have, _, started := a.speaker.Global()
	switch {
	case !g.RouterID.Is4():
		return nil, fmt.Errorf("no router id for BGP: set bgp_router_id, or a loopback with an IPv4 address")
	case !started:
		return []plan.Step{{Verb: plan.Create, Object: globalText(g), Why: "speaks BGP",
			Do: func(ctx context.Context) error { return a.speaker.Start(ctx, g, prepare) }}}, nil
	case have != g:
		return []plan.Step{{Verb: plan.Update, Object: globalText(g), Why: "was " + globalText(have) + ": all sessions begin anew",
			Do: func(ctx context.Context) error { return a.speaker.Start(ctx, g, prepare) }}}, nil
	}
	var s steps
	if err := a.planPaths(&s, want); err != nil {
		return nil, err
	}
	if err := a.planPeers(&s, want); err != nil {
		return nil, err
	}
	return append(s.makes, s.deletes...), nil
}

func globalText(g speaker.Global) string {
	return fmt.Sprintf("router bgp %d router-id %s", g.AS, g.RouterID)
}

// steps collects the steps of one plan, deletes apart.
type steps struct{ makes, deletes []plan.Step }

func (s *steps) add(step plan.Step) {
	if step.Verb == plan.Delete {
		s.deletes = append(s.deletes, step)
		return
	}
	s.makes = append(s.makes, step)
}

// unwanted is the reason of deletes.
const unwanted = "not wanted any more"
