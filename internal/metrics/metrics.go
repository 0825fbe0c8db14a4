// Package metrics holds every metric's name and help. The packages that measure get the collectors they need;
// nothing is registered behind anybody's back. Labels are bounded: never an address, a port's or network's id.
// Start at New.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// Names of the metrics.
const (
	BuildInfo = "ovnbgp_build_info"
	Ready     = "ovnbgp_ready"
	Drained   = "ovnbgp_drained"

	ConfigGood = "ovnbgp_config_last_reload_successful"
	ConfigRead = "ovnbgp_config_last_reload_success_timestamp_seconds"

	ReconcileDuration    = "ovnbgp_reconcile_duration_seconds"
	ReconcileTotal       = "ovnbgp_reconcile_total"
	ReconcileLastSuccess = "ovnbgp_reconcile_last_success_timestamp_seconds"
	ReconcileOperations  = "ovnbgp_reconcile_operations_total"
	ReconcileObjects     = "ovnbgp_reconcile_objects"
	DriftCorrections     = "ovnbgp_drift_corrections_total"
	EventToApplied       = "ovnbgp_event_to_applied_seconds"

	RoutesDesired    = "ovnbgp_routes_desired"
	RoutesApplied    = "ovnbgp_routes_applied"
	RoutesSuppressed = "ovnbgp_routes_suppressed"
	GuardActive      = "ovnbgp_withdraw_guard_active"
	GuardBlocked     = "ovnbgp_withdraw_guard_blocked_routes"

	OVSDBConnected = "ovnbgp_ovsdb_connected"
	OVSDBConnects  = "ovnbgp_ovsdb_connects_total"
	OVSDBUpdates   = "ovnbgp_ovsdb_updates_total"
	OVSDBRows      = "ovnbgp_ovsdb_rows"

	Writes = "ovnbgp_writes_total"

	HostAddressesByState = "ovnbgp_host_addresses"
	HostChecks           = "ovnbgp_host_checks_total"

	BGPPeerUp          = "ovnbgp_bgp_peer_up"
	BGPPeerUptime      = "ovnbgp_bgp_peer_uptime_seconds"
	BGPPeerTransitions = "ovnbgp_bgp_peer_established_transitions_total"
	BGPPeerPrefixes    = "ovnbgp_bgp_peer_prefixes"
	BFDPeerUp          = "ovnbgp_bfd_peer_up"
	BFDPeerDowns       = "ovnbgp_bfd_peer_down_events_total"

	LearnedRead        = "ovnbgp_learned_read"
	LearnedDefaultHops = "ovnbgp_learned_default_next_hops"
	LearnedPrefixes    = "ovnbgp_learned_prefixes"
)

// Set is all metrics of an agent.
type Set struct {
	Reconcile *Reconcile
}

// Reconcile is what the loop measures.
type Reconcile struct {
	Duration    *prometheus.HistogramVec // trigger
	Total       *prometheus.CounterVec   // result
	LastSuccess prometheus.Gauge
	Operations  *prometheus.CounterVec // kind, op, result
	Objects     *prometheus.GaugeVec   // status
	Drift       *prometheus.CounterVec // kind
	Applied     prometheus.Histogram

	Desired       *prometheus.GaugeVec // afi, vrf, kind
	RoutesApplied *prometheus.GaugeVec // afi, vrf
	Suppressed    *prometheus.GaugeVec // reason
	GuardActive   prometheus.Gauge
	GuardBlocked  prometheus.Gauge
}

// latency are the buckets for what should take milliseconds: 1 ms to 32 s, each twice the one before.
func latency() []float64 { return prometheus.ExponentialBuckets(0.001, 2, 16) }

// New makes all metrics and registers them. It panics when the registry has one of them already: that is a bug in
// the wiring.
func New(registry prometheus.Registerer, version string) *Set {
	m := maker{registry}
	m.gaugeVec(BuildInfo, "Version of the agent; the value is 1.", "version", "goversion").
		WithLabelValues(version, runtime.Version()).Set(1)
	return &Set{
		Reconcile: newReconcile(m),
	}
}

// NewReconcile makes the loop's metrics alone.
func NewReconcile(registry prometheus.Registerer) *Reconcile { return newReconcile(maker{registry}) }

func newReconcile(m maker) *Reconcile {
	return &Reconcile{
		Duration: m.histogramVec(ReconcileDuration, "Seconds that rounds took, by what caused them.", "trigger"),
		Total: m.counterVec(ReconcileTotal,
			"Rounds, by result: ok, incomplete, error, gate-closed, interrupted.", "result"),
		LastSuccess: m.gauge(ReconcileLastSuccess, "End of the last round that left nothing to do."),
		Operations: m.counterVec(ReconcileOperations,
			"Steps that were run, by kind of object, verb and result.", "kind", "op", "result"),
		Objects: m.gaugeVec(ReconcileObjects, "Objects that are not as they must be, by status.", "status"),
		Drift: m.counterVec(DriftCorrections,
			"Steps that put back what another hand had changed, by kind of object.", "kind"),
		Applied: m.histogram(EventToApplied,
			"Seconds from a source's first poke to the end of the round that changed something for it."),
		Desired:       m.gaugeVec(RoutesDesired, "Announcements that must be, by kind; one of several kinds counts once, under all their names.", "afi", "vrf", "kind"),
		RoutesApplied: m.gaugeVec(RoutesApplied, "Announcements the world is told.", "afi", "vrf"),
		Suppressed:    m.gaugeVec(RoutesSuppressed, "Addresses here that are not announced, by reason.", "reason"),
		GuardActive:   m.gauge(GuardActive, "Whether the guard holds withdrawals back."),
		GuardBlocked:  m.gauge(GuardBlocked, "Withdrawals that the guard holds back."),
	}
}

//go:generate go test . -run TestDocs -update-docs

// maker makes collectors and registers them.
type maker struct{ registry prometheus.Registerer }

func (m maker) gauge(name, help string) prometheus.Gauge {
	return made(m, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (m maker) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	return made(m, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

func (m maker) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return made(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

func (m maker) histogram(name, help string) prometheus.Histogram {
	return made(m, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latency()}))
}

func (m maker) histogramVec(name, help string, labels ...string) *prometheus.HistogramVec {
	opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: latency()}
	return made(m, prometheus.NewHistogramVec(opts, labels))
}

func made[C prometheus.Collector](m maker, c C) C {
	m.registry.MustRegister(c)
	return c
}
