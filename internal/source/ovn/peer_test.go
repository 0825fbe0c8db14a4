package ovn

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
)

// contents are a database's rows by table and row, in OVSDB's notation.
type contents map[string]map[string]map[string]any

func (c contents) load(t *testing.T, tables ovsdb.Tables) {
	t.Helper()
	all := map[string]map[string]any{}
	for table, rows := range c {
		all[table] = map[string]any{}
		for id, row := range rows {
			all[table][id] = map[string]any{"initial": row}
		}
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = ovsdb.Load(tables, strings.NewReader(string(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func rowID(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

func uuid(kind, n int) [2]any { return [2]any{"uuid", rowID(kind, n)} }

func pairs(list ...string) [2]any {
	m := [][2]any{}
	for i := 0; i < len(list); i += 2 {
		m = append(m, [2]any{list[i], list[i+1]})
	}
	return [2]any{"map", m}
}

const manyRouters = 100

// work is a database of many routers, and changes of it with the conversions of routers' ports that each may cost.
type work struct {
	name        string
	rows        contents
	tables      ovsdb.Tables
	update      func() ovn.Snapshot
	conversions func() int
	steps       []workStep
}

type workStep struct {
	name   string
	change func(contents)
	costs  int
	then   func(*ovn.LogicalRouterPort) bool // what the router's port 7 is then
}

// TestRouterPortsFollowChanges counts what a change costs: the ports of all routers are on each node, so what somebody
// does to one of them must not cost a conversion of each.
func TestRouterPortsFollowChanges(t *testing.T) {
	for _, w := range []work{northboundWork(), southboundWork()} {
		t.Run(w.name, func(t *testing.T) {
			w.rows.load(t, w.tables)
			if x := w.update(); len(x.RouterPorts) != manyRouters || x.RouterPorts[0].Switch == "" {
				t.Fatalf("%d ports, the first %+v", len(x.RouterPorts), x.RouterPorts[0])
			}
			for _, step := range w.steps {
				step.change(w.rows)
				before := w.conversions()
				w.rows.load(t, w.tables)
				x := w.update()
				if costs := w.conversions() - before; costs != step.costs {
					t.Errorf("%s: %d conversions of routers' ports, want %d", step.name, costs, step.costs)
				}
				for _, rp := range x.RouterPorts {
					if rp.Name == "lrp7" && !step.then(rp) {
						t.Errorf("%s: %+v", step.name, rp)
					}
				}
			}
		})
	}
}

func northboundWork() work {
	tables := nb.New()
	n := NewNorthbound(tables)
	rows := contents{"Logical_Switch": {}, "Logical_Switch_Port": {}, "Logical_Router_Port": {}, "NAT": {}}
	for i := range manyRouters {
		rows["Logical_Router_Port"][rowID(1, i)] = map[string]any{"name": fmt.Sprint("lrp", i), "networks": "203.0.113.1/24"}
		rows["Logical_Switch_Port"][rowID(2, i)] = map[string]any{"name": fmt.Sprint("p", i), "type": "router",
			"options": pairs("router-port", fmt.Sprint("lrp", i))}
		rows["Logical_Switch"][rowID(3, i)] = map[string]any{"name": fmt.Sprint("s", i), "ports": uuid(2, i)}
		rows["NAT"][rowID(4, i)] = map[string]any{"type": "snat", "gateway_port": uuid(1, i)}
	}
	port, peer, other := rows["Logical_Router_Port"][rowID(1, 7)], rows["Logical_Switch_Port"][rowID(2, 7)], rows["Logical_Switch"]
	return work{name: "Northbound", rows: rows, tables: tables, update: func() ovn.Snapshot { return n.Update(ovsdb.UUID{}, nil) },
		conversions: func() int { return n.routerPorts.conversions },
		steps: []workStep{
			{"a chassis hosts it", func(contents) { port["status"] = pairs("hosting-chassis", "c1") }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return rp.HostingChassis == "c1" && rp.Switch == "s7" }},
			{"its peer is up", func(contents) { peer["up"] = true }, 0,
				func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "s7" }},
			{"its peer's switch has another name", func(contents) { other[rowID(3, 7)]["name"] = "renamed" }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "renamed" }},
			{"another's peer names it", func(contents) {
				rows["Logical_Switch_Port"][rowID(2, 3)]["options"] = pairs("router-port", "lrp7")
			}, 2, func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "s3" }}, // the lower row
			{"which is gone", func(contents) {
				delete(rows["Logical_Switch_Port"], rowID(2, 3))
				delete(other, rowID(3, 3))
			}, 1, func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "renamed" }},
			{"its own, too", func(contents) { delete(rows["Logical_Switch_Port"], rowID(2, 7)) }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "" }},
			{"all are without a peer", func(contents) { rows["Logical_Switch_Port"] = map[string]map[string]any{} },
				manyRouters - 2, func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "" }},
		}}
}

func southboundWork() work {
	tables := sb.New()
	s := NewSouthbound(tables)
	rows := contents{"Datapath_Binding": {}, "Port_Binding": {}, "Chassis": {rowID(9, 1): {"name": "c1"}}}
	bindings := rows["Port_Binding"]
	for i := range manyRouters {
		lrp := fmt.Sprint("lrp", i)
		rows["Datapath_Binding"][rowID(3, i)] = map[string]any{"external_ids": pairs("logical-switch", "x", "name", fmt.Sprint("s", i))}
		rows["Datapath_Binding"][rowID(4, i)] = map[string]any{"external_ids": pairs("logical-router", "x", "name", fmt.Sprint("r", i))}
		bindings[rowID(1, i)] = map[string]any{"logical_port": lrp, "type": "patch", "datapath": uuid(4, i)}
		bindings[rowID(2, i)] = map[string]any{"logical_port": fmt.Sprint("p", i), "type": "patch", "datapath": uuid(3, i),
			"options": pairs("peer", lrp)}
		bindings[rowID(5, i)] = map[string]any{"logical_port": placePrefix + lrp, "type": "chassisredirect", "datapath": uuid(4, i)}
	}
	place, peer := bindings[rowID(5, 7)], bindings[rowID(2, 7)]
	return work{name: "Southbound", rows: rows, tables: tables, update: func() ovn.Snapshot { return s.Update(ovsdb.UUID{}, nil) },
		conversions: func() int { return s.routerPorts.conversions },
		steps: []workStep{
			{"a chassis hosts it", func(contents) { place["chassis"] = uuid(9, 1) }, 1,
				func(rp *ovn.LogicalRouterPort) bool {
					return rp.HostingChassis == "c1" && rp.Gateway && rp.Switch == "s7"
				}},
			{"its peer is up", func(contents) { peer["up"] = true }, 0,
				func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "s7" }},
			{"the chassis has another name", func(contents) { rows["Chassis"][rowID(9, 1)]["name"] = "c2" }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return rp.HostingChassis == "c2" }},
			{"its peer is on another switch", func(contents) { peer["datapath"] = uuid(3, 8) }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "s8" }},
			{"its place is gone", func(contents) { delete(bindings, rowID(5, 7)) }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return !rp.Gateway && rp.HostingChassis == "" }},
			{"its peer is gone", func(contents) { delete(bindings, rowID(2, 7)) }, 1,
				func(rp *ovn.LogicalRouterPort) bool { return rp.Switch == "" }},
			{"its router has another name", func(contents) {
				rows["Datapath_Binding"][rowID(4, 7)]["external_ids"] = pairs("logical-router", "x", "name", "renamed")
			}, 1, func(rp *ovn.LogicalRouterPort) bool { return rp.Router == "renamed" }},
		}}
}
