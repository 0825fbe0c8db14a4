package gobgp

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/fake/fabric"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

// count is how many lines of a log have all of these.
func count(log *fabric.Buffer, all ...string) (n int) {
lines:
	for line := range strings.Lines(log.String()) {
		for _, one := range all {
			if !strings.Contains(line, one) {
				continue lines
			}
		}
		n++
	}
	return n
}

// TestRealDownSaysWhy: a neighbour that is down is explained, in the status while it is and in the log once.
func TestRealDownSaysWhy(t *testing.T) {
	leaf := numbered(t, "eth1", "100.64.1")
	numbered(t, "eth2", "100.64.2", "neighbor 100.64.2.2 password secret")
	log := &fabric.Buffer{}
	s := &side{Applier: New(speaker.New(speaker.Options{Log: slog.New(slog.NewTextHandler(log, nil))}), "bgp-vrf"), t: t}
	t.Cleanup(s.stop)
	want := node(model.Peer{Name: "leaf", Address: netip.MustParseAddr("100.64.1.1"), AS: model.PeerAS{Kind: model.ASNumber, Number: 65009}},
		model.Peer{Name: "locked", Address: netip.MustParseAddr("100.64.2.1")})
	want.Announcements = announced("203.0.113.9/32")
	s.apply(want)
	of := func(name string) (found model.Session) {
		list, err := s.Sessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			if one.Name == name {
				found = one
			}
		}
		return found
	}
	says := func(name, why string) func() bool {
		return func() bool { return !of(name).Up() && strings.Contains(of(name).LastError, why) }
	}
	fake.Eventually(t, 20*time.Second, "another AS is named", says("leaf", "another AS than is configured"))
	fake.Eventually(t, 20*time.Second, "and in the log", func() bool {
		return count(log, "level=WARN", "peer leaf", "does not come up", "another AS") == 1
	})
	fake.Eventually(t, 30*time.Second, "the password is named", says("locked", "password differs"))
	fake.Eventually(t, 30*time.Second, "and in the log", func() bool {
		return count(log, "level=WARN", "peer locked", "does not come up", "password differs") == 1
	})
	want.BGP.Peers[0].AS.Number = 65001
	s.apply(want)
	fake.Eventually(t, 30*time.Second, "the session is up, without an error", func() bool {
		return of("leaf").Up() && of("leaf").LastError == ""
	})
	leaf.Configure("router bgp 65001", "neighbor 100.64.1.2 shutdown message rack 7", "exit")
	fake.Eventually(t, 20*time.Second, "the shutdown is named", func() bool {
		return !of("leaf").Up() && of("leaf").LastError != ""
	})
	if n := count(log, "level=WARN", "BGP session down", "peer leaf", "administrative shutdown", "rack 7"); n != 1 {
		t.Errorf("%d lines of the shutdown", n)
	}
	if t.Failed() {
		t.Log(log.String())
	}
}
