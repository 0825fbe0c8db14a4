package ovsdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a client of the Northbound database until the test ends.
func run(t testing.TB, o ovsdb.Options) (*ovsdb.Client, *nb.Tables) {
	t.Helper()
	return runWith(t, o, nil)
}

// runWith is run with conditions from the start.
func runWith(t testing.TB, o ovsdb.Options, conditions ovsdb.Conditions) (*ovsdb.Client, *nb.Tables) {
	t.Helper()
	o.Database = nb.Database
	tables := nb.New()
	client := ovsdb.New(o, tables)
	if _, err := client.SetConditions(conditions); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- client.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	return client, tables
}

// inSync waits until a client is in sync for the nth time.
func inSync(t testing.TB, client *ovsdb.Client, n uint64) {
	t.Helper()
	ovsdbtest.Eventually(t, "the client is in sync", func() bool {
		s := client.Status()
		return s.InSync && s.Connects >= n
	})
}

// switches reads names of switches, and which of them changed ("" stands for one that is gone).
func switches(t testing.TB, client *ovsdb.Client, tables *nb.Tables) (all, changed []string) {
	t.Helper()
	err := client.Read(func(ovsdb.Status) {
		for _, row := range tables.LogicalSwitch.All() {
			all = append(all, row.Name)
		}
		for id := range tables.LogicalSwitch.Changed() {
			if row := tables.LogicalSwitch.Get(id); row != nil {
				changed = append(changed, row.Name)
			} else {
				changed = append(changed, "")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	slices.Sort(changed)
	return all, changed
}

func expectSwitches(t testing.TB, client *ovsdb.Client, tables *nb.Tables, all, changed []string) {
	t.Helper()
	gotAll, gotChanged := switches(t, client, tables)
	if diff := cmp.Diff(all, gotAll); diff != "" {
		t.Errorf("rows: %s", diff)
	}
	if diff := cmp.Diff(changed, gotChanged); diff != "" {
		t.Errorf("changed: %s", diff)
	}
}

func addSwitch(name string) ovsdb.Operation {
	return ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": name})
}

func byName(name string) []ovsdb.Condition { return []ovsdb.Condition{ovsdb.Equal("name", name)} }

func TestClientFollows(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	var writes atomic.Int64
	client, tables := run(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}, LeaderOnly: true,
		OnWrite: func() { writes.Add(1) }})
	inSync(t, client, 1)
	updates := client.Status().Updates

	transact := func(operations ...ovsdb.Operation) {
		t.Helper()
		if _, err := client.Transact(t.Context(), operations...); err != nil {
			t.Fatal(err)
		}
		// The server sends a change before the reply to the transaction that made it.
		if now := client.Status().Updates; now == updates {
			t.Fatal("a transaction changed nothing")
		} else {
			updates = now
		}
	}
	get := func() (row *nb.LogicalSwitchPort) {
		t.Helper()
		err := client.Read(func(ovsdb.Status) {
			for _, row = range tables.LogicalSwitchPort.All() {
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	set := func(columns ovsdb.Columns) {
		t.Helper()
		transact(ovsdb.Update("Logical_Switch_Port", nil, columns))
	}

	transact(ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"ports": ovsdb.Set{ovsdb.Named("p")}}),
		ovsdb.Insert("Logical_Switch_Port", "p", ovsdb.Columns{"name": "p", "addresses": []string{"b", "a", "c"},
			"external_ids": map[string]string{"k1": "v1", "k2": "v2", "k3": "v3"}, "tag": 5}))
	first := get()
	want := nb.LogicalSwitchPort{Name: "p", Addresses: []string{"a", "b", "c"}, Tag: ovsdb.Some[int64](5),
		ExternalIDs: ovsdb.Map{{Key: "k1", Value: "v1"}, {Key: "k2", Value: "v2"}, {Key: "k3", Value: "v3"}}}
	if diff := cmp.Diff(want, *first); diff != "" {
		t.Error(diff)
	}
	set(ovsdb.Columns{"addresses": []string{"a", "d"}, "up": false, "tag": []int64{},
		"external_ids": map[string]string{"k0": "v0", "k2": "w2", "k3": "v3"}})
	want.Addresses, want.Up, want.Tag = []string{"a", "d"}, ovsdb.Some(false), ovsdb.Optional[int64]{}
	want.ExternalIDs = ovsdb.Map{{Key: "k0", Value: "v0"}, {Key: "k2", Value: "w2"}, {Key: "k3", Value: "v3"}}
	if diff := cmp.Diff(want, *get()); diff != "" {
		t.Error(diff)
	}
	if first.Tag != ovsdb.Some[int64](5) {
		t.Error("a row that a reader holds was changed")
	}
	set(ovsdb.Columns{"up": true, "addresses": "z", "external_ids": map[string]string{}, "name": "q"})
	want.Name, want.Up, want.Addresses, want.ExternalIDs = "q", ovsdb.Some(true), []string{"z"}, nil
	if diff := cmp.Diff(want, *get()); diff != "" {
		t.Error(diff)
	}
	transact(ovsdb.Delete("Logical_Switch"))
	if row := get(); row != nil {
		t.Errorf("a deleted row is still there: %v", row)
	}
	if _, err := client.Transact(t.Context(), ovsdb.Select("Logical_Switch", nil)); err != nil {
		t.Error(err)
	}
	if n := writes.Load(); n != 4 {
		t.Errorf("%d writes counted, 4 made", n)
	}
}

// Rows that vanish, appear and change while the connection is down are changes to the reader, rows that stay as they
// are are not.
func TestRestart(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	server.Transact(t, addSwitch("stays"), addSwitch("goes"), addSwitch("changes"))
	client, tables := run(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}})
	if err := client.Read(func(ovsdb.Status) { t.Error("read before there was anything") }); !errors.Is(err, ovsdb.ErrNotInSync) {
		t.Errorf("read before a connection: %v", err)
	}
	inSync(t, client, 1)
	all := []string{"changes", "goes", "stays"}
	expectSwitches(t, client, tables, all, all)
	expectSwitches(t, client, tables, all, nil)

	for len(client.Pokes()) > 0 {
		<-client.Pokes()
	}
	server.Stop(t)
	<-client.Pokes()
	if err := client.Read(func(ovsdb.Status) { t.Error("read what may be out of date") }); !errors.Is(err, ovsdb.ErrNotInSync) {
		t.Errorf("read without a connection: %v", err)
	}
	if _, err := client.Transact(t.Context(), addSwitch("x")); !errors.Is(err, ovsdb.ErrNotInSync) {
		t.Errorf("transaction without a connection: %v", err)
	}
	if s := client.Status(); s.LastError == nil || s.Since.IsZero() {
		t.Errorf("status does not tell of the loss: %+v", s)
	}
	server.Rewrite(t, ovsdb.Delete("Logical_Switch", ovsdb.Equal("name", "goes")), addSwitch("comes"),
		ovsdb.Update("Logical_Switch", byName("changes"), ovsdb.Columns{"external_ids": map[string]string{"a": "b"}}))
	server.Run(t)
	<-client.Pokes()
	inSync(t, client, 2)
	expectSwitches(t, client, tables, []string{"changes", "comes", "stays"}, []string{"", "changes", "comes"})
	server.Transact(t, addSwitch("later"))
	<-client.Pokes()
	_, changed := switches(t, client, tables)
	if diff := cmp.Diff([]string{"later"}, changed); diff != "" {
		t.Error(diff)
	}
}

func TestTwoEndpoints(t *testing.T) {
	one, two := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema), ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	servers := map[string]*ovsdbtest.Server{one.Endpoint(): one, two.Endpoint(): two}
	endpoints := append(slices.Collect(maps.Keys(servers)), "unix:/nonexistent/socket")
	client, _ := run(t, ovsdb.Options{Endpoints: endpoints})
	inSync(t, client, 1)
	first := client.Status().Endpoint
	servers[first].Stop(t)
	inSync(t, client, 2)
	if second := client.Status().Endpoint; second == first || servers[second] == nil {
		t.Errorf("connected to %s, then to %s", first, second)
	}
}

// doctored writes a schema to a file, changed.
func doctored(t *testing.T, file string, change func(version *string, tables map[string]map[string]any)) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	tables := map[string]map[string]any{}
	for name, table := range schema["tables"].(map[string]any) {
		tables[name] = table.(map[string]any)["columns"].(map[string]any)
	}
	version := schema["version"].(string)
	change(&version, tables)
	schema["version"] = version
	delete(schema, "cksum")
	for name := range schema["tables"].(map[string]any) {
		if tables[name] == nil {
			delete(schema["tables"].(map[string]any), name)
		}
	}
	if text, err = json.Marshal(schema); err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "schema")
	if err := os.WriteFile(changed, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return changed
}

// An absent column is unknown, and comes to be known when the schema is changed under a live client.
func TestAbsentColumn(t *testing.T) {
	stringMap := map[string]any{"key": "string", "value": "string", "min": 0, "max": "unlimited"}
	older := doctored(t, ovsdbtest.NorthboundSchema, func(version *string, tables map[string]map[string]any) {
		*version = "6.0.0"
		delete(tables["Logical_Router_Port"], "status")
		delete(tables, "DHCP_Options")
		delete(tables["Logical_Switch_Port"], "dhcpv4_options")
		delete(tables["Logical_Switch_Port"], "dhcpv6_options")
		tables["Logical_Switch"]["name"] = map[string]any{"type": stringMap} // not a type that we can hold
	})
	newer := doctored(t, ovsdbtest.NorthboundSchema, func(version *string, tables map[string]map[string]any) {
		*version = "99.0.0"
		tables["Logical_Router_Port"]["status"] = map[string]any{"type": stringMap}
		tables["Logical_Switch"]["name"] = map[string]any{"type": stringMap}
	})
	server := ovsdbtest.Start(t, older)
	server.Transact(t, ovsdb.Insert("Logical_Router", "", ovsdb.Columns{"name": "r", "ports": ovsdb.Named("p")}),
		ovsdb.Insert("Logical_Router_Port", "p", ovsdb.Columns{"name": "lrp", "networks": "192.0.2.1/24"}))
	client, tables := run(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}})
	inSync(t, client, 1)
	absent := []string{"DHCP_Options", "Logical_Router_Port.status", "Logical_Switch.name",
		"Logical_Switch_Port.dhcpv4_options", "Logical_Switch_Port.dhcpv6_options"}
	status := client.Status()
	if diff := cmp.Diff(absent, status.Absent); diff != "" || status.SchemaVersion != "6.0.0" {
		t.Errorf("version %s: %s", status.SchemaVersion, diff)
	}
	ports := tables.LogicalRouterPort
	has := func() (status, name, dhcp bool) {
		if err := client.Read(func(ovsdb.Status) {
			status, name, dhcp = ports.Has("status"), ports.Has("name"), tables.DHCPOptions.Has("")
		}); err != nil {
			t.Fatal(err)
		}
		return status, name, dhcp
	}
	if status, name, dhcp := has(); status || !name || dhcp {
		t.Errorf("has status %t, name %t, DHCP_Options %t", status, name, dhcp)
	}

	server.Convert(t, newer)
	inSync(t, client, 2)
	if status, name, dhcp := has(); !status || !name || !dhcp {
		t.Errorf("after the upgrade: has status %t, name %t, DHCP_Options %t", status, name, dhcp)
	}
	if s := client.Status(); s.SchemaVersion != "99.0.0" || s.Rows != 2 {
		t.Errorf("after the upgrade: %+v", s)
	}
	server.Transact(t, ovsdb.Update("Logical_Router_Port", nil,
		ovsdb.Columns{"status": map[string]string{"hosting-chassis": "gw1"}}))
	ovsdbtest.Eventually(t, "the new column is followed", func() (ok bool) {
		_ = client.Read(func(ovsdb.Status) {
			for _, row := range ports.All() {
				ok = row.Status.Get("hosting-chassis") == "gw1"
			}
		})
		return ok
	})
}

func TestNoSuchDatabase(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.VSwitchSchema)
	client, _ := run(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}})
	ovsdbtest.Eventually(t, "the reason is told", func() bool { return client.Status().LastError != nil })
	if err := client.Status().LastError; client.Status().InSync || err == nil {
		t.Errorf("a server without the database: %v", err)
	}
}
