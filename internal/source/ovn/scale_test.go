package ovn_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	"ovnbgp/internal/plan"
	source "ovnbgp/internal/source/ovn"
)

// gateways adds routers whose gateways may be on c1, each with translations that the gateway answers for.
func gateways(t testing.TB, central *ovsdbtest.Server, routers, each int) {
	t.Helper()
	for r := range routers {
		n := fmt.Sprint(r)
		rows := []ovsdb.Operation{
			ovsdb.Insert("Gateway_Chassis", "gc", ovsdb.Columns{"name": "gc" + n, "chassis_name": "c1", "priority": 1}),
			ovsdb.Insert("Logical_Router_Port", "lrp", ovsdb.Columns{"name": "lrp" + n, "mac": "fa:16:3e:00:00:01",
				"networks": fmt.Sprintf("203.0.%d.9/24", r%250), "gateway_chassis": ovsdb.Named("gc")}),
		}
		var nats ovsdb.Set
		for i := range each {
			name := fmt.Sprintf("nat%d", i)
			nats = append(nats, ovsdb.Named(name))
			rows = append(rows, ovsdb.Insert("NAT", name, ovsdb.Columns{"type": "dnat_and_snat",
				"external_ip": fmt.Sprintf("198.%d.%d.1", r, i), "logical_ip": fmt.Sprintf("10.0.%d.1", i)}))
		}
		rows = append(rows, ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": "gw" + n, "ports": ovsdb.Named("lrp"),
			"nat": nats}))
		central.Transact(t, rows...)
	}
}

// bigNode is a node with a hundredth of a cloud's ports, and routers with gateways here that have translations.
func bigNode(t testing.TB, ports, routers, each int, more ...func(*ovsdbtest.Server)) source.Options {
	t.Helper()
	central := newNorthbound(t, "r")
	central.Fill(t, ports)
	gateways(t, central, routers, each)
	for _, add := range more {
		add(central)
	}
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "compute1"})
	return source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}}
}

// Twice the cloud are no more rows but for the ports here; a router brings its own.
func TestScopedRowsFollowWhatIsLocal(t *testing.T) {
	count := func(ports, routers, each int) int {
		s := run(t, bigNode(t, ports, routers, each))
		local := ports / 100
		until(t, s, "all that is local", func(x ovn.Snapshot, err error) bool {
			return err == nil && len(x.Ports) == local && len(x.NATs) == routers*each
		})
		return s.Status()[1].Rows - local - ports/250 // each network has a port here
	}
	small, large, more := count(2500, 10, 5), count(5000, 10, 5), count(2500, 20, 5)
	if small != large {
		t.Errorf("%d rows beside local ports and their networks, %d in a cloud twice as large", small, large)
	}
	if per := (more - small) / 10; per != 3+5 {
		t.Errorf("%d rows for a router with its port, its place and five translations", per)
	}
}

// tenants adds a provider network that the routers' gateways are on, and to each router a network with machines.
func tenants(t testing.TB, central *ovsdbtest.Server, routers, machines int) {
	t.Helper()
	outside := ovsdb.Set{ovsdb.Named("net")}
	rows := []ovsdb.Operation{ovsdb.Insert("Logical_Switch_Port", "net", ovsdb.Columns{"name": "provnet", "type": "localnet",
		"options": map[string]string{"network_name": "physnet1"}})}
	for r := range routers {
		n, gw, lsp := fmt.Sprint(r), fmt.Sprint("gw", r), fmt.Sprint("lsp", r)
		cidr := fmt.Sprintf("10.200.%d.1/24", r)
		outside = append(outside, ovsdb.Named(gw))
		inside := ovsdb.Set{ovsdb.Named(lsp)}
		rows = append(rows, ovsdb.Insert("Logical_Switch_Port", gw, ovsdb.Columns{"name": "out" + n, "type": "router",
			"options":      map[string]string{"router-port": "lrp" + n},
			"external_ids": map[string]string{"neutron:device_owner": "network:router_gateway"}}),
			ovsdb.Insert("Logical_Switch_Port", lsp, ovsdb.Columns{"name": "in" + n, "type": "router", "up": true,
				"options": map[string]string{"router-port": "lrp-in" + n}, "external_ids": map[string]string{
					"neutron:device_owner": "network:router_interface", "neutron:cidrs": cidr}}),
			ovsdb.Insert("Logical_Router_Port", "in"+n, ovsdb.Columns{"name": "lrp-in" + n, "mac": "fa:16:3e:00:00:02", "networks": cidr}),
			ovsdb.Mutate("Logical_Router", []ovsdb.Condition{ovsdb.Equal("name", gw)},
				ovsdb.Mutation{Column: "ports", Mutator: "insert", Value: ovsdb.Named("in" + n)}))
		for m := range machines {
			vm := fmt.Sprintf("m%d_%d", r, m)
			inside = append(inside, ovsdb.Named(vm))
			rows = append(rows, ovsdb.Insert("Logical_Switch_Port", vm, ovsdb.Columns{"name": vm, "up": true,
				"addresses": fmt.Sprintf("fa:16:3e:00:00:03 10.200.%d.%d", r, m+2)}))
		}
		rows = append(rows, ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "ten" + n, "ports": inside}))
	}
	central.Transact(t, append(rows, ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "public", "ports": outside}))...)
}

// hosted is what a snapshot is where the gateways' chassis are told, which the schema here cannot, and the node maps the
// provider network.
func hosted(x ovn.Snapshot) ovn.Snapshot {
	x.Absent = nil
	x.RouterPorts = slices.Clone(x.RouterPorts)
	for i, rp := range x.RouterPorts {
		if rp.Gateway {
			here := *rp
			here.HostingChassis = "c1"
			x.RouterPorts[i] = &here
		}
	}
	x.Local = nodeOf("c1", x.Ports)
	x.Local.Hostname = "compute1"
	return x
}

// BenchmarkScale prints what issue 4 asks for at 1,000 local addresses, 200 routers with gateways here and 50,000
// ports in the cloud: run it with -benchtime 1x.
func BenchmarkScale(b *testing.B) {
	const ports, routers, each, machines = 50_000, 200, 3, 2
	o := bigNode(b, ports, routers, each, func(central *ovsdbtest.Server) { tenants(b, central, routers, machines) })
	settings := config.Node{VRF: "bgp-vrf", VRFTable: 10, NIC: "bgp-nic", AS: 64999, ExposeTenantNetworks: true,
		TenantMethod: config.TenantHost}
	for _, conditional := range []bool{false, true} {
		b.Run(fmt.Sprintf("conditional %t", conditional), func(b *testing.B) {
			o.Conditional = conditional
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				began := time.Now()
				s := run(b, o)
				s.ExposeTenants(true)
				x := until(b, s, "a snapshot", func(x ovn.Snapshot, err error) bool {
					return err == nil && len(x.NATs) == routers*each && len(x.Ports) >= ports/100+routers*(2+machines)
				})
				b.ReportMetric(time.Since(began).Seconds(), "s/load")
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(s.Status()[1].Rows), "rows")
				b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "MB-heap")
				x = hosted(x)
				began = time.Now()
				state, _ := desired.Node(desired.Input{OVN: x}, settings)
				b.ReportMetric(float64(time.Since(began).Microseconds())/1e3, "ms/compute")
				b.ReportMetric(float64(len(state.Announcements)), "announced")
				planned(b, state)
			}
		})
	}
}

// planned reports how long the plan of all that carries and announces takes, from nothing.
func planned(b *testing.B, state model.Node) {
	b.Helper()
	k := fakekernel.New()
	k.AddBridge("br-ex", "02:aa:bb:cc:dd:01")
	began, steps := time.Now(), 0
	for _, applier := range []interface {
		Plan(context.Context, model.Node) ([]plan.Step, error)
	}{kernel.NewCarriers(k), kernel.NewAnnouncements(k, state.VRF)} {
		list, err := applier.Plan(b.Context(), state)
		if err != nil {
			b.Fatal(err)
		}
		steps += len(list)
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/1e3, "ms/plan")
	b.ReportMetric(float64(steps), "steps")
}

// Of the Southbound database, too: twice the ports elsewhere are no row more, and a router is its four ports, its place
// and its datapaths wherever its gateway is, and what is bound here one row each.
func TestScopedSouthboundRowsFollowWhatIsLocal(t *testing.T) {
	count := func(elsewhere, here, routers int) int {
		central := newSouthbound(t)
		c1, c2 := rowOf(t, central, "Chassis", "c1"), rowOf(t, central, "Chassis", "c2")
		ext := central.Transact(t, ovsdb.Select("Datapath_Binding", []ovsdb.Condition{
			ovsdb.Equal("tunnel_key", 1)}, "_uuid"))[0].Rows[0]
		var datapath ovsdb.UUID
		if err := ext.Get("_uuid", &datapath); err != nil {
			t.Fatal(err)
		}
		b := bindings{there: map[string]any{"ext": datapath}, keys: 1000}
		for n := range elsewhere + here {
			chassis := c2
			if n < here {
				chassis = c1
			}
			b.add(fmt.Sprint("vm-", n), "ext", "", "", ovsdb.Columns{"chassis": chassis})
		}
		for n := range routers {
			for i, kind := range []string{"logical-router", "logical-switch"} {
				name := fmt.Sprint([]string{"x", "ten_x"}[i], n)
				b.list = append(b.list, ovsdb.Insert("Datapath_Binding", name, ovsdb.Columns{"tunnel_key": 100 + 2*n + i,
					"external_ids": map[string]string{kind: "1", "name": name}}))
			}
			b.router(fmt.Sprint("x", n), "")
		}
		central.Transact(t, b.list...)
		local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "h1", "ovn-remote": central.Endpoint()})
		s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
			Southbound: &ovsdb.Options{}})
		until(t, s, "what is here", func(x ovn.Snapshot, err error) bool { return err == nil && len(x.RouterPorts) == 4+2*routers })
		return s.Status()[1].Rows
	}
	small := count(500, 5, 10)
	if large := count(1000, 5, 10); large != small {
		t.Errorf("%d rows, %d with twice the ports elsewhere", small, large)
	}
	if more := count(500, 25, 10) - small; more != 20 {
		t.Errorf("%d rows more for 20 ports here", more)
	}
	if more := count(500, 5, 20) - small; more != 10*(5+2) {
		t.Errorf("%d rows more for 10 routers", more)
	}
}
