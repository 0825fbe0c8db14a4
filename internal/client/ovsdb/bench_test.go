package ovsdb_test

import (
	"fmt"
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

// BenchmarkLoadConditional is BenchmarkLoad of what one of a hundred hosts needs: the ports that name it.
func BenchmarkLoadConditional(b *testing.B) {
	server := ovsdbtest.Start(b, ovsdbtest.NorthboundSchema)
	server.Fill(b, benchPorts)
	resident(b, "before")
	for b.Loop() {
		start := time.Now()
		client, tables := runWith(b, ovsdb.Options{Endpoints: []string{server.Endpoint()}}, ofHost("compute1", 0))
		for !client.Status().InSync {
			<-client.Pokes()
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/load")
		if err := client.Read(func(ovsdb.Status) {
			if n := tables.LogicalSwitchPort.Len(); n != benchPorts/100 {
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

// ofHost are the conditions for a host's ports and, beside them, a number of conditions of one row each.
func ofHost(host string, more int) ovsdb.Conditions {
	pair := func(column, key string) ovsdb.Condition {
		return ovsdb.Includes(column, map[string]string{key: host})
	}
	ports := []ovsdb.Condition{pair("options", "requested-chassis"), pair("external_ids", "neutron:host_id"),
		pair("external_ids", "neutron:parent_hostname"), ovsdb.Equal("type", "localnet"), ovsdb.Equal("type", "router")}
	for n := range more {
		ports = append(ports, ovsdb.Equal("parent_name", fmt.Sprintf("%08x-1111-4111-8111-111111111111", n)))
	}
	return ovsdb.Conditions{"Logical_Switch_Port": ports, "Logical_Switch": {}}
}

// BenchmarkSetConditions measures what a change of the conditions on 50,000 ports costs, which is the server's time:
// by the number of conditions that name one row, beside those that name a host.
func BenchmarkSetConditions(b *testing.B) {
	server := ovsdbtest.Start(b, ovsdbtest.NorthboundSchema)
	server.Fill(b, benchPorts)
	client, _ := runWith(b, ovsdb.Options{Endpoints: []string{server.Endpoint()}}, ofHost("compute1", 0))
	inSync(b, client, 1)
	for _, more := range []int{0, 10, 100, 1000} {
		b.Run(fmt.Sprintf("%d more", more), func(b *testing.B) {
			set(b, client, ofHost("compute1", more))
			for n := 0; b.Loop(); n++ {
				set(b, client, ofHost("compute1", more+1+n%2))
			}
		})
	}
	rows := func(n int) ovsdb.Conditions {
		var list []ovsdb.Condition
		for n := range n {
			list = append(list, ovsdb.IsRow(ovsdb.UUID{byte(n >> 8), byte(n)}))
		}
		return ovsdb.Conditions{"Logical_Switch_Port": list, "Logical_Switch": {}}
	}
	b.Run("10000 rows looked up", func(b *testing.B) {
		set(b, client, rows(10_000))
		for n := 0; b.Loop(); n++ {
			set(b, client, rows(10_000+1+n%2))
		}
	})
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
