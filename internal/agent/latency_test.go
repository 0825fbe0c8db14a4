package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/client/openflow/openflowtest"
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/config"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/fake/frr"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/reconcile"
	"ovnbgp/internal/source/host"
	"ovnbgp/internal/status"
)

// standIns is a kernel without VRF and dummy devices, on which others take their place: only what they are called is
// changed, each read and write goes to the kernel as it is.
type standIns struct {
	*netlink.Conn
	vrf model.VRF
}

func (k standIns) disguise(l netlink.Link) netlink.Link {
	switch l.Name {
	case k.vrf.Name:
		l.Kind, l.Table = "vrf", k.vrf.Table
	case k.vrf.Device:
		l.Kind = "dummy"
	}
	return l
}

func (k standIns) Actual(ctx context.Context) (netlink.Actual, error) {
	a, err := k.Conn.Actual(ctx)
	for i := range a.Links {
		a.Links[i] = k.disguise(a.Links[i])
	}
	return a, err
}

func (k standIns) LinkByName(ctx context.Context, name string) (netlink.Link, bool, error) {
	l, ok, err := k.Conn.LinkByName(ctx, name)
	return k.disguise(l), ok, err
}

// measured is an agent's loop over real databases, a real ovs-vswitchd and the real kernel; FRR is a fake.
type measured struct {
	node   *node
	loop   *reconcile.Loop[roundInput, model.Node]
	nb     *ovsdb.Conn
	counts *prometheus.Registry
}

// measure starts such a loop, with a floating IP on each of count ports of this node, which are down, and with ports
// elsewhere beside them.
func measure(b *testing.B, count, elsewhere int) *measured {
	b.Helper()
	if os.Getenv(isolated) == "" {
		b.Skip("needs root, for a namespace of its own")
	}
	sw, central := openflowtest.Start(b), ovsdbtest.Start(b, ovsdbtest.NorthboundSchema)
	sw.AddBridge(b, "br-int")
	sw.AddBridge(b, "br-ex")
	sw.Vsctl(b, "add-port", "br-ex", "patch-provnet-to-br-int", "--", "set", "interface", "patch-provnet-to-br-int", "type=patch",
		"options:peer=patch-br-int-to-provnet", "--", "add-port", "br-int", "patch-br-int-to-provnet", "--", "set",
		"interface", "patch-br-int-to-provnet", "type=patch", "options:peer=patch-provnet-to-br-int", "--",
		"set", "Open_vSwitch", ".", "external_ids:system-id=node1", "external_ids:hostname=node1",
		"external_ids:ovn-bridge-mappings=physnet1:br-ex")
	central.Fill(b, elsewhere)
	central.Transact(b, cloudOf(count)...)

	result, err := file.Load(nil, false)
	if err != nil {
		b.Fatal(err)
	}
	s := result.Settings
	s.Node.Driver = config.DriverNB
	s.Switch.Endpoint, s.Northbound.Endpoints = sw.Database.Endpoint(), []string{central.Endpoint()}
	bgp := frr.Start(b)
	bgp.Type("router bgp 64999", "bgp router-id 10.0.0.1")
	bgp.SetVRF(s.Node.VRF)
	s.Paths.OpenVSwitch, s.Paths.FRRSockets = sw.RunDir(), bgp.Dir
	s.Paths.RTTables = filepath.Join(b.TempDir(), "rt_tables")
	for _, args := range [][]string{
		{"link", "add", "br-ex", "type", "bridge"}, {"link", "set", "br-ex", "up"},
		{"link", "add", s.Node.VRF, "type", "bridge"}, {"link", "set", s.Node.VRF, "up", "alias", "ovnbgp"},
		{"link", "add", s.Node.NIC, "type", "veth"}, {"link", "set", s.Node.NIC, "up", "alias", "ovnbgp", "master", s.Node.VRF},
	} {
		ip(b, args...)
	}
	b.Cleanup(func() {
		for _, link := range []string{"br-ex", s.Node.VRF, s.Node.NIC} {
			ip(b, "link", "del", link)
		}
	})
	return start(b, s, central)
}

// cloudOf is a router between a provider network and count ports of this node, with a floating IP for each.
func cloudOf(count int) []ovsdb.Operation {
	ops := []ovsdb.Operation{ovsdb.Insert("NB_Global", "", ovsdb.Columns{})}
	var ports, nats ovsdb.Set
	for i := range count {
		port, nat, name := ovsdb.Named(fmt.Sprintf("port%d", i)), ovsdb.Named(fmt.Sprintf("nat%d", i)), fmt.Sprintf("vm%d", i)
		ports, nats = append(ports, port), append(nats, nat)
		ops = append(ops,
			ovsdb.Insert("Logical_Switch_Port", string(port), ovsdb.Columns{"name": name, "up": false,
				"addresses": fmt.Sprintf("%s 10.64.%d.%d", macOf(i), i>>8, i&255), "options": map[string]string{"requested-chassis": "node1"},
				"external_ids": map[string]string{"neutron:device_owner": "compute:nova"}}),
			ovsdb.Insert("NAT", string(nat), ovsdb.Columns{"type": "dnat_and_snat", "external_ip": public(i).String(),
				"logical_ip": fmt.Sprintf("10.64.%d.%d", i>>8, i&255), "logical_port": name, "external_mac": macOf(i)}))
	}
	return append(ops,
		ovsdb.Insert("Logical_Switch_Port", "localnet", ovsdb.Columns{"name": "provnet", "type": "localnet", "addresses": "unknown",
			"options": map[string]string{"network_name": "physnet1"}}),
		ovsdb.Insert("Logical_Switch_Port", "gateway", ovsdb.Columns{"name": "gateway", "type": "router", "addresses": "router",
			"options":      map[string]string{"router-port": "lrp-gateway"},
			"external_ids": map[string]string{"neutron:device_owner": "network:router_gateway"}}),
		ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "neutron-outside",
			"ports": ovsdb.Set{ovsdb.Named("localnet"), ovsdb.Named("gateway")}}),
		ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "neutron-inside", "ports": ports}),
		ovsdb.Insert("Gateway_Chassis", "chassis", ovsdb.Columns{"name": "lrp-gateway_node2", "chassis_name": "node2", "priority": 1}),
		ovsdb.Insert("Logical_Router_Port", "lrp", ovsdb.Columns{"name": "lrp-gateway", "mac": "fa:16:3e:00:00:01",
			"networks": "198.18.0.1/16", "gateway_chassis": ovsdb.Named("chassis")}),
		ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": "neutron-router", "ports": ovsdb.Named("lrp"), "nat": nats}))
}

func public(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(16 + i>>8), byte(i)}) }
func macOf(i int) string      { return fmt.Sprintf("fa:16:3e:77:%02x:%02x", i>>8, i&255) }

// start runs the loop until the benchmark ends, and waits until it has nothing to do.
func start(b *testing.B, s config.Settings, central *ovsdbtest.Server) *measured {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m := &measured{counts: prometheus.NewRegistry()}
	var err error
	if m.node, err = connect(ctx, s, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		if err := m.node.conn.SetSysctl("1", "net", family, "conf", "all", "forwarding"); err != nil {
			b.Fatal(err)
		}
	}
	k := standIns{m.node.conn, underlay(s.Node)}
	m.node.carriers, m.node.addresses = kernel.NewCarriers(k), kernel.NewAnnouncements(k, k.vrf)
	m.node.source.host = host.New(k, s.Paths.RTTables)
	m.loop = m.node.newLoop(s, "test", slog.New(slog.DiscardHandler), metrics.NewReconcile(m.counts))
	ended := make(chan error, 2)
	go func() { ended <- m.node.run(ctx) }()
	go func() { ended <- m.loop.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, <-ended, m.node.close()); err != nil && !errors.Is(err, context.Canceled) {
			b.Error(err)
		}
	})
	if m.nb, err = ovsdb.Dial(ctx, central.Endpoint(), nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.nb.Close() })
	m.until(b, "nothing left to do", func(r status.Report) bool { return r.Verdict == status.OK })
	return m
}

// until waits for a report, and is woken by the loop.
func (m *measured) until(b *testing.B, what string, holds func(status.Report) bool) status.Report {
	b.Helper()
	late := time.After(20 * time.Second)
	for {
		report := m.loop.Status()
		if holds(report) {
			return report
		}
		select {
		case <-m.loop.Reported():
		case <-late:
			b.Fatalf("no %s: %s\n%+v", what, report.Text, report.Troubles[:min(1, len(report.Troubles))])
		}
	}
}

// bring says that ports are up or down, in one transaction: their floating IPs become this node's, or are its no more.
func (m *measured) bring(b *testing.B, first, count int, up bool) {
	b.Helper()
	var ops []ovsdb.Operation
	for i := first; i < first+count; i++ {
		ops = append(ops, ovsdb.Update("Logical_Switch_Port", []ovsdb.Condition{ovsdb.Equal("name", fmt.Sprintf("vm%d", i))},
			ovsdb.Columns{"up": up}))
	}
	if _, err := m.nb.Transact(b.Context(), "OVN_Northbound", ops...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOneFloatingIP measures what the agent does for one more floating IP, and for one less, beside others that
// are in place: from the transaction that says so to the end of the round that has done it, the database's and the
// switch's share included. The other hand's half of each pair is not counted.
func BenchmarkOneFloatingIP(b *testing.B) {
	for _, tt := range []struct{ others, elsewhere int }{{100, 0}, {1000, 0}, {100, 50_000}} {
		b.Run(fmt.Sprintf("others=%d/elsewhere=%d", tt.others, tt.elsewhere), func(b *testing.B) {
			m := measure(b, tt.others+1, tt.elsewhere)
			m.bring(b, 0, tt.others, true)
			m.announced(b, tt.others)
			var took []time.Duration
			before, rounds := usage(b), m.rounds(b)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				m.bring(b, tt.others, 1, true)
				m.announced(b, tt.others+1)
				took = append(took, time.Since(start))
				m.settle()
				m.bring(b, tt.others, 1, false)
				m.announced(b, tt.others)
				m.settle()
			}
			used := usage(b) - before
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
			b.ReportMetric(float64(used.Microseconds())/1e3/float64(2*len(took)), "cpu-ms/change")
			b.ReportMetric(float64(m.rounds(b)-rounds)/float64(2*len(took)), "rounds/change")
		})
	}
}

// BenchmarkManyFloatingIPs measures 500 that come in one transaction.
func BenchmarkManyFloatingIPs(b *testing.B) {
	const count = 500
	m := measure(b, count, 0)
	for b.Loop() {
		m.bring(b, 0, count, true)
		m.announced(b, count)
		b.StopTimer()
		m.bring(b, 0, count, false)
		m.announced(b, 0)
		b.StartTimer()
	}
}

// BenchmarkIdleMinute measures what an agent with 1,000 addresses uses when nothing happens. The fake FRR, which answers its
// looks, is part of the process. Run it with -benchtime 1x.
func BenchmarkIdleMinute(b *testing.B) {
	const count = 1000
	m := measure(b, count, 0)
	m.bring(b, 0, count, true)
	m.announced(b, count)
	m.settle()
	before, rounds := usage(b), m.rounds(b)
	for b.Loop() {
		time.Sleep(time.Minute)
	}
	b.ReportMetric((usage(b)-before).Seconds()/float64(b.N), "cpu-s/minute")
	b.ReportMetric(float64(m.rounds(b)-rounds)/float64(b.N), "rounds/minute")
}

func (m *measured) announced(b *testing.B, count int) {
	b.Helper()
	m.until(b, fmt.Sprintf("%d announced", count), func(r status.Report) bool { return len(r.Announced) == count })
}

// settle waits for the rounds that come after one that changed something.
func (m *measured) settle() {
	for {
		select {
		case <-m.loop.Reported():
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

// usage is the CPU time of this process.
func usage(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rounds counts the rounds made so far.
func (m *measured) rounds(b *testing.B) (total uint64) {
	b.Helper()
	families, err := m.counts.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == metrics.ReconcileDuration {
			for _, by := range f.GetMetric() {
				total += by.GetHistogram().GetSampleCount()
			}
		}
	}
	return total
}
