package netlink

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// Conn is a Mirror and a Writer of one network namespace, joined so that the mirror sees the writer's work even where
// the kernel announces none of it.
type Conn struct {
	*Mirror
	*Writer
}

// Open opens both in the calling thread's network namespace. onWrite, which may be nil, is called before every write.
func Open(ctx context.Context, opts Options, onWrite func()) (*Conn, error) {
	m, err := NewMirror(ctx, opts)
	if err != nil {
		return nil, err
	}
	w, err := m.Join(onWrite)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &Conn{Mirror: m, Writer: w}, nil
}

// Join opens a writer in the calling thread's network namespace, which must be the mirror's, and joins the two. A mirror
// may have several, so that each counts what it writes; close them before it. onWrite may be nil.
func (m *Mirror) Join(onWrite func()) (*Writer, error) {
	w, err := NewWriter(WriterOptions{OnWrite: onWrite, Names: m.LinkName, Wrote: m.confirm})
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writers = append(m.writers, w.ask.port)
	return w, nil
}

// Close ends both.
func (c *Conn) Close() error { return errors.Join(c.Writer.Close(), c.Mirror.Close()) }

// confirm takes into the copy what was just written and is not, or not yet, announced:
//
//   - a neighbour written again with another protocol only, and any proxy entry: to nobody;
//   - the alias of a link that is down: to nobody;
//   - an IPv6 address that is used without duplicate address detection: later, by a work queue of the kernel's.
func (m *Mirror) confirm(object any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	// One dump at the next refresh serves all that were written.
	switch o := object.(type) {
	case Link:
		m.store.stale |= kindLinks
	case Addr:
		m.store.stale |= kindAddrs
	case Neighbor:
		if !o.Proxy {
			return m.readBack(o)
		}
		m.store.stale |= kindProxies
	}
	return nil
}

// readBack reads one neighbour: a dump of all, dynamic ones included, may be long.
func (m *Mirror) readBack(n Neighbor) error {
	if m.store.stale&kindNeighbors != 0 {
		return nil // to be dumped anyway
	}
	// What is queued from before the write must not be applied after what is read now.
	if err := m.drain(); err != nil {
		return err
	}
	m.copied = nil
	b := appendAttr(neighHeader(n), unix.NDA_DST, n.IP.AsSlice())
	err := m.ask.request(unix.RTM_GETNEIGH, unix.NLM_F_ACK, b, m.store.take)
	if isGone(err) {
		m.store.takeNeighbor(n, false)
		return nil
	}
	return err
}
