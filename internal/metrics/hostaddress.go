package metrics

import "github.com/prometheus/client_golang/prometheus"

// HostAddresses are how the addresses of the host itself fare. States has each of HostAddressStates.
type HostAddresses struct {
	States         map[string]int
	Passed, Failed uint64 // attempts of their checks since the agent's start
}

// HostAddressStates are all there are: absent (the host has it not), unchecked (it has it, and there is no check), and what
// the check says of one that it has.
func HostAddressStates() []string {
	return []string{"absent", "unchecked", "unknown", "passing", "failing"}
}

// hostAddresses collects by asking.
type hostAddresses struct {
	read             func() HostAddresses
	states, attempts *prometheus.Desc
}

// RegisterHostAddresses has a registry ask at every scrape.
func RegisterHostAddresses(registry prometheus.Registerer, read func() HostAddresses) {
	registry.MustRegister(&hostAddresses{
		read: read,
		states: prometheus.NewDesc(HostAddressesByState, "Addresses of the host itself that are to be announced, by state: "+
			"unchecked and passing ones are.", []string{"state"}, nil),
		attempts: prometheus.NewDesc(HostChecks, "Attempts of their checks.", []string{"result"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (h *hostAddresses) Describe(out chan<- *prometheus.Desc) { out <- h.states; out <- h.attempts }

// Collect implements prometheus.Collector.
func (h *hostAddresses) Collect(out chan<- prometheus.Metric) {
	now := h.read()
	for state, n := range now.States {
		out <- prometheus.MustNewConstMetric(h.states, prometheus.GaugeValue, float64(n), state)
	}
	out <- prometheus.MustNewConstMetric(h.attempts, prometheus.CounterValue, float64(now.Passed), "ok")
	out <- prometheus.MustNewConstMetric(h.attempts, prometheus.CounterValue, float64(now.Failed), "failed")
}
