// Package api is the agent's local interface: HTTP with JSON over a unix socket, and health and metrics over TCP.
// It declares what it asks of the agent; package agent implements it. Start at Agent.
package api

import (
	"context"
	"encoding/json"
	"net/http"

	"ovnbgp/internal/explain"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// Agent is what the server asks of the daemon.
type Agent interface {
	Status(context.Context) (status.Report, error)
	// Plan says what a round would do now; it changes nothing.
	Plan(context.Context) (plan.Preview, error)
	// Explain says why an address is, or is not, announced here.
	Explain(ctx context.Context, address string) (explain.Answer, error)
	// Sync reads everything anew and runs a round. With a hash it first releases the withdrawals that hash names.
	Sync(ctx context.Context, accept string) error
	// SetDrained drains the node, or ends that; Drain says how far that has come.
	SetDrained(ctx context.Context, drained bool) error
	Drain(context.Context) (DrainState, error)
	// Snapshot is all that decisions depend on, as it was read last.
	Snapshot(context.Context) (json.RawMessage, error)
}

// Paths of the interface.
const (
	statusPath   = "/v1/status"
	planPath     = "/v1/plan"
	explainPath  = "/v1/explain"
	syncPath     = "/v1/sync"
	snapshotPath = "/v1/snapshot"
)

// SyncRequest asks for a round.
type SyncRequest struct {
	// AcceptWithdrawals is the hash of the held set to release; empty: nothing is released.
	AcceptWithdrawals string `json:"acceptWithdrawals,omitempty"`
}

// failure is the body of an answer that is not 200.
type failure struct {
	Error string `json:"error"`
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// The asker may have left; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(v)
}

func writeError(w http.ResponseWriter, code int, err error) {
	writeJSON(w, code, failure{Error: err.Error()})
}
