package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestNamesAndHelp(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	set := New(registry, "1.0")
	set.Reconcile.Total.WithLabelValues("ok").Inc()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		seen[name] = true
		if !strings.HasPrefix(name, "ovnbgp_") || f.GetHelp() == "" {
			t.Errorf("%s: help %q", name, f.GetHelp())
		}
		counter := f.GetType().String() == "COUNTER"
		if strings.HasSuffix(name, "_total") != counter {
			t.Errorf("%s is a %s: _total is for counters", name, f.GetType())
		}
	}
	for _, name := range []string{BuildInfo, ReconcileTotal, ReconcileLastSuccess, GuardActive} {
		if !seen[name] {
			t.Errorf("%s is not there", name)
		}
	}
}

// Two sets in one registry would count in one of them only.
func TestRegisteringTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	registry := prometheus.NewRegistry()
	New(registry, "1.0")
	New(registry, "1.0")
}
