// Package fakeswitch stands in for Open vSwitch in tests. It holds bridges and their flows, tells those who watch,
// prints itself as ovs-ofctl dump-flows would, and fails when told to. Start at New.
package fakeswitch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"ovnbgp/internal/client/openflow"
)

// ErrInjected is the failure that a test asked for.
var ErrInjected = errors.New("failure asked for by the test")

// Failure is how a call fails.
type Failure int

// The ways to fail.
const (
	Refuse       Failure = iota // the call has no effect, the connection stays
	HangUpBefore                // the connection ends, the call has no effect
	HangUpAfter                 // the call has its effect, and the connection ends before the answer
)

// Failures lists all ways to fail.
func Failures() []Failure { return []Failure{Refuse, HangUpBefore, HangUpAfter} }

// Switch is one Open vSwitch. Its methods may be called from several goroutines.
type Switch struct {
	mu      sync.Mutex
	bridges map[string]*bridge
	calls   int
	failAt  int
	failHow Failure
	fails   map[string]bool
	writes  int
}

type bridge struct {
	flows map[openflow.Key]openflow.Flow
	conns map[*Conn]bool
	deaf  bool   // has no flow monitor
	only  uint32 // the versions it speaks, when no connection can be had
}

// New returns a switch without bridges.
func New() *Switch { return &Switch{bridges: map[string]*bridge{}, fails: map[string]bool{}} }

// AddBridge adds a bridge without flows. One that is there stays.
func (s *Switch) AddBridge(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bridges[name] == nil {
		s.bridges[name] = &bridge{flows: map[openflow.Key]openflow.Flow{}, conns: map[*Conn]bool{}}
	}
}

// Deafen makes the bridge one of OpenFlow 1.3, which tells nobody when flows change.
func (s *Switch) Deafen(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bridges[name].deaf = true
}

// SpeakOnly makes the bridge one whose column protocols allows only this version: nobody reads its flows, and those
// that are there forward on. 0 ends it.
func (s *Switch) SpeakOnly(name string, version openflow.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bridges[name]
	b.only = 0
	if version != 0 {
		b.only = 1 << version
		b.hangUp()
	}
}

// RemoveBridge takes a bridge away with its flows and connections.
func (s *Switch) RemoveBridge(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.bridges[name]; b != nil {
		b.hangUp()
		delete(s.bridges, name)
	}
}

// Restart loses all flows and connections, as ovs-vswitchd does when it is killed.
func (s *Switch) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bridges {
		clear(b.flows)
		b.hangUp()
	}
}

// Change is another's hand on a bridge: it sees no failures and counts no writes.
func (s *Switch) Change(name string, changes ...openflow.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.bridges[name]; b != nil {
		b.change(nil, changes)
	}
}

// FailCall makes the n-th call from now fail, counted over all bridges and kinds; 0 ends it.
func (s *Switch) FailCall(n int, how Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.failAt, s.failHow = 0, n, how
}

// Fail makes the next call of a kind fail: "dial", "monitor", "read" or "write".
func (s *Switch) Fail(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[kind] = true
}

// Calls returns how many calls there were since FailCall.
func (s *Switch) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Writes returns how many calls changed, or tried to change, flows.
func (s *Switch) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Flows returns the flows of a bridge, sorted by their text.
func (s *Switch) Flows(name string) []openflow.Flow {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bridges[name]
	if b == nil {
		return nil
	}
	return b.list()
}

// String prints the bridges and their flows, sorted.
func (s *Switch) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.bridges)) {
		fmt.Fprintf(&out, "bridge %s\n", name)
		for _, f := range s.bridges[name].list() {
			fmt.Fprintf(&out, " %s\n", f)
		}
	}
	return out.String()
}

// failing counts a call and returns how it fails, if it does; s.mu is held.
func (s *Switch) failing(kind string) (Failure, bool) {
	s.calls++
	if s.fails[kind] {
		delete(s.fails, kind)
		return Refuse, true
	}
	return s.failHow, s.calls == s.failAt
}

func (b *bridge) list() []openflow.Flow {
	flows := slices.Collect(maps.Values(b.flows))
	slices.SortFunc(flows, func(x, y openflow.Flow) int { return strings.Compare(x.String(), y.String()) })
	return flows
}

func (b *bridge) hangUp() {
	for c := range b.conns {
		close(c.done)
	}
	clear(b.conns)
}

// change makes changes and tells the watchers; by is the connection they come from.
func (b *bridge) change(by *Conn, changes []openflow.Change) {
	for _, ch := range changes {
		switch ch.Command {
		case openflow.AddFlow:
			b.flows[ch.Flow.Key()] = ch.Flow
			b.tell(by, openflow.Update{Event: openflow.Added, Flow: ch.Flow})
		case openflow.DeleteFlow:
			if b.flows[ch.Flow.Key()].Cookie == ch.Flow.Cookie {
				b.remove(by, ch.Flow.Key())
			}
		case openflow.DeleteCookie:
			for key, f := range b.flows {
				if f.Cookie == ch.Flow.Cookie {
					b.remove(by, key)
				}
			}
		}
	}
}

func (b *bridge) remove(by *Conn, key openflow.Key) {
	if f, ok := b.flows[key]; ok {
		delete(b.flows, key)
		b.tell(by, openflow.Update{Event: openflow.Removed, Flow: f})
	}
}

// tell abbreviates a connection's own changes, as a switch does.
func (b *bridge) tell(by *Conn, u openflow.Update) {
	for c := range b.conns {
		switch {
		case c.watch == nil:
		case c == by:
			c.watch(openflow.Update{Event: openflow.Abbreviated})
		default:
			c.watch(u)
		}
	}
}

// Dial connects to a bridge. Where there is none the error is that of a socket that does not exist.
func (s *Switch) Dial(ctx context.Context, name string) (*Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, fail := s.failing("dial"); fail {
		return nil, ErrInjected
	}
	b := s.bridges[name]
	if b == nil {
		return nil, &fs.PathError{Op: "dial", Path: name + ".mgmt", Err: fs.ErrNotExist}
	}
	if b.only != 0 {
		return nil, fmt.Errorf("greet %s.mgmt: %w", name, &openflow.VersionError{Offered: b.only})
	}
	c := &Conn{s: s, b: b, done: make(chan struct{})}
	b.conns[c] = true
	return c, nil
}

// Conn is a connection to a bridge. It has the methods of openflow.Conn.
type Conn struct {
	s     *Switch
	b     *bridge
	done  chan struct{}
	watch func(openflow.Update)
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection.
func (c *Conn) Close() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.b.conns[c] {
		delete(c.b.conns, c)
		close(c.done)
	}
}

// do runs one call, and makes it fail where the test wants it to.
func (c *Conn) do(ctx context.Context, kind string, deed func() error) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if kind == "write" {
		c.s.writes++
	}
	if !c.b.conns[c] {
		return openflow.ErrClosed
	}
	how, fail := c.s.failing(kind)
	switch {
	case !fail:
		return deed()
	case how == Refuse:
		return ErrInjected
	case how == HangUpAfter:
		_ = deed() // nobody hears how it went
	}
	delete(c.b.conns, c)
	close(c.done)
	return openflow.ErrClosed
}

// Flows returns flows by cookie.
func (c *Conn) Flows(ctx context.Context, cookie, mask uint64) (flows []openflow.Flow, err error) {
	err = c.do(ctx, "read", func() error {
		for _, f := range c.b.list() {
			if f.Cookie&mask == cookie&mask {
				flows = append(flows, f)
			}
		}
		return nil
	})
	return flows, err
}

// Apply makes all changes or none.
func (c *Conn) Apply(ctx context.Context, changes ...openflow.Change) error {
	return c.do(ctx, "write", func() error {
		c.b.change(c, changes)
		return nil
	})
}

// Monitor tells of the flows there are, and of changes. fn must not call the switch.
func (c *Conn) Monitor(ctx context.Context, fn func(openflow.Update)) error {
	return c.do(ctx, "monitor", func() error {
		if c.b.deaf {
			return fmt.Errorf("watch flows: %w", errors.ErrUnsupported)
		}
		c.watch = fn
		for _, f := range c.b.list() {
			fn(openflow.Update{Event: openflow.Initial, Flow: f})
		}
		return nil
	})
}
