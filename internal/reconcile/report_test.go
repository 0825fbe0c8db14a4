package reconcile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
)

// The series of routes are those of the last round; what is suppressed for no reason any more has none.
func TestRoutesAreMeasured(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := newWorld("bgp-vrf 203.0.113.9/32", "bgp-vrf 2001:db8::9/128")
	w.decisions = []model.Decision{{Verdict: model.Suppressed, Reason: "snat"}, {Verdict: model.Suppressed, Reason: "snat"},
		{Verdict: model.Announced, Reason: "port-up"}}
	kinds := map[string]string{"bgp-vrf 203.0.113.9/32": "port", "bgp-vrf 2001:db8::9/128": "floating-ip,port"}
	play(t, w, func(o *Options[*world, keys]) {
		o.Metrics = metrics.NewReconcile(registry)
		o.Kinds = func(k keys) (names []string) {
			for _, key := range k.Keys() {
				names = append(names, kinds[key])
			}
			return names
		}
	}, func(t *testing.T, _ *loopOf) {
		wantSeries(t, registry, "routes_applied{ipv4,bgp-vrf} 1", "routes_applied{ipv6,bgp-vrf} 1",
			"routes_desired{ipv4,port,bgp-vrf} 1", "routes_desired{ipv6,floating-ip,port,bgp-vrf} 1", "routes_suppressed{snat} 2")
		w.want = []string{"bgp-vrf 203.0.113.9/32"}
		kinds["bgp-vrf 203.0.113.9/32"] = "gateway" // another kind of the same: the old series goes
		w.decisions = []model.Decision{{Verdict: model.Suppressed, Reason: "overlap"}}
		w.poke()
		wantSeries(t, registry, "routes_applied{ipv4,bgp-vrf} 1", "routes_desired{ipv4,gateway,bgp-vrf} 1",
			"routes_suppressed{overlap} 1")
	})
}

func wantSeries(t *testing.T, registry *prometheus.Registry, want ...string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		name, ok := strings.CutPrefix(f.GetName(), "ovnbgp_routes_")
		if !ok {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got = append(got, fmt.Sprintf("routes_%s{%s} %v", name, strings.Join(labels, ","), m.GetGauge().GetValue()))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("series (-want +got):\n%s", d)
	}
}
