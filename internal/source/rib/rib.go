// Package rib reads what BGP peers told the speaker in this process: the prefixes, and of each the paths that are
// equally good. It writes nothing. Start at Source.Snapshot.
package rib

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/model"
)

// settled is how long after its start a session counts as one that has told everything. With graceful restart it must
// have marked the end, too; but of a neighbour that was itself started lately GoBGP does not wait for that.
const settled = 3 * time.Second

// look is how often it is looked whether all is known, until it is.
const look = time.Second

// Source reads a speaker's routes.
type Source struct {
	speaker  *speaker.Speaker
	patience time.Duration
	pokes    chan struct{}

	mu    sync.Mutex
	known *server.BgpServer     // the server of which all is known; nil: none
	heard map[netip.Prefix]bool // what it was ever told, while not all is known
	by    *server.BgpServer     // the server of heard
}

// New returns a source. After patience all counts as known, whoever has not come back: neighbours that are gone must not
// keep routes in place for good.
func New(s *speaker.Speaker, patience time.Duration) *Source {
	return &Source{speaker: s, patience: patience, pokes: make(chan struct{}, 1)}
}

// Pokes receives when there may be something new.
func (s *Source) Pokes() <-chan struct{} { return s.pokes }

// Run tells of news until the context ends.
func (s *Source) Run(ctx context.Context) error {
	heard := s.speaker.Listen()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-heard:
		case <-tick.C:
			b, _, err := s.speaker.Server()
			if err != nil || s.isKnown(b) {
				continue
			}
			if complete, err := s.complete(ctx, b); err != nil || !complete {
				continue
			}
		}
		select {
		case s.pokes <- struct{}{}:
		default: // one is waiting
		}
	}
}

func (s *Source) isKnown(b *server.BgpServer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known == b
}

// Snapshot reads the routes now. A speaker that does not speak yet knows nothing, which is no error: others start it.
func (s *Source) Snapshot(ctx context.Context) (model.RIB, error) {
	b, _, err := s.speaker.Server()
	if err != nil {
		return model.RIB{}, nil
	}
	// Whether all is known first: what comes between the two is only more.
	complete, err := s.complete(ctx, b)
	if err != nil {
		return model.RIB{}, err
	}
	rib, err := read(b, nil, nil)
	if err != nil {
		return model.RIB{}, err
	}
	if rib.Known = complete; !complete {
		rib.Gone = s.gone(b, rib.Learned)
	}
	return rib, nil
}

// Defaults reads the default routes alone, however many others there are. Nothing is known of a speaker that does not speak
// yet.
func (s *Source) Defaults() (model.RIB, error) {
	b, _, err := s.speaker.Server()
	if err != nil {
		return model.RIB{}, nil
	}
	known := s.isKnown(b)
	rib, err := read(b, exactly(model.IPv4Unicast), exactly(model.IPv6Unicast))
	rib.Known = known
	return rib, err
}

func exactly(f model.BGPFamily) []*apiutil.LookupPrefix {
	return []*apiutil.LookupPrefix{{Prefix: model.DefaultRoute(f).String()}}
}

// read lists what peers told, of each family those prefixes that are asked for; nil asks for all.
func read(b *server.BgpServer, v4, v6 []*apiutil.LookupPrefix) (rib model.RIB, err error) {
	for _, r := range []apiutil.ListPathRequest{{Family: bgp.RF_IPv4_UC, Prefixes: v4}, {Family: bgp.RF_IPv6_UC, Prefixes: v6}} {
		r.TableType = api.TableType_TABLE_TYPE_GLOBAL
		err := b.ListPath(r, func(nlri bgp.NLRI, known []*apiutil.Path) {
			if l, ok := learned(nlri, known); ok {
				rib.Learned = append(rib.Learned, l)
			}
		})
		if err != nil {
			return model.RIB{}, fmt.Errorf("read what BGP peers told: %w", err)
		}
	}
	slices.SortFunc(rib.Learned, func(a, b model.Learned) int { return a.Prefix.Compare(b.Prefix) })
	return rib, nil
}

// gone lists what peers have told since the server was started and tell no more. It is not waited for: who told it took it
// back, or is dead.
func (s *Source) gone(b *server.BgpServer, now []model.Learned) (gone []netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by != b {
		s.heard, s.by = map[netip.Prefix]bool{}, b
	}
	still := make(map[netip.Prefix]bool, len(now))
	for _, l := range now {
		s.heard[l.Prefix], still[l.Prefix] = true, true
	}
	for prefix := range s.heard {
		if !still[prefix] {
			gone = append(gone, prefix)
		}
	}
	slices.SortFunc(gone, netip.Prefix.Compare)
	return gone
}

// complete tells whether all neighbours have told everything once since the speaker was started, or have had the time.
func (s *Source) complete(ctx context.Context, b *server.BgpServer) (bool, error) {
	if s.isKnown(b) {
		return true, nil
	}
	_, since, started := s.speaker.Global()
	peers, done := 0, started && !s.speaker.Searching()
	// Before the states: a session that comes up between the two has not died.
	ups := map[string]uint64{}
	for name := range s.speaker.Sessions() {
		ups[name] = s.speaker.Established(name)
	}
	err := b.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		peers++
		done = done && told(p, ups[p.GetConf().GetDescription()] > 0)
	})
	if err != nil {
		return false, fmt.Errorf("read BGP neighbours: %w", err)
	}
	if done && peers > 0 || started && time.Since(since) > s.patience {
		s.mu.Lock()
		s.known = b
		s.mu.Unlock()
		return true, nil
	}
	return false, nil
}

// told tells whether a neighbour has told everything: it said so in each family (End-of-RIB, RFC 4724), if it says such
// things, and has had a moment. One whose session has been up and is not is waited for no longer: what it told is kept by
// graceful restart, or gone.
func told(p *api.Peer, wasUp bool) bool {
	if p.GetState().GetSessionState() != api.PeerState_SESSION_STATE_ESTABLISHED {
		return wasUp
	}
	for _, f := range p.GetAfiSafis() {
		gr := f.GetMpGracefulRestart().GetState()
		if gr.GetReceived() && !gr.GetEndOfRibReceived() {
			return false
		}
	}
	return time.Since(p.GetTimers().GetState().GetUptime().AsTime()) > settled
}

// learned picks the paths of peers that are as good as the best; ok is false where that is one of our own.
func learned(nlri bgp.NLRI, known []*apiutil.Path) (model.Learned, bool) {
	prefix, isPrefix := nlri.(*bgp.IPAddrPrefix)
	if !isPrefix {
		return model.Learned{}, false
	}
	l := model.Learned{Prefix: prefix.Prefix}
	for _, k := range known {
		if !k.Best || !k.PeerAddress.IsValid() {
			continue
		}
		if p := pathOf(k); p.NextHop.IsValid() {
			l.Paths = append(l.Paths, p)
		}
	}
	if len(l.Paths) == 0 {
		return model.Learned{}, false
	}
	slices.SortFunc(l.Paths[1:], func(a, b model.LearnedPath) int { return a.NextHop.Compare(b.NextHop) })
	return l, true
}

// pathOf reads a path. A link-local next hop is on the link of the session.
func pathOf(k *apiutil.Path) (p model.LearnedPath) {
	p.Neighbor = k.PeerAddress.String()
	for _, attribute := range k.Attrs {
		switch x := attribute.(type) {
		case *bgp.PathAttributeNextHop:
			p.NextHop = x.Value
		case *bgp.PathAttributeMpReachNLRI:
			p.NextHop = x.Nexthop
			if x.LinkLocalNexthop.IsValid() && k.PeerAddress.Zone() != "" {
				p.NextHop = x.LinkLocalNexthop
			}
		case *bgp.PathAttributeAsPath:
			p.ASPath = asPath(x)
		}
	}
	if p.NextHop.IsUnspecified() && k.PeerAddress.Zone() != "" {
		p.NextHop = k.PeerAddress // BIRD names no other on a link without addresses
	}
	if p.NextHop.IsLinkLocalUnicast() {
		if p.NextHop = p.NextHop.WithZone(k.PeerAddress.Zone()); p.NextHop.Zone() == "" {
			p.NextHop = netip.Addr{} // nobody knows on which link
		}
	}
	return p
}

func asPath(a *bgp.PathAttributeAsPath) string {
	var texts []string
	for _, segment := range a.Value {
		texts = append(texts, segment.String())
	}
	return strings.Join(texts, " ")
}
