package main

import (
	"bytes"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/api"
)

// TestDrainSays: what is said of a drain, by what the agent answers; with --wait and no time to wait.
func TestDrainSays(t *testing.T) {
	const since = `"drained":true,"since":"2026-11-28T01:00:00Z"`
	for _, tt := range []struct {
		name, answer string
		status       int
		out          []string // all of it
		err          string   // "": everybody has been told
	}{
		{"told", `{` + since + `,"inForce":true,"peers":[{"peer":"leaf1","family":"ipv4 unicast","up":true,"drained":2}]}`, 200,
			[]string{"drained since 2026-11-28T01:00:00Z: every peer has been told\n", "2 of 2"}, ""},
		{"no session", `{` + since + `,"inForce":true,"peers":[{"peer":"leaf1","family":"ipv4 unicast"}]}`, 200,
			[]string{"drained since 2026-11-28T01:00:00Z: no peer has a session: nobody was told\n"}, "no peer has a session: nobody was told"},
		{"bgpd is not told", `{` + since + `}`, 200,
			[]string{"drained since 2026-11-28T01:00:00Z: the BGP daemon has not been told yet\n"}, "told: the BGP daemon has not been told yet"},
		{"bgpd is away", `{"error":"read FRR's configuration: no socket"}`, 500,
			[]string{"drained: it is not known who has been told\n"},
			"the node is drained; it is not known who has been told: "},
		{"ended", `{"drained":false}`, 200, []string{"not drained: somebody ended the drain\n"}, "somebody ended the drain"},
	} {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		server := http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.answer))
		})}
		go func() { _ = server.Serve(l) }()
		var out, progress bytes.Buffer
		state, err := waitDrained(t.Context(), api.NewClient(socket), 0, &progress)
		if e := writeDrain(&out, state, err); e != nil {
			t.Fatal(e)
		}
		_ = server.Close()
		for _, want := range tt.out {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in %q", tt.name, want, out.String())
			}
		}
		if strings.Contains(out.String(), "0001") {
			t.Errorf("%s: a date that is none: %q", tt.name, out.String())
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
	}
}
