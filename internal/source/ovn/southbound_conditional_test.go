package ovn_test

import (
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// bindings collects rows of Port_Binding.
type bindings struct {
	list  []ovsdb.Operation
	there map[string]any // datapaths that are there already
	keys  int            // tunnel keys in use
}

func (b *bindings) add(name, datapath, kind, chassis string, more ovsdb.Columns) {
	b.keys++
	row := ovsdb.Columns{"logical_port": name, "datapath": ovsdb.Named(datapath), "type": kind, "tunnel_key": b.keys}
	if id, ok := b.there[datapath]; ok {
		row["datapath"] = id
	}
	if chassis != "" {
		row["chassis"] = ovsdb.Named(chassis)
	}
	for column, value := range more {
		row[column] = value
	}
	b.list = append(b.list, ovsdb.Insert("Port_Binding", "", row))
}

func options(pairs map[string]string) ovsdb.Columns { return ovsdb.Columns{"options": pairs} }

// router adds a router with its gateway on a chassis, and a network behind it.
func (b *bindings) router(name, chassis string) {
	b.add("lrp-g-"+name, name, "patch", "", options(map[string]string{"peer": "g-" + name, "chassis-redirect-port": "cr-lrp-g-" + name}))
	b.add("cr-lrp-g-"+name, name, "chassisredirect", chassis, options(map[string]string{"distributed-port": "lrp-g-" + name}))
	b.add("g-"+name, "ext", "patch", "", options(map[string]string{"peer": "lrp-g-" + name}))
	b.add("lrp-s-"+name, name, "patch", "", options(map[string]string{"peer": "s-" + name}))
	b.add("s-"+name, "ten_"+name, "patch", "", options(map[string]string{"peer": "lrp-s-" + name}))
}

func newSouthbound(t *testing.T) *ovsdbtest.Server {
	t.Helper()
	central := ovsdbtest.Start(t, ovsdbtest.SouthboundSchema)
	rows := []ovsdb.Operation{ovsdb.Insert("SB_Global", "", ovsdb.Columns{})}
	for _, c := range []string{"c1", "c2"} {
		rows = append(rows, ovsdb.Insert("Chassis", c, ovsdb.Columns{"name": c, "encaps": ovsdb.Named("e" + c)}),
			ovsdb.Insert("Encap", "e"+c, ovsdb.Columns{"type": "geneve", "ip": "192.0.2." + c[1:], "chassis_name": c}))
	}
	for i, name := range []string{"ext", "ten_r1", "ten_r2", "r1", "r2"} {
		kind := map[bool]string{true: "logical-router", false: "logical-switch"}[name[0] == 'r']
		rows = append(rows, ovsdb.Insert("Datapath_Binding", name, ovsdb.Columns{"tunnel_key": i + 1,
			"external_ids": map[string]string{kind: "1", "name": name}}))
	}
	var b bindings
	b.add("localnet", "ext", "localnet", "", options(map[string]string{"network_name": "physnet1"}))
	b.router("r1", "c1")
	b.router("r2", "c2")
	b.add("p1", "ext", "", "c1", nil)
	b.add("p2", "ext", "", "c2", nil)
	b.add("port-1", "ext", "", "", nil) // has an interface on this node's switch
	b.add("child", "ext", "", "", ovsdb.Columns{"parent_port": "port-1"})
	b.add("external", "ext", "external", "c2", nil)
	b.add("virtual", "ext", "virtual", "", nil)
	b.add("vm1", "ten_r1", "", "c2", nil)
	b.add("vm2", "ten_r2", "", "c2", nil)
	b.add("vip1", "ten_r2", "", "", ovsdb.Columns{"external_ids": map[string]string{"neutron:port_name": "ovn-lb-vip-lb1"}})
	b.add("vip2", "ten_r2", "", "", ovsdb.Columns{"external_ids": map[string]string{"neutron:port_name": "ovn-lb-vip-lb2"}})
	rows = append(rows, b.list...)
	for _, n := range []string{"1", "2"} {
		rows = append(rows, ovsdb.Insert("Logical_DP_Group", "group"+n, ovsdb.Columns{"datapaths": ovsdb.Named("ten_r" + n)}),
			ovsdb.Insert("Load_Balancer", "", ovsdb.Columns{"name": "lb" + n, "datapath_group": ovsdb.Named("group" + n)}),
			ovsdb.Insert("Load_Balancer", "", ovsdb.Columns{"name": "old" + n, "datapaths": ovsdb.Named("ten_r" + n)}))
	}
	central.Transact(t, rows...)
	return central
}

// other names the ports that are not a router's, and the load balancers.
func other(s ovn.Snapshot) (names []string) {
	for _, p := range s.Ports {
		if p.Type != ovn.PortRouter {
			names = append(names, p.Name)
		}
	}
	for _, lb := range s.Balancers {
		names = append(names, lb.Name)
	}
	return names
}

// A node copies of the Southbound database what it has bound or an interface for, and what belongs to the routers whose
// gateway it has; a port that another chassis binds is in every snapshot.
func TestScopedSouthbound(t *testing.T) {
	central := newSouthbound(t)
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "h1", "ovn-remote": central.Endpoint()})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Southbound: &ovsdb.Options{}})
	mine := []string{"child", "external", "localnet", "p1", "port-1", "vip1", "virtual", "lb1", "old1"}
	diff(t, "first", mine, other(until(t, s, "a snapshot", good)))
	s.ExposeTenants(true)
	until(t, s, "the tenants' port", func(x ovn.Snapshot, err error) bool {
		return err == nil && slices.Equal(other(x), []string{"child", "external", "localnet", "p1", "port-1", "vip1", "virtual", "vm1", "lb1", "old1"})
	})
	s.ExposeTenants(false)
	until(t, s, "no tenants' port", func(x ovn.Snapshot, err error) bool { return err == nil && slices.Equal(other(x), mine) })

	there := central.Transact(t, ovsdb.Select("Chassis", []ovsdb.Condition{ovsdb.Equal("name", "c2")}))[0].Rows[0]
	var c2 ovsdb.UUID
	if err := there.Get("_uuid", &c2); err != nil {
		t.Fatal(err)
	}
	bind := func(port string) {
		central.Transact(t, ovsdb.Update("Port_Binding", []ovsdb.Condition{ovsdb.Equal("logical_port", port)},
			ovsdb.Columns{"chassis": c2}))
	}
	bind("p1")
	until(t, s, "p1 is elsewhere", func(x ovn.Snapshot, err error) bool {
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(x.Ports, func(p *ovn.LogicalSwitchPort) bool { return p.Name == "p1" })
		if i < 0 {
			t.Fatalf("p1 is missing: %v", other(x))
		}
		return x.Ports[i].Chassis == "c2"
	})
	// The gateway goes, and what belongs to it stays for a while; another router's comes.
	bind("cr-lrp-g-r1")
	c1 := rowOf(t, central, "Chassis", "c1")
	central.Transact(t, ovsdb.Update("Port_Binding", []ovsdb.Condition{ovsdb.Equal("logical_port", "cr-lrp-g-r2")},
		ovsdb.Columns{"chassis": c1}))
	all := []string{"child", "external", "localnet", "p1", "port-1", "vip1", "vip2", "virtual", "lb1", "lb2", "old1", "old2"}
	until(t, s, "the other gateway", func(x ovn.Snapshot, err error) bool { return err == nil && slices.Equal(other(x), all) })

	whole, err := s.Whole(t.Context(), time.Now())
	everything := []string{"child", "external", "localnet", "p1", "p2", "port-1", "vip1", "vip2", "virtual", "vm1", "vm2", "lb1", "lb2", "old1", "old2"}
	if err != nil || !slices.Equal(other(whole), everything) || whole.Local.SystemID != "c1" {
		t.Errorf("whole: %v, %v", other(whole), err)
	}
}
