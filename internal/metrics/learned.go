package metrics

import "github.com/prometheus/client_golang/prometheus"

// Learned is how the default routes that BGP neighbours tell fare. What cannot be read has no samples: it is not zero.
type Learned struct {
	Read     bool // the speaker has answered
	Families []LearnedFamily
}

// LearnedFamily is an address family that is spoken with some neighbour.
type LearnedFamily struct {
	AFI             string
	Speaker, Kernel int // next hops of its default route
	KernelRead      bool
	Received        uint64
}

// learned collects by asking.
type learned struct {
	read                  func() Learned
	known, hops, prefixes *prometheus.Desc
}

// RegisterLearned has a registry ask at every scrape.
func RegisterLearned(registry prometheus.Registerer, read func() Learned) {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	registry.MustRegister(&learned{
		read:  read,
		known: describe(LearnedRead, "Whether the BGP speaker, FRR or the one built in, could be asked what its neighbours tell."),
		hops: describe(LearnedDefaultHops, "Next hops of the default route that BGP neighbours tell: those the speaker uses (at=bgp), "+
			"and those the main table has by it (at=kernel).", "afi", "at"),
		prefixes: describe(LearnedPrefixes, "Prefixes that all BGP neighbours together have told and the filters have let in.", "afi"),
	})
}

// Describe implements prometheus.Collector.
func (l *learned) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.known, l.hops, l.prefixes} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (l *learned) Collect(out chan<- prometheus.Metric) {
	now := l.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(l.known, boolean(now.Read))
	for _, f := range now.Families {
		gauge(l.hops, float64(f.Speaker), f.AFI, "bgp")
		if f.KernelRead {
			gauge(l.hops, float64(f.Kernel), f.AFI, "kernel")
		}
		gauge(l.prefixes, float64(f.Received), f.AFI)
	}
}
