package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// An unnumbered neighbour is found by its router advertisements (RFC 4861), and finds us by ours. Ours say nothing but
// that we are here: their lifetime is 0, so nobody takes us for a router.

const (
	// advertise is the interval of our advertisements. A neighbour that was started anew knows us after the next one.
	advertise = 2 * time.Second
	reopen    = time.Second // after a failure: the device may come back
)

// link is the exchange of router advertisements on one interface.
type link struct {
	name    string
	log     *slog.Logger
	changed func()
	stop    chan struct{}
	wait    sync.WaitGroup

	mu       sync.Mutex
	neighbor netip.Addr // with its zone; invalid: none heard yet
	err      error      // of the last try
	heard    chan struct{}
}

// Find returns a peer's address, for which it waits a moment on an interface.
func (s *Speaker) Find(ctx context.Context, p Peer) (netip.Addr, error) {
	if p.Interface == "" {
		a, err := netip.ParseAddr(p.Conf.Conf.NeighborAddress)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("neighbour %s: %w", p.Name, err)
		}
		return a, nil
	}
	l := s.watchLink(p.Interface)
	select {
	case <-l.heard:
	case <-ctx.Done():
	case <-time.After(discoveryPatience):
	}
	a, err := l.state()
	switch {
	case a.IsValid():
		return a, nil
	case err != nil:
		return netip.Addr{}, fmt.Errorf("neighbour %s on %s: %w", p.Name, p.Interface, err)
	}
	return netip.Addr{}, fmt.Errorf("neighbour %s on %s: %w", p.Name, p.Interface, ErrNoNeighbor)
}

// Neighbor returns the neighbour last heard on an interface; invalid where none was, or nobody listens.
func (s *Speaker) Neighbor(device string) netip.Addr {
	s.mu.Lock()
	l := s.links[device]
	s.mu.Unlock()
	if l == nil {
		return netip.Addr{}
	}
	a, _ := l.state()
	return a
}

// watchLink begins the exchange on an interface.
func (s *Speaker) watchLink(device string) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[device]; l != nil {
		return l
	}
	l := &link{name: device, log: s.log, changed: s.poke, stop: make(chan struct{}), heard: make(chan struct{})}
	s.links[device] = l
	l.wait.Go(l.run)
	return l
}

// Links lists the interfaces on which neighbours are looked for, sorted.
func (s *Speaker) Links() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.links))
}

// CloseLink looks for no neighbour on an interface any more. None is success.
func (s *Speaker) CloseLink(device string) {
	s.mu.Lock()
	l := s.links[device]
	delete(s.links, device)
	s.mu.Unlock()
	if l != nil {
		l.close() // without the lock: what it hears last asks for it
		s.poke()
	}
}

// Searching tells whether a neighbour is looked for and not found yet.
func (s *Speaker) Searching() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		if a, _ := l.state(); !a.IsValid() {
			return true
		}
	}
	return false
}

func (l *link) close() {
	close(l.stop)
	l.wait.Wait()
}

func (l *link) state() (netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.neighbor, l.err
}

func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// run keeps a socket on the interface, which may go and come back with another index.
func (l *link) run() {
	for {
		err := l.exchange()
		l.fail(err)
		select {
		case <-l.stop:
			return
		case <-time.After(reopen):
		}
	}
}

// exchange advertises and listens until something fails.
func (l *link) exchange() error {
	device, err := net.InterfaceByName(l.name)
	if err != nil {
		return err
	}
	conn, err := openICMP(device)
	if err != nil {
		return fmt.Errorf("router advertisements: %w", err)
	}
	failed := make(chan error, 1)
	var reading sync.WaitGroup
	reading.Go(func() { failed <- l.listen(conn, device) })
	defer reading.Wait()
	defer conn.Close() //nolint:errcheck // it was read and written; what else could fail is told there
	if err := send(conn, device, allRouters(), solicitation(device.HardwareAddr)); err != nil {
		return err
	}
	tick := time.NewTicker(advertise)
	defer tick.Stop()
	for {
		if err := send(conn, device, allNodes(), advertisement(device.HardwareAddr)); err != nil {
			return err
		}
		select {
		case <-l.stop:
			return nil
		case err := <-failed:
			return err
		case <-tick.C:
		}
	}
}

// listen takes advertisements, and answers solicitations.
func (l *link) listen(conn *net.IPConn, device *net.Interface) error {
	in, control := make([]byte, 1500), make([]byte, 256)
	for {
		n, nc, _, from, err := conn.ReadMsgIP(in, control)
		if err != nil {
			return err
		}
		source, _ := netip.AddrFromSlice(from.IP)
		if n < 8 || !source.IsLinkLocalUnicast() || hops(control[:nc]) != hopLimit || ours(device, source) {
			continue
		}
		switch in[0] {
		case routerSolicitation:
			if err := send(conn, device, allNodes(), advertisement(device.HardwareAddr)); err != nil {
				return err
			}
		case routerAdvertisement:
			l.hear(source.WithZone(l.name))
		}
	}
}

func (l *link) hear(a netip.Addr) {
	l.mu.Lock()
	before := l.neighbor
	l.neighbor, l.err = a, nil
	if !before.IsValid() {
		close(l.heard)
	}
	l.mu.Unlock()
	if before != a {
		l.log.Debug("neighbour found", slog.String("object", "neighbour "+a.String()))
		l.changed()
	}
}
