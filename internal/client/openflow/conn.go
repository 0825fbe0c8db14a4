// Package openflow speaks OpenFlow 1.4 and 1.3 with a bridge of Open vSwitch over its management socket
// (/run/openvswitch/<bridge>.mgmt): it reads flows by cookie, changes them in bundles and watches them. It knows
// the match fields and actions this program uses by name and carries all others unread, so that any flow can be
// compared, shown and deleted exactly. It holds no state of the switch and never reconnects: when Done is closed,
// dial again. Start at Dial.
package openflow

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// ErrClosed says that the connection is gone: closed here, or by the switch, which happens at its restart.
var ErrClosed = errors.New("connection closed")

// writeTimeout bounds a write whose context has no deadline: a switch that reads nothing for so long is stuck.
const writeTimeout = 10 * time.Second

// Options are the choices of a connection.
type Options struct {
	// OnWrite, when set, is called for each message sent that changes flows: once a bundle, and once each
	// flow_mod where there are no bundles.
	OnWrite func()
}

// Conn is a connection to one bridge. Its methods may be called from several goroutines.
type Conn struct {
	nc      net.Conn
	version Version
	opts    Options
	tasks   sync.WaitGroup // the reader and the echo replies
	done    chan struct{}

	writing sync.Mutex

	mu         sync.Mutex
	err        error // why done is closed
	lastXID    uint32
	lastBundle uint32
	calls      map[uint32]*call
	watch      func(Update)
}

// Dial connects to a bridge's management socket and agrees on a version. The context bounds that only. A bridge
// that speaks neither version gives an error which names the column that says so.
func Dial(ctx context.Context, socket string, opts Options) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err // names the socket already
	}
	r := bufio.NewReader(nc)
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	version, err := handshake(nc, r)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("greet %s: %w", socket, err)
	}
	c := &Conn{nc: nc, version: version, opts: opts, done: make(chan struct{}), calls: map[uint32]*call{}}
	c.tasks.Go(func() { c.read(r) })
	return c, nil
}

// handshake exchanges hellos and returns the highest version in common.
func handshake(nc net.Conn, r *bufio.Reader) (Version, error) {
	hello := message{version: Version14, kind: typeHello, body: helloBody()}
	if _, err := nc.Write(hello.encode(nil)); err != nil {
		return 0, err
	}
	m, err := readMessage(r)
	if err != nil {
		return 0, err
	}
	if m.kind == typeError {
		return 0, decodeError(m.body)
	}
	if m.kind != typeHello {
		return 0, fmt.Errorf("message type %d in place of hello: %w", m.kind, ErrMalformed)
	}
	offered := offeredVersions(m)
	for _, v := range []Version{Version14, Version13} {
		if offered&(1<<v) != 0 {
			return v, nil
		}
	}
	return 0, &VersionError{Offered: offered}
}

// VersionError says that a bridge's column protocols allows no version this package speaks.
type VersionError struct {
	Offered uint32 // bit n: wire version n
}

// Error names the column, which only the operator may change.
func (e *VersionError) Error() string {
	s := "the column protocols of its Bridge row allows neither OpenFlow14 nor OpenFlow13, only"
	for v := range Version(32) {
		if e.Offered&(1<<v) != 0 {
			s += " " + v.String()
		}
	}
	return s
}

// Version returns the version agreed on. Bundles and the flow monitor need 1.4.
func (c *Conn) Version() Version { return c.version }

// Done is closed when the connection is gone; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection is gone, nil while it is not. It wraps ErrClosed.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and returns when nothing of it runs any more. Never call it from a monitor's function.
func (c *Conn) Close() {
	c.fail(ErrClosed)
	c.tasks.Wait()
}

// fail ends the connection for a reason; the first one stays.
func (c *Conn) fail(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if !errors.Is(reason, ErrClosed) {
		reason = fmt.Errorf("%w: %w", ErrClosed, reason)
	}
	c.err = reason
	close(c.done)
	_ = c.nc.Close()
}

func (c *Conn) read(r *bufio.Reader) {
	for {
		m, err := readMessage(r)
		if err == nil {
			err = c.dispatch(m)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// dispatch hands a message to who waits for it. What nobody waits for, such as the answer to a request given up,
// is dropped.
func (c *Conn) dispatch(m message) error {
	switch m.kind {
	case typeEchoRequest:
		reply := message{version: c.version, kind: typeEchoReply, xid: m.xid, body: m.body}
		// Apart, because a writer may be waiting for us to read on.
		c.tasks.Go(func() { _ = c.write(context.Background(), []message{reply}) })
		return nil
	case typeMultipartReply:
		if kind, _, rest, err := cutMultipart(m.body); err != nil {
			return err
		} else if kind == multipartFlowMonitor {
			if err := c.deliver(rest); err != nil {
				return err
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.calls[m.xid]; k != nil {
		return k.receive(m)
	}
	return nil
}

func (c *Conn) deliver(b []byte) error {
	updates, err := decodeUpdates(b)
	if err != nil {
		return err
	}
	c.mu.Lock()
	watch := c.watch
	c.mu.Unlock()
	for _, u := range updates {
		if watch != nil {
			watch(u)
		}
	}
	return nil
}

func (c *Conn) write(ctx context.Context, ms []message) error {
	var b []byte
	for _, m := range ms {
		b = m.encode(b)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(writeTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = c.nc.SetWriteDeadline(deadline)
	if _, err := c.nc.Write(b); err != nil {
		// Half a message may have gone out: nothing more can be said on this connection.
		c.fail(err)
		return c.Err()
	}
	return nil
}
