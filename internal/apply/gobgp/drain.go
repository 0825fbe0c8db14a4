package gobgp

import (
	"context"
	"fmt"
	"slices"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"ovnbgp/internal/model"
)

// Draining says whether all of our own paths are drained, and of each neighbour and family how much of what it was told
// does not say so. What it was told is the speaker's own record (Adj-RIB-Out): nobody asks the neighbour.
func (a *Applier) Draining(ctx context.Context) (model.Draining, error) {
	have, err := a.paths()
	if err != nil || !a.isDrained(have) {
		return model.Draining{}, err
	}
	b, _, err := a.speaker.Server()
	if err != nil {
		return model.Draining{}, err
	}
	sessions, err := a.Sessions(ctx)
	if err != nil {
		return model.Draining{}, err
	}
	state := model.Draining{InForce: true}
	for _, s := range sessions {
		for _, f := range s.Families {
			told := model.Told{Peer: s.Name, Family: f.Family, Up: s.Up()}
			if told.Up {
				of := familyOf(f.Family)
				err := b.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_ADJ_OUT, Name: s.Address.String(),
					Family: bgp.NewFamily(uint16(of.Afi), uint8(of.Safi))}, func(_ bgp.NLRI, known []*apiutil.Path) {
					for _, k := range known {
						switch _, own := ofPath(k); {
						case own && saysSo(k):
							told.Drained++
						case own:
							told.Left++
						}
					}
				})
				if err != nil {
					return model.Draining{}, fmt.Errorf("read what %s is told: %w", s.Name, err)
				}
			}
			state.Peers = append(state.Peers, told)
		}
	}
	slices.SortFunc(state.Peers, model.CompareTold)
	return state, nil
}

// isDrained tells whether what was planned last is drained, and all of it there: a speaker that has just been started has no
// paths, and says nothing by that.
func (a *Applier) isDrained(have []path) bool {
	a.wantedMu.Lock()
	defer a.wantedMu.Unlock()
	there := make(map[id]bool, len(have))
	for _, p := range have {
		if !p.Drained {
			return false
		}
		there[p.id()] = true
	}
	for id := range a.draining {
		if !there[id] {
			return false
		}
	}
	return a.draining != nil
}

// saysSo tells whether a path bears the community graceful-shutdown. Its local preference goes to internal peers only.
func saysSo(k *apiutil.Path) bool {
	return slices.ContainsFunc(k.Attrs, func(a bgp.PathAttributeInterface) bool {
		c, ok := a.(*bgp.PathAttributeCommunities)
		return ok && slices.Contains(c.Value, uint32(model.GracefulShutdown))
	})
}
