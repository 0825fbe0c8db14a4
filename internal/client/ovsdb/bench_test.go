package ovsdb_test

import (
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

const benchPorts = 50_000

// BenchmarkLoad loads 50,000 ports from a real server. Beside the time, which includes the server's, it reports the
// live heap and the highest resident set of the process: run it with -benchtime 1x and nothing else for those.
func BenchmarkLoad(b *testing.B) {
	server := ovsdbtest.Start(b, ovsdbtest.NorthboundSchema)
	server.Fill(b, benchPorts)
	resident(b, "before")
	for b.Loop() {
		start := time.Now()
		client, tables := run(b, ovsdb.Options{Endpoints: []string{server.Endpoint()}})
		for !client.Status().InSync {
			<-client.Pokes()
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/load")
		if err := client.Read(func(ovsdb.Status) {
			if n := tables.LogicalSwitchPort.Len(); n != benchPorts {
				b.Fatalf("%d ports", n)
			}
		}); err != nil {
			b.Fatal(err)
		}
	}
	resident(b, "peak")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
}

// resident reports the highest resident set of this process so far, and begins to measure anew.
func resident(b *testing.B, when string) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(text)
	kB, err := strconv.Atoi(string(m[1]))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(kB)/1e3, "MB-resident-"+when)
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log("the resident set is not measured anew:", err)
	}
}
