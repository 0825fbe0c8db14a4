package ovn_test

import (
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// BenchmarkOneChange measures a snapshot after one of 50,000 ports has changed.
func BenchmarkOneChange(b *testing.B) {
	central := ovsdbtest.Start(b, ovsdbtest.NorthboundSchema)
	central.Fill(b, 50_000)
	local := newSwitch(b, map[string]string{"system-id": "S1"})
	s := run(b, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}},
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}})
	until(b, s, "a snapshot", good)
	up, taken := true, time.Duration(0)
	for b.Loop() {
		up = !up
		central.Transact(b, ovsdb.Update("Logical_Switch_Port", []ovsdb.Condition{
			ovsdb.Equal("name", "00000007-1111-4111-8111-111111111111")}, ovsdb.Columns{"up": up}))
		start := time.Now()
		until(b, s, "the change", func(x ovn.Snapshot, err error) bool {
			return err == nil && *x.Ports[7].Up == up
		})
		taken += time.Since(start)
	}
	b.ReportMetric(float64(taken.Microseconds())/float64(b.N), "us/snapshot")
}
