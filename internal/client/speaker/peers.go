package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"google.golang.org/protobuf/proto"

	"ovnbgp/internal/client/bfd"
)

// bfdPatience is how long a BGP session waits for that of BFD.
const bfdPatience = 5 * time.Second

// discoveryPatience is how long SetPeer waits for an unnumbered neighbour. The neighbour answers a solicitation at once,
// if it is there.
const discoveryPatience = time.Second

// ErrNoNeighbor says that no neighbour was found on an interface yet.
var ErrNoNeighbor = errors.New("no neighbour has sent a router advertisement there yet")

// SetPeer adds a neighbour, or gives one that is there another configuration, which ends its session.
//
// With BFD, the BGP session waits for the BFD session to come up, if it does within a few seconds, where the neighbour may
// remember one before it: ours of before a restart. A new BFD session begins by saying that it is down, and to such a
// neighbour this is a broken path: it would end a BGP session that has just come up, and forget what it had kept for
// graceful restart. With a neighbour that is new BFD begins after BGP: bgpd of FRR begins its BFD session anew when it
// learns its own address of the first BGP session, and would end that.
func (s *Speaker) SetPeer(ctx context.Context, p Peer) error {
	address, err := s.Find(ctx, p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(ctx, p, address)
}

// set is SetPeer of a neighbour that was found. Call it with the lock.
func (s *Speaker) set(ctx context.Context, p Peer, address netip.Addr) error {
	if s.server == nil {
		return ErrNotStarted
	}
	have := s.sessions[p.Name]
	// One that was refused is disabled in the server, which an update does not end.
	if have != nil && (have.Address != address || have.Interface != p.Interface || have.Fault != "") {
		if err := s.remove(have); err != nil {
			return err
		}
		have = nil
	}
	conf := proto.CloneOf(p.Conf)
	conf.Conf.NeighborAddress, conf.Conf.Description = address.String(), p.Name
	next := &session{Session: Session{Peer: p, Address: address}}
	switch {
	case p.BFD == nil:
		s.bfd.Remove(address)
	case !p.Restarting && !p.again && have == nil:
		next.bfdLater = true
	default:
		if err := s.beginBFD(next); err != nil {
			return err
		}
		next.Waiting = s.bfd.Status()[address].State != bfd.Up
		next.patience = time.AfterFunc(bfdPatience, func() { s.later(func() { s.enable(p.Name, "BFD does not come up") }) })
	}
	conf.Conf.AdminDown = next.Waiting
	if conf.GracefulRestart != nil {
		conf.GracefulRestart.LocalRestarting = p.Restarting
	}
	s.wrote()
	var err error
	if have != nil {
		have.stop()
		_, err = s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: conf})
	} else {
		err = s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: conf})
	}
	if err != nil {
		next.stop()
		return fmt.Errorf("neighbour %s (%s): %w", p.Name, address, err)
	}
	s.sessions[p.Name] = next
	return nil
}

// beginBFD begins a neighbour's BFD session.
func (s *Speaker) beginBFD(have *session) error {
	o := *have.BFD
	o.Peer = have.Address
	return s.bfd.Ensure(o)
}

func (s *session) stop() {
	for _, timer := range []*time.Timer{s.patience, s.retry} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// SetBFD gives a neighbour other timers, or none, without touching its session.
func (s *Speaker) SetBFD(name string, o *bfd.Options) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.sessions[name]
	if have == nil {
		return fmt.Errorf("there is no neighbour %s", name)
	}
	s.wrote()
	if o == nil {
		s.bfd.Remove(have.Address)
		have.BFD = nil
		return nil
	}
	have.BFD = o
	return s.beginBFD(have)
}

// RemovePeer ends a neighbour's session for good. None is success. Its interface stays in Links.
func (s *Speaker) RemovePeer(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.sessions[name]
	if have == nil || s.server == nil {
		return nil
	}
	s.wrote()
	return s.remove(have)
}

// remove takes a neighbour out of the server. Call it with the lock.
func (s *Speaker) remove(have *session) error {
	ctx := context.Background()
	if have.Conf.Conf.AuthPassword != "" {
		// GoBGP takes a password from its listening socket when a neighbour is updated, and not when it is deleted.
		conf := proto.CloneOf(have.Conf)
		conf.Conf.NeighborAddress, conf.Conf.Description = have.Address.String(), have.Name
		conf.Conf.AuthPassword, conf.Conf.AdminDown = "", true
		if _, err := s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: conf}); err != nil {
			return fmt.Errorf("neighbour %s: %w", have.Name, err)
		}
	}
	if err := s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: have.Address.String()}); err != nil {
		return fmt.Errorf("neighbour %s: %w", have.Name, err)
	}
	s.drop(have.Name)
	return nil
}

// drop forgets a session that the server has no more. Call it with the lock.
func (s *Speaker) drop(name string) {
	have := s.sessions[name]
	have.stop()
	s.bfd.Remove(have.Address)
	delete(s.sessions, name)
}

// Sessions lists the neighbours, by name.
func (s *Speaker) Sessions() map[string]Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make(map[string]Session, len(s.sessions))
	for name, have := range s.sessions {
		list[name] = have.Session
	}
	return list
}

// BFD lists the BFD sessions, by the neighbour's address.
func (s *Speaker) BFD() map[netip.Addr]bfd.Status { return s.bfd.Status() }

// enable has a neighbour's BGP session begin.
func (s *Speaker) enable(name, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.sessions[name]
	if have == nil || !have.Waiting || s.server == nil {
		return
	}
	have.Waiting = false
	have.stop()
	s.log.Debug("BGP session begins", slog.String("object", "peer "+name), slog.String("why", why))
	if err := s.server.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: have.Address.String()}); err != nil {
		s.log.Warn("BGP session not begun", slog.String("object", "peer "+name), slog.Any("err", err))
	}
}

// bfdChanged lets the BGP session begin when BFD is up, and ends it when the path is broken: what the neighbour told
// must not be used any longer, graceful restart or not (RFC 5882, section 4.3). While the BGP session is down already
// there is nothing to end: the neighbour restarts, and its BFD with it.
func (s *Speaker) bfdChanged(c bfd.Change) {
	name, up := s.byAddress(c.Peer)
	if name == "" {
		return
	}
	defer s.poke()
	if c.Up {
		s.enable(name, "BFD is up")
		return
	}
	if !c.Cause.Failed() || !up {
		return
	}
	if s.isYoung(name) {
		time.AfterFunc(youth, func() { s.later(func() { s.judge(name) }) })
		return
	}
	s.endByBFD(name)
}

// youth is how long after the begin of a BGP session the BFD session may be down: a neighbour that begins it anew with
// each BGP session, as bgpd of FRR may, is silent for a second.
const youth = 3 * time.Second

func (s *Speaker) isYoung(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.sessions[name]
	return have != nil && time.Since(have.up) < youth
}

// judge ends a BGP session of which BFD went down in its youth, and did not come back.
func (s *Speaker) judge(name string) {
	s.mu.Lock()
	have := s.sessions[name]
	s.mu.Unlock()
	if have == nil || s.bfd.Status()[have.Address].State == bfd.Up {
		return
	}
	if _, up := s.byAddress(have.Address); up {
		s.endByBFD(name)
	}
}

func (s *Speaker) endByBFD(name string) {
	s.log.Warn("BFD session down, the BGP session ends", slog.String("object", "peer "+name))
	if err := s.anew(name); err != nil {
		s.log.Warn("BGP session not begun anew", slog.String("object", "peer "+name), slog.Any("err", err))
	}
	s.poke() // what could not be begun is for who wants it
}

// anew ends a session and has it begin again. A reset would do, but GoBGP waits for seconds after one, and so BGP waits
// for BFD. Both happen under one lock: nobody sees a neighbour that is wanted and not there, and adds it himself.
func (s *Speaker) anew(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.sessions[name]
	if have == nil || s.server == nil {
		return nil
	}
	peer := have.Peer
	peer.Restarting, peer.again = false, true
	if err := s.remove(have); err != nil {
		return err
	}
	return s.set(context.Background(), peer, have.Address)
}

// byAddress finds a neighbour, and whether its BGP session is up.
func (s *Speaker) byAddress(a netip.Addr) (name string, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, have := range s.sessions {
		if have.Address == a {
			name = n
		}
	}
	if name == "" || s.server == nil {
		return name, false
	}
	err := s.server.ListPeer(context.Background(), &api.ListPeerRequest{Address: a.String()}, func(p *api.Peer) {
		up = up || p.GetState().GetSessionState() == api.PeerState_SESSION_STATE_ESTABLISHED
	})
	return name, up && err == nil
}
