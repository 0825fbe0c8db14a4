package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// peerChanged says when a session comes up or ends. One in our own AS where an external one is wanted is closed: GoBGP
// takes any AS then.
func (s *Speaker) peerChanged(e *apiutil.WatchEventMessage_PeerEvent) {
	if e.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	name, _ := s.byAddress(e.Peer.State.NeighborAddress)
	if name == "" {
		return
	}
	object := slog.String("object", fmt.Sprintf("peer %s (%s)", name, e.Peer.State.NeighborAddress))
	switch {
	case e.Peer.State.SessionState == bgp.BGP_FSM_ESTABLISHED:
		s.cameUp(name, e.Peer.State.PeerASN, object)
	case e.Peer.State.DisconnectMessage != "" && e.Peer.State.SessionState == bgp.BGP_FSM_IDLE:
		s.log.Debug("BGP session down", object, slog.String("why", e.Peer.State.DisconnectMessage))
	}
	s.poke()
}

func (s *Speaker) cameUp(name string, as uint32, object slog.Attr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.sessions[name]
	if have == nil || s.server == nil {
		return
	}
	if have.Conf.Conf.PeerAsn == 0 && as == s.global.AS {
		s.refuse(have, "the neighbour is in our own AS, and an external one is wanted", object)
		return
	}
	s.log.Info("BGP session up", object)
	s.ups[name]++
	have.up, have.Fault, have.refused = time.Now(), "", 0
	if have.bfdLater {
		have.bfdLater = false
		if err := s.beginBFD(have); err != nil {
			s.log.Warn("no BFD", object, slog.Any("err", err))
		}
	}
}

// A neighbour that is not who it should be is asked again after this time, and after twice that each time it still is not.
const (
	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
)

// refuse closes a session, to be tried again: the neighbour's operator may mend it, and who calls us is not told apart.
// Call it with the lock.
func (s *Speaker) refuse(have *session, why string, object slog.Attr) {
	wait := retryAfter(have.refused)
	if have.refused == 0 {
		s.log.Error("BGP session closed", object, slog.String("why", why))
	}
	have.Fault = why
	have.refused++
	s.wrote()
	err := s.server.DisablePeer(context.Background(), &api.DisablePeerRequest{Address: have.Address.String(), Communication: why})
	if err != nil {
		s.log.Warn("BGP session not closed", object, slog.Any("err", err))
	}
	have.retry = time.AfterFunc(wait, func() { s.later(func() { s.tryAgain(have) }) })
}

// retryAfter is how long a neighbour waits that was refused so often before.
func retryAfter(refused int) time.Duration {
	const doublings = 5 // more than lastRetry
	return min(firstRetry<<min(refused, doublings), lastRetry)
}

// tryAgain lets a session begin that was refused. Its Fault stays until one is up.
func (s *Speaker) tryAgain(have *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil || s.sessions[have.Name] != have {
		return
	}
	s.wrote()
	err := s.server.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: have.Address.String()})
	if err != nil {
		s.log.Warn("BGP session not begun", slog.String("object", "peer "+have.Name), slog.Any("err", err))
	}
}
