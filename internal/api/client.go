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
	"net/url"
	"syscall"
	"time"

	"ovnbgp/internal/explain"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// ErrNoAgent says that no agent answers on the socket.
var ErrNoAgent = errors.New("no agent answers")

// How long an answer may take. The status is at hand always. All else is answered between two rounds, which may wait for
// subsystems that do not answer; a Sync runs a round itself, so nobody can say how long it takes.
const (
	statusLimit = 5 * time.Second
	askLimit    = 2 * time.Minute
)

// Client asks the agent of this node.
type Client struct {
	socket             string
	http               http.Client
	statusLimit, limit time.Duration
}

// NewClient returns a client of the agent that listens on a socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{DialContext: dial}},
		statusLimit: statusLimit, limit: askLimit}
}

// Status asks how it goes.
func (c *Client) Status(ctx context.Context) (r status.Report, err error) {
	return r, c.get(ctx, c.statusLimit, statusPath, &r)
}

// Plan asks what a round would do now.
func (c *Client) Plan(ctx context.Context) (p plan.Preview, err error) {
	return p, c.get(ctx, c.limit, planPath, &p)
}

// Explain asks why an address is, or is not, announced.
func (c *Client) Explain(ctx context.Context, address string) (a explain.Answer, err error) {
	return a, c.get(ctx, c.limit, explainPath+"?address="+url.QueryEscape(address), &a)
}

// Sync asks for a full round, and returns the status after it.
func (c *Client) Sync(ctx context.Context, ask SyncRequest) (r status.Report, err error) {
	return r, c.call(ctx, http.MethodPost, syncPath, ask, &r)
}

// SetDrained has the node drained, or no more. It does not wait for anybody to be told.
func (c *Client) SetDrained(ctx context.Context, ask DrainRequest) error {
	return c.call(ctx, http.MethodPost, drainPath, ask, &DrainRequest{})
}

// Drain asks whether the node is drained and who has been told.
func (c *Client) Drain(ctx context.Context) (s DrainState, err error) {
	return s, c.get(ctx, c.limit, drainPath, &s)
}

// Snapshot asks for all that decisions depend on.
func (c *Client) Snapshot(ctx context.Context) (raw json.RawMessage, err error) {
	return raw, c.get(ctx, c.limit, snapshotPath, &raw)
}

// get asks a question that is to be answered in time.
func (c *Client) get(ctx context.Context, limit time.Duration, path string, into any) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := c.call(limited, http.MethodGet, path, nil, into)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("the agent on %s has not answered for %s: it is there, and stuck or stopped", c.socket, limit)
	}
	return err
}

func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, reader)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s: is it running?", ErrNoAgent, c.socket)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: permission denied: be root or of the socket's group", c.socket)
	case err != nil:
		return fmt.Errorf("ask the agent on %s: %w", c.socket, withoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var f failure
		if err := json.NewDecoder(response.Body).Decode(&f); err != nil {
			return fmt.Errorf("the agent answered %s", response.Status)
		}
		return errors.New(f.Error)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("the agent's answer: %w", err)
	}
	return nil
}

// withoutURL drops the address that HTTP needs and nobody knows.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
