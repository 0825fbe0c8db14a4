package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// close keeps what came of a round: in the books, the metrics and the report.
func (r *round[I, S]) close(ctx context.Context, err error) {
	took := time.Since(r.start)
	var known, database string
	if r.gate == nil && r.opts.Database != nil {
		known, database = r.opts.Database(r.in)
	}
	r.books.readAgain()
	r.books.gate(r.gate, known, database)
	if r.gate != nil {
		r.books.keepUntried()
	}
	entry := status.Round{At: r.start.UTC(), Seconds: took.Seconds(), Steps: r.steps, Failed: r.books.failures,
		Result: r.result(ctx, err)}
	for _, t := range r.arrivals.triggers {
		entry.Triggers = append(entry.Triggers, string(t))
	}
	if first := r.arrivals.first; !first.IsZero() {
		entry.SinceEvent = time.Since(first).Seconds()
		if len(r.steps) > 0 {
			r.opts.Metrics.Applied.Observe(entry.SinceEvent)
		}
	}
	r.books.round(entry, took)
	report := r.makeReport()
	report.Judge()
	r.report.Store(&report)
	select {
	case r.reported <- struct{}{}:
	default: // one is waiting
	}
}

// makeReport makes the report of this round. When nothing was decided, what is announced and wanted is what it was.
func (r *round[I, S]) makeReport() status.Report {
	old := r.report.Load()
	report := status.Report{
		Version: r.opts.Version, Time: time.Now().UTC(), Source: r.books.source, Synced: old.Synced || r.gate == nil,
		Rounds: append([]status.Round(nil), r.books.rounds...), LastGood: r.books.lastGood,
		Wanted: old.Wanted, Announced: old.Announced, Decisions: old.Decisions, Counts: old.Counts,
		Withheld: old.Withheld, Held: old.Held, Subsystems: old.Subsystems,
		Remarks: old.Remarks, MoreRemarks: old.MoreRemarks,
	}
	if !r.hasWant {
		report.Troubles, report.MoreTroubles = old.Troubles, old.MoreTroubles
		return report
	}
	announced := r.announced
	report.Wanted, report.Announced = len(r.wanted), announced.sorted()
	report.Withheld, report.Held = r.withheld.sorted(), r.guard.report()
	report.Decisions = reasons(r.decisions)
	report.Remarks, report.MoreRemarks = r.books.remark(r.decisions)
	report.Troubles, report.MoreTroubles = r.books.objects()
	report.Subsystems = r.subsystems()
	report.Counts = nil
	if r.opts.Count != nil {
		for _, c := range r.opts.Count(r.want) {
			c.Troubled = r.books.troubled(c.Subsystem, c.Kind)
			report.Counts = append(report.Counts, c)
		}
	}
	r.measureRoutes(announced)
	return report
}

func (r *round[I, S]) subsystems() []status.Subsystem {
	var list []status.Subsystem
	for _, a := range r.opts.Carriers {
		list = append(list, subsystem(a.Name(), status.Carrier, r.unread[a.Name()]))
	}
	for i, a := range r.opts.Announcers {
		list = append(list, subsystem(a.Name(), status.Announcer, r.told[i].problem()))
	}
	return list
}

func subsystem(name string, role status.Role, err error) status.Subsystem {
	s := status.Subsystem{Name: name, Role: role, Read: err == nil}
	if err != nil {
		s.Err = err.Error()
	}
	return s
}

// measured are the series of routes that the last round has set: what is no more must go, without a moment in which a
// reader sees none.
type measured struct {
	desired, applied map[routeLabels]int
	suppressed       map[routeLabels]int
}

// measureRoutes sets the gauges of what is wanted, announced and suppressed.
func (r *round[I, S]) measureRoutes(announced set) {
	now := measured{desired: map[routeLabels]int{}, applied: map[routeLabels]int{}, suppressed: map[routeLabels]int{}}
	var kinds []string
	if r.opts.Kinds != nil {
		kinds = r.opts.Kinds(r.want)
	}
	for i, k := range r.keys {
		labels := labelsOf(k)
		if i < len(kinds) {
			labels[2] = kinds[i]
		}
		now.desired[labels]++
	}
	for k := range announced {
		now.applied[labelsOf(k)]++
	}
	for _, d := range r.decisions {
		if d.Verdict == model.Suppressed {
			now.suppressed[routeLabels{d.Reason}]++
		}
	}
	m, before := r.opts.Metrics, r.measured
	replaceSeries(m.Desired, 3, before.desired, now.desired)
	replaceSeries(m.RoutesApplied, 2, before.applied, now.applied)
	replaceSeries(m.Suppressed, 1, before.suppressed, now.suppressed)
	r.measured = now
}

// replaceSeries sets a gauge's series, of which each has so many labels.
func replaceSeries(gauge *prometheus.GaugeVec, labels int, before, now map[routeLabels]int) {
	for l, n := range now {
		gauge.WithLabelValues(l[:labels]...).Set(float64(n))
	}
	for l := range before {
		if _, still := now[l]; !still {
			gauge.DeleteLabelValues(l[:labels]...)
		}
	}
}

// routeLabels are the values of a series' labels: afi, vrf and kind, as far as the series has them, or the reason alone.
type routeLabels [3]string

// labelsOf returns the address family and VRF of an announcement's key ("bgp-vrf 203.0.113.9/32").
func labelsOf(key string) routeLabels {
	vrf, prefix, _ := strings.Cut(key, " ")
	if strings.Contains(prefix, ":") {
		return routeLabels{"ipv6", vrf}
	}
	return routeLabels{"ipv4", vrf}
}

// problem words what a preview could not plan.
func problem(subsystem string, err error) string {
	return fmt.Sprintf("%s cannot be read, its steps are not known: %v", subsystem, err)
}
