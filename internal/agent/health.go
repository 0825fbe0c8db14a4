package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"ovnbgp/internal/status"
)

// healthHandler answers the three questions a machine has: does the agent live, which depends on nobody else; is it
// ready; and what is wrong, check by check.
func healthHandler(report func() status.Report) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := report()
		writeHeader(w, r.Ready)
		fmt.Fprintln(w, r.Text)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		r := report()
		w.Header().Set("Content-Type", "application/json")
		writeHeader(w, r.Verdict == status.OK)
		_ = json.NewEncoder(w).Encode(checks(r)) // the asker may have left
	})
	return mux
}

func writeHeader(w http.ResponseWriter, good bool) {
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// check is one thing that is, or is not, as it must be.
type check struct {
	Name    string    `json:"name"`
	OK      bool      `json:"ok"`
	Since   time.Time `json:"since,omitzero"` // where it is known
	Message string    `json:"message,omitempty"`
}

// checks takes a report apart: the verdict, the databases, then each subsystem.
func checks(r status.Report) []check {
	list := []check{
		{Name: "verdict", OK: r.Verdict == status.OK, Message: r.Text},
		{Name: "databases", OK: r.Source.InSync, Since: r.Source.Since, Message: r.Source.Err},
	}
	for _, s := range r.Subsystems {
		list = append(list, check{Name: s.Name, OK: s.Read, Message: s.Err})
	}
	return list
}
