package ovsdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// silentConn is a transport that delivers what is in r and swallows what is written.
type silentConn struct {
	net.Conn
	r *bytes.Reader
}

func (c *silentConn) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c *silentConn) Write(b []byte) (int, error)      { return len(b), nil }
func (c *silentConn) Close() error                     { return nil }
func (c *silentConn) SetWriteDeadline(time.Time) error { return nil }

// scripted is a server that says what real ones of this host's version do not.
type scripted struct {
	endpoint string
	// answer returns the text of a reply, with %s for the id, and what is sent after it; "" is silence.
	answer func(connection int, method string, params json.RawMessage) string

	mu       sync.Mutex
	requests []string // "connection method params"
}

func newScripted(t *testing.T, answer func(int, string, json.RawMessage) string) *scripted {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovsdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &scripted{endpoint: "unix:" + filepath.Join(dir, "sock"), answer: answer}
	listener, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for n := 1; ; n++ {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(n, nc) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return s
}

func (s *scripted) serve(n int, nc net.Conn) {
	defer nc.Close()
	decoder := json.NewDecoder(nc)
	for {
		var request struct {
			ID, Params json.RawMessage
			Method     string
		}
		if decoder.Decode(&request) != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, fmt.Sprint(n, " ", request.Method, " ", string(request.Params)))
		s.mu.Unlock()
		reply := s.answer(n, request.Method, request.Params)
		if reply == "hang up" {
			return
		}
		if _, err := nc.Write([]byte(strings.ReplaceAll(reply, "%s", string(request.ID)))); err != nil {
			return
		}
	}
}

// asked reports whether a request was made whose record has all of these parts.
func (s *scripted) asked(parts ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
request:
	for _, r := range s.requests {
		for _, part := range parts {
			if !strings.Contains(r, part) {
				continue request
			}
		}
		return true
	}
	return false
}

// usual answers what comes before a monitor, from a server without the database _Server.
func usual(method string) string {
	switch method {
	case "list_dbs":
		return `{"id":%s,"result":["D"],"error":null}`
	case "get_schema":
		return `{"id":%s,"error":null,"result":` + everythingSchema + `}`
	case "echo":
		return `{"id":%s,"result":[],"error":null}`
	}
	return ""
}

type oneTable struct{ table *Table[everything] }

func (t oneTable) Stores() []Store { return []Store{t.table} }

// runScripted runs a client against a scripted server until the test ends.
func runScripted(t *testing.T, s *scripted, probe time.Duration) (*Client, *Table[everything]) {
	t.Helper()
	return runScriptedWith(t, s, probe, nil)
}

// runScriptedWith is runScripted with conditions from the start.
func runScriptedWith(t *testing.T, s *scripted, probe time.Duration, conditions Conditions) (*Client, *Table[everything]) {
	t.Helper()
	_, table := newEverything(t)
	client := New(Options{Database: "D", Endpoints: []string{s.endpoint}, LeaderOnly: true, Probe: probe}, oneTable{table})
	if _, err := client.SetConditions(conditions); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- client.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return client, table
}

func eventually(t *testing.T, client *Client, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s; status %+v", what, client.Status())
		}
	}
}

// A server without monitor_cond_since is asked with monitor_cond, and the order of a reply's members does not matter.
func TestOlderServer(t *testing.T) {
	server := newScripted(t, func(_ int, method string, _ json.RawMessage) string {
		switch method {
		case "monitor_cond_since":
			return `{"error":"unknown method","result":null,"id":%s}`
		case "monitor_cond":
			return `{"error":null,"result":{"T":{"` + uuid1 + `":{"initial":{"s":"a"}}}},"id":%s}` +
				`{"method":"update2","params":["D",{"T":{"` + uuid2 + `":{"insert":{"s":"b"}}}}],"id":null}`
		}
		return usual(method)
	})
	client, table := runScripted(t, server, 0)
	eventually(t, client, "two rows", func() bool { return client.Status().Rows == 2 })
	if err := client.Read(func(Status) {
		if a, b := table.Get(mustUUID(t, uuid1)), table.Get(mustUUID(t, uuid2)); a == nil || b == nil || a.S != "a" || b.S != "b" {
			t.Errorf("rows %+v, %+v", a, b)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// A server that knows our last transaction sends what changed since: rows it does not mention stay.
func TestResume(t *testing.T) {
	server := newScripted(t, func(connection int, method string, _ json.RawMessage) string {
		if method != "monitor_cond_since" {
			return usual(method)
		}
		if connection == 1 {
			return `{"id":%s,"result":[false,"` + uuid1 + `",{"T":{"` + uuid1 + `":{"initial":{"s":"a"}},"` + uuid2 +
				`":{"initial":{"s":"b"}}}}],"error":null}{"id":null,"method":"update3","params":["D",` + fullUpdate + `]}` +
				`{"id":null,"method":"monitor_canceled","params":["D"]}`
		}
		return `{"id":%s,"result":[true,"` + uuid1 + `",{"T":{"` + uuid2 + `":{"delete":null}}}],"error":null}`
	})
	client, table := runScripted(t, server, 0)
	eventually(t, client, "the second connection", func() bool { return client.Status().Connects == 2 })
	if !server.asked("2 monitor_cond_since", uuid2) {
		t.Errorf("the last transaction is not named: %q", server.requests)
	}
	if err := client.Read(func(Status) {
		if a, b := table.Get(mustUUID(t, uuid1)), table.Get(mustUUID(t, uuid2)); a == nil || a.S != "c" || b != nil {
			t.Errorf("rows %+v, %+v", a, b)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

const fullUpdate = `"` + uuid2 + `",{"T":{"` + uuid1 + `":{"modify":{"s":"c"}}}}`

// A change that cannot be read ends the connection, and the next one loads everything.
func TestMalformedChange(t *testing.T) {
	server := newScripted(t, func(connection int, method string, _ json.RawMessage) string {
		switch {
		case method != "monitor_cond_since":
			return usual(method)
		case connection == 1:
			return `{"id":%s,"result":[false,"` + uuid1 + `",{"T":{"` + uuid1 + `":{"initial":{"s":"a"}}}}],"error":null}` +
				`{"id":null,"method":"update3","params":["D","` + uuid2 + `",{"T":{"` + uuid2 + `":{"insert":{"s":5}}}}]}`
		case connection == 2:
			return `{"id":%s,"result":[false,`
		}
		return `{"id":%s,"result":[false,"` + uuid1 + `",{"T":{"` + uuid1 + `":{"initial":{"s":"a"}}}}],"error":null}`
	})
	client, _ := runScripted(t, server, 200*time.Millisecond)
	eventually(t, client, "the third connection", func() bool { return client.Status().Connects == 2 && client.Status().InSync })
	if !server.asked("2 monitor_cond_since", noTransaction) {
		t.Errorf("a client that holds half a change went on from it: %q", server.requests)
	}
	if err := client.Read(func(Status) {}); err != nil {
		t.Error(err)
	}
}

// A server that is silent is asked for an echo, and left when it does not answer.
func TestProbe(t *testing.T) {
	server := newScripted(t, func(connection int, method string, _ json.RawMessage) string {
		switch {
		case method == "monitor_cond_since":
			return `{"id":%s,"result":[false,"` + uuid1 + `",{}],"error":null}`
		case method == "echo" && connection == 1:
			return ""
		}
		return usual(method)
	})
	client, _ := runScripted(t, server, 100*time.Millisecond)
	eventually(t, client, "the client has changed connections", func() bool { return client.Status().Connects == 2 })
	if err := client.Status().LastError; !errors.Is(err, errUnanswered) {
		t.Errorf("the reason is %v", err)
	}
	eventually(t, client, "the second connection is probed", func() bool { return server.asked("2 echo") })
	if s := client.Status(); !s.InSync || s.Connects != 2 {
		t.Errorf("a connection that answers was left: %+v", s)
	}
}

// A leader that steps down is left at once.
func TestLeaderChange(t *testing.T) {
	serverSchema := `{"name":"_Server","version":"1.2.0","tables":{"Database":{"columns":{"name":{"type":"string"},` +
		`"model":{"type":"string"},"connected":{"type":"boolean"},"leader":{"type":"boolean"},` +
		`"cid":{"type":{"key":"uuid","min":0}}}}}}`
	row := func(leader bool) string {
		return fmt.Sprintf(`{"Database":{"%s":{"initial":{"name":"D","model":"clustered","connected":true,"leader":%t,`+
			`"cid":["uuid","%s"]}}}}`, uuid1, leader, uuid2)
	}
	server := newScripted(t, func(connection int, method string, params json.RawMessage) string {
		ofServer := bytes.Contains(params, []byte(`"_Server"`))
		switch {
		case method == "list_dbs":
			return `{"id":%s,"result":["_Server","D"],"error":null}`
		case method == "get_schema" && ofServer:
			return `{"id":%s,"result":` + serverSchema + `,"error":null}`
		case method == "monitor_cond_since" && ofServer:
			return `{"id":%s,"result":[false,"` + noTransaction + `",` + row(connection != 2) + `],"error":null}`
		case method == "monitor_cond_since":
			reply := `{"id":%s,"result":[false,"` + uuid1 + `",{}],"error":null}`
			if connection == 1 {
				reply += `{"id":null,"method":"update3","params":["_Server","` + noTransaction + `",{"Database":{"` + uuid1 +
					`":{"modify":{"leader":false}}}}]}`
			}
			return reply
		}
		return usual(method)
	})
	client, _ := runScripted(t, server, 0)
	eventually(t, client, "a leader is found again", func() bool { return client.Status().Connects == 2 })
	s := client.Status()
	if s.LastError == nil || !strings.Contains(s.LastError.Error(), "not its cluster's leader") {
		t.Errorf("the reason is %v", s.LastError)
	}
	if s.ClusterID.String() != uuid2 {
		t.Errorf("cluster %s", s.ClusterID)
	}
	if server.asked("2 monitor_cond_since", `["D"`) {
		t.Error("data was read from a server that is not the leader")
	}
}
