package bfd

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// slow is the least interval of packets while a session is not up (RFC 5880, section 6.8.3).
const slow = time.Second

// hitch is how late a timer may be on a machine that is not too busy.
const hitch = 10 * time.Millisecond

// identity is what a session cannot change while it runs.
type identity struct {
	local    netip.Addr
	multihop bool
}

// session is a session with one neighbour. Its goroutine owns the fields below machine.
type session struct {
	peer    netip.Addr
	port    int
	mine    uint32
	log     *slog.Logger
	changed func(Change)
	packets chan packet
	updates chan Options
	stop    chan struct{}
	wait    sync.WaitGroup

	mu   sync.Mutex
	told Status

	machine
	out outlet
}

// outlet is where a session's packets go.
type outlet interface {
	send(Options, []byte) error
	close()
}

// machine is a session's state (RFC 5880, section 6.8.1). It knows no clock and no socket.
type machine struct {
	options    Options
	mine       uint32
	state      State
	diagnostic diagnostic
	polling    bool    // a Poll Sequence runs
	before     Options // in force beside options until the neighbour has answered it
	remote     packet
}

func newSession(o Options, log *slog.Logger, changed func(Change), discriminator uint32, out outlet) *session {
	s := &session{peer: o.Peer, port: o.port(), mine: discriminator, log: log, changed: changed,
		packets: make(chan packet, 8), updates: make(chan Options, 1), stop: make(chan struct{}),
		machine: machine{options: o, mine: discriminator, state: Down}, out: out,
		told: Status{Options: o, State: Down, Since: time.Now()}}
	s.wait.Go(s.run)
	return s
}

func (s *session) identity() identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return identity{s.told.Local, s.told.Multihop}
}

func (s *session) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

func (s *session) update(o Options) {
	s.mu.Lock()
	same := s.told.Options == o
	s.told.Options = o
	s.mu.Unlock()
	if same {
		return
	}
	select {
	case <-s.updates: // one that was not taken yet
	default:
	}
	s.updates <- o
}

// close tells the neighbour, and waits for the session's end.
func (s *session) close() {
	close(s.stop)
	s.wait.Wait()
}

// run is the session's life: packets come, and are sent in time, until it is closed.
func (s *session) run() {
	send, detect := time.NewTimer(0), time.NewTimer(time.Hour)
	detect.Stop()
	var due time.Time // when detect ends
	wait := func(d time.Duration) {
		due = time.Now().Add(d)
		detect.Reset(d)
	}
	defer send.Stop()
	defer detect.Stop()
	defer s.out.close()
	for {
		before, pace := s.state, s.pace()
		cause := NoCause
		select {
		case <-s.stop:
			s.state, s.diagnostic = AdminDown, adminDown
			s.transmit(false)
			return
		case o := <-s.updates:
			s.change(o)
			send.Reset(0)
			wait(s.detection())
		case p := <-s.packets:
			cause = s.receive(p)
			if p.poll {
				s.transmit(true)
			}
			switch {
			case s.state != before:
				send.Reset(0)
			case s.pace() < pace:
				// RFC 5880, 6.8.7: the interval is computed anew whenever the neighbour takes packets faster. bfdd of FRR asks
				// for one a second until the session is up on both sides, and from that moment misses those of its profile.
				send.Reset(s.interval(rand.Float64()))
			}
			wait(s.detection())
		case <-detect.C:
			// A busy machine lets nobody run for a while. What has come meanwhile is not read yet, and the neighbour has not run
			// either, if it is on the same one.
			if late := time.Since(due); late > hitch {
				wait(late)
				continue
			}
			cause = s.expire()
		case <-send.C:
			if s.periodic() {
				s.transmit(false)
			}
			send.Reset(s.interval(rand.Float64()))
		}
		s.tell(before, cause)
	}
}

// tell notes the state for those who ask, and reports a session that came up or went down.
func (s *session) tell(before State, cause Cause) {
	if s.state == before {
		return
	}
	s.mu.Lock()
	s.told.State, s.told.Since = s.state, time.Now()
	if before == Up {
		s.told.Downs++
	}
	s.mu.Unlock()
	object := slog.String("object", "bfd "+s.peer.String())
	switch {
	case s.state == Up:
		s.log.Debug("BFD session up", object)
	case before == Up:
		s.log.Debug("BFD session down", object, slog.String("why", cause.String()))
	default:
		return
	}
	s.changed(Change{Peer: s.peer, Up: s.state == Up, Cause: cause})
}

func (s *session) transmit(final bool) {
	p := packet{diagnostic: s.diagnostic, state: s.state, poll: s.polling && !final, final: final,
		multiplier: s.options.Multiplier, mine: s.mine, your: s.remote.mine,
		transmit: s.desired(), receive: s.options.Receive}
	if err := s.out.send(s.options, p.encode()); err != nil {
		s.log.Debug("BFD packet not sent", slog.String("object", "bfd "+s.peer.String()), slog.Any("err", err))
	}
}

// receive acts upon a packet (RFC 5880, section 6.8.6), and returns why the session is up no more if it is not.
func (m *machine) receive(p packet) Cause {
	renewed := p.mine != m.remote.mine || p.diagnostic == neighborDown
	m.remote = p
	if p.final {
		m.polling, m.before = false, Options{}
	}
	switch {
	case p.state == AdminDown && m.state != Down:
		return m.down(neighborDown, Closed)
	case m.state == Down && p.state == Down:
		m.state = Init
	case m.state == Down && p.state == Init, m.state == Init && (p.state == Init || p.state == Up):
		// Packets come faster from here on, of which a Poll Sequence tells.
		m.state, m.diagnostic, m.polling = Up, noDiagnostic, true
	case m.state == Up && p.state == Down && renewed:
		return m.down(neighborDown, Renewed)
	case m.state == Up && p.state == Down:
		return m.down(neighborDown, Unheard)
	}
	return NoCause
}

// change gives a session other timers, of which the neighbour learns by a Poll Sequence. Until it answers it sends as slowly
// as we asked before, and expects our packets as fast (6.8.3).
func (m *machine) change(o Options) {
	if m.state == Up {
		m.before, m.polling = m.options, true
	}
	m.options = o
}

// expire acts upon the end of the detection time: the neighbour has not been heard for it. It is not called by the
// discriminator any more that it had (6.8.1), down as we may be already: one that has begun anew would not answer.
func (m *machine) expire() Cause {
	m.remote = packet{}
	if m.state == Down || m.state == AdminDown {
		return NoCause
	}
	return m.down(detectionExpired, Silent)
}

// down ends a session; why is told where it was up.
func (m *machine) down(d diagnostic, why Cause) Cause {
	if m.state != Up {
		why = NoCause
	}
	m.state, m.diagnostic, m.polling, m.before = Down, d, false, Options{}
	return why
}

// desired is the interval of our packets that we ask for.
func (m *machine) desired() time.Duration {
	if m.state != Up {
		return max(slow, m.options.Transmit)
	}
	return m.options.Transmit
}

// pace is the interval that both sides have agreed on, before jitter.
func (m *machine) pace() time.Duration {
	d := m.desired()
	if m.before.Transmit > 0 {
		d = min(d, m.before.Transmit)
	}
	return max(d, m.remote.receive)
}

// periodic tells whether the neighbour wants to hear us at all.
func (m *machine) periodic() bool { return m.remote.mine == 0 || m.remote.receive != 0 }

// interval is the time to our next packet, with the jitter that keeps neighbours from falling into step: a quarter at
// most, and a tenth at least where the neighbour may miss none.
func (m *machine) interval(random float64) time.Duration {
	d := m.pace()
	share := 0.75 + 0.25*random
	if m.options.Multiplier == 1 {
		share = 0.75 + 0.15*random
	}
	return time.Duration(float64(d) * share)
}

// detection is how long the neighbour may be silent.
func (m *machine) detection() time.Duration {
	return time.Duration(m.remote.multiplier) * max(m.options.Receive, m.before.Receive, m.remote.transmit)
}
