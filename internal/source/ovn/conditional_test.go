package ovn_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// newScopedCloud is a cloud of two hosts and a source on the first that copies what is its own.
func newScopedCloud(t *testing.T) (*ovsdbtest.Server, *source.Source) {
	t.Helper()
	central := newNorthbound(t, "r")
	port := func(name, host string) ovsdb.Operation {
		return ovsdb.Insert("Logical_Switch_Port", name, ovsdb.Columns{"name": name,
			"options": map[string]string{"requested-chassis": host}})
	}
	central.Transact(t, port("p1", "h1"), port("p2", "h1"), port("q1", "h2"), port("q2", "h2"),
		ovsdb.Insert("Logical_Switch_Port", "child", ovsdb.Columns{"name": "child", "parent_name": "p1"}),
		ovsdb.Insert("Logical_Switch_Port", "plugged", ovsdb.Columns{"name": "port-1"}),
		ovsdb.Insert("NAT", "n1", ovsdb.Columns{"type": "dnat_and_snat", "external_ip": "203.0.113.1",
			"logical_ip": "10.0.0.1", "logical_port": "p1"}),
		ovsdb.Insert("NAT", "n2", ovsdb.Columns{"type": "dnat_and_snat", "external_ip": "203.0.113.2",
			"logical_ip": "10.0.0.2", "logical_port": "q1"}),
		ovsdb.Insert("NAT", "n3", ovsdb.Columns{"type": "dnat_and_snat", "external_ip": "203.0.113.3",
			"logical_ip": "10.0.0.3", "logical_port": "child"}),
		ovsdb.Update("Logical_Router", nil, ovsdb.Columns{"nat": ovsdb.Set{ovsdb.Named("n1"), ovsdb.Named("n2"), ovsdb.Named("n3")}}),
		ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "here", "ports": ovsdb.Set{ovsdb.Named("p1"),
			ovsdb.Named("p2"), ovsdb.Named("q1"), ovsdb.Named("child"), ovsdb.Named("plugged")}}),
		ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "there", "ports": ovsdb.Named("q2")}))
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "h1"})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}})
	return central, s
}

// held names what a snapshot has.
func held(s ovn.Snapshot) (names []string) {
	for _, p := range s.Ports {
		names = append(names, p.Name)
	}
	for _, x := range s.Switches {
		names = append(names, "switch "+x.Name)
	}
	for _, n := range s.NATs {
		names = append(names, n.ExternalIP.String())
	}
	slices.Sort(names)
	return names
}

var mine = []string{"203.0.113.1", "203.0.113.3", "child", "p1", "p2", "port-1", "switch here"}

// A port that goes elsewhere is in every snapshot, before with this host and then with the other; one that is deleted
// goes. What it carries and its floating IPs stay with it.
func TestScopedKeepsWhatMoves(t *testing.T) {
	central, s := newScopedCloud(t)
	first := until(t, s, "a snapshot", good)
	diff(t, "first", mine, held(first))
	moved := func(name string) func(ovn.Snapshot, error) bool {
		return func(x ovn.Snapshot, err error) bool {
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(x.Ports, func(p *ovn.LogicalSwitchPort) bool { return p.Name == name })
			if i < 0 {
				t.Fatalf("%s is missing: %v", name, held(x))
			}
			return slices.Equal(x.Ports[i].RequestedChassis, []string{"h2"})
		}
	}
	for _, name := range []string{"p2", "p1"} {
		for _, to := range []string{"h1,h2", "h2"} {
			central.Transact(t, ovsdb.Update("Logical_Switch_Port", []ovsdb.Condition{ovsdb.Equal("name", name)},
				ovsdb.Columns{"options": map[string]string{"requested-chassis": to}}))
		}
		diff(t, "after "+name, mine, held(until(t, s, name+" moves", moved(name))))
	}
	central.Transact(t, ovsdb.Mutate("Logical_Switch", []ovsdb.Condition{ovsdb.Equal("name", "here")},
		ovsdb.Mutation{Column: "ports", Mutator: "delete", Value: rowOf(t, central, "Logical_Switch_Port", "p2")}))
	until(t, s, "p2 is deleted", func(x ovn.Snapshot, err error) bool { return err == nil && len(x.Ports) == 3 })
	whole, err := s.Whole(t.Context(), time.Now())
	if err != nil || len(whole.Ports) != 5 || len(whole.NATs) != 3 || whole.Local.SystemID != "c1" || whole.Database == "" {
		t.Errorf("whole: %v, %v", held(whole), err)
	}
	central.Stop(t)
	if again, err := s.Whole(t.Context(), time.Time{}); err != nil || cmp.Diff(held(whole), held(again)) != "" {
		t.Errorf("a second question is not answered by the read before: %v", err)
	}
	until(t, s, "the loss", func(_ ovn.Snapshot, err error) bool { return errors.Is(err, model.ErrNotInSync) })
	central.Run(t)
	x := until(t, s, "a snapshot after the restart", good)
	if len(x.Ports) != 3 || len(x.NATs) != 2 {
		t.Errorf("after the restart: %v", held(x))
	}
}

func rowOf(t *testing.T, server *ovsdbtest.Server, table, name string) (id ovsdb.UUID) {
	t.Helper()
	rows := server.Transact(t, ovsdb.Select(table, []ovsdb.Condition{ovsdb.Equal("name", name)}))[0].Rows
	if err := rows[0].Get("_uuid", &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// What belongs to a router whose gateway may be here comes with it: translations with the ports that the gateway answers
// for, load balancers attached by themselves and by a group, the ports of their addresses on whatever network. Ports
// of chassis groups are on every node.
func TestScopedGateway(t *testing.T) {
	central := newNorthbound(t, "r")
	port := func(name, kind string, more ovsdb.Columns) ovsdb.Operation {
		row := ovsdb.Columns{"name": name, "type": kind}
		for k, v := range more {
			row[k] = v
		}
		return ovsdb.Insert("Logical_Switch_Port", name, row)
	}
	var rows []ovsdb.Operation
	for i, chassis := range []string{"c1", "c2"} {
		n := fmt.Sprint(i + 1)
		vip := func(name string) ovsdb.Columns {
			return ovsdb.Columns{"name": name + n, "external_ids": map[string]string{"neutron:vip_port_id": "vip_" + name + n}}
		}
		rows = append(rows,
			ovsdb.Insert("Gateway_Chassis", "gc"+n, ovsdb.Columns{"name": "gc" + n, "chassis_name": chassis, "priority": 1}),
			ovsdb.Insert("Logical_Router_Port", "lrp"+n, ovsdb.Columns{"name": "lrp" + n, "mac": "fa:16:3e:00:00:01",
				"networks": "203.0.113.9/24", "gateway_chassis": ovsdb.Named("gc" + n)}),
			ovsdb.Insert("NAT", "nat"+n, ovsdb.Columns{"type": "dnat_and_snat", "external_ip": "203.0.113.1" + n,
				"logical_ip": "10.0.0.1", "logical_port": "vm" + n}),
			ovsdb.Insert("Load_Balancer", "lb"+n, vip("lb")), ovsdb.Insert("Load_Balancer", "inGroup"+n, vip("inGroup")),
			ovsdb.Insert("Load_Balancer_Group", "group"+n, ovsdb.Columns{"name": "group" + n,
				"load_balancer": ovsdb.Named("inGroup" + n)}),
			ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": "r" + n, "ports": ovsdb.Named("lrp" + n),
				"nat": ovsdb.Named("nat" + n), "load_balancer": ovsdb.Named("lb" + n),
				"load_balancer_group": ovsdb.Named("group" + n)}),
			port("vm"+n, "", nil), port("vip_lb"+n, "", nil), port("vip_inGroup"+n, "", nil),
			port("external"+n, "external", ovsdb.Columns{"external_ids": map[string]string{"neutron:host_id": "h9"}}),
			ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "s" + n, "ports": ovsdb.Set{ovsdb.Named("vm" + n),
				ovsdb.Named("vip_lb" + n), ovsdb.Named("vip_inGroup" + n), ovsdb.Named("external" + n)}}))
	}
	central.Transact(t, rows...)
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "h1"})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}})
	x := until(t, s, "a snapshot", good)
	diff(t, "held", []string{"203.0.113.11", "external1", "external2", "switch s1", "switch s2", "vip_inGroup1", "vip_lb1", "vm1"}, held(x))
	var balancers []string
	for _, lb := range x.Balancers {
		balancers = append(balancers, lb.Name)
	}
	diff(t, "load balancers", []string{"inGroup1", "lb1"}, balancers)
	// One that joins the group comes.
	central.Transact(t, ovsdb.Insert("Load_Balancer", "late", ovsdb.Columns{"name": "late"}),
		ovsdb.Mutate("Load_Balancer_Group", []ovsdb.Condition{ovsdb.Equal("name", "group1")},
			ovsdb.Mutation{Column: "load_balancer", Mutator: "insert", Value: ovsdb.Named("late")}))
	until(t, s, "the late one", func(x ovn.Snapshot, err error) bool { return err == nil && len(x.Balancers) == 3 })
}

// The rows a node holds follow what is local, not the cloud.
func TestScopedRows(t *testing.T) {
	central := newNorthbound(t, "r")
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "compute1"})
	o := source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}}
	s := run(t, o)
	until(t, s, "a snapshot", good)
	empty := s.Status()[1].Rows
	central.Fill(t, 2500) // 25 of them are on compute1, in 10 networks
	x := until(t, s, "the ports", func(x ovn.Snapshot, err error) bool {
		return err == nil && len(x.Ports) == 25 && len(x.Switches) == 10
	})
	if rows := s.Status()[1].Rows - empty; rows != 35 {
		t.Errorf("%d rows are held for 25 ports and their 10 networks: %v", rows, held(x))
	}
}
