package netlink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what a Mirror keeps and how.
type Options struct {
	// Tables are the routing tables whose routes are kept, whoever wrote them. A node may hold the Internet's
	// routes in its main table: only what is named here is kept.
	Tables []uint32
	// Protocols are those whose routes are kept in any table.
	Protocols []uint8
	// ReceiveBuffer is the size in bytes of the notification queue; 0 means 16 MiB. The kernel may cap it.
	ReceiveBuffer int
	// ProxyPoll is how often proxy entries, of which the kernel tells nothing, are read again; 0 means never.
	ProxyPoll time.Duration
}

// Mirror is a copy of the kernel's objects in one network namespace. Its methods may be called from any goroutine.
type Mirror struct {
	pokes    chan struct{}
	silences chan struct{} // to lookAgain
	stop     chan struct{}
	wait     sync.WaitGroup
	file     *os.File // the monitor socket
	ask      *requester

	mu     sync.Mutex
	closed bool
	opts   Options
	fd     int // of file; used under mu, and not once closed
	in     []byte
	store  *store
	copied *Actual // what store.actual made; nil once the store may be different

	writers []uint32 // ports of the writers that it is joined with
}

// monitorGroups are the notification groups a Mirror joins.
func monitorGroups() []int {
	return []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH,
		unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
		unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	}
}

// NewMirror opens a mirror of the calling thread's network namespace and fills it.
func NewMirror(ctx context.Context, opts Options) (*Mirror, error) {
	if opts.ReceiveBuffer == 0 {
		opts.ReceiveBuffer = 16 << 20
	}
	fd, err := newSocket(unix.SOCK_NONBLOCK)
	if err != nil {
		return nil, err
	}
	// The queue's size before the groups: they may deliver at once.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, opts.ReceiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, opts.ReceiveBuffer)
	}
	if err := quiet(fd, opts); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	for _, g := range monitorGroups() {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			_ = unix.Close(fd)
			return nil, fmt.Errorf("join netlink group %d: %w", g, err)
		}
	}
	ask, err := newRequester()
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	opts.Tables, opts.Protocols = slices.Clone(opts.Tables), slices.Clone(opts.Protocols)
	m := &Mirror{
		pokes: make(chan struct{}, 1), silences: make(chan struct{}, 1), stop: make(chan struct{}),
		file: os.NewFile(uintptr(fd), "netlink monitor"), ask: ask,
		opts: opts, fd: fd, in: make([]byte, receiveSize),
	}
	m.store = newStore(m.keeps)
	if err := m.Refresh(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.wait.Go(m.listen)
	m.wait.Go(m.lookAgain)
	if opts.ProxyPoll > 0 {
		m.wait.Go(m.pollProxies)
	}
	return m, nil
}

// Close ends the mirror.
func (m *Mirror) Close() error {
	m.mu.Lock()
	was := m.closed
	m.closed = true
	m.mu.Unlock()
	if was {
		return nil
	}
	close(m.stop)
	err := errors.Join(m.file.Close(), m.ask.close())
	m.wait.Wait()
	return err
}

// Pokes delivers one pending poke after anything that is kept has changed. Of what a joined writer changed it tells
// only where that may matter to somebody else than the one who wrote: links, and default routes.
func (m *Mirror) Pokes() <-chan struct{} { return m.pokes }

func (m *Mirror) poke() {
	select {
	case m.pokes <- struct{}{}:
	default:
	}
}

// keeps leaves out what the kernel writes for each local address: a VRF's table is full of them.
func (m *Mirror) keeps(r Route) bool {
	if r.Protocol == unix.RTPROT_KERNEL && r.Type == unix.RTN_LOCAL {
		return false
	}
	return slices.Contains(m.opts.Tables, r.Table) || slices.Contains(m.opts.Protocols, r.Protocol)
}

// Watch adds tables to those whose routes are kept.
func (m *Mirror) Watch(tables ...uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range tables {
		if t != 0 && !slices.Contains(m.opts.Tables, t) {
			m.opts.Tables = append(m.opts.Tables, t)
			m.store.stale |= kindRoutes // the filter before the dump: what changes between is told
			if !m.closed && (t == TableMain || t == TableLocal) {
				_ = quiet(m.fd, m.opts) // it worked when the socket was opened
			}
		}
	}
}

// Invalidate makes the next Refresh read everything anew.
func (m *Mirror) Invalidate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store.stale = kindsAll
}

// Refresh brings the copy up to date: all notifications queued are taken, and what the kernel changes without
// telling is dumped. Since the kernel queues a change's notification before it acknowledges the change, one's own
// writes are in the copy afterwards.
func (m *Mirror) Refresh(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refresh(ctx, kindsAll)
}

// Actual returns the copy, brought up to date. Its slices are shared by all who ask while nothing changes: they must not
// be changed.
func (m *Mirror) Actual(ctx context.Context) (Actual, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, kindsAll); err != nil {
		return Actual{}, fmt.Errorf("read kernel state: %w", err)
	}
	if m.copied == nil {
		a := m.store.actual()
		m.copied = &a
	}
	return *m.copied, nil
}

// PollProxies reads the proxy entries again, and pokes if they differ.
func (m *Mirror) PollProxies(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := maps.Clone(m.store.proxies)
	m.store.stale |= kindProxies
	if err := m.refresh(ctx, kindProxies); err != nil {
		return err
	}
	if !maps.Equal(old, m.store.proxies) {
		m.poke()
	}
	return nil
}

// LinkName returns the name of a link as last heard, "" when there is none.
func (m *Mirror) LinkName(index int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store.links[index].Name
}

// LinkByName returns the link of that name after taking what is queued. It is cheap: of what is to be dumped it dumps
// links only.
func (m *Mirror) LinkByName(ctx context.Context, name string) (Link, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, kindLinks); err != nil {
		return Link{}, false, err
	}
	for _, l := range m.store.links {
		if l.Name == name {
			return l, true, nil
		}
	}
	return Link{}, false, nil
}

// refresh takes the queue first and dumps after: what a dump tells is newer than all that was queued before it, and
// what is queued while it runs is taken after it. A dump is needed again when the queue tells of another silence. Of
// what is stale only what is needed is dumped.
func (m *Mirror) refresh(ctx context.Context, need kinds) error {
	const attempts = 10
	for range attempts {
		if m.closed {
			return os.ErrClosed
		}
		if err := m.drain(); err != nil {
			return err
		}
		if m.store.changed {
			m.store.changed = false
			m.poke() // there may be others who have not seen it
		}
		if m.store.stale&need == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.dump(ctx, m.store.stale&need); err != nil {
			return err
		}
	}
	return fmt.Errorf("the kernel's state changed faster than it could be read, %d times", attempts)
}

// drain takes all that is queued. After an overrun everything is stale.
func (m *Mirror) drain() error {
	defer m.tellSilence()
	for {
		n, err := receive(m.fd, m.in, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			m.store.silence(kindsAll) // who knows what was lost
			m.store.changed = true
			continue
		case err != nil:
			return fmt.Errorf("receive notifications: %w", err)
		}
		m.copied = nil
		err = messages(m.in[:n], func(msg message) error {
			m.take(msg)
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// take applies a notification. A joined writer knows already what it did: whoever has it write reads the copy afterwards,
// and would be woken by his own steps otherwise, to find nothing. Kernels that do not say whose request it was, of IPv6
// addresses for example, wake him.
func (m *Mirror) take(msg message) {
	before := m.store.changed
	m.store.take(msg)
	if !slices.Contains(m.writers, msg.port) {
		return
	}
	switch msg.typ {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.RTM_NEWRULE, unix.RTM_DELRULE:
		m.store.changed = before
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if r, ok := parseRoute(msg.body); ok && r.Dst.Bits() > 0 {
			m.store.changed = before
		}
	}
}

// listen takes notifications as they come, and pokes when they change something.
func (m *Mirror) listen() {
	raw, err := m.file.SyscallConn()
	if err != nil {
		return // closed already
	}
	// Read calls the function again whenever there is more to receive, until Close.
	_ = raw.Read(func(uintptr) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.closed {
			return true
		}
		// An error is met again, and returned, by the next Refresh, which the poke leads to.
		stale := m.store.stale // whoever caused that will read
		err := m.drain()
		if err != nil || m.store.changed || m.store.stale&^stale != 0 {
			m.store.changed = false
			m.poke()
		}
		return false
	})
}

func (m *Mirror) pollProxies() {
	tick := time.NewTicker(m.opts.ProxyPoll)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			if m.PollProxies(context.Background()) != nil {
				m.poke() // the round will say what is wrong
			}
		}
	}
}
