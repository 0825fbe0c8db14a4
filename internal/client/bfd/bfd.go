// Package bfd runs BFD sessions (RFC 5880) in asynchronous mode, over one hop (RFC 5881) or several (RFC 5883), and
// tells when they come up and go down. There is no echo, no demand mode and no authentication. What follows from a
// session that is down is for others to decide. Start at New.
//
// A session that is closed says so to its neighbour (AdminDown), who is then not to take it for a broken path.
package bfd

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Ports of BFD control packets.
const (
	singleHopPort = 3784
	multihopPort  = 4784
)

// Options are what a session is made with. Two equal ones are the same session.
type Options struct {
	Peer       netip.Addr // with its zone where it is link-local
	Local      netip.Addr // source of our packets; invalid: the kernel's choice
	Multihop   bool
	Multiplier uint8         // packets the peer may miss
	Transmit   time.Duration // desired interval of our packets
	Receive    time.Duration // least interval of the peer's packets that we can take
}

func (o Options) port() int {
	if o.Multihop {
		return multihopPort
	}
	return singleHopPort
}

func (o Options) check() error {
	switch {
	case !o.Peer.IsValid():
		return errors.New("BFD: no peer")
	case o.Multiplier == 0:
		return fmt.Errorf("BFD with %s: the multiplier is 0", o.Peer)
	case o.Transmit < time.Millisecond || o.Receive < time.Millisecond:
		return fmt.Errorf("BFD with %s: an interval is less than a millisecond", o.Peer)
	}
	return nil
}

// State is a session's state, as it is written in packets.
type State uint8

// States of a session.
const (
	AdminDown State = 0
	Down      State = 1
	Init      State = 2
	Up        State = 3
)

// String returns "up".
func (s State) String() string {
	switch s {
	case AdminDown:
		return "admin-down"
	case Down:
		return "down"
	case Init:
		return "init"
	case Up:
		return "up"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Status is how a session fares.
type Status struct {
	Options
	State State
	Since time.Time // of the state; a session begins down
	Downs uint64    // times that it went from up to down
}

// Change is a session that came up or is up no more.
type Change struct {
	Peer  netip.Addr
	Up    bool
	Cause Cause // of the end; NoCause when it came up
}

// Cause is why a session is up no more.
type Cause uint8

// Causes. Silent and Unheard mean that the path is broken; the others say nothing of the path (RFC 5882, 3.2).
const (
	NoCause Cause = iota
	Silent        // nothing was heard for the detection time
	Unheard       // the neighbour does not hear us, or says that its end of the path is down
	Closed        // the neighbour has closed its session (AdminDown)
	// Renewed: the neighbour has begun its session anew, or has none any more. It is down under another discriminator; or it
	// says that we are (diagnostic 3) while we are up. With that bfdd of FRR takes leave of a session that bgpd registers
	// anew, which FRR 8.4 does whenever it learns its own address of the first BGP session with a neighbour, or asks for no
	// more.
	Renewed
)

// Failed tells whether the path is broken.
func (c Cause) Failed() bool { return c == Silent || c == Unheard }

// String returns "nothing is heard".
func (c Cause) String() string {
	switch c {
	case NoCause:
		return "no cause"
	case Silent:
		return "nothing is heard of the neighbour"
	case Unheard:
		return "the neighbour says that the path is down"
	case Closed:
		return "the neighbour has closed it"
	case Renewed:
		return "the neighbour begins it anew"
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Server runs sessions, one with each neighbour.
type Server struct {
	log     *slog.Logger
	changed func(Change)

	mu       sync.Mutex
	closed   bool
	sessions map[netip.Addr]*session
	sockets  map[int]*socket // by port
}

// New returns a server without sessions. It opens no socket before there is one. The function is called, from the
// session's goroutine, whenever one comes up or goes down.
func New(log *slog.Logger, changed func(Change)) *Server {
	return &Server{log: log, changed: changed, sessions: map[netip.Addr]*session{}, sockets: map[int]*socket{}}
}

// Ensure starts a session, or gives one that runs other timers. A session with another source or over another number
// of hops is closed first.
func (s *Server) Ensure(o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("BFD: closed")
	}
	if have := s.sessions[o.Peer]; have != nil {
		if have.identity() == (identity{o.Local, o.Multihop}) {
			have.update(o)
			return nil
		}
		have.close()
		delete(s.sessions, o.Peer)
	}
	if s.sockets[o.port()] == nil {
		socket, err := listen(o.port(), s.take)
		if err != nil {
			return fmt.Errorf("BFD: %w (does another BFD daemon run?)", err)
		}
		s.sockets[o.port()] = socket
	}
	s.sessions[o.Peer] = newSession(o, s.log, s.changed, s.newDiscriminator(), &sender{})
	return nil
}

// Remove closes a session. None is success.
func (s *Server) Remove(peer netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.sessions[peer]; have != nil {
		have.close()
		delete(s.sessions, peer)
	}
}

// Status lists the sessions, by peer.
func (s *Server) Status() map[netip.Addr]Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make(map[netip.Addr]Status, len(s.sessions))
	for peer, session := range s.sessions {
		list[peer] = session.status()
	}
	return list
}

// Close closes all sessions and the sockets.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, session := range s.sessions {
		session.close()
	}
	clear(s.sessions)
	sockets := slices.Collect(maps.Values(s.sockets))
	clear(s.sockets)
	s.mu.Unlock() // a packet that has just come takes the lock, and a socket waits for its packets
	var errs []error
	for _, socket := range sockets {
		errs = append(errs, socket.close())
	}
	return errors.Join(errs...)
}

// take hands a packet to its session: the one it names, or, from a neighbour that does not know us yet, the one with
// its address.
func (s *Server) take(p packet, from netip.Addr, port int) {
	s.mu.Lock()
	session := s.sessions[from]
	if p.your != 0 {
		for _, candidate := range s.sessions {
			if candidate.mine == p.your {
				session = candidate
			}
		}
	}
	s.mu.Unlock()
	if session == nil || session.port != port || session.peer != from ||
		p.your != 0 && p.your != session.mine ||
		p.your == 0 && p.state != Down && p.state != AdminDown {
		return
	}
	select {
	case session.packets <- p:
	default: // it is behind; the next will do
	}
}

func (s *Server) newDiscriminator() uint32 {
	used := slices.Collect(maps.Values(s.sessions))
	for {
		d := randomDiscriminator()
		if d != 0 && !slices.ContainsFunc(used, func(have *session) bool { return have.mine == d }) {
			return d
		}
	}
}
