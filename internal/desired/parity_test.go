package desired

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/config"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// paritySettings are configurations of which each must come to the same by either database. What a reader must be told
// (labels, tenants' networks) differs among them.
func paritySettings(t *testing.T) map[string]config.Node {
	t.Helper()
	settings := map[string]config.Node{}
	for name, options := range map[string]string{"defaults": "", "by host": "expose=true", "by subnet": "expose=true method=subnet",
		"GUA": "gua=true", "GUA by subnet": "gua=true method=subnet",
		"scope": "expose=true scopes=94890f08-22d9-4cd2-98ac-cddc814fb591"} {
		settings[name] = rows{}.apply(t, "config node "+options).settings(t)
	}
	denied := settings["by host"]
	denied.Policy.CIDRs.Deny = prefixes("10.0.0.0/28", "203.0.113.128/25", "2a00:db8:f::/64")
	settings["CIDRs denied"] = denied
	allowed := settings["by subnet"]
	allowed.Policy.CIDRs.Allow = prefixes("10.0.0.0/16", "203.0.113.0/25")
	settings["CIDRs allowed"] = allowed
	port := settings["by host"]
	port.Policy.ExternalIDs.Deny = []config.Label{{Key: "neutron:host_id", Value: "compute1"}}
	settings["ports denied by label"] = port
	return settings
}

// paritySteps are a scenario's, with global addresses; those with load balancers once more on IPv6.
func paritySteps(scenario neutron.Scenario) (steps []neutron.Step) {
	rewrites := []func(string) string{global}
	if scenario.Name == "p" || scenario.Name == "pc" {
		rewrites = append(rewrites, overIPv6())
	}
	for _, rewrite := range rewrites {
		for _, step := range scenario.Steps {
			steps = append(steps, step.Rewritten(rewrite))
		}
	}
	return steps
}

// TestParity feeds one cloud through both readers: the rows that Neutron wrote, and those that an ovn-northd running
// here makes of them. Every node must announce the same, but for southboundDiffers, whatever the settings. The
// fixtures' IPv6 addresses are for documentation; here they are global unicast.
func TestParity(t *testing.T) {
	cloud := startParity(t)
	scenarios, err := neutron.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	settings, differs, announced := paritySettings(t), southboundDiffers(), map[string]map[string]bool{}
	// The tenant's port that is disabled.
	differs["n1-port-disabled on gw2, by host"] = []string{"10.0.0.122", "203.0.113.183", "2a00:db8:f::3c9"}
	differs["n1-port-disabled on gw2, CIDRs denied"] = []string{"10.0.0.122"}
	met := map[string]bool{}
	for _, scenario := range scenarios {
		if !slices.Contains([]string{"d", "e", "f", "fc", "full", "h", "i", "j", "l", "n", "p", "pc"}, scenario.Name) {
			continue
		}
		for _, step := range paritySteps(scenario) {
			north, err := step.SnapshotWith("neutron:host_id")
			if err != nil {
				t.Fatal(err)
			}
			south := cloud.play(t, step, north)
			for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
				what := step.Name + " on " + node
				for name, c := range settings {
					want := withoutIPv6Floating(announcedBy(seenFrom(node, north), c), north)
					// The port that is otherwise is one that each of the policies leaves out.
					if other, ok := differs[what]; ok && reflect.DeepEqual(c.Policy, config.Policy{}) {
						want, met[what] = rewritten(t, other, global), true
					}
					if other, ok := differs[what+", "+name]; ok {
						want, met[what+", "+name] = other, true
					}
					if diff := cmp.Diff(want, announcedBy(seenFrom(node, south), c), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("%s, %s (-Northbound +Southbound):\n%s", what, name, diff)
					}
					for _, prefix := range want {
						if announced[name] == nil {
							announced[name] = map[string]bool{}
						}
						announced[name][prefix] = true
					}
				}
			}
		}
	}
	for what := range differs {
		if !met[what] {
			t.Errorf("%s is not among the steps", what)
		}
	}
	for name := range settings {
		if t.Logf("%s: %d addresses", name, len(announced[name])); len(announced[name]) < 10 {
			t.Errorf("%s: only %d addresses were ever announced", name, len(announced[name]))
		}
		if name != "defaults" && maps.Equal(announced[name], announced["defaults"]) {
			t.Errorf("%s: no other addresses than by default", name)
		}
	}
}

// withoutIPv6Floating leaves out the floating IPs that northd tells nobody of: those of IPv6 are not in nat_addresses,
// which is for gratuitous ARP. Neutron makes none.
func withoutIPv6Floating(list []string, cloud ovn.Snapshot) []string {
	return slices.DeleteFunc(list, func(a string) bool {
		return slices.ContainsFunc(cloud.NATs, func(nat *ovn.NAT) bool {
			return nat.Type == ovn.DNATAndSNAT && nat.ExternalIP.Is6() && nat.ExternalIP.String() == a
		})
	})
}

func announcedBy(in Input, c config.Node) (list []string) {
	n, _ := Node(in, c)
	for _, a := range n.Announcements {
		list = append(list, prefixText(a.Prefix))
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
	p.rows.SelectLabels([]string{"neutron:host_id"})
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
