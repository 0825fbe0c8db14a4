package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
)

// TestChooseSpeaker: who speaks is asked of the configuration first, then of the node. A node that observes FRR never speaks itself.
func TestChooseSpeaker(t *testing.T) {
	without, with := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(with, "bgpd.vty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	peers := []model.Peer{{Name: "leaf"}}
	for name, c := range map[string]struct {
		bgp     config.BGP
		sockets string
		want    config.Speaker
	}{
		"as it says":         {config.BGP{Speaker: config.SpeakerEmbedded, Mode: config.ModeAssist}, with, config.SpeakerEmbedded},
		"FRR is there":       {config.BGP{Speaker: config.SpeakerAuto, Mode: config.ModeAssist, Instance: model.BGP{Peers: peers}}, with, config.SpeakerFRR},
		"neighbours, no FRR": {config.BGP{Speaker: config.SpeakerAuto, Mode: config.ModeAssist, Instance: model.BGP{Peers: peers}}, without, config.SpeakerEmbedded},
		"no neighbours":      {config.BGP{Speaker: config.SpeakerAuto, Mode: config.ModeAssist}, without, config.SpeakerFRR},
		"observed":           {config.BGP{Speaker: config.SpeakerAuto, Mode: config.ModeObserve, Instance: model.BGP{Peers: peers}}, without, config.SpeakerFRR},
		"managed":            {config.BGP{Speaker: config.SpeakerAuto, Mode: config.ModeManaged, Instance: model.BGP{Peers: peers}}, without, config.SpeakerFRR},
	} {
		s := config.Settings{Node: config.Node{BGP: c.bgp}}
		s.Paths.FRRSockets = c.sockets
		if got, why := chooseSpeaker(s); got != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got, why, c.want)
		}
	}
}

// TestPeerReadings: a neighbour that was not found yet is one that is down, and not one of which nothing is told.
func TestPeerReadings(t *testing.T) {
	since := time.Unix(1700000000, 0)
	got := peerReadings([]model.Session{
		{Name: "leaf1", State: "established", Since: since, Established: 2, BFD: "up", BFDDowns: 1,
			Families: []model.SessionFamily{{Family: model.IPv4Unicast, Received: 1, Sent: 5}, {Family: model.EVPN}}},
		{Name: "leaf2", State: "waits for BFD", BFD: "down", Families: []model.SessionFamily{{Family: model.IPv6Unicast}}},
		{Name: "leaf3", State: "not found", Families: []model.SessionFamily{{Family: model.IPv4Unicast}}},
	})
	want := []metrics.Peer{
		{Name: "leaf1", VRF: "default", Up: true, Since: since, Established: 2, Families: []metrics.PeerFamily{{AFI: "ipv4", Received: 1}, {AFI: "l2vpn"}},
			BFD: true, BFDUp: true, BFDDowns: 1},
		{Name: "leaf2", VRF: "default", Families: []metrics.PeerFamily{{AFI: "ipv6"}}, BFD: true},
		{Name: "leaf3", VRF: "default", Families: []metrics.PeerFamily{{AFI: "ipv4"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
