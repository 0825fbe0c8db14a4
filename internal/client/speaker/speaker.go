// Package speaker runs a BGP speaker in this process: GoBGP, with BFD and the router advertisements by which unnumbered
// neighbours find each other. It knows how a speaker is started, given neighbours and stopped, and decides nothing: what
// it speaks about is GoBGP's own API, which its users talk to by Server.
//
// Stopping closes sessions without a NOTIFICATION where graceful restart is agreed (RFC 4724), so neighbours keep what
// they were told. Start at Speaker.Start.
package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"

	"ovnbgp/internal/client/bfd"
)

// Global is what a speaker cannot change while it runs.
type Global struct {
	AS       uint32
	RouterID netip.Addr
}

// Peer is a neighbour.
type Peer struct {
	Name      string
	Interface string // where its link-local address is found; "": Conf has the address
	// Conf is what GoBGP is told. The speaker fills in a link-local address, and uses Description for Name and AdminDown
	// for itself.
	Conf *api.Peer
	// BFD is what its session runs with, but for the peer's address; nil: none.
	BFD *bfd.Options
	// Restarting claims that this process took up where one before it left, and that what forwards was kept (R and F bits
	// of RFC 4724).
	Restarting bool
}

// Session is a neighbour that the speaker has.
type Session struct {
	Peer
	Address netip.Addr // with its zone
	// Waiting tells that the BGP session waits for that of BFD.
	Waiting bool
	// Fault is why the speaker closed the session itself; "" while the neighbour is who it should be.
	Fault string
	// LastError is why the session is down, as far as it is known; "" while it is up.
	LastError string
}

// Options are for New.
type Options struct {
	Log *slog.Logger
	// Port is what is listened on; 0: BGP's, 179.
	Port int32
}

// ErrNotStarted is the error of what needs a started speaker.
var ErrNotStarted = errors.New("the BGP speaker is not started")

// Speaker is a BGP speaker. Its methods may be called from several goroutines.
type Speaker struct {
	options Options
	log     *slog.Logger
	bfd     *bfd.Server
	events  chan func()
	ended   chan struct{}
	end     sync.Once
	loop    sync.WaitGroup

	mu        sync.Mutex
	global    Global
	server    *server.BgpServer // nil: not started
	served    <-chan struct{}   // closed when the server's own loop has ended
	hushed    *hushed           // what the server logs to
	watching  context.CancelFunc
	sessions  map[string]*session
	links     map[string]*link
	ups       map[string]uint64 // times that a session came up
	listeners []chan struct{}
	born      time.Time
	began     time.Time // of the server
	version   uint64    // of what was written
}

// session is a Session, how far it has come, and the timer of what it waits for.
type session struct {
	Session
	course
	outage outage
	wait   *time.Timer
}

// New returns a speaker that does not speak yet.
func New(o Options) *Speaker {
	s := &Speaker{options: o, log: o.Log.With(slog.String("subsystem", "gobgp")), events: make(chan func(), 256),
		ended: make(chan struct{}), born: time.Now(), sessions: map[string]*session{}, links: map[string]*link{}, ups: map[string]uint64{}}
	s.bfd = bfd.New(s.log, func(c bfd.Change) { s.later(func() { s.bfdChanged(c) }) })
	s.loop.Go(s.work)
	return s
}

// work runs what sessions and timers report, one after the other and outside of their goroutines.
func (s *Speaker) work() {
	for {
		select {
		case <-s.ended:
			return
		case do := <-s.events:
			do()
		}
	}
}

func (s *Speaker) later(do func()) {
	select {
	case s.events <- do:
	case <-s.ended:
	}
}

// Listen returns a channel that receives, one at a time, when what peers say, or which neighbours are found, may have
// changed.
func (s *Speaker) Listen() <-chan struct{} {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, c)
	return c
}

// poke tells the listeners. Call it without the lock.
func (s *Speaker) poke() {
	s.mu.Lock()
	listeners := slices.Clone(s.listeners)
	s.mu.Unlock()
	for _, c := range listeners {
		select {
		case c <- struct{}{}:
		default: // one is waiting
		}
	}
}

// wrote notes a change. Call it with the lock.
func (s *Speaker) wrote() { s.version++ }

// Write does a change to the server and counts it.
func (s *Speaker) Write(do func(*server.BgpServer) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return ErrNotStarted
	}
	s.wrote()
	return do(s.server)
}

// Server returns GoBGP itself, to be read, and the number of changes that were made to it by way of this speaker.
func (s *Speaker) Server() (*server.BgpServer, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil, s.version, ErrNotStarted
	}
	return s.server, s.version, nil
}

// Global returns what the speaker was started with, and when; ok is false while it is not.
func (s *Speaker) Global() (g Global, since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.global, s.began, s.server != nil
}

// Age is how long the process has had a speaker. For some time after another's end, neighbours keep what that told them.
func (s *Speaker) Age() time.Duration { return time.Since(s.born) }

// Start begins to speak, without neighbours and with nothing to tell. The function sets what must be there before
// anything else is. A speaker that speaks already is stopped first: AS and router id are in every session.
func (s *Speaker) Start(ctx context.Context, g Global, prepare func(*server.BgpServer) error) error {
	s.Stop()
	defer s.poke()
	s.mu.Lock()
	defer s.mu.Unlock()
	level := &slog.LevelVar{}
	logger, served := hush(s.log.Handler(), s.heard), make(chan struct{})
	started := server.NewBgpServer(server.LoggerOption(slog.New(logger), level))
	go func() {
		defer close(served)
		started.Serve()
	}()
	err := started.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: g.AS, RouterId: g.RouterID.String(),
		ListenPort: s.options.Port, UseMultiplePaths: true}})
	if err == nil {
		err = prepare(started)
	}
	watch, cancel := context.WithCancel(context.Background())
	if err == nil {
		err = started.WatchEvent(watch, s.callbacks(), server.WatchPeer(), server.WatchBestPath(false), server.WatchEor(false))
	}
	if err != nil {
		cancel()
		started.Stop()
		return fmt.Errorf("start BGP with AS %d and router id %s: %w", g.AS, g.RouterID, err)
	}
	s.server, s.served, s.hushed, s.global, s.watching, s.began = started, served, logger, g, cancel, time.Now()
	s.wrote()
	return nil
}

// Stop ends all sessions, and speaks no more. Neighbours with graceful restart get no NOTIFICATION.
func (s *Speaker) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return
	}
	// BGP before BFD: a neighbour that hears of the end of BFD while BGP is up takes the path for broken.
	if err := s.server.StopBgp(context.Background(), &api.StopBgpRequest{AllowGracefulRestart: true}); err != nil {
		s.log.Warn("BGP speaker not stopped in good order", slog.Any("err", err))
	} else {
		<-s.served // after it Stop asks nothing of a loop that has ended
		s.hushed.silence()
	}
	s.server.Stop() // what StopBgp leaves: the goroutine of GoBGP's own BFD
	s.watching()
	for name := range maps.Clone(s.sessions) {
		s.drop(name)
	}
	s.server = nil
}

// Close stops and ends everything that runs for the speaker.
func (s *Speaker) Close() error {
	s.end.Do(func() { close(s.ended) })
	s.loop.Wait()
	s.Stop()
	s.mu.Lock()
	links := slices.Collect(maps.Values(s.links))
	clear(s.links)
	s.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	return s.bfd.Close()
}

// Established counts the times that a neighbour's session came up.
func (s *Speaker) Established(name string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ups[name]
}

// Warn logs what an operator should look at.
func (s *Speaker) Warn(object, why string) {
	s.log.Warn("BGP", slog.String("object", object), slog.String("why", why))
}

// callbacks are for what GoBGP reports. What we announce ourselves is no news.
func (s *Speaker) callbacks() server.WatchEventMessageCallbacks {
	return server.WatchEventMessageCallbacks{
		OnBestPath: func(paths []*apiutil.Path, _ time.Time) {
			if slices.ContainsFunc(paths, func(p *apiutil.Path) bool { return p.PeerAddress.IsValid() }) {
				s.poke()
			}
		},
		OnPathEor:    func(*apiutil.Path, time.Time) { s.poke() },
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, _ time.Time) { s.later(func() { s.peerChanged(e) }) },
	}
}
