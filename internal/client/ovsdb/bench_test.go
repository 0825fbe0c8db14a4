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

const (
	benchPorts     = 50_000
	portsPerSwitch = 250
)

// BenchmarkLoad loads 50,000 ports from a real server. Beside the time, which includes the server's, it reports the
// live heap and the highest resident set of the process: run it with -benchtime 1x and nothing else for those.
func BenchmarkLoad(b *testing.B) {
	server := ovsdbtest.Start(b, ovsdbtest.NorthboundSchema)
	for s := range benchPorts / portsPerSwitch {
		server.Transact(b, fullSwitch(s)...)
	}
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

// fullSwitch makes a network of ports that have what Neutron writes.
func fullSwitch(s int) []ovsdb.Operation {
	network := fmt.Sprintf("neutron-%08x-0000-4000-8000-000000000000", s)
	var operations []ovsdb.Operation
	var ports ovsdb.Set
	for p := range portsPerSwitch {
		n := s*portsPerSwitch + p
		name := ovsdb.Named(fmt.Sprintf("p%d", n))
		address := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
		mac := fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", n>>16, n>>8&255, n&255)
		ports = append(ports, name)
		operations = append(operations, ovsdb.Insert("Logical_Switch_Port", string(name), ovsdb.Columns{
			"name": fmt.Sprintf("%08x-1111-4111-8111-111111111111", n), "up": true, "enabled": true,
			"addresses":     mac + " " + address,
			"port_security": mac + " " + address,
			"options":       map[string]string{"requested-chassis": fmt.Sprintf("compute%d", n%100), "mcast_flood_reports": "true"},
			"external_ids": map[string]string{"neutron:cidrs": address + "/16", "neutron:device_id": fmt.Sprintf("%08x-2222-4222-8222-222222222222", n),
				"neutron:device_owner": "compute:nova", "neutron:host_id": fmt.Sprintf("compute%d", n%100),
				"neutron:network_name": network, "neutron:port_capabilities": "", "neutron:port_name": "",
				"neutron:project_id": "0123456789abcdef0123456789abcdef", "neutron:revision_number": "4",
				"neutron:security_group_ids": "11111111-2222-4333-8444-555555555555", "neutron:vnic_type": "normal"},
		}))
	}
	return append(operations, ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": network, "ports": ports}))
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
