package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/status"
)

func TestHealth(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good := status.Report{Verdict: status.OK, Text: "all is well", Ready: true,
		Source: status.Source{InSync: true, Since: since}, Subsystems: []status.Subsystem{{Name: "kernel", Read: true}}}
	bad := status.Report{Verdict: status.Stopped, Text: "the database is away",
		Source:     status.Source{Since: since, Err: "connection refused"},
		Subsystems: []status.Subsystem{{Name: "kernel", Read: true}, {Name: "frr", Err: "no socket"}}}
	tests := []struct {
		path   string
		report status.Report
		code   int
		body   string
	}{
		{"/livez", good, 200, "ok\n"},
		{"/livez", bad, 200, "ok\n"},
		{"/readyz", good, 200, "all is well\n"},
		{"/readyz", bad, 503, "the database is away\n"},
		{"/healthz", good, 200, `[{"name":"verdict","ok":true,"message":"all is well"},` +
			`{"name":"databases","ok":true,"since":"2026-01-02T03:04:05Z"},{"name":"kernel","ok":true}]` + "\n"},
		{"/healthz", bad, 503, `[{"name":"verdict","ok":false,"message":"the database is away"},` +
			`{"name":"databases","ok":false,"since":"2026-01-02T03:04:05Z","message":"connection refused"},` +
			`{"name":"kernel","ok":true},{"name":"frr","ok":false,"message":"no socket"}]` + "\n"},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		healthHandler(func() status.Report { return tt.report }).ServeHTTP(w, httptest.NewRequest("GET", tt.path, nil))
		if w.Code != tt.code {
			t.Errorf("%s of %s: code %d, want %d", tt.path, tt.report.Verdict, w.Code, tt.code)
		}
		if d := cmp.Diff(tt.body, w.Body.String()); d != "" {
			t.Errorf("%s of %s (-want +got):\n%s", tt.path, tt.report.Verdict, d)
		}
	}
}

// Metrics and health are on one port of the node itself.
func TestServeMetrics(t *testing.T) {
	w := newWorld(t, "")
	ip(t, "link", "set", "lo", "up")
	w.start(t)
	for path, want := range map[string]string{"/metrics": "ovnbgp_", "/livez": "ok", "/healthz": `"name":"frr"`, "/": "404"} {
		response, err := http.Get("http://127.0.0.1:9474" + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil || response.Body.Close() != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v, %q", path, response.Status, err, text)
		}
	}
}
