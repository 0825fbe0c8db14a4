package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Peer is how a BGP neighbour fares.
type Peer struct {
	Name, VRF   string
	Up          bool
	Since       time.Time // of a session that is up
	Established uint64    // times that it came up
	Families    []PeerFamily
	// BFD tells whether a BFD session watches it, which is up or not, and has gone down so often.
	BFD, BFDUp bool
	BFDDowns   uint64
}

// PeerFamily is an address family of a neighbour, with the prefixes that it has told.
type PeerFamily struct {
	AFI      string
	Received uint64
}

// peers collects by asking.
type peers struct {
	read                             func() []Peer
	up, since, established, prefixes *prometheus.Desc
	bfdUp, bfdDowns                  *prometheus.Desc
}

// RegisterPeers has a registry ask at every scrape.
func RegisterPeers(registry prometheus.Registerer, read func() []Peer) {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	registry.MustRegister(&peers{
		read:        read,
		up:          describe(BGPPeerUp, "Whether the BGP session is up. The neighbours of FRR are FRR's to tell.", "peer", "vrf", "afi"),
		since:       describe(BGPPeerUptime, "Seconds that the BGP session has been up.", "peer", "vrf"),
		established: describe(BGPPeerTransitions, "Times that the BGP session came up.", "peer", "vrf"),
		prefixes:    describe(BGPPeerPrefixes, "Prefixes that the neighbour has told.", "peer", "vrf", "afi", "direction"),
		bfdUp:       describe(BFDPeerUp, "Whether the BFD session is up.", "peer"),
		bfdDowns:    describe(BFDPeerDowns, "Times that the BFD session went down.", "peer"),
	})
}

// Describe implements prometheus.Collector.
func (p *peers) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.up, p.since, p.established, p.prefixes, p.bfdUp, p.bfdDowns} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p *peers) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	for _, n := range p.read() {
		for _, f := range n.Families {
			send(p.up, prometheus.GaugeValue, boolean(n.Up), n.Name, n.VRF, f.AFI)
			send(p.prefixes, prometheus.GaugeValue, float64(f.Received), n.Name, n.VRF, f.AFI, "received")
		}
		if n.Up {
			send(p.since, prometheus.GaugeValue, time.Since(n.Since).Seconds(), n.Name, n.VRF)
		}
		send(p.established, prometheus.CounterValue, float64(n.Established), n.Name, n.VRF)
		if n.BFD {
			send(p.bfdUp, prometheus.GaugeValue, boolean(n.BFDUp), n.Name)
			send(p.bfdDowns, prometheus.CounterValue, float64(n.BFDDowns), n.Name)
		}
	}
}
