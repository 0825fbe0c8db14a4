package ovn_test

import (
	"errors"
	"strings"
	"testing"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// The Southbound database is found by a key of its own, has its own row that makes it one, and keeps what this node
// knows of it apart from what it knows of the Northbound.
func TestSouthboundSource(t *testing.T) {
	central := ovsdbtest.Start(t, ovsdbtest.SouthboundSchema)
	local := newSwitch(t, map[string]string{"system-id": "S1", "ovnbgp-nb": "north", "ovnbgp-sb": "south",
		"ovn-nb-remote": "unix:/nowhere", "ovn-remote": central.Endpoint()})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Southbound: &ovsdb.Options{}})
	until(t, s, "the database's row is missed", func(_ ovn.Snapshot, err error) bool {
		return errors.Is(err, model.ErrNotInSync) && strings.Contains(err.Error(), "the Southbound database is not initialised: it has no row in SB_Global")
	})
	central.Transact(t, ovsdb.Insert("SB_Global", "", ovsdb.Columns{}),
		ovsdb.Insert("Chassis", "c", ovsdb.Columns{"name": "S1", "hostname": "node1", "encaps": ovsdb.Named("e")}),
		ovsdb.Insert("Encap", "e", ovsdb.Columns{"type": "geneve", "ip": "192.0.2.1", "chassis_name": "S1"}),
		ovsdb.Insert("Datapath_Binding", "d", ovsdb.Columns{"tunnel_key": 1,
			"external_ids": map[string]string{"logical-switch": "1", "name": "ls"}}),
		ovsdb.Insert("Port_Binding", "", ovsdb.Columns{"logical_port": "vm", "datapath": ovsdb.Named("d"), "tunnel_key": 1,
			"chassis": ovsdb.Named("c"), "mac": "fa:16:3e:00:00:01 10.0.0.1"}))
	snapshot := until(t, s, "a snapshot", good)
	rows, err := ovsdbSelect(t, central, "SB_Global")
	if err != nil || snapshot.Database != rows || s.Database() != "OVN_Southbound" {
		t.Errorf("database %s %s, its row is %s, %v", s.Database(), snapshot.Database, rows, err)
	}
	diff(t, "known", "south", snapshot.Local.KnownDatabase)
	diff(t, "marks", []string{"ovnbgp-nb", "ovnbgp-sb"}, snapshot.Local.Marks)
	// The Debian package's schema has no group of routers; that it has none of switches alone says nothing.
	diff(t, "absent", []string{"Load_Balancer.lr_datapath_group"}, snapshot.Absent)
	port := snapshot.Ports[0]
	diff(t, "port", []string{"vm", "ls", "S1"}, []string{port.Name, port.Switch, port.Chassis})

	// A chassis that leaves takes its name along, and one that is renamed gives its ports the other.
	central.Transact(t, ovsdb.Update("Chassis", nil, ovsdb.Columns{"name": "S2"}))
	until(t, s, "another name", func(x ovn.Snapshot, err error) bool { return err == nil && x.Ports[0].Chassis == "S2" })
	central.Transact(t, ovsdb.Delete("Chassis"))
	after := until(t, s, "no chassis", func(x ovn.Snapshot, err error) bool { return err == nil && x.Ports[0].Chassis == "" })
	if after.Switches[0] != snapshot.Switches[0] {
		t.Error("a switch that did not change was converted again")
	}
	central.Transact(t, ovsdb.Delete("Port_Binding"), ovsdb.Delete("Datapath_Binding"))
	until(t, s, "nothing", func(x ovn.Snapshot, err error) bool { return err == nil && len(x.Ports)+len(x.Switches) == 0 })
}
