package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
)

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
