package ovn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a source until the test ends.
func run(t testing.TB, o source.Options) *source.Source {
	t.Helper()
	return runWith(t, o, func(*source.Source) {})
}

// runWith is run of a source that is changed before.
func runWith(t testing.TB, o source.Options, change func(*source.Source)) *source.Source {
	t.Helper()
	s := source.New(o)
	change(s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	return s
}

// until takes a snapshot after every poke until one is as wanted.
func until(t testing.TB, s *source.Source, what string, wanted func(ovn.Snapshot, error) bool) ovn.Snapshot {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		snapshot, err := s.Snapshot(t.Context())
		if err != nil && !errors.Is(err, model.ErrNotInSync) {
			t.Fatalf("snapshot: %v", err)
		}
		if wanted(snapshot, err) {
			return snapshot
		}
		select {
		case <-s.Pokes():
		case <-deadline:
			t.Fatalf("not in time: %s; last %+v, %v", what, snapshot, err)
		}
	}
}

func good(_ ovn.Snapshot, err error) bool { return err == nil }

// newSwitch fills a switch's database like ovs-vswitchd and ovn-controller do.
func newSwitch(t testing.TB, ids map[string]string) *ovsdbtest.Server {
	t.Helper()
	server := ovsdbtest.Start(t, ovsdbtest.VSwitchSchema)
	operations := []ovsdb.Operation{}
	var bridges ovsdb.Set
	bridge := func(name string, ports ...string) {
		var list ovsdb.Set
		for _, port := range ports {
			typ := map[bool]string{true: "internal", false: "patch"}[port == name]
			row := ovsdb.Columns{"name": port, "type": typ, "ofport": len(list) + 1, "mac_in_use": "02:AA:00:00:00:01"}
			if port == "new" {
				row["ofport"], row["external_ids"] = -1, map[string]string{"iface-id": "port-1"}
			}
			id := fmt.Sprintf("%d%d", len(bridges), len(list))
			operations = append(operations, ovsdb.Insert("Interface", "i"+id, row),
				ovsdb.Insert("Port", "p"+id, ovsdb.Columns{"name": port, "interfaces": ovsdb.Named("i" + id)}))
			list = append(list, ovsdb.Named("p"+id))
		}
		id := fmt.Sprintf("b%d", len(bridges))
		operations = append(operations, ovsdb.Insert("Bridge", id, ovsdb.Columns{"name": name, "ports": list, "protocols": "OpenFlow13"}))
		bridges = append(bridges, ovsdb.Named(id))
	}
	bridge("br-int", "br-int", "new")
	bridge("br-ex", "br-ex", "patch-x")
	bridge("br-old", "br-old", "eth7")
	server.Transact(t, append(operations, ovsdb.Insert("Open_vSwitch", "", ovsdb.Columns{"bridges": bridges, "external_ids": ids}))...)
	return server
}

func newNorthbound(t testing.TB, router string) *ovsdbtest.Server {
	t.Helper()
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	server.Transact(t, ovsdb.Insert("NB_Global", "", ovsdb.Columns{}),
		ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": router}))
	return server
}

func TestLocal(t *testing.T) {
	central := newNorthbound(t, "r")
	local := newSwitch(t, map[string]string{"system-id": "S1", "hostname": "node1", "ovnbgp-nb": "known",
		"ovn-bridge-mappings": "physnet1:br-ex, bad ,physnet2 : br-absent"})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}},
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}})
	snapshot := until(t, s, "a snapshot", good)
	row := snapshot.Local.Faults[0].Row
	diff(t, "local", ovn.Local{SystemID: "S1", Hostname: "node1", KnownDatabase: "known", Marks: []string{"ovnbgp-nb"}, Interfaces: []string{"port-1"},
		Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "physnet1", Bridge: "br-ex"},
			{Index: 3, PhysicalNetwork: "physnet2", Bridge: "br-absent"}},
		Bridges: []ovn.Bridge{{Name: "br-ex", MAC: "02:aa:00:00:00:01", Protocols: []string{"OpenFlow13"},
			Ports: []ovn.OVSPort{{Name: "br-ex", Type: "internal", OFPort: 1}, {Name: "patch-x", Type: "patch", OFPort: 2}}},
			{Name: "br-old"}},
		Faults: []ovn.Fault{{Table: "Open_vSwitch", Row: row, Column: "external_ids:ovn-bridge-mappings", Value: "bad",
			Reason: "not of the form physnet:bridge"}}}, snapshot.Local)
	rows, err := ovsdbSelect(t, central, "NB_Global")
	if err != nil || snapshot.Database != rows {
		t.Errorf("database %s, its row is %s, %v", snapshot.Database, rows, err)
	}
	// The Debian package's schema is older than what northd writes the hosting chassis for.
	diff(t, "absent", []string{"Logical_Router_Port.status"}, snapshot.Absent)
	diff(t, "distributed", (*bool)(nil), snapshot.DistributedFIPs)

	local.Transact(t, ovsdb.Mutate("Open_vSwitch", nil, ovsdb.Mutation{Column: "external_ids", Mutator: "delete",
		Value: []string{"ovn-bridge-mappings"}}))
	until(t, s, "mappings are gone", func(x ovn.Snapshot, err error) bool {
		return err == nil && x.Local.Mappings == nil && x.Local.Faults == nil &&
			slices.Equal(bridgeNames(x.Local), []string{"br-ex", "br-old"})
	})
	local.Transact(t, ovsdb.Mutate("Open_vSwitch", nil, ovsdb.Mutation{Column: "external_ids", Mutator: "insert",
		Value: map[string]string{"ovn-bridge": "br-old"}}))
	until(t, s, "another bridge is the integration bridge", func(x ovn.Snapshot, err error) bool {
		return err == nil && slices.Equal(bridgeNames(x.Local), []string{"br-ex", "br-int"})
	})
}

func bridgeNames(local ovn.Local) (names []string) {
	for _, b := range local.Bridges {
		names = append(names, b.Name)
	}
	return names
}

func ovsdbSelect(t *testing.T, server *ovsdbtest.Server, table string) (string, error) {
	t.Helper()
	rows := server.Transact(t, ovsdb.Select(table, nil))[0].Rows
	var id ovsdb.UUID
	err := rows[0].Get("_uuid", &id)
	return id.String(), err
}

// Without endpoints in the options the source goes where the switch sends it, and follows when it is sent elsewhere.
// While a database is away there is no snapshot, be the other there or not.
func TestFollowsRemote(t *testing.T) {
	one, two := newNorthbound(t, "one"), newNorthbound(t, "two")
	local := newSwitch(t, map[string]string{"system-id": "S1"})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}})
	isFrom := func(name string) func(ovn.Snapshot, error) bool {
		return func(x ovn.Snapshot, err error) bool {
			return err == nil && len(x.Routers) == 1 && x.Routers[0].Name == name
		}
	}
	send := func(remote string) {
		t.Helper()
		local.Transact(t, ovsdb.Update("Open_vSwitch", nil, ovsdb.Columns{
			"external_ids": map[string]string{"ovn-nb-remote": remote, "system-id": "S1"}}))
	}
	until(t, s, "the reason is told", func(ovn.Snapshot, error) bool {
		status := s.Status()
		return len(status) == 2 && status[0].InSync && status[1].LastError != nil &&
			status[1].LastError.Error() == "no Northbound database is configured, and the switch's external_ids:ovn-nb-remote names none"
	})
	send("nonsense")
	until(t, s, "the remote is refused", func(ovn.Snapshot, error) bool {
		return s.Status()[1].LastError.Error() == `external_ids:ovn-nb-remote of the switch: endpoint "nonsense" is none of unix:, tcp: and ssl: endpoints`
	})
	send(one.Endpoint())
	until(t, s, "the first database", isFrom("one"))
	send(two.Endpoint())
	until(t, s, "the second database", isFrom("two"))
	two.Stop(t)
	until(t, s, "the second database is away", func(_ ovn.Snapshot, err error) bool { return err != nil })
	two.Run(t)
	until(t, s, "the second database is back", isFrom("two"))
	local.Stop(t)
	until(t, s, "the switch is away", func(_ ovn.Snapshot, err error) bool { return err != nil })
	local.Run(t)
	until(t, s, "the switch is back", isFrom("two"))
	send("")
	until(t, s, "the connection stays when nothing is named", isFrom("two"))
}

// A second snapshot without a change in between shares every value with the first, and so does one after a restart
// of the server.
func TestShared(t *testing.T) {
	central, local := newNorthbound(t, "r"), newSwitch(t, map[string]string{"system-id": "S1"})
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}},
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}})
	first := until(t, s, "a snapshot", good)
	central.Stop(t)
	until(t, s, "the loss", func(_ ovn.Snapshot, err error) bool { return err != nil })
	central.Run(t)
	central.Transact(t, ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": "a"}))
	second := until(t, s, "another router", func(x ovn.Snapshot, err error) bool { return err == nil && len(x.Routers) == 2 })
	if first.Routers[0] != second.Routers[1] {
		t.Error("a router that did not change was converted again")
	}
	if len(first.Routers) != 1 {
		t.Error("a snapshot changed after it was taken")
	}
}

// A database that was made anew is without its one row for a moment: that it holds nothing is not what OVN says.
func TestNotInitialized(t *testing.T) {
	central, local := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema), ovsdbtest.Start(t, ovsdbtest.VSwitchSchema)
	s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}},
		Northbound: ovsdb.Options{Endpoints: []string{central.Endpoint()}}})
	refused := func(why string) func(ovn.Snapshot, error) bool {
		return func(_ ovn.Snapshot, err error) bool {
			return errors.Is(err, model.ErrNotInSync) && strings.Contains(err.Error(), why)
		}
	}
	connected := func() bool {
		status := s.Status()
		return len(status) == 2 && status[0].InSync && status[1].InSync
	}
	until(t, s, "the switch's row is missed", func(x ovn.Snapshot, err error) bool {
		if err == nil {
			t.Fatalf("a snapshot of two empty databases: %+v", x)
		}
		return connected() && refused("no row in Open_vSwitch")(x, err)
	})
	local.Transact(t, ovsdb.Insert("Open_vSwitch", "", ovsdb.Columns{"external_ids": map[string]string{"system-id": "S1"}}))
	until(t, s, "the Northbound database's row is missed", refused("no row in NB_Global"))
	central.Transact(t, ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": "early"}))
	if _, err := s.Snapshot(t.Context()); !errors.Is(err, model.ErrNotInSync) {
		t.Errorf("rows without NB_Global: got %v, want not in sync", err)
	}
	central.Transact(t, ovsdb.Insert("NB_Global", "", ovsdb.Columns{}))
	snapshot := until(t, s, "a snapshot", good)
	if snapshot.Database == "" || len(snapshot.Routers) != 1 {
		t.Errorf("database %q, routers %v", snapshot.Database, snapshot.Routers)
	}
	central.Transact(t, ovsdb.Delete("NB_Global"))
	until(t, s, "the row is missed again", refused("no row in NB_Global"))
}
