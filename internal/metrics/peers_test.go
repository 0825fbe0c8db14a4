package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestPeers(t *testing.T) {
	registry := prometheus.NewRegistry()
	RegisterPeers(registry, func() []Peer {
		return []Peer{
			{Name: "leaf1", VRF: "default", Up: true, Established: 2, Families: []PeerFamily{{"ipv4", 3}, {"ipv6", 0}}, BFD: true, BFDUp: true, BFDDowns: 1},
			{Name: "leaf2", VRF: "default", Families: []PeerFamily{{"ipv4", 0}}},
		}
	})
	want := `
# HELP ovnbgp_bfd_peer_down_events_total Times that the BFD session went down.
# TYPE ovnbgp_bfd_peer_down_events_total counter
ovnbgp_bfd_peer_down_events_total{peer="leaf1"} 1
# HELP ovnbgp_bfd_peer_up Whether the BFD session is up.
# TYPE ovnbgp_bfd_peer_up gauge
ovnbgp_bfd_peer_up{peer="leaf1"} 1
# HELP ovnbgp_bgp_peer_established_transitions_total Times that the BGP session came up.
# TYPE ovnbgp_bgp_peer_established_transitions_total counter
ovnbgp_bgp_peer_established_transitions_total{peer="leaf1",vrf="default"} 2
ovnbgp_bgp_peer_established_transitions_total{peer="leaf2",vrf="default"} 0
# HELP ovnbgp_bgp_peer_prefixes Prefixes that the neighbour has told.
# TYPE ovnbgp_bgp_peer_prefixes gauge
ovnbgp_bgp_peer_prefixes{afi="ipv4",direction="received",peer="leaf1",vrf="default"} 3
ovnbgp_bgp_peer_prefixes{afi="ipv4",direction="received",peer="leaf2",vrf="default"} 0
ovnbgp_bgp_peer_prefixes{afi="ipv6",direction="received",peer="leaf1",vrf="default"} 0
# HELP ovnbgp_bgp_peer_up Whether the BGP session is up. The neighbours of FRR are FRR's to tell.
# TYPE ovnbgp_bgp_peer_up gauge
ovnbgp_bgp_peer_up{afi="ipv4",peer="leaf1",vrf="default"} 1
ovnbgp_bgp_peer_up{afi="ipv4",peer="leaf2",vrf="default"} 0
ovnbgp_bgp_peer_up{afi="ipv6",peer="leaf1",vrf="default"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), BGPPeerUp, BGPPeerTransitions, BGPPeerPrefixes,
		BFDPeerUp, BFDPeerDowns); err != nil {
		t.Error(err)
	}
}
