package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestHostAddresses(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	RegisterHostAddresses(registry, func() HostAddresses {
		return HostAddresses{States: map[string]int{"absent": 0, "passing": 2}, Passed: 7, Failed: 1}
	})
	want := `# HELP ovnbgp_host_addresses Addresses of the host itself that are to be announced, by state: unchecked and passing ones are.
# TYPE ovnbgp_host_addresses gauge
ovnbgp_host_addresses{state="absent"} 0
ovnbgp_host_addresses{state="passing"} 2
# HELP ovnbgp_host_checks_total Attempts of their checks.
# TYPE ovnbgp_host_checks_total counter
ovnbgp_host_checks_total{result="failed"} 1
ovnbgp_host_checks_total{result="ok"} 7
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
