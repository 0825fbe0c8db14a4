package ovsdb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

func dial(t *testing.T, endpoint string, files *ovsdb.TLS) *ovsdb.Conn {
	t.Helper()
	conn, err := ovsdb.Dial(t.Context(), endpoint, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestTransactAndSelect(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	conn := dial(t, server.Endpoint(), nil)
	results, err := conn.Transact(t.Context(), server.Database,
		ovsdb.Comment("a switch with a port"),
		ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{
			"name":         "neutron-1",
			"ports":        ovsdb.Set{ovsdb.Named("p")},
			"external_ids": map[string]string{"b": "2", "a": "\"1\"\n"},
		}),
		ovsdb.Insert("Logical_Switch_Port", "p", ovsdb.Columns{
			"name": "p1", "up": ovsdb.Some(true), "tag": 7, "addresses": []string{"unknown", "aa 1"}}),
		ovsdb.Update("Logical_Switch_Port", []ovsdb.Condition{ovsdb.Equal("name", "p1")},
			ovsdb.Columns{"enabled": ovsdb.Optional[bool]{}}),
		ovsdb.Mutate("Logical_Switch", []ovsdb.Condition{ovsdb.Includes("external_ids", map[string]string{"b": "2"})},
			ovsdb.Mutation{Column: "external_ids", Mutator: "insert", Value: map[string]string{"c": "3"}},
			ovsdb.Mutation{Column: "external_ids", Mutator: "delete", Value: []string{"b"}}),
		ovsdb.Wait("Logical_Switch", nil, []string{"name"}, "==", []ovsdb.Columns{{"name": "neutron-1"}}, 0),
	)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int
	for _, r := range results {
		counts = append(counts, r.Count)
	}
	if diff := cmp.Diff([]int{0, 0, 0, 1, 1, 0}, counts); diff != "" {
		t.Errorf("counts: %s", diff)
	}

	rows, err := conn.Select(t.Context(), server.Database, "Logical_Switch", nil)
	if err != nil || len(rows) != 1 {
		t.Fatalf("select: %v, %v", rows, err)
	}
	var id ovsdb.UUID
	var ids ovsdb.Map
	var ports []ovsdb.UUID
	if err := errors.Join(rows[0].Get("_uuid", &id), rows[0].Get("external_ids", &ids), rows[0].Get("ports", &ports)); err != nil {
		t.Fatal(err)
	}
	if id != results[1].UUID {
		t.Errorf("selected row %s, inserted %s", id, results[1].UUID)
	}
	if diff := cmp.Diff(ovsdb.Map{{Key: "a", Value: "\"1\"\n"}, {Key: "c", Value: "3"}}, ids); diff != "" {
		t.Errorf("external_ids: %s", diff)
	}
	if diff := cmp.Diff([]ovsdb.UUID{results[2].UUID}, ports); diff != "" {
		t.Errorf("ports: %s", diff)
	}
	if err := rows[0].Get("name", &ids); err == nil {
		t.Error("a string was decoded as a map")
	}
	if err := rows[0].Get("nothing", &ids); err == nil {
		t.Error("a column that was not selected was decoded")
	}
}

func TestTransactErrors(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	conn := dial(t, server.Endpoint(), nil)
	insert := ovsdb.Insert("NB_Global", "", ovsdb.Columns{})
	tests := []struct {
		name       string
		operations []ovsdb.Operation
		want       ovsdb.OpError
	}{
		{"unknown table", []ovsdb.Operation{insert, ovsdb.Delete("Nothing")},
			ovsdb.OpError{Index: 1, Operation: "delete Nothing", Text: "syntax error",
				Details: "Parsing ovsdb operation 2 of 2 failed: No table named Nothing."}},
		{"commit", []ovsdb.Operation{insert, insert},
			ovsdb.OpError{Index: -1, Text: "constraint violation", Details: `transaction causes "NB_Global" ` +
				`table to contain 2 rows, greater than the schema-defined limit of 1 row(s)`}},
		{"wait", []ovsdb.Operation{ovsdb.Wait("NB_Global", nil, []string{"nb_cfg"}, "==",
			[]ovsdb.Columns{{"nb_cfg": 9}}, 0), insert},
			ovsdb.OpError{Operation: "wait NB_Global", Text: "timed out", Details: `"where" clause test failed`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := conn.Transact(t.Context(), server.Database, test.operations...)
			var got *ovsdb.OpError
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
	var refused *ovsdb.RPCError
	if _, err := conn.Schema(t.Context(), "Nothing"); !errors.As(err, &refused) || refused.Text != "unknown database" {
		t.Errorf("schema of no database: %v", err)
	}
	if _, err := conn.Schema(t.Context(), server.Database); err != nil {
		t.Errorf("an error was the end of the connection: %v", err)
	}
}

func TestConnectionEnds(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	conn := dial(t, server.Endpoint(), nil)
	wait := ovsdb.Wait("NB_Global", nil, []string{"nb_cfg"}, "==", []ovsdb.Columns{{"nb_cfg": 9}}, time.Hour)
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Transact(context.Background(), server.Database, wait)
		failed <- err
	}()
	canceled, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := conn.Transact(canceled, server.Database, wait); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a transaction outlived its context: %v", err)
	}
	server.Stop(t)
	if err := <-failed; err == nil {
		t.Error("a transaction outlived its connection")
	}
	if _, err := conn.Databases(t.Context()); err == nil {
		t.Error("a connection outlived its server")
	}
}

func TestParseEndpoints(t *testing.T) {
	good := map[string][]string{
		"unix:/run/ovn/ovnnb_db.sock":                          {"unix:/run/ovn/ovnnb_db.sock"},
		"tcp:192.0.2.1:6641, ssl:[2001:db8::1]:6641,tcp:a.org": {"tcp:192.0.2.1:6641", "ssl:[2001:db8::1]:6641", "tcp:a.org"},
		"ssl:[2001:db8::1]":                                    {"ssl:[2001:db8::1]"},
	}
	for list, want := range good {
		got, err := ovsdb.ParseEndpoints(list)
		if err != nil {
			t.Errorf("%s: %v", list, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", list, diff)
		}
	}
	for _, bad := range []string{"", "unix:relative.sock", "tcp:", "tcp:2001:db8::1:6641", "http:a", "tcp:a,", "ssl:[::1"} {
		if got, err := ovsdb.ParseEndpoints(bad); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}
