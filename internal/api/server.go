package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
		if err := readRequest(r, &ask); err != nil {
			return nil, err
		}
		if err := a.Sync(r.Context(), ask.AcceptWithdrawals); err != nil {
			return nil, err
		}
		return a.Status(r.Context())
	})))
	mux.HandleFunc("GET "+drainPath, answer(func(r *http.Request) (any, error) { return a.Drain(r.Context()) }))
	mux.HandleFunc("POST "+drainPath, requireRoot(answer(func(r *http.Request) (any, error) {
		var ask struct {
			Drained *bool `json:"drained"`
		}
		if err := readRequest(r, &ask); err != nil {
			return nil, err
		}
		if ask.Drained == nil { // it must not end a drain that nobody spoke of
			return nil, badRequest("it does not say whether the node is to be drained")
		}
		return DrainRequest{*ask.Drained}, a.SetDrained(r.Context(), *ask.Drained)
	})))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, fmt.Errorf("the agent has no %s %s", r.Method, r.URL.Path))
	})
	return mux
}

// maxRequest bounds the body of a request: it holds a hash.
const maxRequest = 64 << 10

// badRequest is what is wrong with a request itself.
type badRequest string

func (b badRequest) Error() string { return "request: " + string(b) }

// readRequest reads a body that is one JSON object. What it does not know is refused: what a misspelt field asks for
// would not be done, in silence.
func readRequest(r *http.Request, into any) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	switch {
	case err != nil:
		return badRequest("its body cannot be read: " + err.Error())
	case len(text) > maxRequest:
		return badRequest(fmt.Sprintf("its body is larger than %d bytes", maxRequest))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badRequest("its body is no JSON that is understood here: " + err.Error())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badRequest("its body holds more than one JSON value")
	}
	return nil
}

// answer writes what a question's answer is, or why there is none.
func answer(ask func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := ask(r)
		var bad badRequest
		switch {
		case errors.As(err, &bad):
			writeError(w, http.StatusBadRequest, err)
		case err != nil:
			writeError(w, http.StatusUnprocessableEntity, err)
		default:
			writeJSON(w, http.StatusOK, v)
		}
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
