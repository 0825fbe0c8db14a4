package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestReadingsAreAskedForAtEachScrape(t *testing.T) {
	registry := prometheus.NewRegistry()
	rows := 3
	RegisterReadings(registry, func() Readings {
		return Readings{Ready: true, Databases: []Database{{Name: "OVN_Northbound", Connected: true, Rows: rows}},
			Writes: map[string]uint64{"kernel": 7}, ConfigRead: time.Unix(1700000000, 0)}
	})
	rows = 4
	want := `
# HELP ovnbgp_config_last_reload_success_timestamp_seconds When a configuration was put in force last.
# TYPE ovnbgp_config_last_reload_success_timestamp_seconds gauge
ovnbgp_config_last_reload_success_timestamp_seconds 1.7e+09
# HELP ovnbgp_config_last_reload_successful Whether the configuration that was read last is in force.
# TYPE ovnbgp_config_last_reload_successful gauge
ovnbgp_config_last_reload_successful 0
# HELP ovnbgp_ovsdb_rows Rows held.
# TYPE ovnbgp_ovsdb_rows gauge
ovnbgp_ovsdb_rows{db="OVN_Northbound"} 4
# HELP ovnbgp_writes_total Messages sent that change something, at the agent's own sockets.
# TYPE ovnbgp_writes_total counter
ovnbgp_writes_total{subsystem="kernel"} 7
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), OVSDBRows, Writes,
		ConfigGood, ConfigRead); err != nil {
		t.Error(err)
	}
}
