package gobgp

import (
	"bytes"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/desired"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
	"ovnbgp/internal/source/rib"
)

// learner is a node's whole way from what peers tell to its kernel.
type learner struct {
	*side
	rib      *rib.Source
	carriers *kernel.Carriers
}

func newLearner(t *testing.T) *learner {
	t.Helper()
	conn, err := netlink.Open(t.Context(), netlink.Options{Protocols: []uint8{model.Protocol}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := newSide(t)
	return &learner{side: s, rib: rib.New(s.speaker, 30*time.Second), carriers: kernel.NewCarriers(conn)}
}

// learn plays one round of what was learned.
func (l *learner) learn(want model.Node) {
	l.t.Helper()
	known, err := l.rib.Snapshot(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	want.Routes, want.LearnedUnknown = desired.Learned(known, want.BGP)
	want.LearnedGone = known.Gone
	steps, err := l.carriers.Plan(l.t.Context(), want)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, step := range steps {
		if err := step.Do(l.t.Context()); err != nil {
			l.t.Logf("%s: %v", step, err)
		}
	}
}

func routes(t *testing.T) string {
	t.Helper()
	var all []byte
	for _, family := range []string{"-4", "-6"} {
		out, err := exec.Command("ip", family, "route", "show", "proto", "179").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out...)
	}
	return strings.Join(strings.Fields(string(all)), " ")
}

// TestRealLearned: two leaves give a default route, which is spread over both; one is cut off, and the default stays; the
// speaker is restarted, and the kernel's routes do not move.
func TestRealLearned(t *testing.T) {
	one, two := numbered(t, "eth1", "100.64.1"), numbered(t, "eth2", "100.64.2")
	ip(t, "addr add 10.255.0.1/32 dev lo")
	ip(t, "addr add 2001:db8:ff::1/128 dev lo nodad")
	t.Cleanup(func() { _ = exec.Command("ip", "addr", "flush", "dev", "lo").Run() })
	want := node(model.Peer{Name: "leaf1", Address: netip.MustParseAddr("100.64.1.1")},
		model.Peer{Name: "leaf2", Address: netip.MustParseAddr("100.64.2.1")})
	l := newLearner(t)
	l.apply(want)
	has := func(parts ...string) func() bool {
		return func() bool {
			l.learn(want)
			now := routes(t)
			for _, p := range parts {
				gone := strings.HasPrefix(p, "!")
				if strings.Contains(now, strings.TrimPrefix(p, "!")) == gone {
					return false
				}
			}
			return true
		}
	}
	both := []string{"via 100.64.1.1 dev eth1", "via 100.64.2.1 dev eth2", "src 10.255.0.1", "src 2001:db8:ff::1", "metric 20",
		linkPrefix("100.64.1") + "1 dev eth1", linkPrefix("100.64.2") + "1 dev eth2"}
	fake.Eventually(t, 20*time.Second, "a default by both leaves", has(both...))
	t.Log(routes(t))

	monitor := exec.Command("ip", "monitor", "route")
	var moves bytes.Buffer
	monitor.Stdout = &moves
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	<-time.After(300 * time.Millisecond)
	l.stop()
	next := newLearner(t)
	l.side, l.rib, l.carriers = next.side, next.rib, next.carriers
	l.learn(want) // knows nothing yet
	l.apply(want)
	fake.Eventually(t, 20*time.Second, "all is known again", func() bool {
		l.learn(want)
		known, err := l.rib.Snapshot(t.Context())
		return err == nil && known.Known
	})
	fake.Eventually(t, 5*time.Second, "a default by both leaves", has(both...))
	_ = monitor.Process.Kill()
	_ = monitor.Wait()
	if strings.Contains(moves.String(), "Deleted default") {
		t.Errorf("the default went over the restart:\n%s", moves.String())
	}
	t.Logf("moves over the restart: %q", moves.String())

	two.IP("link", "set", "node", "down")
	fake.Eventually(t, 30*time.Second, "the default stays by the other leaf", has("via 100.64.1.1 dev eth1", "!100.64.2.1", "src 10.255.0.1"))
	one.StopBGP()
	want.BGP.Peers = nil
	l.apply(want)
	fake.Eventually(t, 5*time.Second, "without neighbours nothing is learned", func() bool { l.learn(want); return routes(t) == "" })
}
