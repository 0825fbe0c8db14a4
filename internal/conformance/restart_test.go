package conformance

import (
	"fmt"
	"path/filepath"
	"syscall"

	"ovnbgp/internal/fake/fabric"
	"ovnbgp/internal/model"
)

// oneLeaf plays until one leaf has been told of one address and has told its default.
func (s *scene) oneLeaf(changes ...func(both)) *leaf {
	s.t.Helper()
	l := s.leaf(changes...)
	if l.options.BFD != nil {
		s.want.BGP.Profiles = []model.BFDProfile{fast()}
	}
	s.announce(model.Attributes{}, first)
	s.play()
	if l.options.BFD != nil {
		s.watching(l)
	}
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	s.installed(l, first)
	s.installed(l, loopback4.String())
	s.learned(4, l)
	return l
}

// quiet checks that a kernel's routes have not changed.
func (s *scene) quiet(m *fabric.Monitor, of string) {
	s.t.Helper()
	for _, c := range m.Changes() {
		s.t.Errorf("%s: ip monitor route says at %s: %q", of, c.Time.Format("05.000"), c.Text)
	}
}

// gracefully has a leaf keep its routes at the node while it restarts.
func gracefully(b both) { b.leaf.GracefulRestart = true }

func peerRestarts(s *scene) {
	l := s.oneLeaf(gracefully)
	before := s.up(l)
	monitor := fabric.MonitorRoutes(s.node)
	l.Kill()
	l.Restart()
	s.another(l, before)
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	s.settle(l)
	s.quiet(monitor, "the node")
	s.learned(4, l)
}

// lastPrefix is what settle announces.
const lastPrefix = "203.0.113.99"

// settle announces one more prefix, and waits until the leaf has it: what was said before that has been read.
func (s *scene) settle(l *leaf) {
	s.t.Helper()
	s.announce(model.Attributes{}, lastPrefix+"/32")
	s.apply()
	s.await(func() error {
		paths, err := l.Paths(s.t.Context(), model.IPv4Unicast)
		if err != nil {
			return err
		}
		for _, p := range paths {
			if p == lastPrefix+"/32 via 10.0.1.2 as 64999" {
				return nil
			}
		}
		return fmt.Errorf("leaf %d has not been told the last prefix: %q", l.number, paths)
	})
}

// another waits until there is a session again, and another one.
func (s *scene) another(l *leaf, before fabric.Session) {
	s.t.Helper()
	s.await(func() error {
		session, err := l.Session(s.t.Context())
		if err == nil && (!session.Up || session.Epoch == before.Epoch) {
			err = fmt.Errorf("leaf %d: still %+v", l.number, session)
		}
		return err
	})
}

// peerRestartsHard is the control: without graceful restart the same monitor sees the default route go.
func peerRestartsHard(s *scene) {
	l := s.leaf()
	s.play()
	s.learned(4, l)
	monitor := fabric.MonitorRoutes(s.node)
	l.Kill()
	s.learned(4)
	l.Restart()
	s.learned(4, l)
	if _, seen := monitor.First("Deleted", "default"); !seen {
		s.t.Errorf("the monitor has not seen the default route go: %v", monitor.Changes())
	}
}

// restarts plays that something ends and starts again.
func restarts(e func() ending) func(*scene) { return func(s *scene) { restarted(s, e()) } }

// speakerRestartsHard is the control: without graceful restart the same monitor sees the leaf lose what it was told.
func speakerRestartsHard(s *scene) { control(s) }

// kill ends what speaks BGP on the node as a crash does: FRR's bgpd, or the speaker's own process.
func (s *scene) kill() {
	if s.frr != nil {
		s.frr.Kill("bgpd")
		return
	}
	s.process.end(syscall.SIGKILL)
}

// terminate ends it as its service does.
func (s *scene) terminate() {
	if s.frr != nil {
		s.frr.Terminate("bgpd")
		return
	}
	s.process.end(syscall.SIGTERM)
}

// revive starts it again as its service does, with what was wanted before.
func (s *scene) revive() {
	s.t.Helper()
	if s.frr != nil {
		s.frr.Start("bgpd")
		s.load("bgpd")
		return
	}
	s.startSpeaker()
	s.apply()
}

// load gives daemons FRR's file, as their service does when it has started them.
func (s *scene) load(daemons ...string) {
	s.t.Helper()
	if err := s.frr.Load(filepath.Join(s.node.Dir, "frr.conf"), daemons...); err != nil {
		s.t.Fatal(err)
	}
}

func drain(s *scene) {
	drained(s, s.leaf(), model.Attributes{Communities: []model.Community{nodeAS<<16 | 100}},
		" as 64999 community 64999:100", " as 64999 community 64999:100 65535:0")
}

func drainInternal(s *scene) {
	drained(s, s.leaf(within), model.Attributes{}, " preference 100", " community 65535:0 preference 0")
}

// drained plays a drain and its end: the path has the attributes usual, drained, and usual again, in one session.
func drained(s *scene, l *leaf, attributes model.Attributes, usual, draining string) {
	path := first + " via 10.0.1.2"
	s.announce(attributes, first)
	s.play()
	s.told(l, model.IPv4Unicast, path+usual)
	before := s.up(l)
	for _, on := range []bool{true, false} {
		s.want.BGP.Drained = on
		s.apply()
		s.told(l, model.IPv4Unicast, path+map[bool]string{true: draining, false: usual}[on])
	}
	s.same(l, before)
}

func hundred(s *scene) {
	one, two := s.leaf(), s.leaf(func(b both) { b.node.Families[0].Out.Communities = []model.Community{nodeAS<<16 | 300} })
	s.play()
	s.told(one, model.IPv4Unicast)
	before := []fabric.Session{s.up(one), s.up(two)}
	var many, wantOne, wantTwo []string
	for i := range 100 {
		p := fmt.Sprintf("198.18.0.%d/32", i)
		many = append(many, p)
		wantOne = append(wantOne, p+" via 10.0.1.2 as 64999")
		wantTwo = append(wantTwo, p+" via 10.0.2.2 as 64999 community 64999:300")
	}
	s.announce(model.Attributes{}, many...)
	s.apply()
	s.told(one, model.IPv4Unicast, wantOne...)
	s.told(two, model.IPv4Unicast, wantTwo...)
	s.withdraw(many...)
	s.apply()
	s.told(one, model.IPv4Unicast)
	s.told(two, model.IPv4Unicast)
	s.same(one, before[0])
	s.same(two, before[1])
}
