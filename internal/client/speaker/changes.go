package speaker

import (
	"fmt"
	"log/slog"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"ovnbgp/internal/client/bfd"
)

// peerChanged hears of a BGP session that came up or ended.
func (s *Speaker) peerChanged(e *apiutil.WatchEventMessage_PeerEvent) {
	if e.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	defer s.poke()
	s.mu.Lock()
	defer s.mu.Unlock()
	state := e.Peer.State
	have := s.at(state.NeighborAddress)
	if have == nil {
		return
	}
	if state.SessionState == bgp.BGP_FSM_ESTABLISHED {
		s.cameUp(have, state.PeerASN)
		return
	}
	in := bgpDown
	switch state.DisconnectReason {
	case api.PeerState_DISCONNECT_REASON_HARD_RESET, api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED:
		in = bgpEnded
	default: // it is down; GoBGP tells again what for
	}
	if have.bgp == up {
		s.wentDown(have, state.DisconnectMessage)
	}
	s.feed(have, in, state.DisconnectMessage)
}

// cameUp closes a session in our own AS where an external one is wanted: GoBGP takes any AS then. Call it with the lock.
func (s *Speaker) cameUp(have *session, as uint32) {
	switch {
	case have.bgp != open: // told late: this is no more
	case have.Conf.Conf.PeerAsn == 0 && as == s.global.AS:
		const why = "the neighbour is in our own AS, and an external one is wanted"
		if have.refusals == 0 {
			s.log.Error("BGP session closed", have.object(), slog.String("why", why))
		}
		have.Fault = why
		s.feed(have, bgpStranger, why)
	default:
		s.log.Info("BGP session up", have.object())
		s.ups[have.Name]++
		have.Fault, have.outage = "", outage{}
		s.feed(have, bgpUp, "BGP is up")
	}
}

// bfdChanged hears of a BFD session that came up or went down.
func (s *Speaker) bfdChanged(c bfd.Change) {
	defer s.poke()
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.at(c.Peer)
	switch {
	case have == nil:
	case c.Up:
		s.feed(have, bfdUp, "BFD is up")
	case c.Cause.Failed():
		if have.bgp == open && s.established(have) {
			have.bgp = up // of which we are to hear yet
		}
		if have.bgp == up {
			have.outage.begin("BFD is down: " + c.Cause.String())
			s.log.Warn("BFD session down, the BGP session ends", have.object(), slog.String("why", c.Cause.String()))
		}
		s.feed(have, bfdFailed, c.Cause.String())
	default:
		s.feed(have, bfdClosed, c.Cause.String())
	}
}

// object names a neighbour in the log.
func (have *session) object() slog.Attr {
	return slog.String("object", fmt.Sprintf("peer %s (%s)", have.Name, have.Address))
}
