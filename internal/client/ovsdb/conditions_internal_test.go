package ovsdb

import (
	"encoding/json"
	"testing"
)

// Where a change of conditions is not confirmed, the next connection loads everything, also when the conditions are
// by then what they were before: the rows may be those of either.
func TestUnconfirmedConditions(t *testing.T) {
	contents := `{"id":%s,"result":[true,"` + uuid1 + `",{}],"error":null}`
	server := newScripted(t, func(connection int, method string, _ json.RawMessage) string {
		switch {
		case method == "monitor_cond_since" && connection == 1:
			return `{"id":%s,"result":[false,"` + uuid1 + `",{"T":{"` + uuid1 + `":{"initial":{"s":"a"}}}}],"error":null}`
		case method == "monitor_cond_since" && connection == 2:
			return `{"id":%s,"result":[false,"` + uuid2 + `",{"T":{"` + uuid1 + `":{"initial":{"s":"a"}}}}],"error":null}` +
				`{"id":null,"method":"monitor_canceled","params":["D"]}`
		case method == "monitor_cond_since":
			return contents
		case method == "monitor_cond_change":
			return "hang up"
		}
		return usual(method)
	})
	first := Conditions{"T": {Equal("s", "b")}}
	client, _ := runScriptedWith(t, server, 0, first)
	eventually(t, client, "the first connection", func() bool { return client.Status().InSync })
	if _, err := client.SetConditions(Conditions{"T": {Equal("s", "a")}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, client, "the change is asked for", func() bool { return server.asked("1 monitor_cond_change") })
	before, err := client.SetConditions(first)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, client, "the third connection", func() bool { return client.Status().Connects == 3 })
	if !server.asked("2 monitor_cond_since", noTransaction) {
		t.Errorf("went on from a state that is not known: %q", server.requests)
	}
	if !server.asked("3 monitor_cond_since", uuid2) {
		t.Errorf("did not go on from what was loaded: %q", server.requests)
	}
	if s := client.Status(); s.Conditions != before {
		t.Errorf("the rows agree with conditions %d, set were %d", s.Conditions, before)
	}
}

// A request has no condition on a column that is not monitored: see bind. One that the server has not, or has of
// another type, holds for no row.
func TestConditionsAreOnMonitoredColumns(t *testing.T) {
	m, _ := newEverything(t)
	m.columns = map[string][]string{"T": {"s", rowIdentity}}
	cases := []struct {
		conditions Conditions
		want       string
	}{
		{nil, `[true]`},
		{Conditions{"T": {}}, `[false]`},
		{Conditions{"T": {Equal("i", 1)}}, `[false]`},
		{Conditions{"T": {Equal("i", 1), Equal("s", "a"), IsRow(mustUUID(t, uuid1))}},
			`[["_uuid","==",["uuid","` + uuid1 + `"]],["s","==","a"]]`},
	}
	for _, c := range cases {
		where, err := c.conditions.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(m.whereOf("T", where)); got != c.want {
			t.Errorf("%v: %s, want %s", c.conditions, got, c.want)
		}
	}
}

// Who has conditions on a table monitors the row's identity; conditions on another table need another monitor.
func TestConditionsBeginAnew(t *testing.T) {
	server := newScripted(t, func(_ int, method string, _ json.RawMessage) string {
		switch method {
		case "monitor_cond_since":
			return `{"id":%s,"result":[false,"` + uuid1 + `",{}],"error":null}`
		case "monitor_cond_change":
			return `{"id":%s,"result":{},"error":null}`
		}
		return usual(method)
	})
	client, _ := runScripted(t, server, 0)
	eventually(t, client, "the first connection", func() bool { return client.Status().InSync })
	for i, where := range []string{"a", "b"} {
		number, err := client.SetConditions(Conditions{"T": {Equal("s", where)}})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, client, "condition "+where, func() bool {
			s := client.Status()
			return s.InSync && s.Conditions == number
		})
		if n := client.Status().Connects; n != 2 {
			t.Errorf("%d connections after conditions %d", n, i+1)
		}
	}
	if server.asked("1 monitor_cond_since", rowIdentity) || !server.asked("2 monitor_cond_since", rowIdentity) ||
		!server.asked("2 monitor_cond_change", `"b"`) || server.asked("1 monitor_cond_change") {
		t.Errorf("requests %q", server.requests)
	}
}

// A member that is behind what was seen of its cluster is refused; another cluster begins anew.
func TestProgress(t *testing.T) {
	one, other := Some(mustUUID(t, uuid1)), Some(mustUUID(t, uuid2))
	steps := []struct {
		row  serverDatabase
		good bool
	}{
		{serverDatabase{Model: "clustered", ClusterID: one, Index: Some[int64](5)}, true},
		{serverDatabase{Model: "clustered", ClusterID: one, Index: Some[int64](5)}, true},
		{serverDatabase{Model: "clustered", ClusterID: one, Index: Some[int64](4)}, false},
		{serverDatabase{Model: "standalone"}, true},
		{serverDatabase{Model: "clustered", ClusterID: one, Index: Some[int64](4)}, false},
		{serverDatabase{Model: "clustered", ClusterID: other, Index: Some[int64](2)}, true},
		{serverDatabase{Model: "clustered", ClusterID: other, Index: Some[int64](3)}, true},
		{serverDatabase{Model: "clustered", ClusterID: other, Index: Some[int64](2)}, false},
	}
	var p progress
	for i, s := range steps {
		if err := p.advance(&s.row); (err == nil) != s.good {
			t.Errorf("step %d: %v", i, err)
		}
	}
}
