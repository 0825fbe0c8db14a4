package bfd

import (
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is an outlet that keeps what was sent, and when.
type recorder struct {
	packets []packet
	times   []time.Time
}

func (r *recorder) send(_ Options, b []byte) error {
	p, _ := decode(b)
	r.packets, r.times = append(r.packets, p), append(r.times, time.Now())
	return nil
}

func (*recorder) close() {}

// TestPaceFollowsNeighbor: a neighbour that is not up asks for a packet a second, as bfdd of FRR does, and for those of
// its profile once it is: from that moment it misses them.
func TestPaceFollowsNeighbor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fast = 100 * time.Millisecond
		sent := &recorder{}
		o := Options{Peer: netip.MustParseAddr("192.0.2.1"), Multiplier: 3, Transmit: fast, Receive: fast}
		s := newSession(o, slog.New(slog.DiscardHandler), func(Change) {}, 1, sent)
		synctest.Wait()
		s.packets <- packet{state: Init, multiplier: 3, mine: 2, your: 1, transmit: slow, receive: slow}
		synctest.Wait() // up, and the next packet is due in a second
		s.packets <- packet{state: Up, poll: true, multiplier: 3, mine: 2, your: 1, transmit: fast, receive: fast}
		synctest.Wait()
		heard := time.Now()
		time.Sleep(3*fast - time.Millisecond) // the neighbour would give us up now
		s.close()
		var after []time.Duration
		for i, at := range sent.times {
			if sent.packets[i].state == Up && at.After(heard) {
				after = append(after, at.Sub(heard))
			}
		}
		if len(after) < 2 || after[0] > fast {
			t.Errorf("packets after %s, want one every %s at most", after, fast)
		}
	})
}

// TestStall: a process that did not run for longer than the detection time reads what has come before it judges.
func TestStall(t *testing.T) {
	for range 20 { // which of two channels that are ready is read first is left to chance
		synctest.Test(t, func(t *testing.T) {
			const fast = 100 * time.Millisecond
			o := Options{Peer: netip.MustParseAddr("192.0.2.1"), Multiplier: 3, Transmit: fast, Receive: fast}
			ends := make(chan Cause, 8)
			stalls := func(c Change) {
				if c.Up {
					time.Sleep(5 * fast)
				} else {
					ends <- c.Cause
				}
			}
			s := newSession(o, slog.New(slog.DiscardHandler), stalls, 1, &recorder{})
			defer s.close()
			synctest.Wait()
			says := packet{state: Init, multiplier: 3, mine: 2, your: 1, transmit: fast, receive: fast}
			s.packets <- says
			says.state = Up
			for range 5 {
				time.Sleep(fast)
				s.packets <- says
			}
			time.Sleep(2 * fast)
			synctest.Wait()
			if len(ends) > 0 {
				t.Fatalf("the session went down: %s", <-ends)
			}
			time.Sleep(2 * fast)
			synctest.Wait()
			if len(ends) != 1 || <-ends != Silent {
				t.Fatal("the silence after it is not seen")
			}
		})
	}
}
