package ovn_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// holds tells whether a row matches a condition. It plays the server: the kinds of conditions are those a selector has.
func holds(t *testing.T, id string, row map[string]any, c ovsdb.Condition) bool {
	t.Helper()
	value := row[c.Column]
	if c.Column == "_uuid" {
		return (c.Function == "==") == (c.Value.(ovsdb.UUID).String() == id)
	}
	switch c.Function {
	case "==":
		if want, ok := c.Value.(ovsdb.UUID); ok {
			return slices.Equal(references(value), []string{want.String()})
		}
		text, _ := value.(string)
		return text == c.Value.(string)
	case "!=": // "" or nothing
		return value != nil
	case "includes":
		if want, ok := c.Value.(ovsdb.UUID); ok {
			return slices.Contains(references(value), want.String())
		}
		for k, v := range c.Value.(map[string]string) {
			pairs, _ := value.([2]any)
			list, _ := pairs[1].([][2]any)
			if !slices.Contains(list, [2]any{k, v}) {
				return false
			}
		}
		return true
	}
	t.Fatalf("a condition that the test cannot play: %+v", c)
	return false
}

func references(value any) (list []string) {
	pair, _ := value.([2]any)
	if pair[0] == "uuid" {
		return []string{pair[1].(string)}
	}
	elements, _ := pair[1].([]any)
	for _, e := range elements {
		list = append(list, e.([2]any)[1].(string))
	}
	return list
}

func part(t *testing.T, all neutron.Rows, conditions ovsdb.Conditions) neutron.Rows {
	t.Helper()
	some := neutron.Rows{}
	for table, rows := range all {
		where, conditional := conditions[table]
		some[table] = map[string]map[string]any{}
		for id, row := range rows {
			if !conditional || slices.ContainsFunc(where, func(c ovsdb.Condition) bool { return holds(t, id, row, c) }) {
				some[table][id] = row
			}
		}
	}
	return some
}

// copying plays a conditional source against the steps of a scenario.
type copying struct {
	tables     ovsdb.Tables
	scope      *source.Scope
	conditions ovsdb.Conditions
}

func newCopying(southbound bool) *copying {
	c := &copying{}
	c.scope, c.tables = source.NewScope(southbound)
	_, c.conditions = c.scope.Review(ovn.Local{}, false, time.Time{})
	return c
}

// settle brings the copy to a step, and to an end of its questions.
func (c *copying) settle(t *testing.T, all neutron.Rows, local ovn.Local, tenants bool, now time.Time) ovn.Snapshot {
	t.Helper()
	for range 10 {
		if err := part(t, all, c.conditions).Load(c.tables); err != nil {
			t.Fatal(err)
		}
		snapshot, next := c.scope.Review(local, tenants, now)
		if sameConditions(next, c.conditions) {
			return snapshot
		}
		c.conditions = next
	}
	t.Fatal("the conditions do not come to an end")
	return ovn.Snapshot{}
}

func sameConditions(a, b ovsdb.Conditions) bool {
	text := func(c ovsdb.Conditions) map[string][]string {
		out := map[string][]string{}
		for table, list := range c {
			for _, one := range list {
				out[table] = append(out[table], fmt.Sprint(one))
			}
			slices.Sort(out[table])
			out[table] = slices.Compact(out[table])
		}
		return out
	}
	return reflect.DeepEqual(text(a), text(b))
}

func nodeOf(name string, ports []*ovn.LogicalSwitchPort) ovn.Local {
	bridge := ovn.Bridge{Name: "br-ex", MAC: "02:aa:bb:cc:dd:01"}
	for _, p := range ports {
		if p.Type == ovn.PortLocalnet {
			bridge.Ports = append(bridge.Ports, ovn.OVSPort{Name: "patch-" + p.Name + "-to-br-int", Type: "patch", OFPort: 7})
		}
	}
	return ovn.Local{SystemID: name, Hostname: name, Bridges: []ovn.Bridge{bridge},
		Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "physnet1", Bridge: "br-ex"}}}
}

// In every step of every scenario a node decides by its part of the database what it decides by all of it: an agent
// that starts there, and one that has followed, slowly or in haste. And of what it announced in the step before, each
// address has a row that says what became of it, if there is one.
func TestScopeIsEnough(t *testing.T) {
	for name, from := range map[string]struct {
		scenarios func() ([]neutron.Scenario, error)
		atLeast   int
	}{"Northbound": {neutron.Scenarios, 1000}, "Southbound": {neutron.Southbound, 700}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenarios, err := from.scenarios()
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for _, scenario := range scenarios {
				for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
					for _, tenants := range []bool{false, true} {
						compared += enough(t, scenario, node, name == "Southbound", tenants)
					}
				}
			}
			if compared < from.atLeast {
				t.Errorf("only %d comparisons", compared)
			}
		})
	}
}

func enough(t *testing.T, scenario neutron.Scenario, node string, southbound, tenants bool) (compared int) {
	settings := config.Node{VRF: "bgp-vrf", VRFTable: 10, NIC: "bgp-nic", AS: 64999, ExposeTenantNetworks: tenants,
		TenantMethod: config.TenantHost}
	now := time.Unix(1, 0)
	hasty, slow := newCopying(southbound), newCopying(southbound)
	var before []netip.Prefix
	for _, step := range scenario.Steps {
		rows, err := step.Rows()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := step.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		whole.Local = nodeOf(node, whole.Ports)
		now = now.Add(time.Second)
		started := newCopying(southbound).settle(t, rows, whole.Local, tenants, now)
		followed := hasty.settle(t, rows, whole.Local, tenants, now)
		later := now.Add(time.Duration(compared) * 3 * source.Linger)
		much := slow.settle(t, rows, whole.Local, tenants, later)
		want := stateOf(whole, settings)
		what := fmt.Sprintf("%s on %s, tenants %t", step.Name, node, tenants)
		for how, part := range map[string]ovn.Snapshot{"started": started, "followed": followed, "slow": much} {
			if diff := cmp.Diff(want, stateOf(part, settings), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
				t.Errorf("%s, %s (-whole +conditional):\n%s", what, how, diff)
			}
		}
		says := desired.Whys(desired.Input{OVN: followed}, settings, before...)
		all := desired.Whys(desired.Input{OVN: whole}, settings, before...)
		for _, a := range before {
			if says[a].Verdict != all[a].Verdict || says[a].Evidence != all[a].Evidence {
				t.Errorf("%s: %s was announced here; the database says %+v, the copy %+v", what, a, all[a], says[a])
			}
		}
		before = nil
		for _, a := range want.Announcements {
			before = append(before, a.Prefix)
		}
		// All that is here goes elsewhere at once, and comes back with the next step.
		rows, whole = emptied(t, step, node), converted(t, step, emptied(t, step, node))
		whole.Local = nodeOf(node, whole.Ports)
		followed = hasty.settle(t, rows, whole.Local, tenants, now)
		says = desired.Whys(desired.Input{OVN: followed}, settings, before...)
		all = desired.Whys(desired.Input{OVN: whole}, settings, before...)
		for _, a := range before {
			if says[a].Verdict != all[a].Verdict || says[a].Evidence != all[a].Evidence {
				t.Errorf("%s, all moved: %s was announced here; the database says %+v, the copy %+v", what, a, all[a], says[a])
			}
		}
		compared++
	}
	return compared
}

// emptied returns a step in which a node's ports and gateways are another's.
func emptied(t *testing.T, step neutron.Step, node string) neutron.Rows {
	t.Helper()
	rows, err := step.Rows()
	if err != nil {
		t.Fatal(err)
	}
	const heir = "compute9"
	for table, columns := range map[string][]string{"Logical_Switch_Port": {"options", "external_ids"},
		"Logical_Router_Port": {"status"}} {
		for _, row := range rows[table] {
			for _, column := range columns {
				pairs, _ := row[column].([2]any)
				list, _ := pairs[1].([][2]any)
				for i := range list {
					if list[i][1] == node {
						list[i][1] = heir
					}
				}
			}
		}
	}
	const other = "00000000-0000-4000-8000-000000000009"
	for id, row := range rows["Chassis"] {
		if row["name"] != node {
			continue
		}
		rows["Chassis"][other] = map[string]any{"name": heir}
		for _, port := range rows["Port_Binding"] {
			if slices.Equal(references(port["chassis"]), []string{id}) {
				port["chassis"] = [2]any{"uuid", other}
			}
		}
	}
	return rows
}

func converted(t *testing.T, step neutron.Step, rows neutron.Rows) ovn.Snapshot {
	t.Helper()
	tables, reader := step.Reader()
	if err := rows.Load(tables); err != nil {
		t.Fatal(err)
	}
	return reader.Update(ovsdb.UUID{}, nil)
}

func stateOf(snapshot ovn.Snapshot, c config.Node) model.Node {
	state, _ := desired.Node(desired.Input{OVN: snapshot}, c)
	return state
}
