// Package vty speaks with one FRR daemon over its vty socket (/run/frr/bgpd.vty), as vtysh does: shows, and lines of
// configuration. It knows the wire and the status a command ends with, and nothing of what the commands mean.
//
// The protocol, as FRR 8.4 to 10 speak it: a command and a NUL go out; text, three NULs and one byte of status come
// back, in the order of the commands. The daemon keeps one node (view, configure, router bgp …) for a connection.
//
// Start at Client.
package vty

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Status is how a command ended. FRR names these CMD_SUCCESS and so on.
type Status byte

// Statuses seen.
const (
	OK           Status = 0
	Warning      Status = 1 // also of a show: an unknown VRF
	NoSuch       Status = 2 // unknown command
	ConfigFailed Status = 13
)

// StatusError is a command that FRR did not end with OK.
type StatusError struct {
	Command string
	Status  Status
	Output  string // what FRR said, without blanks around it
}

func (e *StatusError) Error() string {
	said := e.Output
	if said == "" {
		said = "nothing"
	}
	command, secret := redact(e.Command)
	if secret != "" {
		said = strings.ReplaceAll(said, secret, hidden)
	}
	return fmt.Sprintf("%q: status %d, FRR said: %s", command, e.Status, said)
}

const hidden = "(hidden)"

// redact takes out what follows the word password: errors end in logs.
func redact(command string) (shown, secret string) {
	const word = "password "
	before, secret, found := strings.Cut(command, word)
	if !found || secret == "" {
		return command, ""
	}
	return before + word + hidden, secret
}

// Client is a connection to one daemon. It is made when first needed and made again when the daemon has closed it.
// Calls from several goroutines take turns.
type Client struct {
	// OnWrite, if set, is called for each line of configuration before it is sent. Set it before the first call.
	OnWrite func()

	path string

	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

// New returns a client of the daemon that listens on the socket at path. It connects when first needed.
func New(path string) *Client { return &Client{path: path} }

// Close closes the connection. A later call opens another.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.close()
}

func (c *Client) close() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn, c.in = nil, nil
	return err
}

// Show runs one command of the enable node and returns its text. The error is a *StatusError when FRR answered.
func (c *Client) Show(ctx context.Context, command string) ([]byte, error) {
	if err := check(command); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.first(ctx, command)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	return out, nil
}

// ShowJSON runs one command and decodes what it prints into v. FRR's JSON differs between versions: decode only
// what is needed.
func (c *Client) ShowJSON(ctx context.Context, command string, v any) error {
	out, err := c.Show(ctx, command)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, v); err != nil {
		return fmt.Errorf("%s: %q: %w", c.path, command, err)
	}
	return nil
}

// Configure runs lines in the configure node, in order, and stops at the first that FRR does not end with OK: a
// later line could otherwise land in another node. The lines before it stay: FRR has no transactions here. The
// error says which line it was, and wraps the *StatusError.
func (c *Client) Configure(ctx context.Context, lines []string) error {
	if err := check(lines...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.first(ctx, "configure terminal"); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	for i, line := range lines {
		if c.OnWrite != nil {
			c.OnWrite()
		}
		if _, err := c.run(ctx, line); err != nil {
			return errors.Join(fmt.Errorf("%s: line %d of %d: %w", c.path, i+1, len(lines), err), c.leave(ctx))
		}
	}
	if err := c.leave(ctx); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

// leave returns to the enable node. When that fails the node is unknown, and the connection is of no more use.
func (c *Client) leave(ctx context.Context) error {
	if c.conn == nil {
		return nil // lost already; the error of that is told
	}
	if _, err := c.run(ctx, "end"); err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

// first runs a command on a connection in the enable node, opening one if there is none. A connection that was open
// before may be a dead one, of a daemon that was restarted since: that is tried again with a new one.
func (c *Client) first(ctx context.Context, command string) ([]byte, error) {
	if c.conn != nil {
		out, err := c.run(ctx, command)
		if !lost(err) || ctx.Err() != nil {
			return out, err
		}
	}
	if err := c.dial(ctx); err != nil {
		return nil, err
	}
	return c.run(ctx, command)
}

// lost tells a connection that is gone from an answer nobody likes.
func lost(err error) bool {
	var status *StatusError
	return err != nil && !errors.As(err, &status)
}

func (c *Client) dial(ctx context.Context) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, 64<<10)
	if _, err := c.run(ctx, "enable"); err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // "connect: no such file or directory": the path is said by the caller
	}
	return conn, err
}

// Gone returns when the daemon ends: it opens a connection of its own, calls connected, and waits for the daemon to
// close it. The error is why there was no connection, or that of the context.
func (c *Client) Gone(ctx context.Context, connected func()) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	connected()
	// The daemon says nothing unasked, so whatever ends the reading ends the connection.
	_, _ = conn.Read(make([]byte, 1))
	if err := conn.Close(); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return ctx.Err()
}

// run sends one command and reads its answer. When either fails midway the connection is closed: it could hold the
// rest of the answer.
func (c *Client) run(ctx context.Context, command string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		shown, _ := redact(command)
		return nil, fmt.Errorf("%q: %w", shown, err)
	}
	conn := c.conn
	// Interrupting is the only use of the deadline. Setting it fails only on a closed connection.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	var out []byte
	var status Status
	_, err := conn.Write(append([]byte(command), 0))
	if err == nil {
		out, status, err = answer(c.in)
	}
	if !stop() && err == nil {
		err = c.close() // the answer was in time, and the next command must not meet the deadline
	}
	if err != nil {
		_ = c.close() // the error at hand says more
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		shown, _ := redact(command)
		return nil, fmt.Errorf("%q: %w", shown, err)
	}
	if status != OK {
		return nil, &StatusError{Command: command, Status: status, Output: strings.TrimSpace(string(out))}
	}
	return out, nil
}

// answer reads text, three NULs, status. The text itself never holds a NUL.
func answer(in *bufio.Reader) ([]byte, Status, error) {
	text, err := in.ReadBytes(0)
	if errors.Is(err, io.EOF) {
		return nil, 0, errors.New("the daemon closed the connection")
	}
	if err != nil {
		return nil, 0, err
	}
	var rest [3]byte
	if _, err := io.ReadFull(in, rest[:]); err != nil {
		return nil, 0, err
	}
	if rest[0] != 0 || rest[1] != 0 {
		return nil, 0, fmt.Errorf("the answer ends in %v, not in NULs and a status", rest)
	}
	return text[:len(text)-1], Status(rest[2]), nil
}

// check refuses what could smuggle a second command in.
func check(commands ...string) error {
	for _, command := range commands {
		if strings.ContainsAny(command, "\x00\n\r") {
			return fmt.Errorf("%q is more than one command", command)
		}
	}
	return nil
}
