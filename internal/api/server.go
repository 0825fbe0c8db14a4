package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Handler serves the local interface.
func Handler(a Agent) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, answer(func(r *http.Request) (any, error) { return a.Status(r.Context()) }))
	mux.HandleFunc("GET "+planPath, answer(func(r *http.Request) (any, error) { return a.Plan(r.Context()) }))
	mux.HandleFunc("GET "+explainPath, answer(func(r *http.Request) (any, error) {
		return a.Explain(r.Context(), r.URL.Query().Get("address"))
	}))
	mux.HandleFunc("GET "+snapshotPath, answer(func(r *http.Request) (any, error) { return a.Snapshot(r.Context()) }))
	mux.HandleFunc("POST "+syncPath, requireRoot(answer(func(r *http.Request) (any, error) {
		var ask SyncRequest
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}
		if err := a.Sync(r.Context(), ask.AcceptWithdrawals); err != nil {
			return nil, err
		}
		return a.Status(r.Context())
	})))
	return mux
}

// answer writes what a question's answer is, or why there is none.
func answer(ask func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := ask(r)
		if err != nil {
			writeError(w, http.StatusUnprocessableEntity, err)
			return
		}
		writeJSON(w, http.StatusOK, v)
	}
}

// Serve answers on a listener until the context ends. Requests at hand get a moment to finish.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ConnContext: withPeer, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		stopped <- server.Shutdown(last)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
