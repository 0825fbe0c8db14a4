package gobgp

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/api"

	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/model"
)

// Sessions lists the neighbours wanted last, as they are now, sorted by name. What they were sent is not counted.
func (a *Applier) Sessions(ctx context.Context) ([]model.Session, error) {
	return a.sessions(ctx, false)
}

// CountedSessions is Sessions with what each was sent, for which GoBGP plays all its policies for every path: it is for
// people who ask.
func (a *Applier) CountedSessions(ctx context.Context) ([]model.Session, error) {
	return a.sessions(ctx, true)
}

func (a *Applier) sessions(ctx context.Context, counted bool) ([]model.Session, error) {
	b, _, err := a.speaker.Server()
	if err != nil {
		return nil, err
	}
	sessions, bfd := a.speaker.Sessions(), a.speaker.BFD()
	limits := a.limits()
	var list []model.Session
	err = b.ListPeer(ctx, &api.ListPeerRequest{EnableAdvertised: counted}, func(p *api.Peer) {
		name := p.GetConf().GetDescription()
		have := sessions[name]
		s := model.Session{Name: name, Address: have.Address, AS: p.GetState().GetPeerAsn(), State: stateOf(p, have),
			Established: a.speaker.Established(name), Warning: have.Fault}
		if s.Up() {
			s.Since = p.GetTimers().GetState().GetUptime().AsTime()
		} else {
			s.LastError = have.LastError
		}
		for _, f := range p.GetAfiSafis() {
			count := model.SessionFamily{Family: familyName(f.GetConfig().GetFamily()),
				Received: f.GetState().GetReceived(), Sent: f.GetState().GetAdvertised()}
			if limit := limits[name][count.Family]; limit > 0 && count.Received > uint64(limit) {
				s.Warning = fmt.Sprintf("%d prefixes of %s, more than %d", count.Received, count.Family, limit)
			}
			s.Families = append(s.Families, count)
		}
		if status, ok := bfd[have.Address]; ok {
			s.BFD, s.BFDDowns = status.State.String(), status.Downs
		}
		list = append(list, s)
	})
	if err != nil {
		return nil, fmt.Errorf("read the speaker's neighbours: %w", err)
	}
	addresses := a.addresses()
	for name, families := range limits {
		if slices.ContainsFunc(list, func(s model.Session) bool { return s.Name == name }) {
			continue
		}
		s := model.Session{Name: name, Address: addresses[name], State: "idle"} // not begun: a step says why
		if !s.Address.IsValid() {
			s.State = "not found"
		}
		for _, f := range slices.Sorted(maps.Keys(families)) {
			s.Families = append(s.Families, model.SessionFamily{Family: f})
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b model.Session) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func stateOf(p *api.Peer, have speaker.Session) string {
	if have.Waiting {
		return "waits for BFD"
	}
	state := strings.TrimPrefix(p.GetState().GetSessionState().String(), "SESSION_STATE_")
	return strings.ToLower(state)
}

func familyName(f *api.Family) model.BGPFamily {
	for _, name := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast, model.EVPN} {
		if of := familyOf(name); of.Afi == f.GetAfi() && of.Safi == f.GetSafi() {
			return name
		}
	}
	return model.BGPFamily(f.String())
}

// limits are the numbers of prefixes above which to warn, by neighbour: of all that were wanted last, those without
// limits too.
func (a *Applier) limits() map[string]map[model.BGPFamily]uint32 {
	a.wantedMu.Lock()
	defer a.wantedMu.Unlock()
	all := make(map[string]map[model.BGPFamily]uint32, len(a.wantedPeers))
	for _, p := range a.wantedPeers {
		all[p.Name] = map[model.BGPFamily]uint32{}
		for _, f := range p.Families {
			all[p.Name][f.Family] = f.WarnPrefixes
		}
	}
	return all
}

// addresses are those of the neighbours wanted last that are not looked for on an interface.
func (a *Applier) addresses() map[string]netip.Addr {
	a.wantedMu.Lock()
	defer a.wantedMu.Unlock()
	all := make(map[string]netip.Addr, len(a.wantedPeers))
	for _, p := range a.wantedPeers {
		all[p.Name] = p.Address
	}
	return all
}

// Run warns, until the context ends, when a neighbour tells more prefixes than it should: once, until it does not.
func (a *Applier) Run(ctx context.Context) error {
	heard := a.speaker.Listen()
	warned := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-heard:
		}
		list, err := a.Sessions(ctx)
		if err != nil {
			continue
		}
		for _, s := range list {
			if s.Warning != "" && !warned[s.Name] {
				a.speaker.Warn("peer "+s.Name, s.Warning)
			}
			warned[s.Name] = s.Warning != ""
		}
	}
}
