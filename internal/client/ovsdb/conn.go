package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// writeTimeout ends a connection whose server reads nothing any more.
const writeTimeout = 30 * time.Second

// Conn is one connection to a server. Its methods may be called from several goroutines.
type Conn struct {
	nc       net.Conn
	dec      *Decoder
	endpoint string
	// notify gets the notifications of monitors. It runs in the goroutine that reads the connection.
	notify func(method string, params *Decoder) error

	lastRead atomic.Int64 // Unix nanoseconds of the last byte received
	done     chan struct{}

	writing sync.Mutex
	mu      sync.Mutex
	lastID  uint64
	calls   map[uint64]*call
	err     error // why the connection ended, once done is closed
}

// call is a request that waits for its reply.
type call struct {
	stream func(*Decoder) error // reads the result off the wire; nil: it is kept as text
	result json.RawMessage
	err    error
	done   chan struct{}
}

// Dial connects to one endpoint (see ParseEndpoints). files is needed for ssl: only. ctx bounds the connecting, not
// the connection's life: call Close.
func Dial(ctx context.Context, endpoint string, files *TLS) (*Conn, error) {
	return dial(ctx, endpoint, files, func(string, *Decoder) error { return nil })
}

func dial(ctx context.Context, endpoint string, files *TLS, notify func(string, *Decoder) error) (*Conn, error) {
	nc, err := dialEndpoint(ctx, endpoint, files)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	c := &Conn{nc: nc, endpoint: endpoint, notify: notify, done: make(chan struct{}), calls: map[uint64]*call{}}
	c.dec = NewDecoder(c)
	c.lastRead.Store(time.Now().UnixNano())
	go c.serve()
	return c, nil
}

// Read implements io.Reader for the decoder and notes that the server is alive.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.nc.Read(b)
	if n > 0 {
		c.lastRead.Store(time.Now().UnixNano())
	}
	return n, err
}

// Close ends the connection, and every call that waits, and returns when nothing runs any more. Its error is
// always nil.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	<-c.done
	return nil
}

// end closes the transport for a reason; the first reason counts.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = reason
	}
	c.mu.Unlock()
	_ = c.nc.Close() // there is a reason already
}

// cause says why the connection ended.
func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("connection to %s ended: %w", c.endpoint, c.err)
}

// serve reads messages until the connection ends.
func (c *Conn) serve() {
	defer close(c.done)
	for {
		if err := c.readMessage(); err != nil {
			c.end(err)
			break
		}
	}
	cause := c.cause()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, call := range c.calls {
		call.err = cause
		close(call.done)
		delete(c.calls, id)
	}
}

// message is a JSON-RPC 1.0 request, notification or reply.
type message struct {
	id, params, result, failure json.RawMessage
	method                      string
	streamed                    *call // whose result was read already
}

// readMessage reads one message. The result of a call that streams is read off the wire when the id comes first, as
// ovsdb-server writes it; in any other order it is read from a copy.
func (c *Conn) readMessage() error {
	d := c.dec
	var m message
	d.expect('{')
	for i := 0; d.more(i, '}'); i++ {
		switch d.key() {
		case "id":
			m.id = d.raw()
		case "method":
			m.method = d.str()
		case "params":
			m.params = d.raw()
		case "error":
			m.failure = d.raw()
		case "result":
			_, waiting := c.waiting(m.id)
			if waiting == nil || waiting.stream == nil || d.peek() == 'n' {
				m.result = d.raw()
				break
			}
			m.streamed = waiting
			if err := waiting.stream(d); err != nil {
				return err
			}
		default:
			d.skip()
		}
	}
	if d.Err() != nil {
		return d.Err()
	}
	return c.dispatch(&m)
}

// waiting returns the call that an id belongs to, nil if there is none.
func (c *Conn) waiting(id json.RawMessage) (uint64, *call) {
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return n, c.calls[n]
}

func (c *Conn) dispatch(m *message) error {
	if m.method == "echo" {
		return c.send(map[string]any{"id": m.id, "result": m.params, "error": nil})
	}
	if m.method != "" {
		return c.notify(m.method, c.dec.sub(m.params))
	}
	id, waiting := c.waiting(m.id)
	if waiting == nil {
		return nil // given up by its caller
	}
	if isNull(m.failure) {
		waiting.result = m.result
		if waiting.stream != nil && m.streamed == nil {
			if err := waiting.stream(c.dec.sub(m.result)); err != nil {
				return err
			}
		}
	} else {
		waiting.err = parseFailure(m.failure)
	}
	c.forget(id)
	close(waiting.done)
	return nil
}

// RPCError is a request that the server refused as a whole, "unknown database" for example.
type RPCError struct {
	Text    string // the error's name
	Details string // in words, may be empty
}

func (e *RPCError) Error() string {
	if e.Details == "" {
		return e.Text
	}
	return e.Text + ": " + e.Details
}

// parseFailure reads the error of a reply: a string or an object.
func parseFailure(raw json.RawMessage) error {
	var failure struct{ Error, Details string }
	if json.Unmarshal(raw, &failure.Error) != nil && json.Unmarshal(raw, &failure) != nil {
		failure.Error = string(raw)
	}
	return &RPCError{Text: failure.Error, Details: failure.Details}
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func (c *Conn) send(message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if _, err := c.nc.Write(b); err != nil {
		// Half a message may be out: nothing sensible can follow it.
		err = fmt.Errorf("write: %w", err)
		c.end(err)
		return err
	}
	return nil
}

// call sends a request and waits for the reply. With stream the result is given to it, in the reading goroutine,
// and nil is returned; an error of it ends the connection.
func (c *Conn) call(
	ctx context.Context, method string, params any, stream func(*Decoder) error,
) (json.RawMessage, error) {
	waiting := &call{stream: stream, done: make(chan struct{})}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.cause()
	}
	c.lastID++
	id := c.lastID
	c.calls[id] = waiting
	c.mu.Unlock()

	if err := c.send(map[string]any{"id": id, "method": method, "params": params}); err != nil {
		c.forget(id)
		return nil, err
	}
	select {
	case <-waiting.done:
		return waiting.result, waiting.err
	case <-ctx.Done():
		c.forget(id)
		return nil, context.Cause(ctx)
	}
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

// probe watches over the connection until it ends: after interval without a byte from the server it asks for an
// echo, after the double it ends the connection. While busy says so it asks all the time, because a server that sends
// us a large database counts what it hears, not what it says. interval 0 is no probe.
func (c *Conn) probe(interval time.Duration, busy func() bool) {
	if interval <= 0 {
		return
	}
	ticker := time.NewTicker(max(interval/4, 10*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		idle := time.Since(time.Unix(0, c.lastRead.Load()))
		if idle > 2*interval {
			c.end(fmt.Errorf("no answer for %s: %w", idle.Round(time.Second), errUnanswered))
			return
		}
		if idle > interval || busy() {
			// The reply has an id that nobody waits for and is dropped.
			if c.send(map[string]any{"id": "echo", "method": "echo", "params": []any{}}) != nil {
				return
			}
		}
	}
}

var errUnanswered = errors.New("inactivity probe")

// Schema returns the version of a database's schema, or an error when the server has no such database.
func (c *Conn) Schema(ctx context.Context, database string) (string, error) {
	s, err := c.schema(ctx, database)
	if err != nil {
		return "", err
	}
	return s.Version, nil
}

func (c *Conn) schema(ctx context.Context, database string) (*schema, error) {
	raw, err := c.call(ctx, "get_schema", []string{database}, nil)
	if err != nil {
		return nil, fmt.Errorf("get schema of %s: %w", database, err)
	}
	s := new(schema)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", database, err)
	}
	return s, nil
}

// Databases returns the names of the server's databases.
func (c *Conn) Databases(ctx context.Context) ([]string, error) {
	raw, err := c.call(ctx, "list_dbs", []string{}, nil)
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	return names, nil
}
