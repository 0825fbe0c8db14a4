package neutron_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/ovn"
)

// scenarios are those of both databases, those of the Southbound with that in their names.
func scenarios(t *testing.T) []neutron.Scenario {
	t.Helper()
	all, err := neutron.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	southbound, err := neutron.Southbound()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range southbound {
		s.Name += " southbound"
		all = append(all, s)
	}
	return all
}

// Every step, converted on the way from the step before, or from any other, is what it is when converted alone; no
// value that Neutron wrote is a fault.
func TestStepsConvert(t *testing.T) {
	steps := 0
	for _, scenario := range scenarios(t) {
		t.Run(scenario.Name, func(t *testing.T) {
			tables, rows := scenario.Steps[0].Reader()
			visit := func(step neutron.Step) ovn.Snapshot {
				t.Helper()
				if err := step.Load(tables); err != nil {
					t.Fatal(err)
				}
				got := rows.Update(ovsdb.UUID{}, nil)
				if !rows.Initialized() {
					t.Errorf("%s: no row of its global table; an agent would wait for it", step.Name)
				}
				alone, err := step.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(alone, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
					t.Errorf("%s, converted on the way: %s", step.Name, diff)
				}
				return got
			}
			for i, step := range scenario.Steps {
				steps++
				first := visit(step)
				faultless(t, step.Name, first)
				shared(t, step.Name, first, visit(step))
				// A leap back and forth is what a reconnect after a long time looks like.
				visit(scenario.Steps[i/2])
				visit(step)
			}
		})
	}
	if steps != 131+92 {
		t.Errorf("%d steps, there were 131 of one database and 92 of the other", steps)
	}
}

// shared holds law 6: where no row changed every pointer is the same.
func shared(t *testing.T, step string, a, b ovn.Snapshot) {
	t.Helper()
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if x.Field(i).Kind() != reflect.Slice || x.Field(i).Type().Elem().Kind() != reflect.Pointer {
			continue
		}
		for j := range x.Field(i).Len() {
			if x.Field(i).Index(j).Pointer() != y.Field(i).Index(j).Pointer() {
				t.Errorf("%s: %s[%d] was converted again", step, x.Type().Field(i).Name, j)
			}
		}
	}
}

func faultless(t *testing.T, step string, s ovn.Snapshot) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	for name, list := range lists {
		var rows []struct{ Faults []ovn.Fault }
		if json.Unmarshal(list, &rows) != nil {
			continue // not a list of rows
		}
		for _, row := range rows {
			for _, fault := range row.Faults {
				t.Errorf("%s: %s: %+v", step, name, fault)
			}
		}
	}
}

func TestNoSuchStep(t *testing.T) {
	if s, err := neutron.Snapshot("z9-nothing"); err == nil {
		t.Errorf("a step that is not there: %+v", s)
	}
}
