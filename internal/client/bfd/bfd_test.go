package bfd

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPacketSurvives(t *testing.T) {
	p := packet{diagnostic: neighborDown, state: Up, poll: true, multiplier: 3, mine: 0x01020304, your: 5,
		transmit: 300 * time.Millisecond, receive: 100 * time.Millisecond}
	back, ok := decode(p.encode())
	if d := cmp.Diff(p, back, cmp.AllowUnexported(packet{})); d != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, d)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := packet{state: Down, multiplier: 3, mine: 7}.encode()
	change := func(i int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[i] = v
		return b
	}
	for name, b := range map[string][]byte{
		"short": good[:23], "version": change(0, 0x40), "length field": change(3, 23), "longer than the packet": change(3, 25),
		"authentication": change(1, good[1]|flagAuth), "multipoint": change(1, good[1]|flagMultipoint),
		"multiplier 0": change(2, 0), "discriminator 0": change(7, 0),
	} {
		if _, ok := decode(b); ok {
			t.Errorf("%s: taken", name)
		}
	}
	if _, ok := decode(good); !ok {
		t.Error("the good one is refused")
	}
}

// TestMachine plays what a neighbour says, and looks at what becomes of the session.
func TestMachine(t *testing.T) {
	says := func(s State, discriminator uint32, why diagnostic) packet {
		return packet{state: s, diagnostic: why, multiplier: 3, mine: discriminator, transmit: 100 * time.Millisecond, receive: 200 * time.Millisecond}
	}
	type step struct {
		hear   packet
		silent bool // the detection time ends instead
		want   State
		cause  Cause
		your   uint32 // whom we call then
	}
	up := step{hear: says(Init, 1, 0), want: Up, your: 1}
	for name, steps := range map[string][]step{
		"three-way": {{hear: says(Down, 1, 0), want: Init, your: 1}, {hear: says(Init, 1, 0), want: Up, your: 1},
			{hear: says(Up, 1, 0), want: Up, your: 1}},
		"neighbour is ahead":         {up},
		"up is no beginning":         {{hear: says(Up, 1, 0), want: Down, your: 1}},
		"silence":                    {up, {silent: true, want: Down, cause: Silent}},
		"silence before up":          {{hear: says(Down, 1, 0), want: Init, your: 1}, {silent: true, want: Down}},
		"silence after down":         {up, {hear: says(Down, 1, neighborDown), want: Down, cause: Renewed, your: 1}, {silent: true, want: Down}},
		"neighbour hears us no more": {up, {hear: says(Down, 1, detectionExpired), want: Down, cause: Unheard, your: 1}},
		"neighbour's path is down":   {up, {hear: says(Down, 1, 5), want: Down, cause: Unheard, your: 1}},
		"neighbour begins anew": {up, {hear: says(Down, 2, 0), want: Down, cause: Renewed, your: 2},
			{hear: says(Down, 2, 0), want: Init, your: 2}},
		"bfdd of FRR registers anew": {up, {hear: says(Down, 1, neighborDown), want: Down, cause: Renewed, your: 1},
			{hear: says(Down, 2, 0), want: Init, your: 2}, {hear: says(Up, 2, 0), want: Up, your: 2}},
		"neighbour closes":           {up, {hear: says(AdminDown, 1, adminDown), want: Down, cause: Closed, your: 1}},
		"neighbour closes before up": {{hear: says(Down, 1, 0), want: Init, your: 1}, {hear: says(AdminDown, 1, adminDown), want: Down, your: 1}},
	} {
		m := machine{options: Options{Multiplier: 3, Transmit: 50 * time.Millisecond, Receive: 300 * time.Millisecond}, state: Down}
		for i, s := range steps {
			var cause Cause
			if s.silent {
				cause = m.expire()
			} else {
				cause = m.receive(s.hear)
			}
			if m.state != s.want || cause != s.cause || m.remote.mine != s.your {
				t.Errorf("%s, step %d: %s, %s, calls %d; want %s, %s, %d", name, i, m.state, cause, m.remote.mine, s.want, s.cause, s.your)
			}
		}
	}
}

func TestTimers(t *testing.T) {
	m := machine{options: Options{Multiplier: 3, Transmit: 50 * time.Millisecond, Receive: 300 * time.Millisecond}, state: Down}
	if d := m.interval(1); d != slow {
		t.Errorf("not up: a packet every %s, want %s", d, slow)
	}
	m.receive(packet{state: Init, multiplier: 5, mine: 1, transmit: 100 * time.Millisecond, receive: 200 * time.Millisecond})
	if d := m.interval(1); d != 200*time.Millisecond {
		t.Errorf("up: a packet every %s, want what the neighbour takes", d)
	}
	if d := m.interval(0); d != 150*time.Millisecond {
		t.Errorf("with all the jitter: %s", d)
	}
	if d := m.detection(); d != 1500*time.Millisecond {
		t.Errorf("detection after %s, want 5 times the slower of both", d)
	}
	if !m.polling {
		t.Error("faster packets are not announced by a Poll Sequence")
	}
	if m.receive(packet{state: Up, final: true, multiplier: 5, mine: 1}); m.polling || m.periodic() {
		t.Error("the end of the Poll Sequence, or that the neighbour wants no packets, is not heard")
	}
}

// TestOtherTimers: other timers count once the neighbour has answered; until then it is borne with as it was.
func TestOtherTimers(t *testing.T) {
	slower, faster := Options{Multiplier: 3, Transmit: time.Second, Receive: time.Second},
		Options{Multiplier: 3, Transmit: 100 * time.Millisecond, Receive: 100 * time.Millisecond}
	remote := packet{state: Up, final: true, multiplier: 3, mine: 1, transmit: 100 * time.Millisecond, receive: 100 * time.Millisecond}
	for _, tt := range []struct {
		name              string
		from, to          Options
		pace, detection   time.Duration // before the answer
		pace2, detection2 time.Duration // after it
	}{
		{"faster", slower, faster, 100 * time.Millisecond, 3 * time.Second, 100 * time.Millisecond, 300 * time.Millisecond},
		{"slower", faster, slower, 100 * time.Millisecond, 3 * time.Second, time.Second, 3 * time.Second},
	} {
		m := machine{options: tt.from, state: Up, remote: remote}
		m.change(tt.to)
		if p, d := m.pace(), m.detection(); p != tt.pace || d != tt.detection || !m.polling || m.desired() != tt.to.Transmit {
			t.Errorf("%s: a packet every %s, detection after %s, polling %v", tt.name, p, d, m.polling)
		}
		m.receive(remote)
		if p, d := m.pace(), m.detection(); p != tt.pace2 || d != tt.detection2 || m.polling {
			t.Errorf("%s, answered: a packet every %s, detection after %s, polling %v", tt.name, p, d, m.polling)
		}
	}
}

func TestOptions(t *testing.T) {
	good := Options{Peer: netip.MustParseAddr("192.0.2.1"), Multiplier: 3, Transmit: time.Second, Receive: time.Second}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]Options{"peer": {Multiplier: 3, Transmit: time.Second, Receive: time.Second},
		"multiplier": {Peer: good.Peer, Transmit: time.Second, Receive: time.Second},
		"interval":   {Peer: good.Peer, Multiplier: 3, Transmit: time.Microsecond, Receive: time.Second}} {
		if o.check() == nil {
			t.Errorf("without %s: taken", name)
		}
	}
}

// TestCloseWhilePacketsCome: a packet that comes while the server closes keeps neither from ending.
func TestCloseWhilePacketsCome(t *testing.T) {
	s := New(slog.New(slog.DiscardHandler), func(Change) {})
	socket, err := listen(0, s.take)
	if err != nil {
		t.Fatal(err)
	}
	s.sockets[multihopPort] = socket
	to, err := net.Dial("udp4", socket.conns[0].LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		b := packet{state: Down, multiplier: 3, mine: 7}.encode()
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = to.Write(b) // refused once nobody listens
			}
		}
	}()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the server does not close")
	}
	close(stop)
	<-stopped
}
