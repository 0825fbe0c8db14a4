package desired

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// TestParity feeds one cloud through both readers: the rows that Neutron wrote, and those that an ovn-northd running
// here makes of them. Every node must announce the same, but for southboundDiffers.
func TestParity(t *testing.T) {
	cloud := startParity(t)
	scenarios, err := neutron.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	differs := southboundDiffers()
	for _, scenario := range scenarios {
		if !slices.Contains([]string{"d", "e", "f", "fc", "full", "h", "j", "l", "n", "p", "pc"}, scenario.Name) {
			continue
		}
		for _, step := range scenario.Steps {
			north, err := step.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			south := cloud.play(t, step, north)
			for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
				want := addressesOf(seenFrom(node, north))
				if other, ok := differs[step.Name+" on "+node]; ok {
					want = other
					delete(differs, step.Name+" on "+node)
				}
				if diff := cmp.Diff(want, addressesOf(seenFrom(node, south))); diff != "" {
					t.Errorf("%s on %s (-Northbound +Southbound):\n%s", step.Name, node, diff)
				}
			}
		}
	}
	for what := range differs {
		t.Errorf("%s is not among the steps", what)
	}
}

func addressesOf(in Input) (list []string) {
	n, _ := Node(in, defaults())
	for _, a := range n.Announcements {
		list = append(list, a.Prefix.Addr().String())
	}
	return list
}

// parity is a cloud of two databases and an ovn-northd between them.
type parity struct {
	nb, sb *ovsdbtest.Server
	schema map[string]map[string]bool // the Northbound's columns, by table
	client *ovsdb.Client
	rows   *source.Southbound
	tables *sb.Tables
	asked  int // NB_Global.nb_cfg: northd answers with sb_cfg
}

func startParity(t *testing.T) *parity {
	t.Helper()
	p := &parity{nb: ovsdbtest.Start(t, ovsdbtest.NorthboundSchema), sb: ovsdbtest.Start(t, ovsdbtest.SouthboundSchema),
		schema: map[string]map[string]bool{}, tables: sb.New()}
	text, err := os.ReadFile(ovsdbtest.NorthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Tables map[string]struct{ Columns map[string]any }
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for table, s := range schema.Tables {
		p.schema[table] = map[string]bool{}
		for column := range s.Columns {
			p.schema[table][column] = true
		}
	}
	ovsdbtest.StartNorthd(t, p.nb, p.sb)
	ovsdbtest.Eventually(t, "northd has written its row", func() bool {
		return len(p.nb.Transact(t, ovsdb.Select("NB_Global", nil))[0].Rows) == 1
	})
	p.rows = source.NewSouthbound(p.tables)
	p.client = ovsdb.New(ovsdb.Options{Database: sb.Database, Endpoints: []string{p.sb.Endpoint()}}, p.tables)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.client.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	for i, name := range []string{"compute1", "compute2", "gw1", "gw2"} {
		ip := "192.0.2." + string(rune('1'+i))
		p.sb.Transact(t,
			ovsdb.Insert("Encap", "e", ovsdb.Columns{"type": "geneve", "ip": ip, "chassis_name": name}),
			ovsdb.Insert("Chassis", "", ovsdb.Columns{"name": name, "hostname": name, "encaps": ovsdb.Named("e")}))
	}
	return p
}

// play makes the Northbound database hold a step, waits for northd, and binds what the step says is bound.
func (p *parity) play(t *testing.T, step neutron.Step, north ovn.Snapshot) ovn.Snapshot {
	t.Helper()
	inserts, err := step.Inserts(func(table, column string) bool { // northd writes NB_Global itself
		return table != "NB_Global" && (column == "" || p.schema[table][column])
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"Logical_Switch", "Logical_Router", "Load_Balancer", "DHCP_Options", "HA_Chassis_Group"} {
		p.nb.Transact(t, ovsdb.Delete(table)) // one by one: they refer to each other
	}
	p.asked++
	inserts = append(inserts, ovsdb.Update("NB_Global", nil, ovsdb.Columns{"nb_cfg": p.asked}))
	p.nb.Transact(t, inserts...)
	ovsdbtest.Eventually(t, step.Name+": northd is through", func() bool {
		rows := p.nb.Transact(t, ovsdb.Select("NB_Global", nil, "sb_cfg"))[0].Rows
		var done int64
		return len(rows) == 1 && rows[0].Get("sb_cfg", &done) == nil && done == int64(p.asked)
	})
	bound := p.bind(t, north)
	var south ovn.Snapshot
	ovsdbtest.Eventually(t, step.Name+": its bindings are read", func() bool {
		have := map[string]ovsdb.UUID{}
		err := p.client.Read(func(s ovsdb.Status) {
			south = p.rows.Update(s.ClusterID, s.Absent)
			for _, row := range p.tables.PortBinding.All() {
				if row.Chassis.Present && row.Up.Value {
					have[row.LogicalPort] = row.Chassis.Value
				}
			}
		})
		return err == nil && maps.Equal(have, bound)
	})
	return south
}

// bind does what the ovn-controllers of the step's nodes have done, and returns the chassis of each port that is bound.
func (p *parity) bind(t *testing.T, north ovn.Snapshot) map[string]ovsdb.UUID {
	t.Helper()
	bound := map[string]ovsdb.UUID{}
	chassis := map[string]ovsdb.UUID{}
	for _, row := range p.sb.Transact(t, ovsdb.Select("Chassis", nil, "_uuid", "name"))[0].Rows {
		var id ovsdb.UUID
		var name string
		if err := errors.Join(row.Get("_uuid", &id), row.Get("name", &name)); err != nil {
			t.Fatal(err)
		}
		chassis[name] = id
	}
	var operations []ovsdb.Operation
	var ports []string
	claim := func(port, name string) {
		if id, ok := chassis[name]; ok {
			bound[port], ports = id, append(ports, port)
			operations = append(operations, ovsdb.Update("Port_Binding", []ovsdb.Condition{ovsdb.Equal("logical_port", port)},
				ovsdb.Columns{"chassis": id, "up": true}))
		}
	}
	v := newView(&Input{OVN: north}, defaults())
	for _, port := range north.Ports {
		if (port.Type == ovn.PortVIF || port.Type == ovn.PortVirtual) && port.Up != nil && *port.Up {
			claim(port.Name, v.ownerOf(port).name)
		}
	}
	for _, rp := range north.RouterPorts {
		claim("cr-"+rp.Name, rp.HostingChassis)
	}
	unbind := ovsdb.Update("Port_Binding", nil, ovsdb.Columns{"chassis": ovsdb.Optional[ovsdb.UUID]{}, "up": false})
	for i, result := range p.sb.Transact(t, append([]ovsdb.Operation{unbind}, operations...)...) {
		if i > 0 && result.Count == 0 { // of a router that is disabled northd makes nothing
			delete(bound, ports[i-1])
		}
	}
	return bound
}
