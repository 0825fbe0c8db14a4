package ovsdb_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

// set sets conditions and waits until the contents agree with them.
func set(t testing.TB, client *ovsdb.Client, conditions ovsdb.Conditions) uint64 {
	t.Helper()
	n, err := client.SetConditions(conditions)
	if err != nil {
		t.Fatal(err)
	}
	ovsdbtest.Eventually(t, "the conditions are in force", func() bool {
		s := client.Status()
		return s.InSync && s.Conditions == n
	})
	return n
}

// names lists a copy's switches and ports.
func names(t testing.TB, client *ovsdb.Client, tables *nb.Tables) []string {
	t.Helper()
	var list []string
	if err := client.Read(func(ovsdb.Status) {
		for _, row := range tables.LogicalSwitch.All() {
			list = append(list, "switch "+row.Name)
		}
		for _, row := range tables.LogicalSwitchPort.All() {
			list = append(list, row.Name)
		}
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// fewPorts fills a database with ports that differ in what conditions ask for, and returns their rows by name.
func fewPorts(t testing.TB, server *ovsdbtest.Server) map[string]ovsdb.UUID {
	t.Helper()
	rows := map[string]ovsdb.Columns{
		"on-h1": {"options": map[string]string{"requested-chassis": "h1", "other": "x"}},
		"on-h2": {"options": map[string]string{"requested-chassis": "h2"}},
		"both":  {"options": map[string]string{"requested-chassis": "h1,h2"}},
		"host":  {"external_ids": map[string]string{"neutron:host_id": "h1", "a": "b"}},
		"lnet":  {"type": "localnet"},
		"child": {"parent_name": "on-h1"},
		"plain": {},
	}
	var operations []ovsdb.Operation
	var ports ovsdb.Set
	order := slices.Sorted(maps.Keys(rows))
	for i, name := range order {
		rows[name]["name"] = name
		operations = append(operations, ovsdb.Insert("Logical_Switch_Port", fmt.Sprintf("p%d", i), rows[name]))
		ports = append(ports, ovsdb.Named(fmt.Sprintf("p%d", i)))
	}
	operations = append(operations, ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "s", "ports": ports}))
	ids := map[string]ovsdb.UUID{}
	results := server.Transact(t, operations...)
	for i, name := range order {
		ids[name] = results[i].UUID
	}
	ids["switch s"] = results[len(order)].UUID
	return ids
}

const lsp = "Logical_Switch_Port"

// none are conditions that no port and no switch meets. They may be changed without another connection.
var none = ovsdb.Conditions{lsp: {}, "Logical_Switch": {}}

func TestConditions(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	id := fewPorts(t, server)
	requested := func(name string) ovsdb.Condition {
		return ovsdb.Includes("options", map[string]string{"requested-chassis": name})
	}
	cases := []struct {
		name string
		set  ovsdb.Conditions
		want []string
	}{
		{"a pair of a map, to the letter", ovsdb.Conditions{lsp: {requested("h1")}}, []string{"on-h1", "switch s"}},
		{"a union", ovsdb.Conditions{lsp: {requested("h2"), ovsdb.Equal("type", "localnet"),
			ovsdb.Includes("external_ids", map[string]string{"neutron:host_id": "h1"})}},
			[]string{"host", "lnet", "on-h2", "switch s"}},
		{"an optional column", ovsdb.Conditions{lsp: {ovsdb.Equal("parent_name", "on-h1")}}, []string{"child", "switch s"}},
		{"rows", ovsdb.Conditions{lsp: {ovsdb.IsRow(id["plain"]), ovsdb.IsRow(id["both"])}}, []string{"both", "plain", "switch s"}},
		{"a set of references", ovsdb.Conditions{lsp: {}, "Logical_Switch": {ovsdb.Includes("ports", id["plain"])}}, []string{"switch s"}},
		{"none", none, nil},
		{"all", nil, []string{"both", "child", "host", "lnet", "on-h1", "on-h2", "plain", "switch s"}},
	}
	live, liveTables := runWith(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}}, none)
	inSync(t, live, 1)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			set(t, live, c.set)
			if diff := cmp.Diff(c.want, names(t, live, liveTables)); diff != "" {
				t.Errorf("changed at run time: %s", diff)
			}
			client, tables := runWith(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}}, c.set)
			inSync(t, client, 1)
			if diff := cmp.Diff(c.want, names(t, client, tables)); diff != "" {
				t.Errorf("from the start: %s", diff)
			}
		})
	}
	if n := live.Status().Connects; n != 1 {
		t.Errorf("the connection was lost %d times", n-1)
	}
}

// Rows fall out of the copy, and come in, by their own change, too; both are changes to the reader.
func TestConditionsFollowRows(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	id := fewPorts(t, server)
	client, tables := runWith(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}}, none)
	first := set(t, client, ovsdb.Conditions{lsp: {ovsdb.Includes("options", map[string]string{"requested-chassis": "h1"})},
		"Logical_Switch": {}})
	expect := func(want []string, rows ...string) {
		t.Helper()
		var changed []string
		if err := client.Read(func(ovsdb.Status) {
			for row := range tables.LogicalSwitchPort.Changed() {
				for name, is := range id {
					if is == row {
						changed = append(changed, name)
					}
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(changed)
		if diff := cmp.Diff(rows, changed); diff != "" {
			t.Errorf("changed rows: %s", diff)
		}
		if diff := cmp.Diff(want, names(t, client, tables)); diff != "" {
			t.Errorf("rows: %s", diff)
		}
	}
	move := func(name, to string) {
		t.Helper()
		if _, err := client.Transact(t.Context(), ovsdb.Update(lsp, []ovsdb.Condition{ovsdb.Equal("name", name)},
			ovsdb.Columns{"options": map[string]string{"requested-chassis": to}})); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"on-h1"}, names(t, client, tables)); diff != "" {
		t.Error(diff)
	}
	move("on-h1", "h2")
	expect(nil, "on-h1")
	move("plain", "h1")
	expect([]string{"plain"}, "plain")
	move("on-h2", "h3")
	expect([]string{"plain"})
	move("plain", "h1,h2")
	expect(nil, "plain")

	// The same conditions in another order are no others.
	a, b := ovsdb.Equal("name", "on-h1"), ovsdb.IsRow(id["plain"])
	second := set(t, client, ovsdb.Conditions{lsp: {a, b}, "Logical_Switch": {}})
	if again := set(t, client, ovsdb.Conditions{lsp: {b, a, b}, "Logical_Switch": {}}); again != second || second == first {
		t.Errorf("numbers %d, then %d, and %d for the same again", first, second, again)
	}
	expect([]string{"on-h1", "plain"}, "on-h1", "plain")
}

// What changes in the rows and in the conditions at the same time, in any order, ends with what the conditions ask for.
func TestConditionsUnderLoad(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	fewPorts(t, server)
	client, tables := runWith(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}}, none)
	inSync(t, client, 1)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	hosts := []string{"h1", "h2", "h3"}
	stop, stopped := context.WithCancel(t.Context())
	written := make(chan int)
	go func() {
		n := 0
		defer func() { written <- n }()
		random := rand.New(rand.NewPCG(seed, 1))
		for ; stop.Err() == nil; n++ {
			row := ovsdb.Columns{"external_ids": map[string]string{"n": fmt.Sprint(n)},
				"options": map[string]string{"requested-chassis": hosts[random.IntN(3)]}}
			port := []string{"on-h1", "on-h2", "both", "host"}[random.IntN(4)]
			if _, err := client.Transact(t.Context(), ovsdb.Update(lsp, byName(port), row)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var last uint64
	wanted := map[string]bool{}
	for range 300 {
		wanted = map[string]bool{hosts[random.IntN(3)]: true, hosts[random.IntN(3)]: true}
		conditions := []ovsdb.Condition{}
		for host := range wanted {
			conditions = append(conditions, ovsdb.Includes("options", map[string]string{"requested-chassis": host}))
		}
		last = set(t, client, ovsdb.Conditions{lsp: conditions})
	}
	stopped()
	if n := <-written; n < 100 {
		t.Errorf("only %d transactions beside %d changes of conditions", n, last)
	}
	expected := map[string]string{}
	for _, row := range server.Transact(t, ovsdb.Select(lsp, nil))[0].Rows {
		var name string
		var options, ids ovsdb.Map
		for column, into := range map[string]any{"name": &name, "options": &options, "external_ids": &ids} {
			if err := row.Get(column, into); err != nil {
				t.Fatal(err)
			}
		}
		if wanted[options.Get("requested-chassis")] {
			expected[name] = ids.Get("n")
		}
	}
	got := map[string]string{}
	if err := client.Read(func(ovsdb.Status) {
		for _, row := range tables.LogicalSwitchPort.All() {
			got[row.Name] = row.ExternalIDs.Get("n")
		}
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Error(diff)
	}
	if s := client.Status(); s.Connects != 1 {
		t.Errorf("the connection was lost %d times: %v", s.Connects-1, s.LastError)
	}
}

// What was asked for while the server was away is what comes with it.
func TestConditionsSurviveRestart(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	fewPorts(t, server)
	client, tables := run(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}})
	set(t, client, ovsdb.Conditions{lsp: {ovsdb.Equal("name", "plain")}, "Logical_Switch": {}})
	server.Stop(t)
	n, err := client.SetConditions(ovsdb.Conditions{lsp: {ovsdb.Equal("name", "lnet")}})
	if err != nil {
		t.Fatal(err)
	}
	server.Run(t)
	inSync(t, client, 2)
	if s := client.Status(); s.Conditions != n {
		t.Errorf("in sync with conditions %d instead of %d", s.Conditions, n)
	}
	if diff := cmp.Diff([]string{"lnet", "switch s"}, names(t, client, tables)); diff != "" {
		t.Error(diff)
	}
}

func TestConditionThatCannotBeWritten(t *testing.T) {
	client := ovsdb.New(ovsdb.Options{Database: nb.Database}, nb.New())
	for _, c := range []ovsdb.Conditions{
		{lsp: {ovsdb.Equal("name", func() {})}},
		{lsp: {ovsdb.Equal("color", "red")}},
		{"Logical_Flow": {}},
	} {
		if n, err := client.SetConditions(c); err == nil {
			t.Errorf("%v accepted as number %d", c, n)
		}
	}
}

// Conditions that the server refuses leave the client out of sync, with the reason.
func TestConditionsRefused(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	client, _ := run(t, ovsdb.Options{Endpoints: []string{server.Endpoint()}})
	inSync(t, client, 1)
	if _, err := client.SetConditions(ovsdb.Conditions{lsp: {{Column: "name", Function: "resembles", Value: "p"}}}); err != nil {
		t.Fatal(err)
	}
	ovsdbtest.Eventually(t, "the reason is told", func() bool {
		s := client.Status()
		var refused *ovsdb.RPCError
		return !s.InSync && errors.As(s.LastError, &refused)
	})
}

func TestReadOnce(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	fewPorts(t, server)
	tables := nb.New()
	status, err := ovsdb.ReadOnce(t.Context(), ovsdb.Options{Database: nb.Database,
		Endpoints: []string{"unix:/nonexistent/socket", server.Endpoint()}}, tables)
	if err != nil || tables.LogicalSwitchPort.Len() != 7 || status.Rows != 8 || len(status.Absent) == 0 {
		t.Errorf("%d ports, status %+v, error %v", tables.LogicalSwitchPort.Len(), status, err)
	}
	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ovsdb.ReadOnce(ctx, ovsdb.Options{Database: nb.Database, Endpoints: []string{server.Endpoint()}},
		nb.New()); !errors.Is(err, ovsdb.ErrNotInSync) {
		t.Errorf("from a server that is away: %v", err)
	}
}
