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

// bfdPatience is how long BFD may take to come up.
const bfdPatience = 5 * time.Second

// patienceWithBFD is how long a BGP session waits for that of BFD. FRR's bfdd takes nothing of a new session while the one
// with the process before is up: that has to run out first, after a detection time that is about ours, and its end would
// end a BGP session that had come up meanwhile.
func patienceWithBFD(o bfd.Options) time.Duration {
	return bfdPatience + time.Duration(o.Multiplier)*max(o.Transmit, o.Receive)
}

// bgpPatience is how long BFD waits for the first BGP session with a neighbour: one that is there takes it within a second.
const bgpPatience = 3 * time.Second

// discoveryPatience is how long SetPeer waits for an unnumbered neighbour. The neighbour answers a solicitation at once,
// if it is there.
const discoveryPatience = time.Second

// ErrNoNeighbor says that no neighbour was found on an interface yet.
var ErrNoNeighbor = errors.New("no neighbour has sent a router advertisement there yet")

// SetPeer adds a neighbour, or gives one that is there another configuration, which ends its session. Whether BGP or BFD is
// the first to begin is said in course.go.
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
	next := &session{Session: Session{Peer: p, Address: address}}
	if have != nil {
		next.outage.last = have.outage.last
	}
	var deeds []action
	next.course, deeds = begin(p.BFD != nil, p.Restarting || have != nil, s.bfd.Status()[address].State == bfd.Up)
	if err := s.do(next, deeds, "configured"); err != nil {
		next.stop()
		return err
	}
	s.wrote()
	var err error
	if have != nil {
		have.stop()
		_, err = s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: next.conf()})
	} else {
		err = s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: next.conf()})
	}
	if err != nil {
		next.stop()
		return fmt.Errorf("neighbour %s (%s): %w", p.Name, address, err)
	}
	s.sessions[p.Name] = next
	return nil
}

// conf is what GoBGP is told of a neighbour.
func (have *session) conf() *api.Peer {
	conf := proto.CloneOf(have.Conf)
	conf.Conf.NeighborAddress, conf.Conf.Description = have.Address.String(), have.Name
	conf.Conf.AdminDown = have.bgp == held
	if conf.GracefulRestart != nil {
		conf.GracefulRestart.LocalRestarting = have.Restarting
	}
	return conf
}

func (have *session) stop() {
	if have.wait != nil {
		have.wait.Stop()
	}
}

// feed tells a neighbour's course what happened, and does what follows. Call it with the lock.
func (s *Speaker) feed(have *session, in input, why string) {
	deeds := have.on(in)
	if s.server == nil || len(deeds) == 0 {
		return
	}
	if err := s.do(have, deeds, why); err != nil {
		s.log.Warn("sessions of BGP and BFD do not go on", have.object(), slog.String("why", why), slog.Any("err", err))
	}
}

// do does what the course says. Call it with the lock.
func (s *Speaker) do(have *session, deeds []action, why string) error {
	var errs []error
	for _, a := range deeds {
		errs = append(errs, s.act(have, a, why))
	}
	return errors.Join(errs...)
}

func (s *Speaker) act(have *session, a action, why string) error {
	ctx, address := context.Background(), have.Address.String()
	switch a {
	case beginBFD:
		o := *have.BFD
		o.Peer = have.Address
		return s.bfd.Ensure(o)
	case closeBFD:
		s.bfd.Remove(have.Address)
	case enableBGP:
		s.log.Debug("BGP session may begin", have.object(), slog.String("why", why))
		s.wrote()
		have.stop()
		return s.server.EnablePeer(ctx, &api.EnablePeerRequest{Address: address})
	case disableBGP:
		s.wrote()
		return s.server.DisablePeer(ctx, &api.DisablePeerRequest{Address: address, Communication: have.Fault})
	case renewBGP:
		s.log.Debug("BGP session begins anew", have.object(), slog.String("why", why))
		return s.renew(have)
	case waitForBFD:
		s.waitFor(have, patienceWithBFD(*have.BFD), "BFD does not come up")
	case waitForBGP:
		s.waitFor(have, bgpPatience, "BGP does not come up")
	case waitToRetry:
		s.waitFor(have, retryAfter(have.refusals), "it is tried again")
	}
	return nil
}

func (s *Speaker) waitFor(have *session, d time.Duration, why string) {
	have.stop()
	have.wait = time.AfterFunc(d, func() {
		s.later(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.sessions[have.Name] == have {
				s.feed(have, waitOver, why)
			}
		})
	})
}

// A neighbour that is not who it should be is asked again after this time, and after twice that each time it still is not:
// its operator may mend it, and who calls us is not told apart.
const (
	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
)

// retryAfter is how long a neighbour waits that was refused so often.
func retryAfter(refusals int) time.Duration {
	const doublings = 5 // more than lastRetry
	return min(firstRetry<<min(refusals-1, doublings), lastRetry)
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
	have.BFD = o
	in := bfdWanted
	if o == nil {
		in = bfdUnwanted
	}
	return s.do(have, have.on(in), "configured")
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

// remove takes a neighbour out of the server and ends its BFD. Call it with the lock.
func (s *Speaker) remove(have *session) error {
	if err := s.forget(have); err != nil {
		return err
	}
	s.drop(have.Name)
	return nil
}

// forget takes a neighbour out of the server. Call it with the lock.
func (s *Speaker) forget(have *session) error {
	ctx := context.Background()
	if have.Conf.Conf.AuthPassword != "" {
		// GoBGP takes a password from its listening socket when a neighbour is updated, and not when it is deleted.
		conf := have.conf()
		conf.Conf.AuthPassword, conf.Conf.AdminDown = "", true
		if _, err := s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: conf}); err != nil {
			return fmt.Errorf("neighbour %s: %w", have.Name, err)
		}
	}
	if err := s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: have.Address.String()}); err != nil {
		return fmt.Errorf("neighbour %s: %w", have.Name, err)
	}
	return nil
}

// renew ends a BGP session and has GoBGP begin with another: after a reset it would wait for seconds. Both happen under one
// lock: nobody sees a neighbour that is wanted and not there, and adds it himself. Call it with the lock.
func (s *Speaker) renew(have *session) error {
	s.wrote()
	have.Restarting = false
	if err := s.forget(have); err != nil {
		return err
	}
	if err := s.server.AddPeer(context.Background(), &api.AddPeerRequest{Peer: have.conf()}); err != nil {
		s.drop(have.Name) // who wants it adds it
		return fmt.Errorf("neighbour %s: %w", have.Name, err)
	}
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
		told := have.Session
		told.Waiting, told.LastError = have.bgp == held, have.outage.last
		list[name] = told
	}
	return list
}

// BFD lists the BFD sessions, by the neighbour's address.
func (s *Speaker) BFD() map[netip.Addr]bfd.Status { return s.bfd.Status() }

// at finds the neighbour with an address; nil: there is none. Call it with the lock.
func (s *Speaker) at(a netip.Addr) *session {
	if s.server == nil {
		return nil
	}
	for _, have := range s.sessions {
		if have.Address == a {
			return have
		}
	}
	return nil
}

// established asks GoBGP whether a neighbour's session is up. Call it with the lock.
func (s *Speaker) established(have *session) bool {
	is := false
	err := s.server.ListPeer(context.Background(), &api.ListPeerRequest{Address: have.Address.String()}, func(p *api.Peer) {
		is = is || p.GetState().GetSessionState() == api.PeerState_SESSION_STATE_ESTABLISHED
	})
	return is && err == nil
}
