package conformance

import (
	"fmt"
	"strings"
	"time"

	"ovnbgp/internal/model"
)

// fast is the quickest of the profiles.
func fast() model.BFDProfile {
	return model.BFDProfile{Name: "fast", Multiplier: 3, Transmit: 100 * time.Millisecond, Receive: 100 * time.Millisecond}
}

// normal is that of choice. A machine that is busy with many tests does not have it flap.
func normal() model.BFDProfile {
	return model.BFDProfile{Name: "normal", Multiplier: 3, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond}
}

// watched has BFD watch a session that would otherwise last for a minute and a half.
func watched(b both) { watchedBy(fast())(b) }

func watchedBy(profile model.BFDProfile) func(both) {
	return func(b both) { watch(b, profile) }
}

func watch(b both, profile model.BFDProfile) {
	b.node.BFD, b.node.Hold, b.node.Keepalive = profile.Name, 90*time.Second, 30*time.Second
	b.leaf.BFD, b.leaf.Hold = &profile, 90*time.Second
}

func bfdDown(s *scene) {
	l := s.oneLeaf(watched)
	l.link.Cut() // the hold time would tell of it after a minute and a half
	s.learned(4)
	s.told(l, model.IPv4Unicast)
	l.link.Mend()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	s.learned(4, l)
	s.stays(l)
}

// stays waits for a session that lasts, with BFD up. On a machine that is busy with many tests one may end by chance.
func (s *scene) stays(l *leaf) {
	s.t.Helper()
	s.await(func() error {
		before, err := l.Session(s.t.Context())
		if err != nil {
			return err
		}
		time.Sleep(time.Second) // three times what BFD may miss
		after, err := l.Session(s.t.Context())
		if err == nil && (!after.Up || after != before || !strings.EqualFold(after.BFD, "up")) {
			err = fmt.Errorf("the session with leaf %d does not last: %+v, before %+v", l.number, after, before)
		}
		return err
	})
}

// watching waits until BFD has a session, too.
func (s *scene) watching(l *leaf) {
	s.t.Helper()
	s.await(func() error {
		session, err := l.Session(s.t.Context())
		if err == nil && !strings.EqualFold(session.BFD, "up") {
			err = fmt.Errorf("BFD of leaf %d is %q", l.number, session.BFD)
		}
		return err
	})
}
